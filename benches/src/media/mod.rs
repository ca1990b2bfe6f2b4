//! Media: what listeners wait for, and what it costs. The binary serves blobs that a host of this
//! process has; nginx, ffprobe and the host itself are asked the same in the same run.

mod client;
mod first;
mod flat;
mod host;
mod looks;
mod nginx;
mod pds;
mod ranges;
mod stage;
mod takedown;
mod wave;

use clap::ValueEnum;

use crate::report::Report;
use crate::{Arguments, Outcome, binary};

/// What is measured, one after another.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Ranges of a kept file, beside nginx over the very same file.
    Ranges,
    /// From asking for what isn't here to its first byte, beside the host itself; and from a real
    /// PDS.
    First,
    /// Memory while a blob of 1.5 GB comes, and while 100 listen to it.
    Memory,
    /// Looking at bytes, beside ffprobe.
    Looks,
    /// From a takedown to the end of what twenty are hearing.
    Takedown,
}

/// Runs the campaign.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    for part in &arguments.parts {
        match part {
            Part::Ranges => ranges::run(&binary, arguments.run(), report).await?,
            Part::First => {
                first::run(&binary, report).await?;
                pds::run(&binary, report).await?;
            }
            Part::Memory => flat::run(&binary, report).await?,
            Part::Looks => looks::run(&binary, report).await?,
            Part::Takedown => takedown::run(&binary, report).await?,
        }
    }
    Ok(())
}

/// A figure that says so itself where it misses its aim.
fn held_against(is_met: bool, figure: String) -> String {
    match is_met {
        true => figure,
        false => format!("{figure}: missed"),
    }
}
