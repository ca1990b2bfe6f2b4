//! Politeness per host: few questions at the same time and a second, slower when the host says that
//! it has had enough soon, and none for a while where it says so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use moka::future::Cache;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Questions to one host at the same time.
const AT_ONCE: usize = 4;
/// Long answers (whole repos) from one host at the same time; they take no question's place.
const STREAMS: usize = 2;
/// Blobs from one host at the same time, whatever its port; they take nothing else's place.
const BLOBS: usize = 2;
/// Hosts whose politeness is tracked.
const HOSTS: u64 = 10_000;
/// How long a question waits for a place.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a host may send us away at once.
const LONGEST_REST: Duration = Duration::from_secs(300);
/// How long a host is left alone that says "too many" and not how long.
const REST: Duration = Duration::from_secs(10);
/// Between two questions to one host that the network named: what a PDS allows by default (3,000
/// in five minutes).
pub const PACE: Duration = Duration::from_millis(100);
/// Numbers above this are seconds since 1970, below it from now on; hosts send either.
const LARGEST_DELTA: u64 = 1_000_000_000;

/// Why there is no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoPlace {
    /// The host asked to be left alone for that long.
    Resting(Duration),
    /// Too many questions wait for it, or its blobs have their places.
    Crowded,
}

/// What a place is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A small question.
    Question,
    /// A long answer.
    Stream,
    /// A blob: who finds no place at once does something else meanwhile.
    Blob,
}

struct Host {
    questions: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    state: Mutex<State>,
}

struct State {
    rests_until: Option<Instant>,
    /// When the next question may be sent.
    next: Instant,
    /// Between two questions, until the host's window ends.
    slower: Option<(Duration, Instant)>,
}

/// All hosts that were asked lately.
#[derive(Clone)]
pub struct Hosts {
    /// By their origins.
    asked: Cache<String, Arc<Host>>,
    /// Places for blobs, by names without ports: a host has as many ports as it likes.
    blobs: Cache<String, Arc<Semaphore>>,
}

/// A place at a host; holding it counts as asking.
pub struct Place {
    host: Arc<Host>,
    _permit: OwnedSemaphorePermit,
}

impl Hosts {
    pub fn new() -> Hosts {
        Hosts {
            asked: Cache::new(HOSTS),
            blobs: Cache::new(HOSTS),
        }
    }

    /// Waits for a place at an origin (`https://host:port`), but for a blob's, which is free at
    /// once or isn't; questions come at least `pace` apart.
    pub async fn place(
        &self,
        origin: String,
        kind: Kind,
        pace: Duration,
    ) -> Result<Place, NoPlace> {
        let new = async {
            Arc::new(Host {
                questions: Arc::new(Semaphore::new(AT_ONCE)),
                streams: Arc::new(Semaphore::new(STREAMS)),
                state: Mutex::new(State {
                    rests_until: None,
                    next: Instant::now(),
                    slower: None,
                }),
            })
        };
        let name = host_of(&origin).to_owned();
        let host = self.asked.get_with(origin, new).await;
        host.rest()?;
        let permit = match kind {
            Kind::Question => waited_for(host.questions.clone()).await,
            Kind::Stream => waited_for(host.streams.clone()).await,
            Kind::Blob => {
                let new = async { Arc::new(Semaphore::new(BLOBS)) };
                let places = self.blobs.get_with(name, new).await;
                places.try_acquire_owned().ok()
            }
        };
        let permit = permit.ok_or(NoPlace::Crowded)?;
        let wait = host.turn(pace).ok_or(NoPlace::Crowded)?;
        tokio::time::sleep(wait).await;
        // Whoever was asked before us may have been sent away.
        host.rest()?;
        Ok(Place {
            host,
            _permit: permit,
        })
    }
}

/// A place that others may have for a while.
async fn waited_for(places: Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    let permit = tokio::time::timeout(PATIENCE, places.acquire_owned()).await;
    permit.ok()?.ok()
}

/// Who sends the blobs of an origin: `https://host` of `https://host:port`. On this very machine
/// (in tests and trials: nothing else is asked there) each port is a host of its own.
fn host_of(origin: &str) -> &str {
    let Some((name, port)) = origin.rsplit_once(':') else {
        return origin;
    };
    // An IPv6 address is in brackets, and has colons of its own.
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    let host = name.split_once("://").map_or(name, |(_, host)| host);
    match is_port && host != "localhost" && host != "127.0.0.1" {
        true => name,
        false => origin,
    }
}

impl Host {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rest(&self) -> Result<(), NoPlace> {
        let until = self.state().rests_until;
        match until.and_then(|until| until.checked_duration_since(Instant::now())) {
            Some(left) => Err(NoPlace::Resting(left)),
            None => Ok(()),
        }
    }

    /// Takes the next turn and says how long to wait for it; none if that is too long.
    fn turn(&self, pace: Duration) -> Option<Duration> {
        let mut state = self.state();
        let now = Instant::now();
        let slower = state.slower.filter(|(_, until)| *until > now);
        let pace = slower.map_or(pace, |(slower, _)| slower.max(pace));
        let turn = state.next.max(now);
        if turn - now > PATIENCE {
            return None;
        }
        state.next = turn + pace;
        Some(turn - now)
    }
}

impl Place {
    /// Heeds a 429, a 503 that says when to come again, and what `RateLimit-*` say is left.
    pub fn heed(&self, status: u16, headers: &HeaderMap) {
        let number = |name: &str| -> Option<u64> {
            let value = headers.get(name)?.to_str().ok()?;
            value.split([',', ';']).next()?.trim().parse().ok()
        };
        let told = number(RETRY_AFTER.as_str()).map(Duration::from_secs);
        let resets = number("ratelimit-reset").map(from_now);
        let left = number("ratelimit-remaining");
        let rest = match (status, told) {
            (429 | 503, Some(told)) => Some(told),
            (429, None) => Some(resets.unwrap_or(REST).max(Duration::from_secs(1))),
            _ if left == Some(0) => resets,
            _ => None,
        };
        let now = Instant::now();
        let mut state = self.host.state();
        if let Some(rest) = rest {
            state.rests_until = Some(now + rest.min(LONGEST_REST));
        }
        // Others share the allowance of our address: the last quarter is made to last.
        if let (Some(left), Some(limit), Some(resets)) = (left, number("ratelimit-limit"), resets) {
            let scarce = left > 0 && left < limit / 4;
            let window = resets.min(LONGEST_REST);
            state.slower = scarce.then(|| (window.div_f64(left as f64), now + window));
        }
    }
}

/// A time of `RateLimit-Reset` as a duration from now on.
fn from_now(told: u64) -> Duration {
    if told < LARGEST_DELTA {
        return Duration::from_secs(told);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Duration::from_secs(told.saturating_sub(now.unwrap_or_default().as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://pds.example.com";

    async fn place(hosts: &Hosts, kind: Kind) -> Result<Place, NoPlace> {
        hosts.place(ORIGIN.to_owned(), kind, Duration::ZERO).await
    }

    fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[tokio::test]
    async fn a_host_with_nothing_left_rests_until_its_window_ends() {
        let soon = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
            + 100;
        for reset in [100, soon] {
            let hosts = Hosts::new();
            let asked = place(&hosts, Kind::Question).await.unwrap();
            let told = headers(&[
                ("ratelimit-limit", "3000".to_owned()),
                ("ratelimit-remaining", "0".to_owned()),
                ("ratelimit-reset", reset.to_string()),
            ]);
            asked.heed(200, &told);
            let Err(NoPlace::Resting(left)) = place(&hosts, Kind::Stream).await else {
                panic!("it is asked although nothing is left");
            };
            assert!((60..=100).contains(&left.as_secs()), "{left:?}");
        }
    }

    #[tokio::test]
    async fn what_is_scarce_is_made_to_last() {
        let hosts = Hosts::new();
        let asked = place(&hosts, Kind::Question).await.unwrap();
        let told = |left: &str| {
            headers(&[
                ("ratelimit-limit", "3000".to_owned()),
                ("ratelimit-remaining", left.to_owned()),
                ("ratelimit-reset", "60".to_owned()),
            ])
        };
        asked.heed(200, &told("2000"));
        assert_eq!(asked.host.turn(Duration::ZERO), Some(Duration::ZERO));
        asked.heed(200, &told("600"));
        asked.host.turn(Duration::ZERO);
        let wait = asked.host.turn(Duration::ZERO).unwrap();
        assert!(
            wait > Duration::from_millis(50) && wait <= Duration::from_millis(100),
            "{wait:?}"
        );
        asked.heed(200, &told("1"));
        asked.host.turn(Duration::ZERO);
        assert_eq!(asked.host.turn(Duration::ZERO), None);
    }

    #[tokio::test]
    async fn long_answers_take_no_questions_place() {
        let hosts = Hosts::new();
        let mut held = Vec::new();
        for _ in 0..STREAMS {
            held.push(place(&hosts, Kind::Stream).await.unwrap());
        }
        for _ in 0..AT_ONCE {
            held.push(place(&hosts, Kind::Question).await.unwrap());
        }
    }

    #[tokio::test]
    async fn i17_blobs_of_one_host_have_few_places_whatever_its_port_and_nobody_waits() {
        let hosts = Hosts::new();
        let ask = async |origin: &str| {
            let place = hosts.place(origin.to_owned(), Kind::Blob, Duration::ZERO);
            let place = tokio::time::timeout(PATIENCE / 2, place).await;
            place.expect("it is answered at once")
        };
        let first = ask("https://pds.example.com").await.unwrap();
        let _second = ask("https://pds.example.com:8443").await.unwrap();
        for port in ["", ":8443", ":8444"] {
            let crowded = ask(&format!("https://pds.example.com{port}")).await.err();
            assert_eq!(crowded, Some(NoPlace::Crowded), "{port}");
        }
        for port in ["", ":2583", ":2584"] {
            assert!(
                ask(&format!("http://127.0.0.1{port}")).await.is_ok(),
                "{port}"
            );
        }
        assert!(ask("https://[2001:db8::1]").await.is_ok());
        assert!(ask("https://[2001:db8::2]").await.is_ok());
        assert!(place(&hosts, Kind::Stream).await.is_ok());
        drop(first);
        assert!(ask("https://pds.example.com:8444").await.is_ok());
    }
}
