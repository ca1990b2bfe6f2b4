//! How long answers take, one after another.

use std::time::{Duration, Instant};

use crate::Failure;

/// Times of many answers.
pub struct Latency {
    sorted: Vec<Duration>,
    slowest: Vec<(Duration, String)>,
}

/// Queries that took longest that are kept.
const KEPT: usize = 100;

impl Latency {
    /// Asks one query after another, each once, until all were asked or the time is over.
    pub fn of(
        queries: &[String],
        at_most: Duration,
        mut ask: impl FnMut(&str) -> Result<(), Failure>,
    ) -> Result<Latency, Failure> {
        let began = Instant::now();
        let mut asked_for = Vec::with_capacity(queries.len());
        for query in queries {
            if began.elapsed() > at_most {
                break;
            }
            let asked = Instant::now();
            ask(query)?;
            asked_for.push((asked.elapsed(), query));
        }
        asked_for.sort_unstable_by_key(|(time, _)| *time);
        let slowest = asked_for.iter().rev().take(KEPT);
        let slowest = slowest.map(|(time, query)| (*time, (*query).clone()));
        Ok(Latency {
            slowest: slowest.collect(),
            sorted: asked_for.into_iter().map(|(time, _)| time).collect(),
        })
    }

    /// So many queries that took longest, a line each.
    pub fn slowest(&self, most: usize) -> impl Iterator<Item = String> {
        let slowest = self.slowest.iter().take(most);
        slowest.map(|(time, query)| format!("{:.2} ms `{query}`", time.as_secs_f64() * 1e3))
    }

    fn at(&self, of_a_thousand: usize) -> f64 {
        let place = (self.sorted.len() * of_a_thousand / 1000).min(self.sorted.len().max(1) - 1);
        let time = self.sorted.get(place).copied().unwrap_or_default();
        time.as_secs_f64() * 1e3
    }

    /// In milliseconds.
    pub fn p50(&self) -> f64 {
        self.at(500)
    }

    /// In milliseconds.
    pub fn p99(&self) -> f64 {
        self.at(990)
    }

    pub fn count(&self) -> usize {
        self.sorted.len()
    }
}

impl From<Vec<Duration>> for Latency {
    fn from(mut times: Vec<Duration>) -> Latency {
        times.sort_unstable();
        Latency {
            sorted: times,
            slowest: Vec::new(),
        }
    }
}

impl std::fmt::Display for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (p50, p99) = (self.p50(), self.p99());
        write!(f, "p50 {p50:.2} ms, p99 {p99:.2} ms (of {})", self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_times_the_last_is_the_ninety_ninth() {
        let times = (1..=100)
            .rev()
            .map(Duration::from_millis)
            .collect::<Vec<_>>();
        let latency = Latency::from(times);
        assert_eq!((latency.p50(), latency.p99()), (51.0, 100.0));
        assert_eq!(Latency::from(Vec::new()).p99(), 0.0);
    }
}
