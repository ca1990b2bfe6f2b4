//! `plyr config check`: what is in force and where it came from, secrets masked.

use std::io::Write;
use std::process::ExitCode;

use super::options::OPTIONS;
use super::sources::Origin;
use super::{Config, Settings};
use crate::error;

/// Prints one line an option; exit code 2 with every problem if it can't run.
pub fn print(settings: &Settings) -> ExitCode {
    let mut out = std::io::stdout().lock();
    for option in OPTIONS {
        let Some(setting) = settings.get(option.flag) else {
            continue;
        };
        let origin = match &setting.origin {
            Origin::Flag => format!("flag --{}", option.flag),
            Origin::Environment => format!("environment {}", option.environment()),
            Origin::File(path) => format!("file {path}"),
            Origin::Default => "default".to_owned(),
            Origin::Unset => "not set".to_owned(),
        };
        let shown = match (option.secret, setting.values.is_empty()) {
            (_, true) => "-".to_owned(),
            (true, false) => "********".to_owned(),
            (false, false) => setting.values.join(", "),
        };
        let later = if option.built {
            ""
        } else {
            "; its part is not built yet"
        };
        if writeln!(out, "{} = {shown}   ({origin}{later})", option.key()).is_err() {
            return ExitCode::from(1);
        }
    }
    match Config::from_settings(settings) {
        Ok(_) => ExitCode::SUCCESS,
        Err(problem) => {
            error::tell(&problem);
            problem.exit_code()
        }
    }
}
