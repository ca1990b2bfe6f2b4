//! The `plyr` binary: one process that follows the network for music records and answers queries
//! about them. Everything it can do stands in `plyr --help`.

mod admin;
mod control;
mod demo;
mod logs;
mod media;
mod probes;
mod repos;
mod run;
mod store;

use std::process::ExitCode;

use clap::error::ErrorKind;
use error::OpsError;
use plyr::{cli, config, error};

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == plyr_probe::SUBCOMMAND)
    {
        return plyr_probe::child();
    }
    let matches = match cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(problem) => {
            let asked_for_text = matches!(
                problem.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            return match problem.print() {
                Ok(()) if asked_for_text => ExitCode::SUCCESS,
                _ => ExitCode::from(2),
            };
        }
    };
    match run(&matches) {
        Ok(code) => code,
        Err(problem) => {
            error::tell(&problem);
            problem.exit_code()
        }
    }
}

fn run(matches: &clap::ArgMatches) -> Result<ExitCode, OpsError> {
    let Some((command, arguments)) = matches.subcommand() else {
        return Err(OpsError::Usage(
            "name a command; `plyr --help` lists them".to_owned(),
        ));
    };
    let settings = config::gather(arguments)?;
    if command == "config" {
        return Ok(config::check::print(&settings));
    }
    let config = config::Config::from_settings(&settings)?;
    if command == "demo" {
        let demo = demo::Demo::new(config, &settings, arguments)?;
        logs::start(demo.config())?;
        return runtime()?.block_on(demo.run());
    }
    logs::start(&config)?;
    config.warn_of_what_is_not_built(&settings);
    let runtime = runtime()?;
    if let Some(role) = run::Role::of(command) {
        let ended = runtime.block_on(run::run(role, config));
        // What can't be stopped in the midst is left as a kill would leave it.
        runtime.shutdown_timeout(LAST_PATIENCE);
        return ended;
    }
    match (command, arguments.subcommand_name()) {
        ("dump", _) => runtime.block_on(store::dump::dump(&config, arguments)),
        ("rebuild", _) => runtime.block_on(store::rebuild::rebuild(&config, arguments)),
        ("blobs", _) => runtime.block_on(media::commands::blobs(&config, arguments)),
        ("verify", _) => runtime.block_on(repos::verify::verify(&config, arguments)),
        ("backfill", _) => runtime.block_on(repos::backfill::backfill(&config, arguments)),
        ("quarantine", _) => runtime.block_on(repos::quarantine::quarantine(&config, arguments)),
        ("admin", _) => runtime.block_on(admin::admin(&config, arguments)),
        ("store", Some("migrate")) => runtime.block_on(store::schema::migrate(&config)),
        ("store", Some("copy")) => runtime.block_on(store::copy::copy(&config, arguments)),
        ("store", Some("plan")) => runtime.block_on(store::schema::plan(&config)),
        (other, _) => Err(OpsError::Usage(format!("there is no command `{other}`"))),
    }
}

/// How long threads that wait for the disk may take when everything else has ended.
const LAST_PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// More workers than cores: reads of the embedded store happen on them and may wait for the disk.
fn runtime() -> Result<tokio::runtime::Runtime, OpsError> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads((cores * 2).clamp(4, 32))
        .thread_name("plyr")
        .thread_stack_size(4 << 20)
        .enable_all()
        .build()
        .map_err(|detail| OpsError::Start(format!("the runtime can't start: {detail}")))
}
