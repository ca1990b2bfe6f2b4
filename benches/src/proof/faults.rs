//! Everything goes wrong at once: hosts that fail, hang, lie and send away, streams that drop,
//! invent, go blind, jump back and are somebody else; then it is calm, and all is as it must be.

use plyr_simnet::{Faults, HostFaults, StreamFaults};

use super::permute::HOSTS;
use super::scene::{RunError, Scene};
use super::{Ran, tell};
use crate::report::Report;
use crate::{Arguments, Outcome, binary};

/// Runs the campaign: `--runs` histories, of the seeds from `--seed` on.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    let mut told = String::new();
    for seed in arguments.seed..arguments.seed + arguments.runs {
        let once = |seed, acts| one(&binary, seed, acts);
        match once(seed, arguments.acts).await {
            Ok(last) => told = last,
            Err(problem) => {
                let shrunk = tell("faults", seed, arguments.acts, "", &problem, once).await;
                shrunk.map_err(|problem| problem.to_string())?;
                return Err(format!("seed {seed}: {problem}").into());
            }
        }
    }
    report.add(
        &format!(
            "everything goes wrong: {} histories of {} acts (seeds {} on)",
            arguments.runs, arguments.acts, arguments.seed
        ),
        format!("{} ended as they must (the last: {told})", arguments.runs),
        "all",
    );
    Ok(())
}

fn faults(seed: u64) -> Faults {
    let hosts = HostFaults {
        fails: 30,
        busy: 50,
        cuts: 40,
        lies: 40,
        redirects: 80,
        hangs: 0,
    };
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
        hosts,
        directory: HostFaults {
            fails: 40,
            ..HostFaults::default()
        },
        relay: HostFaults {
            fails: 20,
            ..HostFaults::default()
        },
        streams: (0..HOSTS.len() as u64).map(stream).collect(),
    }
}

async fn one(binary: &str, seed: u64, acts: usize) -> Ran {
    let mut scene = Scene::open(seed, &HOSTS, faults(seed)).await?;
    let folder = tempfile::tempdir().map_err(RunError::broken)?;
    let more = ["--stream-grace", "2s", "--verify-every", "10s"];
    let plyr = scene
        .serve(binary, &folder.path().join("data"), &more)
        .await?;
    scene.go_on(acts)?;
    scene.network.calm();
    let (lines, questions) = scene.agrees(&plyr).await?;
    plyr.stop().await.map_err(RunError::broken)?;
    scene.network.stop().await;
    Ok(format!("{lines} lines, {questions} questions"))
}
