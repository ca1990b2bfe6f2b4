//! Killed at random points while a history goes on, told by three hosts: nothing is lost, and
//! nothing comes back.

use std::time::{Duration, Instant};

use plyr_simnet::{Faults, Speaks, StreamFaults};

use super::permute::HOSTS;
use super::scene::{RunError, Scene};
use super::{Ran, tell};
use crate::corpus::Random;
use crate::report::Report;
use crate::{Arguments, Outcome, binary};

/// A life ends no later than this after its ready line.
const LONGEST_LIFE: u64 = 400;
/// Kills of one history.
const KILLS: usize = 20;

/// Runs the campaign: `--runs` histories, of the seeds from `--seed` on.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    let mut told = String::new();
    for seed in arguments.seed..arguments.seed + arguments.runs {
        let once = |seed, acts| one(&binary, seed, acts);
        match once(seed, arguments.acts).await {
            Ok(last) => told = last,
            Err(problem) => {
                let shrunk = tell("kill", seed, arguments.acts, "", &problem, once).await;
                shrunk.map_err(|problem| problem.to_string())?;
                return Err(format!("seed {seed}: {problem}").into());
            }
        }
    }
    report.add(
        &format!(
            "kill -9 under {} hosts, {} histories of {} acts (seeds {} on)",
            HOSTS.len(),
            arguments.runs,
            arguments.acts,
            arguments.seed
        ),
        format!(
            "{} kills; 0 lost, 0 resurrected (the last: {told})",
            arguments.runs as usize * KILLS
        ),
        "0 and 0",
    );
    Ok(())
}

async fn one(binary: &str, seed: u64, acts: usize) -> Ran {
    let stream = StreamFaults {
        duplicates: 10,
        delays: 10,
        ..StreamFaults::default()
    };
    let faults = Faults {
        seed,
        streams: vec![stream; HOSTS.len()],
        ..Faults::default()
    };
    let hosts: [Speaks; 3] = HOSTS;
    let mut scene = Scene::open(seed, &hosts, faults).await?;
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
    scene.network.calm();
    let plyr = scene.serve(binary, &data, &[]).await?;
    let (lines, questions) = scene.agrees(&plyr).await?;
    plyr.stop().await.map_err(RunError::broken)?;
    scene.network.stop().await;
    Ok(format!("{lines} lines, {questions} questions"))
}
