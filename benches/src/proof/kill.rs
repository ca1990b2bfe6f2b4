//! Killed at random points while a history goes on, told by three hosts: nothing is lost, and
//! nothing comes back.

use std::time::{Duration, Instant};

use plyr_simnet::{Faults, StreamFaults};

use super::scene::{HOSTS, RunError, Scene};
use super::{Case, Ran, all};
use crate::corpus::Random;
use crate::report::Report;
use crate::{Arguments, Outcome, binary};

/// A life ends no later than this after its ready line, in milliseconds.
const LONGEST_LIFE: u64 = 400;
/// Kills of one history.
const KILLS: usize = 20;

/// Runs the campaign: `--runs` histories, of the seeds from `--seed` on.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    let Arguments {
        seed,
        order,
        acts,
        runs,
        ..
    } = *arguments;
    let cases = (seed..seed + runs).map(|seed| Case { seed, order, acts });
    let last = all("kill", cases, |case| one(&binary, case)).await?;
    let (hosts, kills) = (HOSTS.len(), runs as usize * KILLS);
    report.add(
        &format!("kill -9 under {hosts} hosts, {runs} histories of {acts} acts (seeds {seed} on)"),
        format!("{kills} kills; all as it must be (the last: {last})"),
        "0 lost, 0 resurrected",
    );
    Ok(())
}

async fn one(binary: &str, Case { seed, order, acts }: Case) -> Ran {
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
    let folder = tempfile::tempdir().map_err(RunError::broken)?;
    let data = folder.path().join("data");
    let mut random = Random::new(seed);
    let each = (acts / KILLS).max(1);
    for _ in 0..KILLS {
        let plyr = scene.serve(binary, &data, &[]).await?;
        let began = Instant::now();
        let life = Duration::from_millis(random.next() % LONGEST_LIFE);
        for number in 0..each {
            scene.go_on(1)?;
            let at = life.mul_f64((number + 1) as f64 / each as f64);
            tokio::time::sleep(at.saturating_sub(began.elapsed())).await;
        }
        plyr.kill().await.map_err(RunError::broken)?;
    }
    let plyr = scene.serve(binary, &data, &[]).await?;
    scene.ends(plyr).await
}
