//! One history in many interleavings: told by three hosts, each late, twice, out of order across
//! repos and from further back, in a way of its own. All end in one dump.

use super::scene::{RunError, Scene, interleaved};
use super::{Case, Ran, all};
use crate::report::Report;
use crate::{Arguments, Outcome, binary};

/// Runs the campaign: `--runs` interleavings of the history of `--seed`, from `--order` on.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    let Arguments {
        seed,
        order,
        acts,
        runs,
        ..
    } = *arguments;
    let cases = (order..order + runs).map(|order| Case { seed, order, acts });
    let last = all("permute", cases, |case| one(&binary, case)).await?;
    report.add(
        &format!("{runs} interleavings of one history of {acts} acts (seed {seed})"),
        format!("all ended in one dump (the last: {last})"),
        "all",
    );
    Ok(())
}

async fn one(binary: &str, case: Case) -> Ran {
    let mut scene = Scene::open(case.seed, interleaved(case.order)).await?;
    let folder = tempfile::tempdir().map_err(RunError::broken)?;
    let (data, more) = (folder.path().join("data"), ["--stream-grace", "2s"]);
    let plyr = scene.serve(binary, &data, &more).await?;
    scene.go_on(case.acts)?;
    scene.ends(plyr).await
}
