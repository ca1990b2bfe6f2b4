//! How the hosts are doing, for `/ready` and for coverage.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plyr_lexicons::Namespace;
use url::Url;

use super::compare::Comparison;
use super::protocol::Protocol;

/// How a host is doing. Times in microseconds since 1970.
#[derive(Clone, Debug)]
pub struct SourceStatus {
    /// The host.
    pub host: String,
    /// What it speaks: `jetstream v1` or `jetstream v2`; none before it was asked.
    pub protocol: Option<&'static str>,
    /// Whether it delivers.
    pub connected: bool,
    /// Why not, when it last failed.
    pub problem: Option<String>,
    /// When it saw the last event it told of, by its own clock.
    pub time: Option<i64>,
    /// When we last heard of it.
    pub heard_at: Option<i64>,
    /// Gaps of its stream since the start.
    pub gaps: u64,
    /// Events it told of that their repos know nothing of, since the start.
    pub invented: u64,
    /// Collections of which it carries next to nothing.
    pub blind: Vec<String>,
}

/// Of all hosts.
pub struct Status {
    links: Mutex<Vec<Link>>,
    /// Hosts of which one is followed at a time, by place.
    groups: Vec<Vec<usize>>,
    comparison: Arc<Comparison>,
    namespace: Namespace,
}

#[derive(Clone)]
struct Link {
    host: String,
    protocol: Option<Protocol>,
    connected: bool,
    problem: Option<String>,
}

impl Status {
    /// `groups`: hosts of which one is followed at a time; in their order they have their places.
    pub fn new(groups: &[Vec<Url>], comparison: Arc<Comparison>, namespace: Namespace) -> Status {
        let link = |host: &Url| Link {
            host: name(host),
            protocol: None,
            connected: false,
            problem: None,
        };
        let mut places = 0..;
        let places = groups
            .iter()
            .map(|group| places.by_ref().take(group.len()).collect())
            .collect();
        Status {
            links: Mutex::new(groups.iter().flatten().map(link).collect()),
            groups: places,
            comparison,
            namespace,
        }
    }

    fn links(&self) -> MutexGuard<'_, Vec<Link>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every host.
    pub fn sources(&self) -> Vec<SourceStatus> {
        let links = self.links().clone();
        let standings = self.comparison.describe(|standing| SourceStatus {
            host: String::new(),
            protocol: None,
            connected: false,
            problem: None,
            time: standing.time,
            heard_at: (standing.heard_at != 0).then_some(standing.heard_at),
            gaps: standing.gaps,
            invented: standing.invented,
            blind: standing.blind(&self.namespace),
        });
        let both = links.into_iter().zip(standings);
        both.map(|(link, standing)| SourceStatus {
            host: link.host,
            protocol: link.protocol.map(Protocol::name),
            connected: link.connected,
            problem: link.problem,
            ..standing
        })
        .collect()
    }

    /// What limps: hosts that can't be reached where no other stands in for them, and why; and what
    /// those that can be reached don't tell.
    pub fn missing(&self) -> Vec<String> {
        let links = self.links().clone();
        let mut missing = Vec::new();
        for group in &self.groups {
            let links = group.iter().filter_map(|place| links.get(*place));
            if links.clone().any(|link| link.connected) {
                continue;
            }
            missing.extend(links.map(|link| match &link.problem {
                Some(problem) => format!("{}: {problem}", link.host),
                None => format!("{}: not connected yet", link.host),
            }));
        }
        let problems = self.comparison.problems();
        let connected = links.iter().zip(problems);
        missing.extend(
            connected
                .filter(|(link, _)| link.connected)
                .flat_map(|(_, problems)| problems),
        );
        missing
    }

    /// A host delivers, by a protocol.
    pub fn connected(&self, place: usize, protocol: Protocol) {
        if let Some(link) = self.links().get_mut(place) {
            link.connected = true;
            link.problem = None;
            link.protocol = Some(protocol);
        }
        self.comparison.connected(place, crate::now());
    }

    /// A host delivers no more, and why.
    pub fn failed(&self, place: usize, problem: String) {
        if let Some(link) = self.links().get_mut(place) {
            link.connected = false;
            link.problem = Some(problem);
        }
        self.comparison.disconnected(place);
    }
}

/// A host's name in logs, metrics and cursors: its URL without the trailing slash.
pub fn name(host: &Url) -> String {
    let text = host.as_str();
    text.strip_suffix('/').unwrap_or(text).to_owned()
}
