//! The options of every command, declared once: flag, environment variable and file key follow.

/// How many values an option takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// On or off.
    Switch,
    /// One value.
    One,
    /// One or more; in the environment separated by commas, in the file an array.
    Many,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct OptionRow {
    /// The flag without its dashes; the other two names follow from it.
    pub flag: &'static str,
    /// How many values.
    pub shape: Shape,
    /// What stands in for the value in help.
    pub value_name: &'static str,
    /// The default's values; empty where there is none.
    pub default: &'static [&'static str],
    /// One line for people.
    pub help: &'static str,
    /// Whether the part it steers is built.
    pub built: bool,
    /// Whether its value is masked when shown.
    pub secret: bool,
}

impl OptionRow {
    /// `PLYR_` and the flag in upper snake case.
    pub fn environment(&self) -> String {
        format!("PLYR_{}", self.flag.to_uppercase().replace('-', "_"))
    }

    /// The flag in snake case.
    pub fn key(&self) -> String {
        self.flag.replace('-', "_")
    }

    /// The help line, with the default and the environment variable.
    pub fn help_text(&self) -> String {
        let default = match self.default {
            [] => String::new(),
            values => format!(" [default: {}]", values.join(", ")),
        };
        format!("{}{default} [env: {}]", self.help, self.environment())
    }
}

const fn one(flag: &'static str, value_name: &'static str, help: &'static str) -> OptionRow {
    let shape = Shape::One;
    OptionRow {
        flag,
        shape,
        value_name,
        default: &[],
        help,
        built: true,
        secret: false,
    }
}

const fn many(flag: &'static str, value_name: &'static str, help: &'static str) -> OptionRow {
    OptionRow {
        shape: Shape::Many,
        ..one(flag, value_name, help)
    }
}

impl OptionRow {
    const fn or(self, default: &'static [&'static str]) -> OptionRow {
        OptionRow { default, ..self }
    }

    const fn later(self) -> OptionRow {
        OptionRow {
            built: false,
            ..self
        }
    }
}

/// All of them, in the order help shows them.
pub const OPTIONS: &[OptionRow] = &[
    one(
        "config",
        "FILE",
        "Configuration file; without it ./plyr.toml if there",
    ),
    one(
        "data-dir",
        "DIR",
        "Everything the embedded mode keeps; one process at a time",
    )
    .or(&["./plyr-data"]),
    one(
        "listen",
        "ADDR",
        "Where the AppView listens; port 0 picks one, no host means loopback",
    )
    .or(&["127.0.0.1:8080"]),
    one(
        "metrics-listen",
        "ADDR",
        "Where /metrics, /live and /ready listen",
    )
    .or(&["127.0.0.1:9090"]),
    one(
        "public-url",
        "URL",
        "What links and did.json say; needed when not on loopback",
    ),
    one(
        "namespace",
        "NS",
        "fm.plyr, fm.plyr.dev or fm.plyr.stg; collections match exactly",
    )
    .or(&["fm.plyr"]),
    many(
        "jetstream",
        "URL",
        "A Jetstream, ws(s)://host[:port]; all named are followed at once, of URL|URL one",
    )
    .or(&[
        "wss://jetstream1.us-east.bsky.network|wss://jetstream2.us-east.bsky.network",
        "wss://jetstream1.us-west.bsky.network|wss://jetstream2.us-west.bsky.network",
    ]),
    one(
        "stream-grace",
        "DURATION",
        "How much later than another a Jetstream may tell of an event before that is doubted",
    )
    .or(&["20s"]),
    one(
        "blind-events",
        "N",
        "Events of a collection in a row that a Jetstream misses and others carry: it is blind",
    )
    .or(&["5"]),
    one(
        "canary",
        "AT-URI",
        "A record of yours that you write anew again and again; each Jetstream must tell of it",
    ),
    one(
        "canary-every",
        "DURATION",
        "How long a Jetstream may go without telling of the canary",
    )
    .or(&["1h"]),
    one("plc-url", "URL", "The PLC directory").or(&["https://plc.directory"]),
    many(
        "relay-url",
        "URL",
        "A relay to ask which repos there are, or none; may be repeated",
    )
    .or(&[
        "https://relay1.us-west.bsky.network",
        "https://relay1.us-east.bsky.network",
        "https://lightrail.microcosm.blue",
    ]),
    one(
        "verify-every",
        "DURATION",
        "Within this time every repo's host is asked whether what is held of it is right",
    )
    .or(&["24h"]),
    many(
        "handle-resolver",
        "URL",
        "With --dev: asked for .test names and as a last resort",
    ),
    many(
        "labeler",
        "DID-OR-HANDLE",
        "A labeler to heed; may be repeated",
    )
    .or(&["moderation.plyr.fm", "did:plc:ar7c4by46qjdydhdevvrndac"])
    .later(),
    one(
        "store",
        "URL",
        "embedded, or scylla://host:port[,host:port…]/keyspace",
    )
    .or(&["embedded"]),
    many(
        "replication",
        "N | DC=N",
        "Copies of a new keyspace; without it the least of 3 and the nodes there",
    ),
    one(
        "tablets",
        "on|off",
        "Tablets of a new keyspace (ScyllaDB); without it the server's default",
    ),
    one(
        "heartbeat-patience",
        "DURATION",
        "How long a cluster may take no write before the process ends itself",
    )
    .or(&["3m"]),
    one(
        "disk-reserve",
        "SIZE",
        "Free disk below which writes wait: 512MiB, 2GiB …",
    )
    .or(&["512MiB"]),
    one(
        "media",
        "MODE",
        "When audio is fetched: off, on-demand or mirror",
    )
    .or(&["on-demand"]),
    one("media-quota", "SIZE", "Disk that media may use").or(&["20GiB"]),
    one("blobs", "URL", "disk, or s3://bucket/prefix").or(&["disk"]),
    one("s3-endpoint", "URL", "S3 endpoint (R2 is one)"),
    one(
        "s3-public-endpoint",
        "URL|none",
        "Where listeners reach the bucket; none: bytes go through here",
    ),
    one("s3-region", "REGION", "S3 region"),
    one("cdn-url", "URL", "Where the bucket is public"),
    many(
        "media-origin",
        "URL",
        "Origins whose audioUrl and imageUrl are handed to clients",
    )
    .or(&["https://audio.plyr.fm", "https://images.plyr.fm"]),
    one(
        "changes-keep",
        "DURATION",
        "How long the change log answers: 72h, 30m …",
    )
    .or(&["72h"]),
    one(
        "erase-after",
        "DURATION",
        "How long after its deletion what an account made is erased; hidden meanwhile",
    )
    .or(&["30d"]),
    one(
        "admin-password-file",
        "FILE",
        "Its first line is the password of the admin methods; without it they refuse",
    ),
    many(
        "trusted-proxy",
        "CIDR",
        "A proxy whose X-Forwarded-For is believed",
    )
    .later(),
    one(
        "contact",
        "TEXT",
        "Goes into the User-Agent of outbound requests",
    )
    .or(&[env!("CARGO_PKG_REPOSITORY")]),
    OptionRow {
        shape: Shape::Switch,
        ..one(
            "dev",
            "",
            "Allows http and loopback peers; never on a public host",
        )
    },
    one(
        "log",
        "FILTER",
        "Which logs: info, debug, info,plyr_indexer=debug …",
    )
    .or(&["info"]),
    one("log-format", "FORMAT", "text or json").or(&["text"]),
];
