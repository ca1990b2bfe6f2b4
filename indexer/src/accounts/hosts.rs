//! Whom to leave alone: PDSs that hung lately, and the PLC directory while it can't be asked.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use plyr_outbound::OutboundError;

/// A PDS that can't be reached rests this long; doubles with every failure.
const LEAST_REST: Duration = Duration::from_secs(5);
/// And never longer than this: an account's checks must settle within 10 minutes.
const LONGEST_REST: Duration = Duration::from_secs(300);
/// Hosts remembered; then those that have rested enough are forgotten.
const REMEMBERED: usize = 10_000;

/// How hosts have answered lately.
#[derive(Debug, Default)]
pub struct Hosts {
    resting: Mutex<HashMap<String, Rest>>,
    directory: Mutex<Option<Outage>>,
}

#[derive(Debug)]
struct Rest {
    failures: u32,
    until: Instant,
}

/// The directory can't be asked.
#[derive(Debug)]
struct Outage {
    began: Instant,
    last: Instant,
    problem: String,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hosts {
    /// How long a PDS is still left alone; none for one that may be asked.
    pub fn rests(&self, pds: &str) -> Option<Duration> {
        let resting = locked(&self.resting);
        let until = resting.get(pds)?.until;
        until.checked_duration_since(Instant::now())
    }

    /// A PDS answered, whatever it said.
    pub fn answered(&self, pds: &str) {
        locked(&self.resting).remove(pds);
    }

    /// A PDS could not be reached, or hung. Those who waited together count once.
    pub fn failed(&self, pds: &str) {
        let (mut resting, now) = (locked(&self.resting), Instant::now());
        if resting.len() >= REMEMBERED {
            resting.retain(|_, rest| rest.until > now);
        }
        let rest = resting.entry(pds.to_owned());
        let rest = rest.or_insert(Rest {
            failures: 0,
            until: now,
        });
        if rest.until <= now {
            let doubled = LEAST_REST.saturating_mul(1 << rest.failures.min(16));
            rest.until = now + doubled.min(LONGEST_REST);
            rest.failures += 1;
        }
    }

    /// The directory answered.
    pub fn directory_answered(&self) {
        if let Some(outage) = locked(&self.directory).take() {
            tracing::info!(
                seconds = outage.began.elapsed().as_secs(),
                "the PLC directory can be asked again"
            );
        }
    }

    /// The directory could not be asked.
    pub fn directory_failed(&self, problem: &OutboundError) {
        let (mut directory, now) = (locked(&self.directory), Instant::now());
        let began = match directory.as_ref() {
            Some(outage) => outage.began,
            None => {
                tracing::warn!(
                    %problem, "the PLC directory can't be asked; what is known of accounts stays"
                );
                now
            }
        };
        let problem = problem.to_string();
        let outage = Outage {
            began,
            last: now,
            problem,
        };
        *directory = Some(outage);
    }

    /// How long ago the directory failed last; none while it can be asked.
    pub fn directory_outage(&self) -> Option<Duration> {
        let directory = locked(&self.directory);
        directory.as_ref().map(|outage| outage.last.elapsed())
    }

    /// What limps, for people.
    pub fn missing(&self) -> Option<String> {
        let directory = locked(&self.directory);
        let outage = directory.as_ref()?;
        Some(format!(
            "the PLC directory can't be asked since {} s: {}; what is known of accounts stays",
            outage.began.elapsed().as_secs(),
            outage.problem
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pds_rests_until_it_answers() {
        let hosts = Hosts::default();
        assert_eq!(hosts.rests("https://one"), None);
        // Many that waited together.
        (0..20).for_each(|_| hosts.failed("https://one"));
        let rests = hosts.rests("https://one").unwrap();
        assert!(rests <= LEAST_REST, "{rests:?}");
        assert_eq!(hosts.rests("https://two"), None);
        hosts.answered("https://one");
        assert_eq!(hosts.rests("https://one"), None);
    }
}
