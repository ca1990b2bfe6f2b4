//! Proving it: seeded histories of a simulated network, broken in every way, and an oracle that
//! says what the state must be. Each campaign prints the one command that does the same again.

pub mod faults;
pub mod kill;
pub mod permute;
/// As the tests have it.
#[path = "../../../ops/tests/scene/mod.rs"]
pub mod scene;

use std::io::Write;

use scene::RunError;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Tries of a smaller history that fails as well.
const SHRINKS: usize = 6;

/// One run: what it came to, in a few words.
pub type Ran = Result<String, RunError>;

fn is_finding(problem: &RunError) -> bool {
    !matches!(problem, RunError::Broken(_))
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
    if !is_finding(problem) {
        return Ok(());
    }
    let (mut holds, mut fails) = (0, acts);
    for _ in 0..SHRINKS {
        let middle = holds + (fails - holds) / 2;
        if middle == holds || middle == fails {
            break;
        }
        match run(seed, middle).await {
            Err(problem) if is_finding(&problem) => {
                fails = middle;
                writeln!(out, "  with {middle} acts as well: {problem}")?;
            }
            _ => holds = middle,
        }
    }
    writeln!(out, "  smallest: {}", command(fails))?;
    Ok(())
}
