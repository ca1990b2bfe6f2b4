//! Runs a program and cuts its power, as far as a folder is concerned: every call that changes the
//! folder is watched (ptrace) and noted before it is done; at the cut the program is killed, and
//! what it had not synced by then is taken back. The disk may be full for a while and slow, too.

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod linux;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// What of the unsynced survives a cut.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// Nothing.
    Nothing,
    /// All up to a point, in order; the last write is torn in its midst.
    Prefix,
    /// Any pages of 4 KiB, in any order; of names all up to a point.
    Pages,
    /// Everything: no cut of the power, only a kill.
    Everything,
}

/// The command line.
#[derive(Parser)]
#[command(about = "Runs a program and cuts its power: what it had not synced is taken back")]
pub struct Arguments {
    /// The folder that is watched.
    #[arg(long)]
    pub folder: PathBuf,
    /// Where files that were removed are kept until the cut; on the same file system.
    #[arg(long)]
    pub grave: PathBuf,
    /// Where is written what was seen and done, as one JSON object.
    #[arg(long)]
    pub report: PathBuf,
    /// The call that needs room from which on the disk is full, from 1 on. Half of it is written.
    #[arg(long)]
    pub full_at: Option<u64>,
    /// How many calls that need room meet a full disk.
    #[arg(long, default_value_t = 4)]
    pub full_for: u64,
    /// Milliseconds that each sync takes longer.
    #[arg(long, default_value_t = 0)]
    pub slow: u64,
    /// The call before which the power is cut, from 1 on; without it, when SIGUSR1 comes.
    #[arg(long)]
    pub at: Option<u64>,
    /// What of the unsynced survives.
    #[arg(long, value_enum, default_value_t = Way::Nothing)]
    pub way: Way,
    /// Decides what survives.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The program and its arguments.
    #[arg(required = true, last = true)]
    pub program: Vec<String>,
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
fn main() -> ExitCode {
    use std::io::Write;

    match linux::run(&Arguments::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(problem) => {
            // Where not even this can be written, the code tells.
            let _ = writeln!(std::io::stderr(), "powercut: {problem}");
            ExitCode::from(70)
        }
    }
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
fn main() -> ExitCode {
    use std::io::Write;

    let Arguments { .. } = Arguments::parse();
    let told = "powercut: power is cut on Linux alone, on x86-64 and ARM64";
    // Where not even this can be written, the code tells.
    let _ = writeln!(std::io::stderr(), "{told}");
    ExitCode::from(69)
}
