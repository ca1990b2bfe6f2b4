//! What one host's stream is like: since when it can be relied on, how far it has come, what it
//! misses.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use plyr_lexicons::{Collection, Namespace};

use super::blindness::Window;
use super::canary::Canary;

/// One host. Times in microseconds since 1970.
pub struct HostStanding {
    /// Its name.
    pub source: Arc<str>,
    /// Whether it is followed.
    pub is_connected: bool,
    /// From this time of its stream on it was heard without a gap.
    pub since: i64,
    /// The time of its last frame, as told.
    pub time: Option<i64>,
    /// When we last heard of it.
    pub heard_at: i64,
    /// Gaps of its stream.
    pub gaps: u64,
    /// Events it told of that their repos know nothing of.
    pub invented: u64,
    /// The last events of each collection.
    pub windows: HashMap<Collection, Window>,
    /// When it last told of the canary, by its own clock; at first when it was first followed.
    pub canary_at: i64,
    is_canary_late: bool,
}

impl HostStanding {
    /// One that is not followed yet.
    pub fn new(source: Arc<str>) -> HostStanding {
        HostStanding {
            source,
            is_connected: false,
            since: i64::MAX,
            time: None,
            heard_at: 0,
            gaps: 0,
            invented: 0,
            windows: HashMap::new(),
            canary_at: 0,
            is_canary_late: false,
        }
    }

    /// It is followed from now on. Whether it goes on where it stopped shows later.
    pub fn connect(&mut self, now: i64) {
        self.is_connected = true;
        self.since = self.since.min(now);
        self.heard_at = now;
        if self.canary_at == 0 {
            self.canary_at = now;
        }
    }

    /// A frame of it.
    pub fn hear(&mut self, time: Option<i64>, now: i64) {
        self.heard_at = now;
        if let Some(time) = time {
            self.since = self.since.min(time);
            self.time = Some(time);
        }
    }

    /// Whether it had its chance to carry an event and let it pass. `told_at`: when another host
    /// saw it; `seen_at`: when we did.
    pub fn has_passed(&self, told_at: i64, seen_at: i64, grace: i64, now: i64) -> bool {
        if !self.is_connected || self.since.saturating_add(grace) > told_at {
            return false;
        }
        let is_beyond = self
            .time
            .is_some_and(|time| time >= told_at.saturating_add(grace));
        // Nothing at all, while others carry something, is no lag.
        let silent_for = now - self.heard_at.max(seen_at);
        is_beyond || silent_for >= grace.saturating_mul(2)
    }

    /// Whether the canary has become late just now.
    pub fn is_canary_late(&mut self, canary: &Canary, now: i64) -> bool {
        let age = now.saturating_sub(self.canary_at);
        metrics::gauge!("plyr_source_canary_age_seconds", "source" => self.source.to_string())
            .set(age as f64 / 1e6);
        let every = i64::try_from(canary.every.as_micros()).unwrap_or(i64::MAX);
        let was_late = std::mem::replace(&mut self.is_canary_late, age > every);
        if self.is_canary_late && !was_late {
            tracing::warn!(
                host = &*self.source, canary = %canary.uri, since = %time_of(self.canary_at),
                "the canary did not arrive; all repos are due"
            );
        }
        self.is_canary_late && !was_late
    }

    /// Collections it is blind for.
    pub fn blind(&self, namespace: &Namespace) -> Vec<String> {
        let blind = self.windows.iter().filter(|(_, window)| window.is_blind());
        let mut blind: Vec<String> = blind
            .map(|(collection, _)| namespace.nsid(*collection).to_string())
            .collect();
        blind.sort_unstable();
        blind
    }

    /// What is wrong with it, for people.
    pub fn problems(&self, namespace: &Namespace) -> Vec<String> {
        let mut problems: Vec<String> = self
            .blind(namespace)
            .into_iter()
            .map(|collection| format!("{}: carries next to nothing of {collection}", self.source))
            .collect();
        if self.is_canary_late {
            let since = time_of(self.canary_at);
            problems.push(format!("{}: no canary since {since}", self.source));
        }
        problems
    }
}

/// A time as people read it.
fn time_of(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}
