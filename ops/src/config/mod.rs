//! The configuration: gathered from flags, environment and file, checked once, then plain values.

pub mod check;
pub mod media;
pub mod options;
mod password;
mod sources;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use plyr_indexer::{Canary, ComparisonOptions, MOST_HOSTS};
use plyr_lexicons::Namespace;
use url::Url;

use crate::error::OpsError;
pub use media::{BlobsChoice, MediaConfig};
pub use password::Password;
pub use sources::{Settings, gather};
pub use values::{blobs as read_blobs, duration as read_duration};

/// Which store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreChoice {
    /// The one in the data folder.
    Embedded,
    /// A keyspace of a cluster, by its URL.
    Cluster(String),
}

/// How often a new keyspace keeps every row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicationChoice {
    /// Copies in each datacenter where none are named.
    pub factor: u8,
    /// Copies by datacenter.
    pub datacenters: Vec<(String, u8)>,
}

/// How logs are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// One line of text each.
    Text,
    /// One JSON object each.
    Json,
}

/// The checked configuration of the parts that are built. What steers parts that aren't is
/// checked too, and named in a warning when set.
#[derive(Clone, Debug)]
pub struct Config {
    /// `--data-dir`
    pub data_dir: PathBuf,
    /// `--listen`
    pub listen: SocketAddr,
    /// `--metrics-listen`
    pub metrics_listen: SocketAddr,
    /// `--public-url`; none on loopback, where it follows from the port.
    pub public_url: Option<Url>,
    /// `--namespace`
    pub namespace: Namespace,
    /// `--jetstream`: groups of which one host is followed at a time.
    pub jetstreams: Vec<Vec<Url>>,
    /// `--stream-grace`, `--blind-events`, `--canary` and `--canary-every`
    pub comparison: ComparisonOptions,
    /// `--relay-url`
    pub relays: Vec<Url>,
    /// `--verify-every`
    pub verify_every: Duration,
    /// `--plc-url`
    pub plc_url: Url,
    /// `--handle-resolver`
    pub handle_resolvers: Vec<Url>,
    /// `--store`
    pub store: StoreChoice,
    /// `--replication`; none for what fits the cluster.
    pub replication: Option<ReplicationChoice>,
    /// `--tablets`; none for the server's default.
    pub tablets: Option<bool>,
    /// `--heartbeat-patience`
    pub heartbeat_patience: Duration,
    /// `--disk-reserve`, in bytes
    pub disk_reserve: u64,
    /// `--changes-keep`
    pub changes_keep: Duration,
    /// `--erase-after`
    pub erase_after: Duration,
    /// What steers bytes.
    pub media: MediaConfig,
    /// What `--admin-password-file` holds; without it the admin methods refuse.
    pub admin_password: Option<Password>,
    /// `--contact`
    pub contact: String,
    /// `--dev`
    pub dev: bool,
    /// `--log`
    pub log: String,
    /// `--log-format`
    pub log_format: LogFormat,
}

impl Config {
    /// Checks every setting and tells all problems at once.
    pub fn from_settings(settings: &Settings) -> Result<Config, OpsError> {
        let mut reader = values::Reader::new(settings);
        let dev = reader.switch("dev");
        let listen = reader.one("listen", values::address);
        let metrics_listen = reader.one("metrics-listen", values::address);
        let public_url = reader.optional("public-url", values::public_url);
        let namespace = reader.one("namespace", values::namespace);
        let jetstreams = reader.many("jetstream", values::jetstreams);
        let stream_grace = reader.one("stream-grace", values::duration);
        let blind_events = reader.one("blind-events", values::count);
        let canary = reader.optional("canary", values::record_uri);
        let canary_every = reader.one("canary-every", values::duration);
        let plc_url = reader.one("plc-url", values::http_url);
        let handle_resolvers = reader.many("handle-resolver", values::http_url);
        let disk_reserve = reader.one("disk-reserve", values::size);
        let changes_keep = reader.one("changes-keep", values::duration);
        let erase_after = reader.one("erase-after", values::duration);
        let log_format = reader.one("log-format", values::log_format);
        let log = reader.one("log", values::log_filter);
        let data_dir = reader.one("data-dir", values::folder);
        let contact = reader.one("contact", values::contact);
        let store = reader.one("store", values::store);
        let copies = reader.many("replication", values::copies);
        let replication = values::replication(&mut reader, copies);
        let tablets = reader.optional("tablets", values::on_or_off);
        let heartbeat_patience = reader.one("heartbeat-patience", values::duration);
        let relays = reader.many("relay-url", values::relay_url);
        let verify_every = reader.one("verify-every", values::duration);
        reader.many("labeler", values::labeler);
        let media = media::read(&mut reader);
        reader.many("trusted-proxy", values::cidr);
        let admin_password = reader.optional("admin-password-file", password::read);

        if let Some(address) = listen
            && !address.ip().is_loopback()
        {
            if public_url.is_none() {
                reader.problem(
                    "public-url",
                    "is not set, but listen is not on loopback",
                    "set it to the address people use, like https://music.example.com",
                );
            }
            if dev {
                reader.problem(
                    "dev",
                    "is on, but listen is not on loopback",
                    "turn dev off, or listen on 127.0.0.1",
                );
            }
        }
        if listen.is_some_and(|address| address.port() != 0) && listen == metrics_listen {
            reader.problem(
                "metrics-listen",
                "is the same address as listen",
                "choose another port",
            );
        }
        if !handle_resolvers.is_empty() && !dev {
            reader.problem(
                "handle-resolver",
                "is only heeded with dev",
                "leave it out, or turn dev on for a test network",
            );
        }
        if jetstreams.iter().flatten().count() > MOST_HOSTS {
            reader.problem("jetstream", "names more than 32 hosts", "name fewer");
        }
        if let Some(canary) = &canary
            && let Some(namespace) = &namespace
            && namespace.collection(canary.collection.as_str()).is_none()
        {
            let problem = "is in none of the namespace's collections, which alone are followed";
            reader.problem("canary", problem, "write one of its records");
        }
        let (Some(grace), Some(blind_events), Some(every)) =
            (stream_grace, blind_events, canary_every)
        else {
            return Err(OpsError::Config(reader.problems));
        };
        let comparison = ComparisonOptions {
            grace,
            blind_events,
            canary: canary.map(|uri| Canary { uri, every }),
        };
        let (Some(listen), Some(metrics_listen), Some(namespace), Some(plc_url)) =
            (listen, metrics_listen, namespace, plc_url)
        else {
            return Err(OpsError::Config(reader.problems));
        };
        let (Some(disk_reserve), Some(changes_keep), Some(log_format)) =
            (disk_reserve, changes_keep, log_format)
        else {
            return Err(OpsError::Config(reader.problems));
        };
        let (Some(store), Some(heartbeat_patience), Some(erase_after), Some(verify_every)) =
            (store, heartbeat_patience, erase_after, verify_every)
        else {
            return Err(OpsError::Config(reader.problems));
        };
        let (Some(log), Some(data_dir), Some(contact), Some(media)) =
            (log, data_dir, contact, media)
        else {
            return Err(OpsError::Config(reader.problems));
        };
        if !reader.problems.is_empty() {
            return Err(OpsError::Config(reader.problems));
        }
        Ok(Config {
            data_dir,
            listen,
            metrics_listen,
            public_url,
            namespace,
            jetstreams,
            comparison,
            relays: relays.into_iter().flatten().collect(),
            verify_every,
            plc_url,
            handle_resolvers,
            store,
            replication,
            tablets,
            heartbeat_patience,
            disk_reserve,
            changes_keep,
            erase_after,
            media,
            admin_password,
            contact,
            dev,
            log,
            log_format,
        })
    }

    /// Names each option that was set although its part isn't built yet.
    pub fn warn_of_what_is_not_built(&self, settings: &Settings) {
        for option in options::OPTIONS.iter().filter(|option| !option.built) {
            if settings.is_set(option.flag) {
                tracing::warn!(
                    option = option.flag,
                    "this option steers a part not built yet"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(words: &[&str]) -> Result<Config, OpsError> {
        let words = ["plyr", "serve"].iter().chain(words);
        let arguments = crate::cli::command().try_get_matches_from(words).unwrap();
        let (_, serve) = arguments.subcommand().unwrap();
        Config::from_settings(&gather(serve)?)
    }

    #[test]
    fn i12_beyond_loopback_a_server_has_an_address_and_no_dev() {
        let everywhere = ["--listen", "0.0.0.0:8080"];
        let url = ["--public-url", "https://music.example.com"];
        let told = |words: &[&str]| checked(words).err().map(|problem| problem.to_string());
        assert_eq!(told(&["--dev"]), None);
        assert_eq!(told(&[&everywhere[..], &url].concat()), None);
        let told_of_url = told(&everywhere).unwrap();
        assert!(
            told_of_url.contains("public_url is not set"),
            "{told_of_url}"
        );
        let with_dev = [&everywhere[..], &url, &["--dev"]].concat();
        let told_of_dev = told(&with_dev).unwrap();
        assert!(told_of_dev.contains("turn dev off"), "{told_of_dev}");
    }
}
