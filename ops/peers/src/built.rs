//! A binary of this workspace, built by cargo in the profile that the caller was built in.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::PeersError;

/// Builds the binary `name`; `choice` are the words that tell cargo what to build, and thereby with
/// which features. What the compiler says goes to stderr.
pub async fn built(name: &str, choice: &[&str]) -> Result<PathBuf, PeersError> {
    let failed = |detail: &dyn std::fmt::Display| PeersError::Start(format!("{name}: {detail}"));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .arg("build")
        .args(choice)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let done = command.output().await.map_err(|problem| failed(&problem))?;
    if !done.status.success() {
        return Err(failed(&"could not be built; see above"));
    }
    let said = String::from_utf8_lossy(&done.stdout);
    let executable = said.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let ours = message["target"]["name"] == name;
        let path = message["executable"].as_str().filter(|_| ours)?;
        Some(PathBuf::from(path))
    });
    executable.ok_or_else(|| failed(&"cargo names no executable of it"))
}
