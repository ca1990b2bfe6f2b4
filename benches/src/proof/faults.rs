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
const LIVES: usize = 3;
/// It is full from one of so many calls that need room on, for so many at most.
const LATEST: u64 = 300;
const LONGEST: u64 = 6;
const NOT_HERE: &str = "a disk in trouble is made by ptrace: on Linux alone, on x86-64 and ARM64";

/// Each of these must befall some question.
const WANTED: [&str; 6] = ["fails", "busy", "hangs", "cuts", "lies", "redirects"];

/// What was seen in all histories.
#[derive(Default)]
struct All {
    disk: Seen,
    /// How often each fault befell a question.
    met: BTreeMap<String, u64>,
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
    let All { disk, met } = seen.into_inner();
    if let Some(missing) = WANTED.iter().find(|fault| !met.contains_key(**fault)) {
        return Err(format!("no question met \"{missing}\": take more --runs or --acts").into());
    }
    let told: Vec<String> = met
        .iter()
        .map(|(fault, times)| format!("{fault} {times}"))
        .collect();
    report.add("what befell questions", told.join(", "), "each of them");
    let Seen {
        refused,
        slowed,
        ended,
        early,
    } = disk;
    if refused == 0 || ended == 0 {
        return Err("no disk was ever full where the server noticed: take more --acts".into());
    }
    report.add(
        "a full and slow disk",
        format!(
            "{refused} calls refused, {slowed} syncs slow; {ended} lives ended by it, {early} of \
             them before they were ready"
        ),
        "none lost",
    );
    Ok(())
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
        let full = (1 + random.next() % LATEST, 1 + random.next() % LONGEST);
        disk.life(&mut scene, &more, full, acts).await?;
    }
    let plyr = disk.last(&scene, &more).await?;
    scene.skip_to_now();
    scene.go_on(case.acts - case.acts * LIVES / (LIVES + 1))?;
    let met = scene.network.met();
    let ran = scene.ends(plyr).await?;
    let mut seen = seen.borrow_mut();
    for (fault, times) in met {
        // Named after its server: of all servers together.
        let fault = fault.rsplit(' ').next().unwrap_or_default().to_owned();
        *seen.met.entry(fault).or_default() += times;
    }
    let all = &mut seen.disk;
    let of_this = disk.count()?;
    all.refused += of_this.refused;
    all.slowed += of_this.slowed;
    all.ended += of_this.ended;
    all.early += of_this.early;
    Ok(ran)
}
