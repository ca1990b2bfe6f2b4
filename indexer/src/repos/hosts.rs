//! Hosts by how they did lately: each has few visits at once, rests after failures, and takes only
//! so many new repos an hour. One host's failures hurt no other.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use plyr_schemas::DueRepo;

use super::pace::Pace;

/// Hosts that are remembered; those that do well and have nothing to do are forgotten first.
const MOST: usize = 10_000;
/// Repos of one host that wait in memory; more are put off.
const MOST_WAITING: usize = 128;
const HOUR: Duration = Duration::from_secs(3600);
/// First rest after a failure; doubles.
const LEAST_REST: Duration = Duration::from_secs(15);
const MOST_REST: Duration = Duration::from_secs(3600);

#[derive(Default)]
struct Host {
    waiting: VecDeque<DueRepo>,
    running: usize,
    failures: u32,
    rests_until: Option<Instant>,
    /// Repos begun this hour, and when it began.
    new: Option<(Instant, u32)>,
}

/// All hosts.
#[derive(Default)]
pub struct Hosts(HashMap<String, Host>);

/// What a host makes of one more repo.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It waits for its turn.
    Waits,
    /// Come again later.
    Later(Duration),
}

impl Hosts {
    /// Hands a repo to its host.
    pub fn take(&mut self, host: &str, due: DueRepo, is_new: bool, pace: &Pace) -> Taken {
        self.forget();
        let host = self.0.entry(host.to_owned()).or_default();
        if let Some(left) = host.rest() {
            return Taken::Later(left.mul_f64(rand::random_range(1.0..1.5)));
        }
        if host.waiting.len() >= MOST_WAITING {
            let later = Duration::from_secs(300).mul_f64(rand::random_range(0.2..1.0));
            return Taken::Later(later);
        }
        if is_new {
            let (began, count) = match host.new {
                Some((began, count)) if began.elapsed() < HOUR => (began, count),
                _ => (Instant::now(), 0),
            };
            if count >= pace.new_per_host_hour {
                metrics::counter!("plyr_repos_parked_total").increment(1);
                let left = HOUR.saturating_sub(began.elapsed());
                return Taken::Later(left.mul_f64(rand::random_range(1.0..1.2)));
            }
            host.new = Some((began, count + 1));
        }
        host.waiting.push_back(due);
        Taken::Waits
    }

    /// Repos whose turn it is, at most `places`: one of each host, as long as there are places.
    pub fn start(&mut self, places: usize, pace: &Pace) -> Vec<(String, DueRepo)> {
        let mut started = Vec::new();
        loop {
            let before = started.len();
            for (name, host) in &mut self.0 {
                if started.len() >= places {
                    return started;
                }
                if host.running >= pace.at_once_per_host || host.rest().is_some() {
                    continue;
                }
                if let Some(due) = host.waiting.pop_front() {
                    host.running += 1;
                    started.push((name.clone(), due));
                }
            }
            if started.len() == before {
                return started;
            }
        }
    }

    /// A visit ended. Answers the repos that are put off because the host rests now, and how long.
    pub fn ended(&mut self, name: &str, failed: bool) -> (Vec<DueRepo>, Duration) {
        let Some(host) = self.0.get_mut(name) else {
            return (Vec::new(), Duration::ZERO);
        };
        host.running = host.running.saturating_sub(1);
        if !failed {
            host.failures = 0;
            host.rests_until = None;
            return (Vec::new(), Duration::ZERO);
        }
        // Visits that were under way when it began to fail count once.
        if host.rest().is_none() {
            let rest = crate::backoff(host.failures, LEAST_REST, MOST_REST);
            host.failures = host.failures.saturating_add(1);
            host.rests_until = Some(Instant::now() + rest);
        }
        let rest = host.rest().unwrap_or_default();
        (host.waiting.drain(..).collect(), rest)
    }

    fn forget(&mut self) {
        if self.0.len() < MOST {
            return;
        }
        let is_needed =
            |host: &Host| host.running > 0 || !host.waiting.is_empty() || host.rest().is_some();
        self.0.retain(|_, host| is_needed(host));
    }
}

impl Host {
    fn rest(&self) -> Option<Duration> {
        self.rests_until?.checked_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use plyr_lexicons::Did;
    use plyr_schemas::Urgency;

    use super::*;

    fn due(number: usize) -> DueRepo {
        DueRepo {
            did: Did::new(format!("did:web:h{number}.example")).unwrap(),
            wanted_at: 1,
            urgency: Urgency::Soon,
            due_at: 1,
            tries: 0,
            cause: "new".to_owned(),
        }
    }

    #[test]
    fn one_hosts_failures_hurt_no_other() {
        let (mut hosts, pace) = (Hosts::default(), Pace::default());
        for number in 0..10 {
            assert_eq!(hosts.take("bad", due(number), false, &pace), Taken::Waits);
        }
        assert_eq!(hosts.take("good", due(20), false, &pace), Taken::Waits);
        let started = hosts.start(100, &pace);
        let of = |name: &str| started.iter().filter(|(host, _)| host == name).count();
        assert_eq!((of("bad"), of("good")), (pace.at_once_per_host, 1));
        let (put_off, rest) = hosts.ended("bad", true);
        assert_eq!(put_off.len(), 10 - pace.at_once_per_host);
        assert!(rest > Duration::ZERO && rest <= LEAST_REST);
        assert!(matches!(
            hosts.take("bad", due(30), false, &pace),
            Taken::Later(_)
        ));
        assert_eq!(hosts.take("good", due(21), false, &pace), Taken::Waits);
        assert_eq!(hosts.start(100, &pace).len(), 1);
    }

    #[test]
    fn a_host_that_does_well_again_rests_as_at_first() {
        let (mut hosts, pace) = (Hosts::default(), Pace::default());
        let mut rests = Vec::new();
        for failed in [true, true, false, true] {
            assert_eq!(hosts.take("host", due(1), false, &pace), Taken::Waits);
            assert_eq!(hosts.start(1, &pace).len(), 1);
            rests.push(hosts.ended("host", failed).1);
            // It has rested.
            if let Some(host) = hosts.0.get_mut("host") {
                host.rests_until = None;
            }
        }
        assert!(rests[1] > LEAST_REST, "{rests:?}");
        assert!(
            rests[3] > Duration::ZERO && rests[3] <= LEAST_REST,
            "{rests:?}"
        );
    }

    #[test]
    fn i17_a_host_takes_only_so_many_new_repos_an_hour() {
        let (mut hosts, mut pace) = (Hosts::default(), Pace::default());
        pace.new_per_host_hour = 3;
        let taken = (0..5).map(|number| hosts.take("host", due(number), true, &pace));
        let taken: Vec<Taken> = taken.collect();
        assert_eq!(taken[..3], [Taken::Waits; 3]);
        assert!(matches!(taken[3], Taken::Later(wait) if wait > HOUR / 2));
        assert_eq!(hosts.take("host", due(9), false, &pace), Taken::Waits);
        assert_eq!(hosts.take("other", due(5), true, &pace), Taken::Waits);
    }
}
