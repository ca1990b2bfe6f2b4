//! What can stop a command, and how it is told: on stderr, with the fix, and by the exit code.

use std::io::Write;
use std::process::ExitCode;

use plyr_schemas::StoreError;
use plyr_schemas::own::OwnError;

/// Why a command ended without doing its work.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// One or more settings can't be used; each says key, problem and fix.
    #[error("the configuration can't be used:\n{}", .0.join("\n"))]
    Config(Vec<String>),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something needed at the start is missing.
    #[error("{0}")]
    Start(String),
    /// A dump could not be written.
    #[error("the dump failed: {0}")]
    Dump(String),
    /// A copy could not be made, or the two stores differ.
    #[error("the copy failed: {0}")]
    Copy(String),
    /// What a command prints could not be written.
    #[error("standard output can't be written: {0}")]
    Output(String),
    /// An operator's action.
    #[error(transparent)]
    Own(#[from] OwnError),
    /// What an operator names can't be acted on.
    #[error("{0}")]
    Subject(String),
    /// The running server could not be asked, or refused.
    #[error("the server that holds the data folder: {0}")]
    Control(String),
}

impl OpsError {
    /// 2 for what is wrong with the configuration, 1 for what failed.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            OpsError::Usage(_) | OpsError::Config(_) => ExitCode::from(2),
            _ => ExitCode::from(1),
        }
    }
}

/// Writes the problem to stderr. A closed stderr leaves nothing to be done.
pub fn tell(problem: &OpsError) {
    let told = writeln!(std::io::stderr(), "plyr: {problem}");
    debug_assert!(told.is_ok());
}
