//! How the hosts are doing, for `/ready`.

use std::sync::{Mutex, PoisonError};

use url::Url;

/// How a source is doing.
#[derive(Clone, Debug)]
pub struct SourceStatus {
    /// The host.
    pub host: String,
    /// Whether it delivers.
    pub connected: bool,
    /// Why not, when it last failed.
    pub problem: Option<String>,
}

/// Of all sources.
#[derive(Debug)]
pub struct Status {
    sources: Mutex<Vec<SourceStatus>>,
}

impl Status {
    pub fn new(hosts: &[Url]) -> Status {
        let source = |host: &Url| SourceStatus {
            host: name(host),
            connected: false,
            problem: None,
        };
        Status {
            sources: Mutex::new(hosts.iter().map(source).collect()),
        }
    }

    pub fn sources(&self) -> Vec<SourceStatus> {
        self.sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Nothing while one host delivers; else every host with what is wrong.
    pub fn missing(&self) -> Vec<String> {
        let sources = self.sources();
        if sources.iter().any(|source| source.connected) {
            return Vec::new();
        }
        let why = |source: SourceStatus| match source.problem {
            Some(problem) => format!("{}: {problem}", source.host),
            None => format!("{}: not connected yet", source.host),
        };
        sources.into_iter().map(why).collect()
    }

    pub fn set(&self, place: usize, connected: bool, problem: Option<String>) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = sources.get_mut(place) {
            source.connected = connected;
            source.problem = problem;
        }
    }
}

/// A host's name in logs, metrics and cursors: its URL without the trailing slash.
pub fn name(host: &Url) -> String {
    let text = host.as_str();
    text.strip_suffix('/').unwrap_or(text).to_owned()
}
