//! What each host carried lately, side by side: an event that only one of several carried is
//! doubted, and a host that carries next to nothing of a collection is told to be blind. In memory
//! and bounded; a restart forgets it, and the steady reconciliation finds what was forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plyr_lexicons::{Collection, Did, Namespace, RecordUri, Rev};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::blindness::Turned;
use super::canary::Canary;
use super::intake::{hash, is_plausible};
use super::standing::HostStanding;
use crate::frame::{At, Commit, Operation};
use crate::suspicion::{Distrust, Doubt, Suspicions};

/// Longest DID and record key, in bytes (the protocol's limits).
const LONGEST_DID: usize = 2_048;
const LONGEST_RKEY: usize = 512;
/// Events remembered at most, some 300 bytes each.
const CAPACITY: usize = 20_000;
/// How long an event is remembered, in microseconds.
const KEEP: i64 = 86_400_000_000;
/// Hosts that can be compared.
pub const MOST_HOSTS: usize = 32;

/// How hosts are compared.
#[derive(Clone, Debug)]
pub struct ComparisonOptions {
    /// How much later than another a host may carry an event; then it doesn't.
    pub grace: Duration,
    /// Events of a collection in a row that others carried and a host didn't: it is blind.
    pub blind_events: usize,
    /// A record whose arrival is awaited from each host.
    pub canary: Option<Canary>,
}

impl Default for ComparisonOptions {
    fn default() -> ComparisonOptions {
        ComparisonOptions {
            grace: Duration::from_secs(20),
            blind_events: 5,
            canary: None,
        }
    }
}

/// Compares the hosts.
pub struct Comparison {
    options: ComparisonOptions,
    namespace: Namespace,
    suspicions: Suspicions,
    state: Mutex<State>,
}

struct State {
    hosts: Vec<HostStanding>,
    events: HashMap<u64, Carried>,
    /// Their keys, oldest first.
    order: VecDeque<u64>,
}

/// One event, and who carried it. Hosts are bits.
struct Carried {
    uri: String,
    rev: Rev,
    collection: Collection,
    is_delete: bool,
    told_at: i64,
    seen_at: i64,
    first: usize,
    carried: u32,
    /// Whose silence, or not being alone, was counted.
    judged: u32,
    /// It changed the state: what changes nothing needs no proof.
    is_applied: bool,
    is_doubted: bool,
}

impl Comparison {
    /// `sources`: the names of all hosts; by their place they are told apart later.
    pub fn new(
        sources: impl Iterator<Item = Arc<str>>,
        namespace: Namespace,
        options: ComparisonOptions,
        suspicions: Suspicions,
    ) -> Comparison {
        Comparison {
            options,
            namespace,
            suspicions,
            state: Mutex::new(State {
                hosts: sources.map(HostStanding::new).collect(),
                events: HashMap::new(),
                order: VecDeque::new(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grace(&self) -> i64 {
        i64::try_from(self.options.grace.as_micros()).unwrap_or(i64::MAX / 4)
    }

    /// A host is followed from now on.
    pub fn connected(&self, host: usize, now: i64) {
        if let Some(host) = self.state().hosts.get_mut(host) {
            host.connect(now);
        }
    }

    /// A host is not followed any more.
    pub fn disconnected(&self, host: usize) {
        if let Some(host) = self.state().hosts.get_mut(host) {
            host.is_connected = false;
        }
    }

    /// We did not listen for a while, which is not the host's silence.
    pub fn was_away(&self, host: usize, now: i64) {
        if let Some(host) = self.state().hosts.get_mut(host) {
            host.heard_at = now;
        }
    }

    /// The host's stream did not go on where it stopped; what lies between may be missing.
    pub fn gap(&self, host: usize, at: Option<At>, now: i64) {
        let source = {
            let mut state = self.state();
            let Some(host) = state.hosts.get_mut(host) else {
                return;
            };
            host.since = at.and_then(|at| at.time).unwrap_or(now);
            host.gaps += 1;
            host.source.clone()
        };
        metrics::counter!("plyr_stream_gaps_total", "source" => source.to_string()).increment(1);
        self.suspicions.host(Distrust::Gap { source });
    }

    /// A host carried a frame; answers the event's name here, if it is one to be compared.
    pub fn carried(
        &self,
        place: usize,
        at: Option<At>,
        commit: Option<&Commit<'_>>,
        now: i64,
    ) -> Option<u64> {
        let mut state = self.state();
        let is_alone = state.hosts.len() < 2;
        let host = state.hosts.get_mut(place)?;
        let time = at.and_then(|at| at.time);
        let time = time.filter(|time| u64::try_from(*time).is_ok_and(|t| is_plausible(t, now)));
        host.hear(time, now);
        let commit = commit?;
        if let (Some(canary), Some(time)) = (&self.options.canary, time)
            && canary.is(commit)
        {
            host.canary_at = host.canary_at.max(time);
        }
        let collection = self.namespace.collection(&commit.collection)?;
        // What has no address will not be applied.
        if is_alone || commit.did.len() > LONGEST_DID || commit.rkey.len() > LONGEST_RKEY {
            return None;
        }
        let rev = Rev::parse(&commit.rev)?;
        let is_delete = commit.operation == Operation::Delete;
        let named = (&commit.did, &commit.collection, &commit.rkey);
        let key = hash((named, rev.as_u64(), is_delete, &commit.cid));
        let bit = 1 << place;
        let told_at = time.unwrap_or(now);
        if let Some(event) = state.events.get_mut(&key) {
            event.carried |= bit;
            // Whoever was found missing came late: judged once more.
            event.judged &= !bit;
            return Some(key);
        }
        let event = Carried {
            uri: format!("at://{}/{}/{}", commit.did, commit.collection, commit.rkey),
            rev,
            collection,
            is_delete,
            told_at,
            seen_at: now,
            first: place,
            carried: bit,
            judged: 0,
            is_applied: false,
            is_doubted: false,
        };
        state.events.insert(key, event);
        state.order.push_back(key);
        if state.order.len() > CAPACITY {
            self.forget_oldest(&mut state);
        }
        Some(key)
    }

    /// An event changed the state.
    pub fn applied(&self, key: u64) {
        if let Some(event) = self.state().events.get_mut(&key) {
            event.is_applied = true;
        }
    }

    /// The repo says that an event never was.
    pub fn disproved(&self, doubt: &Doubt) {
        let mut state = self.state();
        for host in &mut state.hosts {
            host.windows
                .iter_mut()
                .for_each(|(_, window)| window.forget(doubt.key));
            if host.source == doubt.source {
                host.invented += 1;
            }
        }
        let source = doubt.source.to_string();
        metrics::counter!("plyr_stream_invented_total", "source" => source).increment(1);
        tracing::warn!(
            host = &*doubt.source, uri = %doubt.uri, rev = %doubt.rev,
            "the host told of an event that its repo knows nothing of"
        );
    }

    /// What is wrong with each host's stream while it is connected; by place.
    pub fn problems(&self) -> Vec<Vec<String>> {
        let state = self.state();
        let hosts = state.hosts.iter();
        hosts.map(|host| host.problems(&self.namespace)).collect()
    }

    /// What each host's stream is like; by place.
    pub fn describe<T>(&self, describe: impl Fn(&HostStanding) -> T) -> Vec<T> {
        self.state().hosts.iter().map(describe).collect()
    }

    /// Looks at what is due to be looked at, until cancelled.
    pub async fn run(self: Arc<Self>, cancel: CancellationToken) {
        let (least, most) = (Duration::from_millis(50), Duration::from_secs(1));
        let mut ticks = tokio::time::interval((self.options.grace / 4).clamp(least, most));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => self.look(crate::now()),
            }
        }
    }

    /// Judges what can be judged now.
    pub fn look(&self, now: i64) {
        let mut state = self.state();
        while let Some(event) = state.order.front().and_then(|key| state.events.get(key))
            && event.seen_at.saturating_add(KEEP) < now
        {
            self.forget_oldest(&mut state);
        }
        let State {
            hosts,
            events,
            order,
        } = &mut *state;
        for key in order.iter() {
            if let Some(event) = events.get_mut(key).filter(|event| event.is_applied) {
                self.judge(*key, event, hosts, now);
            }
        }
        if let Some(canary) = &self.options.canary {
            for host in hosts.iter_mut().filter(|host| host.is_connected) {
                if host.is_canary_late(canary, now) {
                    let source = host.source.clone();
                    self.suspicions.host(Distrust::Canary { source });
                }
            }
        }
        metrics::gauge!("plyr_queue_depth", "queue" => "compared").set(order.len() as f64);
    }

    fn judge(&self, key: u64, event: &mut Carried, hosts: &mut [HostStanding], now: i64) {
        let carriers = event.carried.count_ones();
        for (place, host) in hosts.iter_mut().enumerate() {
            let bit = 1 << place;
            if event.judged & bit != 0 {
                continue;
            }
            let is_carried = event.carried & bit != 0;
            let is_over = match is_carried {
                // Alone it says nothing yet.
                true => carriers > 1,
                false => host.has_passed(event.told_at, event.seen_at, self.grace(), now),
            };
            if !is_over {
                continue;
            }
            event.judged |= bit;
            // A row that a host filled in from an older state says nothing about the others.
            if is_carried || event.rev.micros() >= host.since {
                self.count(key, event, host, is_carried);
            }
        }
        let others = event.judged & !event.carried;
        if carriers == 1 && others != 0 && !event.is_doubted {
            event.is_doubted = true;
            self.doubt(key, event, &hosts[event.first]);
        }
    }

    fn count(&self, key: u64, event: &Carried, host: &mut HostStanding, is_carried: bool) {
        let collection = self.namespace.nsid(event.collection).as_str();
        let labels = || {
            let source = ("source", host.source.to_string());
            [source, ("collection", collection.to_owned())]
        };
        if !is_carried {
            metrics::counter!("plyr_stream_missed_total", &labels()).increment(1);
        }
        let repo = hash(event.uri.split('/').nth(2));
        let least = self.options.blind_events.max(1);
        let window = host.windows.entry(event.collection).or_default();
        let turned = window.judge(key, repo, event.told_at, is_carried, least);
        let source = host.source.clone();
        let collection = collection.to_owned();
        match turned {
            None => return,
            Some(Turned::Blind(since)) => {
                tracing::warn!(
                    host = &*source,
                    collection,
                    "the host carries next to nothing of what others carry; all repos are due"
                );
                self.suspicions.host(Distrust::Blind {
                    source,
                    collection,
                    since,
                });
            }
            Some(Turned::Seeing) => {
                tracing::info!(host = &*source, collection, "the host carries it again");
                self.suspicions
                    .host(Distrust::Recovered { source, collection });
            }
        }
        let blind = host.windows.values().filter(|window| window.is_blind());
        metrics::gauge!("plyr_source_blind", "source" => host.source.to_string())
            .set(blind.count() as f64);
    }

    fn doubt(&self, key: u64, event: &Carried, host: &HostStanding) {
        let collection = self.namespace.nsid(event.collection).to_string();
        metrics::counter!(
            "plyr_stream_only_total",
            "source" => host.source.to_string(), "collection" => collection
        )
        .increment(1);
        // What was applied has a well-formed address.
        if let Ok(uri) = event.uri.parse::<RecordUri>() {
            self.suspicions.doubt(Doubt {
                uri,
                rev: event.rev,
                is_delete: event.is_delete,
                source: host.source.clone(),
                seen_at: event.seen_at,
                key,
            });
        }
    }

    /// Makes room. What a slow host could not be asked about yet is asked of the repo.
    fn forget_oldest(&self, state: &mut State) {
        let oldest = state.order.pop_front();
        let Some(event) = oldest.and_then(|key| state.events.remove(&key)) else {
            return;
        };
        let mut others = state.hosts.iter().enumerate();
        let waits = others.any(|(place, host)| place != event.first && host.is_connected);
        let is_open = event.is_applied && !event.is_doubted && event.carried.count_ones() == 1;
        if is_open && waits {
            metrics::counter!("plyr_stream_undecided_total").increment(1);
            let did = event.uri.split('/').nth(2).unwrap_or_default();
            if let Ok(did) = Did::new(did.to_owned()) {
                self.suspicions.repo(did);
            }
        }
    }
}

#[cfg(test)]
mod tests;
