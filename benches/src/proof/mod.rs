//! Proving it: seeded histories of a simulated network, broken in every way, and an oracle that says
//! what the state must be. Each campaign prints the one command that does the same again.

pub mod faults;
pub mod kill;
pub mod permute;
pub mod scene;

use std::io::Write;

use plyr_oracle::Disagreement;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Tries of a smaller history that fails as well.
const SHRINKS: usize = 6;

/// One run: what it came to, in a few words.
pub type Ran = Result<String, RunError>;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state is otherwise than it must be.
    #[error("{0}")]
    Wrong(#[from] Disagreement),
    /// It never came to be what it must be.
    #[error("never there: {0}")]
    Never(String),
    /// The run itself could not be made.
    #[error("{0}")]
    Broken(String),
}

impl RunError {
    /// Anything that kept the run from being made.
    pub fn broken(problem: impl std::fmt::Display) -> RunError {
        RunError::Broken(problem.to_string())
    }

    fn is_finding(&self) -> bool {
        !matches!(self, RunError::Broken(_))
    }
}

/// What is told of a failing run: the command that does it again, and the smallest history that
/// fails as well.
pub async fn tell<F: Future<Output = Ran>>(
    campaign: &str,
    seed: u64,
    acts: usize,
    more: &str,
    problem: &RunError,
    run: impl Fn(u64, usize) -> F,
) -> Result<(), AnyError> {
    let command = |acts: usize| {
        format!(
            "cargo run --release -p plyr-benches -- {campaign} --seed {seed} --runs 1 --acts {acts}\
             {more}"
        )
    };
    let mut out = std::io::stderr();
    writeln!(out, "FAILED: {problem}\n  {}", command(acts))?;
    if !problem.is_finding() {
        return Ok(());
    }
    let (mut holds, mut fails) = (0, acts);
    for _ in 0..SHRINKS {
        let middle = holds + (fails - holds) / 2;
        if middle == holds || middle == fails {
            break;
        }
        match run(seed, middle).await {
            Err(problem) if problem.is_finding() => {
                fails = middle;
                writeln!(out, "  with {middle} acts as well: {problem}")?;
            }
            _ => holds = middle,
        }
    }
    writeln!(out, "  smallest: {}", command(fails))?;
    Ok(())
}
