//! The control socket: how a command reaches the server that holds the data folder.
//!
//! A Unix socket `control.sock` (mode 0600) in the folder. One request a connection: a JSON object
//! on one line. The answer is blocks, each behind its length (u32, big-endian): bytes of the
//! answer, or, where the length's highest bit is set, a line of JSON that tells how far the work
//! has come (empty: the server lives). A length of 0 ends them, and one JSON line tells how it
//! went: `{"ok":true}` or `{"error":"…"}`. A living server sends something every few seconds,
//! however long the work takes. Each command is a file of its own in `commands`.

mod client;
pub mod commands;
mod server;

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use client::{ask, is_served};
pub use commands::Request;
use serde::{Deserialize, Serialize};
pub use server::{Control, Served};

use crate::error::OpsError;

const NAME: &str = "control.sock";
/// Longest request or verdict, in bytes: some thirty thousand repos by name.
const LONGEST_REQUEST: u64 = 1 << 20;
/// Longest piece of an answer in one block, in bytes.
const LONGEST_BLOCK: usize = 1 << 20;
/// Set in the length of a block that tells how far the work has come.
const TELLS: u32 = 1 << 31;
/// Commands that work at the same time; those that only say something need no place.
const AT_ONCE: usize = 4;
/// Connections at the same time.
const CONNECTIONS: usize = 32;
/// The server sends something at least this often.
const BEAT: Duration = Duration::from_secs(5);
/// A server that sent nothing for this long is dead or hangs.
const SILENCE: Duration = Duration::from_secs(60);

/// How it went.
#[derive(Serialize, Deserialize)]
struct Verdict {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ok: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

fn lost(detail: impl ToString) -> OpsError {
    OpsError::Control(detail.to_string())
}

/// The socket's path by way of the open folder, which must stay open meanwhile: an address holds
/// 107 bytes, and a data folder's path may be longer.
fn short_path(data_dir: &Path) -> std::io::Result<(File, PathBuf)> {
    let folder = File::open(data_dir)?;
    let path = format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd());
    Ok((folder, path.into()))
}

#[cfg(test)]
mod tests;
