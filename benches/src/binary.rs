//! The `plyr` binary under measurement: the one that was named, or this workspace's, built in the
//! profile that the benches themselves were built in.

use std::path::Path;

use plyr_peers::{Plyr, built};
use tokio::process::Command;

use crate::Arguments;
use crate::report::Report;

type Failure = Box<dyn std::error::Error>;

/// The binary; its version and revision go under the table.
pub async fn find(arguments: &Arguments, report: &mut Report) -> Result<String, Failure> {
    let path = match &arguments.binary {
        Some(path) => path.clone(),
        None => built("plyr", &["--package", "plyr"])
            .await
            .map_err(|problem| format!("{problem}; or name one with --binary"))?,
    };
    let asked = Command::new(&path).arg("--version").output().await;
    let asked = asked.map_err(|problem| format!("{}: {problem}", path.display()))?;
    let version = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    report.note(format!("Binary: {version}"));
    let path = path.into_os_string().into_string();
    path.map_err(|path| format!("{} is no UTF-8 path", Path::new(&path).display()).into())
}

/// Starts it over a folder with no network to reach.
pub async fn start_alone(binary: &str, folder: &Path) -> Result<Plyr, Failure> {
    let nowhere = ["--dev", "--plc-url", "http://127.0.0.1:1"];
    let no_stream = ["--jetstream", "ws://127.0.0.1:1", "--relay-url", "none"];
    let arguments = nowhere.iter().chain(&no_stream);
    let arguments: Vec<String> = arguments.map(|word| (*word).to_owned()).collect();
    Ok(Plyr::start(binary, folder, &arguments).await?)
}
