//! How often, how many at once, and how much of each.

use std::time::Duration;

/// The pace of discovery, backfill and reconciliation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Every repo is asked again within this time.
    pub verify_every: Duration,
    /// With several writers a repo is merged once more after this time, longer than a write may
    /// take, and only then counts as verified.
    pub once_more: Duration,
    /// Where something was seen to be written while a repo was merged.
    pub soon_again: Duration,
    /// What is above a signed head, or a head that went back, is asked about again after this time.
    pub ask_again: Duration,
    /// After a failure of the host: the first wait; doubles.
    pub retry: Duration,
    /// The longest wait after failures.
    pub longest_retry: Duration,
    /// How often what is due is looked at.
    pub look: Duration,
    /// How often relays are asked which repos there are.
    pub discover_every: Duration,
    /// Between two pages of a relay's list.
    pub page_pause: Duration,
    /// Repos under way at once.
    pub at_once: usize,
    /// Of one host.
    pub at_once_per_host: usize,
    /// Repos fetched for the first time from one host in an hour.
    pub new_per_host_hour: u32,
    /// Records of our collections that a repo may have.
    pub quota: u64,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            verify_every: Duration::from_secs(24 * 3600),
            once_more: Duration::from_secs(75),
            soon_again: Duration::from_secs(5),
            ask_again: Duration::from_secs(60),
            retry: Duration::from_secs(60),
            longest_retry: Duration::from_secs(12 * 3600),
            look: Duration::from_secs(1),
            discover_every: Duration::from_secs(900),
            page_pause: Duration::from_secs(1),
            at_once: 16,
            at_once_per_host: 3,
            new_per_host_hour: 2_000,
            quota: 250_000,
        }
    }
}

/// Microseconds of a duration.
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
