//! The command line, made from the table of options so that flag, environment and file agree.

use clap::{Arg, ArgAction, Command};

use crate::config::options::{OPTIONS, Shape};

const ABOUT: &str = "The AppView and firehose indexer for music on the AT Protocol";

const EXAMPLES: &str = "\
Examples:
  plyr serve                              follow the network, answer on http://127.0.0.1:8080
  plyr serve --data-dir /srv/plyr --listen 0.0.0.0:80 --public-url https://music.example.com
  plyr dump --out state.ndjson            the state as canonical NDJSON
  plyr config check                       what is in force, and where each value came from

Every option exists three ways: as a flag, as an environment variable (--data-dir is
PLYR_DATA_DIR) and as a key of plyr.toml (data_dir). The flag beats the environment, the
environment the file, the file the default.";

/// The whole command line.
pub fn command() -> Command {
    let version = format!(
        "{} ({}, {} build, stores: embedded)",
        env!("CARGO_PKG_VERSION"),
        option_env!("PLYR_GIT_REVISION").unwrap_or("revision unknown"),
        if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
    );
    let serve = Command::new("serve")
        .about("Everything in one process: follows the network and answers queries");
    let dump = Command::new("dump")
        .about("The state as canonical NDJSON: sorted, the same for every store of one network")
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("FILE")
                .help("Where to write it; - is standard output")
                .default_value("-"),
        );
    let config = Command::new("config")
        .about("About the configuration")
        .subcommand_required(true)
        .subcommand(
            Command::new("check")
                .about("Prints the effective configuration and where each value came from"),
        );
    Command::new("plyr")
        .about(ABOUT)
        .after_help(EXAMPLES)
        .version(version)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([serve, dump, config])
        .args(OPTIONS.iter().map(argument))
}

fn argument(option: &crate::config::options::OptionRow) -> Arg {
    let argument = Arg::new(option.flag)
        .long(option.flag)
        .help(option.help_text())
        .global(true);
    match option.shape {
        Shape::Switch => argument.action(ArgAction::SetTrue),
        Shape::One => argument
            .value_name(option.value_name)
            .action(ArgAction::Set),
        Shape::Many => argument
            .value_name(option.value_name)
            .action(ArgAction::Append),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_holds_together() {
        super::command().debug_assert();
    }
}
