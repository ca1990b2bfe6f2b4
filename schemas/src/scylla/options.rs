//! How to reach a keyspace, and how patient to be.

use std::time::Duration;

use plyr_lexicons::Namespace;

use crate::fault::FaultHook;
use crate::store::StoreError;

/// How to open it.
#[derive(Clone)]
pub struct ScyllaOptions {
    /// Contact points, `host:port`.
    pub nodes: Vec<String>,
    /// The keyspace.
    pub keyspace: String,
    /// The namespace whose collections it holds.
    pub namespace: Namespace,
    /// The version of the rules that records are judged by; another one only in tests.
    pub rules: u16,
    /// How long a start waits for a node that answers.
    pub connect_patience: Duration,
    /// How long one statement may take before it counts as failed.
    pub statement_timeout: Duration,
    /// How long a read is tried again.
    pub read_patience: Duration,
    /// How long a write is tried again. A process that hangs longer must end itself.
    pub write_patience: Duration,
    /// Statements under way at once; whoever waits a second for a turn is turned away.
    pub most_statements: usize,
    /// Sets that wait to be counted, and keys to be swept, at most: beyond it writers wait. 100,000
    /// have about 30 MB.
    pub most_waiting: usize,
    /// How long a touched set waits for more touches before it is counted again.
    pub settle_after: Duration,
    /// When it is counted once more: longer than clocks may be apart.
    pub settle_again: Duration,
    /// How old a log entry must be before another process does what its writer left undone: that
    /// one is dead, or very late.
    pub left_behind: Duration,
    /// Stops the engine at a crash point, as if killed; for tests.
    pub fault: Option<FaultHook>,
}

impl ScyllaOptions {
    /// From a URL `scylla://host[:port][,host[:port]…]/keyspace`; the port is 9042 where none is
    /// given.
    pub fn parse(url: &str, namespace: Namespace) -> Result<ScyllaOptions, StoreError> {
        let wrong = |problem: &str| StoreError::Unusable {
            path: url.to_owned(),
            problem: format!("{problem}; a store's URL is scylla://host:port,host:port/keyspace"),
        };
        let rest = url.strip_prefix("scylla://");
        let rest = rest.ok_or_else(|| wrong("it doesn't begin with scylla://"))?;
        let (hosts, keyspace) = rest
            .split_once('/')
            .ok_or_else(|| wrong("it names no keyspace"))?;
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = keyspace.starts_with(|first: char| first.is_ascii_lowercase());
        if !begins || !keyspace.bytes().all(letters) || keyspace.len() > 48 {
            return Err(wrong(
                "a keyspace is 1 to 48 of a-z, 0-9 and _, a letter first",
            ));
        }
        let mut nodes = Vec::new();
        for host in hosts.split(',') {
            if host.is_empty() || host.contains(['@', '?', '#', ' ']) {
                return Err(wrong("a host is missing or no host"));
            }
            let bare = host.ends_with(']') || !host.contains(':');
            match host.rsplit_once(':') {
                Some((_, port)) if !bare => {
                    let port: Result<u16, _> = port.parse();
                    port.map_err(|_| wrong("a port is no number up to 65535"))?;
                    nodes.push(host.to_owned());
                }
                _ => nodes.push(format!("{host}:9042")),
            }
        }
        Ok(ScyllaOptions {
            nodes,
            keyspace: keyspace.to_owned(),
            namespace,
            rules: plyr_lexicons::RULES_VERSION,
            connect_patience: Duration::from_secs(60),
            statement_timeout: Duration::from_secs(3),
            read_patience: Duration::from_secs(8),
            write_patience: Duration::from_secs(60),
            most_statements: 1024,
            most_waiting: 100_000,
            settle_after: Duration::from_millis(200),
            settle_again: Duration::from_secs(5),
            left_behind: Duration::from_secs(30),
            fault: None,
        })
    }

    /// The URL, for messages.
    pub fn url(&self) -> String {
        format!("scylla://{}/{}", self.nodes.join(","), self.keyspace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_nodes_and_a_keyspace() {
        let parse = |url: &str| ScyllaOptions::parse(url, "fm.plyr".parse().unwrap());
        let two = parse("scylla://one:9142,two/plyr").unwrap();
        assert_eq!(two.nodes, ["one:9142", "two:9042"]);
        assert_eq!(two.url(), "scylla://one:9142,two:9042/plyr");
        let wrong = [
            "http://one/plyr",
            "scylla://one",
            "scylla:///plyr",
            "scylla://one/",
            "scylla://one:x/plyr",
            "scylla://one/Plyr",
            "scylla://one/1plyr",
            "scylla://user@one/plyr",
        ];
        for url in wrong {
            let Err(problem) = parse(url) else {
                panic!("{url} was taken");
            };
            assert!(problem.to_string().contains("scylla://host:port"), "{url}");
        }
    }
}
