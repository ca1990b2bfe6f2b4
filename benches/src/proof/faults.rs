//! Everything goes wrong at once: hosts that fail, hang, lie and send away, streams that drop,
//! invent, go blind, jump back and are somebody else; then it is calm, and all is as it must be.

use plyr_simnet::{Faults, HostFaults, StreamFaults};

use super::scene::{HOSTS, RunError, Scene, TROUBLED};
use super::{Case, Ran, all, over};
use crate::report::Report;
use crate::{Arguments, Outcome, binary};

/// Runs the campaign: `--runs` histories, of the seeds from `--seed` on.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    over::only_embedded(arguments, "faults")?;
    let binary = binary::find(arguments, report).await?;
    let Arguments {
        seed, acts, runs, ..
    } = *arguments;
    let cases = (seed..seed + runs).map(|seed| Case::of(arguments, seed));
    let last = all("faults", cases, |case| one(&binary, case)).await?;
    report.add(
        &format!("everything goes wrong: {runs} histories of {acts} acts (seeds {seed} on)"),
        format!("all ended as they must (the last: {last})"),
        "all",
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
        hosts: TROUBLED,
        directory: HostFaults {
            fails: 40,
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

async fn one(binary: &str, case: Case) -> Ran {
    let mut scene = Scene::open(case.seed, faults(case.order)).await?;
    let folder = tempfile::tempdir().map_err(RunError::broken)?;
    let more = ["--stream-grace", "2s", "--verify-every", "10s"];
    let data = folder.path().join("data");
    let plyr = scene.serve(binary, &data, &more).await?;
    scene.go_on(case.acts)?;
    scene.ends(plyr).await
}
