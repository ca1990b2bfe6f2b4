//! Cut from power while a history goes on: what was written and not synced is gone, or any part of
//! it; nothing that was answered is lost, no cursor leads, and in the end all is as it must be.

use std::cell::RefCell;

use plyr_simnet::{Faults, StreamFaults};

use super::scene::power::{Cut, Power, Seen, tool};
use super::scene::{HOSTS, Scene};
use super::{Case, Ran, all};
use crate::arguments::Campaign;
use crate::corpus::Random;
use crate::report::Report;
use crate::{Arguments, Outcome, binary};

/// Cuts of one history.
const CUTS: usize = 10;
/// The calls that make a store, about.
const MAKING: usize = 250;
/// A life over a store is cut before one of this many calls; some dozens recover it.
const LIFE: usize = 560;
/// What survives of the unsynced; by turns that the seed decides.
const WAYS: [&str; 3] = ["nothing", "prefix", "pages"];

/// Runs the campaign: `--runs` histories, of the seeds from `--seed` on.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let Some(tool) = tool().await? else {
        report.note("power: skipped: power is cut on Linux alone (x86-64 and ARM64)".to_owned());
        return Ok(());
    };
    let binary = binary::find(arguments, report).await?;
    let Arguments {
        seed, acts, runs, ..
    } = *arguments;
    let seen = RefCell::new(Seen::default());
    let cases = (seed..seed + runs).map(|seed| Case::of(arguments, seed));
    let last = all(Campaign::Power, cases, |case| {
        one(&tool, &binary, case, &seen)
    })
    .await?;
    report.add(
        &format!("cut from power, {runs} histories of {acts} acts (seeds {seed} on)"),
        format!("{}; all as it must be (the last: {last})", seen.borrow()),
        "0 lost, 0 resurrected",
    );
    Ok(())
}

async fn one(tool: &str, binary: &str, case: Case, seen: &RefCell<Seen>) -> Ran {
    let Case {
        seed, order, acts, ..
    } = case;
    let stream = StreamFaults {
        duplicates: 10,
        delays: 10,
        ..StreamFaults::default()
    };
    let faults = Faults {
        seed: order,
        streams: vec![stream; HOSTS.len()],
        ..Faults::default()
    };
    let mut scene = Scene::open(seed, faults).await?;
    let mut power = Power::new(tool, binary)?;
    let mut random = Random::new(seed);
    power.seen = seen.take();
    for number in 0..CUTS {
        let calls = match power.has_store() {
            true => random.below(LIFE),
            // The first may be cut while it makes the store.
            false if number == 0 => random.below(MAKING + LIFE),
            false => MAKING + random.below(LIFE),
        };
        let cut = Cut {
            at: 1 + calls as u64,
            way: WAYS[random.below(WAYS.len())],
            seed: random.next(),
        };
        power.life(&mut scene, cut, (acts / CUTS).max(1)).await?;
    }
    let ended = power.ends(scene).await;
    seen.replace(power.seen);
    ended
}
