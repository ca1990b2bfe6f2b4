//! One history in many interleavings: told by three hosts, each late, twice, out of order across
//! repos and from further back, in a way of its own. All end in one dump.

use plyr_simnet::{Faults, Speaks, StreamFaults};

use super::scene::{RunError, Scene};
use super::{Ran, tell};
use crate::report::Report;
use crate::{Arguments, Outcome, binary};

/// Three hosts: of both protocols.
pub const HOSTS: [Speaks; 3] = [Speaks::V1, Speaks::V2, Speaks::V1];

/// Runs the campaign: `--runs` interleavings of the history of `--seed`.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    let (mut held, mut questions_of_last) = (0, String::new());
    for number in 0..arguments.runs {
        let order = arguments.order + number;
        let once = |seed, acts| one(&binary, seed, order, acts);
        match once(arguments.seed, arguments.acts).await {
            Ok(told) => (held, questions_of_last) = (held + 1, told),
            Err(problem) => {
                let more = format!(" --order {order}");
                let (seed, acts) = (arguments.seed, arguments.acts);
                let told = tell("permute", seed, acts, &more, &problem, once).await;
                told.map_err(|problem| problem.to_string())?;
                return Err(format!("interleaving {order}: {problem}").into());
            }
        }
    }
    report.add(
        &format!(
            "interleavings of one history of {} acts (seed {})",
            arguments.acts, arguments.seed
        ),
        format!(
            "{held} of {} ended in one dump ({questions_of_last})",
            arguments.runs
        ),
        "all",
    );
    Ok(())
}

/// What a host does in an interleaving: nothing is lost that no other host has.
fn host(lossless: bool) -> StreamFaults {
    StreamFaults {
        drops: if lossless { 0 } else { 4 },
        duplicates: 3,
        delays: 3,
        rewinds: 60,
        cuts: 120,
        ..StreamFaults::default()
    }
}

async fn one(binary: &str, seed: u64, order: u64, acts: usize) -> Ran {
    // One host has everything, another one each time.
    let whole = order % HOSTS.len() as u64;
    let faults = Faults {
        seed: order,
        streams: (0..HOSTS.len() as u64)
            .map(|place| host(place == whole))
            .collect(),
        ..Faults::default()
    };
    let mut scene = Scene::open(seed, &HOSTS, faults).await?;
    let folder = tempfile::tempdir().map_err(RunError::broken)?;
    let plyr = scene
        .serve(
            binary,
            &folder.path().join("data"),
            &["--stream-grace", "2s"],
        )
        .await?;
    scene.go_on(acts)?;
    scene.network.calm();
    let (lines, questions) = scene.agrees(&plyr).await?;
    plyr.stop().await.map_err(RunError::broken)?;
    scene.network.stop().await;
    Ok(format!("{lines} lines, {questions} questions"))
}
