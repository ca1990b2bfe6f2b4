//! Killed while a history goes on, told by three hosts: every other time at a random moment, else
//! between two named steps of the store's write path, each step in its turn. Nothing is lost, and
//! nothing comes back; over the embedded store what was answered is looked for on the disk after
//! each kill, before streams and repos could heal a loss. (A cluster lives on: there is no such
//! moment.)

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use plyr_peers::Around;
use plyr_schemas::{CrashPoint, embedded, scylla};
use plyr_simnet::{Faults, StreamFaults};

use super::over::{Over, Place};
use super::scene::held::Witness;
use super::scene::{HOSTS, RunError, Scene};
use super::{Case, Ran, all};
use crate::arguments::Campaign;
use crate::corpus::Random;
use crate::report::Report;
use crate::{Arguments, Outcome, binary};

/// A life ends no later than this after its ready line, in milliseconds: over the embedded store,
/// and over a cluster, where each step takes longer.
const LONGEST_LIFE: [u64; 2] = [400, 2_500];
/// A named step is one of the first so many of its kind in a life.
const STEPS: u64 = 12;
/// How long a step is waited for that has not come yet.
const LAST_STEP: Duration = Duration::from_millis(200);
const AT_RANDOM: &str = "a random moment";
/// From so many kills on each named step must have been one: every other kill is to come at a step,
/// and there are five at most.
const ENOUGH: usize = 15;

/// What was seen in all histories.
#[derive(Default)]
struct Seen {
    /// How often it died where.
    deaths: BTreeMap<&'static str, usize>,
    /// Versions that were answered before a kill, and looked for after it.
    looked_for: usize,
}

/// Runs the campaign: `--runs` histories, of the seeds from `--seed` on.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    let place = Place::open(arguments.over, binary).await?;
    let Arguments {
        seed, acts, runs, ..
    } = *arguments;
    let cases = (seed..seed + runs).map(|seed| Case::of(arguments, seed));
    let mut seen = Seen::default();
    let named = points(arguments.over).iter().map(|point| point.0);
    seen.deaths.extend(named.map(|point| (point, 0)));
    let seen = RefCell::new(seen);
    let last = all(Campaign::Kill, cases, |case| one(&place, case, &seen)).await?;
    let Seen { deaths, looked_for } = seen.into_inner();
    let looked_for = match arguments.over {
        Over::Embedded if looked_for == 0 => {
            return Err("it was blind: nothing was answered".into());
        }
        Over::Embedded => format!("; {looked_for} answered versions looked for"),
        Over::Cluster | Over::Indexers => String::new(),
    };
    let told: Vec<String> = deaths
        .iter()
        .map(|(point, times)| format!("{times} {point}"))
        .collect();
    report.add(
        &format!(
            "kill -9 under {} hosts, {}, {runs} histories of {acts} acts (seeds {seed} on)",
            HOSTS.len(),
            place.name()
        ),
        format!(
            "{} kills ({}){looked_for}; all as it must be (the last: {last})",
            deaths.values().sum::<usize>(),
            told.join(", ")
        ),
        "0 lost, 0 resurrected",
    );
    match missed(&deaths) {
        None => Ok(()),
        Some(point) => {
            let told = "take more --acts, so that it is come to before a life ends";
            Err(format!("nobody was killed {point}: {told}").into())
        }
    }
}

/// The steps of the store's write path that a server dies at.
fn points(over: Over) -> &'static [CrashPoint] {
    match over {
        Over::Embedded => &[embedded::BEFORE_COMMIT, embedded::AFTER_COMMIT],
        Over::Cluster | Over::Indexers => &[
            scylla::BEFORE_TRUTH,
            scylla::AFTER_TRUTH,
            scylla::AFTER_READ_BACK,
            scylla::AFTER_DERIVED,
            scylla::AFTER_LOG,
        ],
    }
}

/// A step that nobody died at, though there were kills enough.
fn missed(deaths: &BTreeMap<&'static str, usize>) -> Option<&'static str> {
    if deaths.values().sum::<usize>() < ENOUGH {
        return None;
    }
    let never = |times: &usize| *times == 0;
    let missed = deaths.iter().find(|(_, times)| never(times));
    missed.map(|(point, _)| *point)
}

async fn one(place: &Place, case: Case, seen: &RefCell<Seen>) -> Ran {
    place.empty().await?;
    let stream = StreamFaults {
        duplicates: 10,
        delays: 10,
        ..StreamFaults::default()
    };
    let faults = Faults {
        seed: case.order,
        streams: vec![stream; HOSTS.len()],
        ..Faults::default()
    };
    let mut scene = Scene::open(case.seed, faults).await?;
    let folder = tempfile::tempdir().map_err(RunError::broken)?;
    let mut random = Random::new(case.seed);
    let kills = case.kills;
    // One indexer goes on while the other one is killed.
    let other = match place.is_apart() {
        true => Some(folder.path().join("index-1")),
        false => None,
    };
    let mut standing = match &other {
        Some(folder) => {
            let around = Around::default();
            Some(place.start(&scene, "index", folder, &[], &around).await?)
        }
        None => None,
    };
    let mut witness = match case.over {
        Over::Embedded => Some(Witness::of(&folder.path().join("data"), &scene.namespace)),
        Over::Cluster | Over::Indexers => None,
    };
    for number in 0..kills {
        let life = Life::of(case.over, number, &mut random);
        let acts = case.acts * (number + 1) / kills - case.acts * number / kills;
        let living = life.live(place, &mut scene, folder.path(), acts, witness.as_mut());
        let died = living.await?;
        if let Some(witness) = &mut witness {
            witness.look().await?;
        }
        *seen.borrow_mut().deaths.entry(died).or_default() += 1;
    }
    seen.borrow_mut().looked_for += witness.map_or(0, |witness| witness.looked_for);
    if let Some(standing) = standing.take() {
        standing.kill().await.map_err(RunError::broken)?;
    }
    let servers = place.serve(&scene, folder.path(), &[]).await?;
    servers.end(scene).await
}

/// One life of a server.
struct Life {
    /// The step it is to die at, and the how manieth of its kind.
    at: Option<(&'static str, u64)>,
    /// When it is killed at the latest.
    lasts: Duration,
}

impl Life {
    fn of(over: Over, number: usize, random: &mut Random) -> Life {
        let longest = match over {
            Over::Embedded => LONGEST_LIFE[0],
            Over::Cluster | Over::Indexers => LONGEST_LIFE[1],
        };
        let lasts = Duration::from_millis(random.next() % longest);
        let step = 1 + random.next() % STEPS;
        if number.is_multiple_of(2) {
            return Life { at: None, lasts };
        }
        let turn = points(over).iter().cycle().nth(number / 2);
        Life {
            at: turn.map(|point| (point.0, step)),
            lasts: Duration::from_millis(longest),
        }
    }

    /// Starts a server and has it die; answers where it died.
    async fn live(
        &self,
        place: &Place,
        scene: &mut Scene,
        folder: &Path,
        acts: usize,
        mut witness: Option<&mut Witness>,
    ) -> Result<&'static str, RunError> {
        let (command, name) = match place.is_apart() {
            true => ("index", "index-0"),
            false => ("serve", "data"),
        };
        let asked = self.at.map(|(point, step)| format!("{point}:{step}"));
        let asked = asked.map(|asked| ("PLYR_CRASH_AT".to_owned(), asked));
        let around = Around {
            environment: asked.into_iter().collect(),
            ..Around::default()
        };
        let folder = folder.join(name);
        let started = place.start(scene, command, &folder, &[], &around).await;
        let mut plyr = match (started, self.at) {
            (Ok(plyr), _) => plyr,
            // It came to the step before it could say that it was ready.
            (Err(RunError::Ended { status, .. }), Some((point, _))) if is_kill(status) => {
                scene.go_on(acts)?;
                return Ok(point);
            }
            (Err(problem), _) => return Err(problem),
        };
        let began = Instant::now();
        for number in 0..acts {
            scene.go_on(1)?;
            if let Some(witness) = &mut witness {
                witness.ask().await;
            }
            let at = self.lasts.mul_f64((number + 1) as f64 / acts as f64);
            tokio::time::sleep(at.saturating_sub(began.elapsed())).await;
        }
        // The step may still be about to come.
        let wait = self.at.map_or(Duration::ZERO, |_| LAST_STEP);
        let Ok(status) = plyr.ended_with(wait).await else {
            plyr.kill().await.map_err(RunError::broken)?;
            return Ok(AT_RANDOM);
        };
        match self.at {
            Some((point, _)) if is_kill(status) => Ok(point),
            _ => Err(RunError::Ended {
                status,
                told: format!("it was to be killed, at {:?}", self.at),
            }),
        }
    }
}

/// Whether it died as a server does that kills itself at a step.
fn is_kill(status: ExitStatus) -> bool {
    const KILL: i32 = 9;
    status.signal() == Some(KILL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_its_turn_in_as_many_kills_as_are_enough() {
        for over in [Over::Embedded, Over::Cluster, Over::Indexers] {
            let mut random = Random::new(1);
            let lives = (0..ENOUGH).map(|number| Life::of(over, number, &mut random).at);
            let steps: Vec<&str> = lives.flatten().map(|(point, _)| point).collect();
            assert_eq!(steps.len(), ENOUGH / 2);
            for point in points(over) {
                assert!(steps.contains(&point.0), "{}", point.0);
            }
        }
    }

    #[test]
    fn a_step_that_nobody_died_at_is_missed() {
        let of = |at_random, before, after| {
            BTreeMap::from([
                (AT_RANDOM, at_random),
                (embedded::BEFORE_COMMIT.0, before),
                (embedded::AFTER_COMMIT.0, after),
            ])
        };
        assert_eq!(missed(&of(10, 5, 0)), Some(embedded::AFTER_COMMIT.0));
        assert_eq!(missed(&of(10, 0, 5)), Some(embedded::BEFORE_COMMIT.0));
        assert_eq!(missed(&of(10, 4, 1)), None);
        // Too few to tell.
        assert_eq!(missed(&of(10, 4, 0)), None);
    }
}
