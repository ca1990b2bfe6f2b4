//! Everything goes wrong at once: hosts that fail, hang, lie and send away, streams that drop,
//! invent, go blind, jump back and are somebody else, a disk that is slow and now and then full;
//! then it is calm, and all is as it must be.

use std::cell::RefCell;
use std::collections::BTreeMap;

use plyr_simnet::{Faults, HostFaults, StreamFaults};

use super::scene::disk::{Disk, Seen};
use super::scene::{HOSTS, Scene, TROUBLED, power};
use super::{Case, Ran, all};
use crate::arguments::Campaign;
use crate::corpus::Random;
use crate::report::Report;
use crate::{Arguments, Outcome, binary};

/// Lives on a disk that is full at some time.
const LIVES: usize = 5;
/// It is full from one of so many calls that need room on, for so many at most: in the first life
/// that makes the store, then in ones that open it and go on.
const MAKING: u64 = 300;
const LATEST: u64 = 160;
const LONGEST: u64 = 6;
const NOT_HERE: &str = "a disk in trouble is made by ptrace: on Linux alone, on x86-64 and ARM64";

/// Each of these must befall some question.
const WANTED: [&str; 6] = ["fails", "busy", "hangs", "cuts", "lies", "redirects"];
/// And each of these some stream, or one of its connections.
const OF_STREAMS: [&str; 10] = [
    "drops",
    "duplicates",
    "delays",
    "invents",
    "blind",
    "cuts",
    "garbage",
    "giants",
    "rewinds",
    "strangers",
];

/// What was seen in all histories.
#[derive(Default)]
struct All {
    disk: Seen,
    /// How often each fault befell a question.
    met: BTreeMap<String, u64>,
    /// The same of streams.
    streams: BTreeMap<String, u64>,
}

/// Runs the campaign: `--runs` histories, of the seeds from `--seed` on.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    let tool = power::tool().await?.ok_or(NOT_HERE)?;
    let Arguments {
        seed, acts, runs, ..
    } = *arguments;
    let cases = (seed..seed + runs).map(|seed| Case::of(arguments, seed));
    let seen = RefCell::new(All::default());
    let run = |case| one(&tool, &binary, case, &seen);
    let last = all(Campaign::Faults, cases, run).await?;
    report.add(
        &format!("everything goes wrong: {runs} histories of {acts} acts (seeds {seed} on)"),
        format!("all ended as they must (the last: {last})"),
        "all",
    );
    let All { disk, met, streams } = seen.into_inner();
    report.add("what befell questions", told(&met), "each of them");
    report.add("what befell streams", told(&streams), "each of them");
    let Seen {
        refused,
        slowed,
        ended,
        early,
    } = disk;
    report.add(
        "a full and slow disk",
        format!(
            "{refused} calls refused, {slowed} syncs slow; {ended} lives ended by it, {early} of \
             them before they were ready"
        ),
        "none lost; some after they were ready",
    );
    let lacking = missing("question", &WANTED, &met)
        .or_else(|| missing("stream", &OF_STREAMS, &streams))
        .or_else(|| untroubled(&disk));
    match lacking {
        Some(lacking) => Err(format!("{lacking}: take more --runs or --acts").into()),
        None => Ok(()),
    }
}

/// What befell nobody though it must.
fn missing(whom: &str, wanted: &[&str], met: &BTreeMap<String, u64>) -> Option<String> {
    let missing = wanted.iter().find(|fault| !met.contains_key(**fault))?;
    Some(format!("no {whom} met \"{missing}\""))
}

/// What no disk did though it must. A store that can't be made or opened is the easier case: a life
/// must also end in the midst of its work.
fn untroubled(disk: &Seen) -> Option<String> {
    if disk.refused == 0 || disk.ended == 0 {
        return Some("no disk was ever full where the server noticed".to_owned());
    }
    let told = "no life was ended by a full disk after it was ready";
    (disk.ended <= disk.early).then(|| told.to_owned())
}

fn told(met: &BTreeMap<String, u64>) -> String {
    let each = met.iter().map(|(fault, times)| format!("{fault} {times}"));
    each.collect::<Vec<String>>().join(", ")
}

fn faults(seed: u64) -> Faults {
    let stream = |place: u64| StreamFaults {
        drops: 20 + place,
        duplicates: 15,
        delays: 20,
        invents: 60,
        skew: 2_000_000 * place as i64,
        cuts: 300,
        garbage: 150,
        giants: 400,
        rewinds: 200,
        strangers: if place == 2 { 3 } else { 0 },
        blind: (place == 1).then(|| (vec!["fm.plyr.like".to_owned()], 50..250)),
    };
    Faults {
        seed,
        hosts: HostFaults {
            hangs: 40,
            ..TROUBLED
        },
        directory: HostFaults {
            fails: 40,
            hangs: 40,
            ..HostFaults::default()
        },
        relay: HostFaults {
            fails: 20,
            ..HostFaults::default()
        },
        streams: (0..HOSTS.len() as u64).map(stream).collect(),
        ..Faults::default()
    }
}

/// Some lives in which the disk is full at some time, and then one in which it has room.
async fn one(tool: &str, binary: &str, case: Case, seen: &RefCell<All>) -> Ran {
    let mut scene = Scene::open(case.seed, faults(case.order)).await?;
    let more = ["--stream-grace", "2s", "--verify-every", "10s"];
    let mut disk = Disk::new(tool, binary)?;
    let mut random = Random::new(case.seed);
    for life in 0..LIVES {
        let acts = case.acts * (life + 1) / (LIVES + 1) - case.acts * life / (LIVES + 1);
        let latest = if life == 0 { MAKING } else { LATEST };
        let full = (1 + random.next() % latest, 1 + random.next() % LONGEST);
        disk.life(&mut scene, &more, full, acts).await?;
    }
    let plyr = disk.last(&scene, &more).await?;
    scene.skip_to_now();
    scene.go_on(case.acts - case.acts * LIVES / (LIVES + 1))?;
    let (met, streams) = (scene.network.met(), scene.network.streams_went_wrong());
    let ran = scene.ends(plyr).await?;
    let mut seen = seen.borrow_mut();
    for (fault, times) in met {
        // Named after its server: of all servers together.
        let fault = fault.rsplit(' ').next().unwrap_or_default().to_owned();
        *seen.met.entry(fault).or_default() += times;
    }
    for (fault, times) in streams {
        *seen.streams.entry(fault.to_owned()).or_default() += times;
    }
    let all = &mut seen.disk;
    let of_this = disk.count()?;
    all.refused += of_this.refused;
    all.slowed += of_this.slowed;
    all.ended += of_this.ended;
    all.early += of_this.early;
    Ok(ran)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_befell_nobody_is_missed() {
        let of = |names: &[&str]| -> BTreeMap<String, u64> {
            names.iter().map(|name| ((*name).to_owned(), 1)).collect()
        };
        assert_eq!(missing("stream", &OF_STREAMS, &of(&OF_STREAMS)), None);
        for (place, fault) in OF_STREAMS.iter().enumerate() {
            let mut others = OF_STREAMS.to_vec();
            others.remove(place);
            let told = missing("stream", &OF_STREAMS, &of(&others)).unwrap();
            assert!(told.contains(fault), "{told}");
        }
    }

    #[test]
    fn a_disk_that_was_full_only_before_anything_was_ready_is_not_enough() {
        let seen = |refused, ended, early| Seen {
            refused,
            slowed: 1,
            ended,
            early,
        };
        assert_eq!(untroubled(&seen(3, 3, 2)), None);
        for too_little in [seen(0, 0, 0), seen(3, 0, 0), seen(4, 4, 4)] {
            assert!(untroubled(&too_little).is_some(), "{too_little:?}");
        }
    }
}
