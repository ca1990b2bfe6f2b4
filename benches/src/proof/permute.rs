//! One history in many interleavings: told by three hosts, each late, twice, out of order across
//! repos and from further back, in a way of its own. All end in one dump.

use super::over::Place;
use super::scene::{RunError, Scene, interleaved};
use super::{Case, Ran, all};
use crate::arguments::Campaign;
use crate::report::Report;
use crate::{Arguments, Outcome, binary};

/// Runs the campaign: `--runs` interleavings of the history of `--seed`, from `--order` on.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    let place = Place::open(arguments.over, binary).await?;
    let Arguments {
        seed, order, runs, ..
    } = *arguments;
    let cases = (order..order + runs).map(|order| Case {
        order,
        ..Case::of(arguments, seed)
    });
    let last = all(Campaign::Permute, cases, |case| one(&place, case)).await?;
    report.add(
        &format!(
            "{runs} interleavings (orders {order} on) of one history of {} acts (seed {seed}), {}",
            arguments.acts,
            place.name()
        ),
        format!("all ended in one dump (the last: {last})"),
        "all",
    );
    Ok(())
}

async fn one(place: &Place, case: Case) -> Ran {
    place.empty().await?;
    let mut scene = Scene::open(case.seed, interleaved(case.order)).await?;
    let folder = tempfile::tempdir().map_err(RunError::broken)?;
    let more = ["--stream-grace", "2s"];
    let servers = place.serve(&scene, folder.path(), &more).await?;
    let first = case.acts / 2;
    scene.go_on(first)?;
    // From then on what one host alone carries is doubted.
    scene.until_judged().await;
    scene.go_on(case.acts - first)?;
    servers.end(scene).await
}
