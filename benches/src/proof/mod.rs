//! Proving it: seeded histories of a simulated network, broken in every way, and an oracle that
//! says what the state must be. Of a failing run the one command is printed that does it again.
//! And bugs made on purpose, which the tests must notice.

pub mod faults;
pub mod kill;
pub mod mutants;
pub mod over;
pub mod permute;
pub mod power;
/// As the tests have it.
#[path = "../../../ops/tests/scene/mod.rs"]
mod scene;
pub mod soak;

use std::io::Write;
use std::time::Instant;

use clap::ValueEnum;
use over::Over;
use scene::RunError;

use crate::Arguments;
use crate::arguments::Campaign;

/// What a campaign is run by.
const COMMAND: &str = "cargo run --release -p plyr-benches --";
/// Tries of a smaller history that fails as well.
const SHRINKS: usize = 6;

/// One run: what it came to, as lines of the dump and questions asked.
type Ran = Result<(usize, u64), RunError>;

/// What a run is made from.
#[derive(Clone, Copy, Debug)]
struct Case {
    /// Of the story.
    seed: u64,
    /// Of how it is told.
    order: u64,
    /// Acts of the story, after its opening.
    acts: usize,
    /// Kills of one history, where there are any.
    kills: usize,
    /// Where it ends.
    over: Over,
}

impl Case {
    fn of(arguments: &Arguments, seed: u64) -> Case {
        Case {
            seed,
            order: arguments.order,
            acts: arguments.acts,
            kills: arguments.kills as usize,
            over: arguments.over,
        }
    }

    /// The command that does this one again, with the options that the campaign takes.
    fn command(&self, campaign: Campaign) -> String {
        let over = self.over.to_possible_value();
        let over = over.as_ref().map_or("", |value| value.get_name());
        let mut command = format!(
            "{COMMAND} {} --runs 1 --seed {}",
            campaign.name(),
            self.seed
        );
        for (option, value) in [
            ("order", self.order.to_string()),
            ("acts", self.acts.to_string()),
            ("kills", self.kills.to_string()),
            ("over", over.to_owned()),
        ] {
            if campaign.takes(option) {
                command += &format!(" --{option} {value}");
            }
        }
        command
    }
}

/// Runs one case after another; answers what the last came to. The first that fails ends it: it is
/// told, and made smaller.
async fn all<F: Future<Output = Ran>>(
    campaign: Campaign,
    cases: impl Iterator<Item = Case>,
    run: impl Fn(Case) -> F,
) -> Result<String, Box<dyn std::error::Error>> {
    let mut told = String::new();
    let began = Instant::now();
    for (number, case) in cases.enumerate() {
        match run(case).await {
            Ok((lines, questions)) => {
                told = format!("{lines} lines, {questions} questions");
                let (done, seconds) = (number + 1, began.elapsed().as_secs());
                let name = campaign.name();
                writeln!(std::io::stderr(), "{name}: {done} held, {seconds} s")?;
            }
            Err(problem) => {
                tell(campaign, case, &problem, run).await?;
                return Err(problem.into());
            }
        }
    }
    Ok(told)
}

fn is_finding(problem: &RunError) -> bool {
    !matches!(problem, RunError::Broken(_))
}

/// Tells of a failing run: the command that does it again, and the smallest history that fails as
/// well.
async fn tell<F: Future<Output = Ran>>(
    campaign: Campaign,
    case: Case,
    problem: &RunError,
    run: impl Fn(Case) -> F,
) -> std::io::Result<()> {
    let mut out = std::io::stderr();
    writeln!(out, "FAILED: {problem}\n  {}", case.command(campaign))?;
    if !is_finding(problem) {
        return Ok(());
    }
    let (mut holds, mut fails) = (0, case.acts);
    for _ in 0..SHRINKS {
        let acts = holds + (fails - holds) / 2;
        if acts == holds {
            break;
        }
        match run(Case { acts, ..case }).await {
            Err(problem) if is_finding(&problem) => {
                fails = acts;
                writeln!(out, "  with {acts} acts as well: {problem}")?;
            }
            _ => holds = acts,
        }
    }
    let smallest = Case {
        acts: fails,
        ..case
    };
    writeln!(out, "  smallest: {}", smallest.command(campaign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_does_it_again_is_taken_by_its_campaign() {
        let campaigns = [
            Campaign::Permute,
            Campaign::Kill,
            Campaign::Power,
            Campaign::Faults,
        ];
        for campaign in campaigns {
            let case = Case {
                seed: 5,
                order: 6,
                acts: 7,
                kills: 8,
                over: Over::Embedded,
            };
            let command = case.command(campaign);
            let words = command.split(' ').skip_while(|word| *word != "--");
            let read = Arguments::read(words).unwrap();
            assert_eq!((read.campaigns.as_slice(), read.runs), (&[campaign][..], 1));
            let is_kill = campaign == Campaign::Kill;
            let again = Case::of(&read, read.seed);
            assert_eq!(
                (again.seed, again.order, again.acts),
                (5, 6, 7),
                "{command}"
            );
            assert_eq!(again.kills == 8, is_kill, "{command}");
        }
    }
}
