//! Texts into values. Each parser answers with the problem and the fix.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use plyr_blobstore::MediaPolicy;
use plyr_lexicons::{AtIdentifier, Namespace, RecordUri};
use plyr_objects::S3Links;
use plyr_schemas::StoreError;
use plyr_schemas::scylla::ScyllaOptions;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::sources::{Origin, Settings};
use super::{BlobsChoice, LogFormat, ReplicationChoice, StoreChoice};

/// Problem and fix.
pub type Refusal = (String, String);
type Parser<T> = fn(&str) -> Result<T, Refusal>;

/// Reads settings and gathers what is wrong with them.
pub struct Reader<'a> {
    settings: &'a Settings,
    /// One line a problem: key, value, where from, problem; fix.
    pub problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(settings: &'a Settings) -> Reader<'a> {
        Reader {
            settings,
            problems: Vec::new(),
        }
    }

    /// Whether the command itself names a bucket.
    pub fn names_a_bucket(&self) -> bool {
        self.settings.names_a_bucket()
    }

    pub fn problem(&mut self, flag: &str, problem: &str, fix: &str) {
        self.problems
            .push(format!("  {} {problem}; {fix}", flag.replace('-', "_")));
    }

    pub fn many<T>(&mut self, flag: &str, parse: Parser<T>) -> Vec<T> {
        let Some(setting) = self.settings.get(flag) else {
            return Vec::new();
        };
        let origin = match &setting.origin {
            Origin::Flag => format!("--{flag}"),
            Origin::Environment => "the environment".to_owned(),
            Origin::File(path) => path.clone(),
            Origin::Default | Origin::Unset => "the default".to_owned(),
        };
        let key = flag.replace('-', "_");
        let mut parsed = Vec::new();
        for value in &setting.values {
            match parse(value) {
                Ok(value) => parsed.push(value),
                Err((problem, fix)) => self.problems.push(format!(
                    "  {key} = {value:?} (from {origin}): {problem}; {fix}"
                )),
            }
        }
        parsed
    }

    pub fn optional<T>(&mut self, flag: &str, parse: Parser<T>) -> Option<T> {
        self.many(flag, parse).pop()
    }

    /// A value that has a default; none only when it was wrong (then a problem is noted).
    pub fn one<T>(&mut self, flag: &str, parse: Parser<T>) -> Option<T> {
        self.optional(flag, parse)
    }

    pub fn switch(&mut self, flag: &str) -> bool {
        self.optional(flag, boolean).unwrap_or(false)
    }
}

pub(super) fn refuse<T>(problem: impl Into<String>, fix: impl Into<String>) -> Result<T, Refusal> {
    Err((problem.into(), fix.into()))
}

fn boolean(text: &str) -> Result<bool, Refusal> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        _ => refuse("is neither true nor false", "write true or false"),
    }
}

/// `host:port`, `:port` or `port`; a name is looked up.
pub fn address(text: &str) -> Result<SocketAddr, Refusal> {
    let fix = "write it like 127.0.0.1:8080, :8080 or 0.0.0.0:80";
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    if !text.contains(':') {
        return refuse("has no port", fix);
    }
    match text.to_socket_addrs().map(|mut found| found.next()) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => refuse("names no address", fix),
        Err(problem) => refuse(problem.to_string(), fix),
    }
}

fn url(text: &str, schemes: &[&str], example: &str) -> Result<Url, Refusal> {
    let fix = format!("write it like {example}");
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(problem) => return refuse(problem.to_string(), fix),
    };
    if !schemes.contains(&url.scheme()) {
        return refuse(format!("has the scheme {}", url.scheme()), fix);
    }
    if url.host().is_none() || !url.username().is_empty() || url.password().is_some() {
        return refuse("needs a host, and no user name or password", fix);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("has a query or a fragment", fix);
    }
    Ok(url)
}

pub fn http_url(text: &str) -> Result<Url, Refusal> {
    url(
        text,
        &["http", "https"],
        "https://host or https://host:port/base",
    )
}

/// Where listeners are sent to for a bucket's objects.
pub fn s3_links(text: &str) -> Result<S3Links, Refusal> {
    match text {
        "none" => Ok(S3Links::None),
        url => http_url(url).map(S3Links::At),
    }
}

/// A host, or several joined by `|` of which one is followed at a time.
pub fn jetstreams(text: &str) -> Result<Vec<Url>, Refusal> {
    text.split('|')
        .map(|one| jetstream_url(one.trim()))
        .collect()
}

fn jetstream_url(text: &str) -> Result<Url, Refusal> {
    let url = url(text, &["ws", "wss"], "wss://host or ws://host:port")?;
    if url.path().len() > 1 {
        return refuse("has a path", "leave only scheme, host and port");
    }
    Ok(url)
}

/// An at-uri of a record by its repo's DID.
pub fn record_uri(text: &str) -> Result<RecordUri, Refusal> {
    text.parse().or_else(|_| {
        let fix = "write it like at://did:plc:…/fm.plyr.track/canary";
        refuse("is no at-uri of a record by DID", fix)
    })
}

pub fn count(text: &str) -> Result<usize, Refusal> {
    match text.parse() {
        Ok(count) if (1..=1_000).contains(&count) => Ok(count),
        _ => refuse("is no number from 1 to 1000", "write it like 5"),
    }
}

pub fn public_url(text: &str) -> Result<Url, Refusal> {
    let url = http_url(text)?;
    if url.path().len() > 1 {
        return refuse("has a path", "leave only scheme, host and port");
    }
    Ok(url)
}

pub fn namespace(text: &str) -> Result<Namespace, Refusal> {
    text.parse::<Namespace>()
        .or_else(|problem| refuse(problem.to_string(), "fm.plyr is the network's"))
}

/// A folder that is there, or can be made later.
pub fn folder(text: &str) -> Result<PathBuf, Refusal> {
    let fix = "name a folder, like ./plyr-data";
    if text.is_empty() {
        return refuse("is empty", fix);
    }
    let path = PathBuf::from(text);
    if path.exists() && !path.is_dir() {
        return refuse("is no folder", fix);
    }
    Ok(path)
}

/// What can stand in a header.
pub fn contact(text: &str) -> Result<String, Refusal> {
    if text.chars().any(char::is_control) {
        return refuse("has control characters", "write an address or a URL");
    }
    Ok(text.to_owned())
}

pub fn log_filter(text: &str) -> Result<String, Refusal> {
    // The library cuts a filter at bytes and panics within a letter of several.
    if !text.is_ascii() {
        return refuse(
            "has letters that no target's name has",
            "write it like `info` or `info,plyr_indexer=debug`",
        );
    }
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(problem) => refuse(
            problem.to_string(),
            "write it like `info` or `info,plyr_indexer=debug`",
        ),
    }
}

pub fn labeler(text: &str) -> Result<AtIdentifier, Refusal> {
    text.parse()
        .or_else(|_| refuse("is neither a DID nor a handle", "write a DID or a handle"))
}

/// Bytes, with KiB, MiB, GiB or TiB behind the number where wanted.
pub fn size(text: &str) -> Result<u64, Refusal> {
    let units = [
        ("KiB", 1u64 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ];
    let (number, unit) = units
        .iter()
        .find_map(|(name, bytes)| Some((text.strip_suffix(name)?, *bytes)))
        .unwrap_or((text, 1));
    let number = number.trim().parse::<u64>().ok();
    match number.and_then(|number| number.checked_mul(unit)) {
        Some(bytes) => Ok(bytes),
        None => refuse("is no size", "write it like 512MiB or 20GiB"),
    }
}

/// Seconds, minutes, hours or days: `90s`, `30m`, `72h`, `7d`.
pub fn duration(text: &str) -> Result<Duration, Refusal> {
    let units = [("s", 1u64), ("m", 60), ("h", 3600), ("d", 86_400)];
    let parsed = units.iter().find_map(|(name, seconds)| {
        text.strip_suffix(name)?
            .trim()
            .parse::<u64>()
            .ok()?
            .checked_mul(*seconds)
    });
    match parsed {
        Some(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => refuse("is no duration", "write it like 90s, 30m, 72h or 7d"),
    }
}

/// A relay's address; none for `none`.
pub fn relay_url(text: &str) -> Result<Option<Url>, Refusal> {
    match text {
        "none" => Ok(None),
        url => http_url(url).map(Some),
    }
}

pub fn log_format(text: &str) -> Result<LogFormat, Refusal> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => refuse("is no log format", "write text or json"),
    }
}

/// The embedded store, or the URL of a keyspace.
pub fn store(text: &str) -> Result<StoreChoice, Refusal> {
    if text == "embedded" {
        return Ok(StoreChoice::Embedded);
    }
    let fix = "write embedded, or scylla://host:port[,host:port]/keyspace";
    match ScyllaOptions::parse(text, namespace("fm.plyr")?) {
        Ok(_) => Ok(StoreChoice::Cluster(text.to_owned())),
        Err(StoreError::Unusable { problem, .. }) => {
            let problem = problem.split(';').next().unwrap_or_default();
            refuse(problem, fix)
        }
        Err(problem) => refuse(problem.to_string(), fix),
    }
}

/// Copies, in one datacenter where it is named: `3`, `dc1=3`.
pub fn copies(text: &str) -> Result<(Option<String>, u8), Refusal> {
    let fix = "write 3, or dc1=3,dc2=2 for each datacenter";
    let (datacenter, number) = match text.split_once('=') {
        Some((name, number)) if !name.is_empty() => (Some(name.to_owned()), number),
        Some(_) => return refuse("names no datacenter", fix),
        None => (None, text),
    };
    match number.parse::<u8>() {
        Ok(copies) if (1..=9).contains(&copies) => Ok((datacenter, copies)),
        _ => refuse("is no number of copies from 1 to 9", fix),
    }
}

/// One number for everywhere, or one for each datacenter.
pub fn replication(
    reader: &mut Reader<'_>,
    copies: Vec<(Option<String>, u8)>,
) -> Option<ReplicationChoice> {
    let mut choice = ReplicationChoice {
        factor: 3,
        datacenters: Vec::new(),
    };
    match copies.as_slice() {
        [] => return None,
        [(None, factor)] => choice.factor = *factor,
        several => {
            for (name, factor) in several {
                let Some(name) = name else {
                    reader.problem(
                        "replication",
                        "names copies with and without a datacenter",
                        "write one number, or dc1=3,dc2=2 for each datacenter",
                    );
                    return None;
                };
                choice.datacenters.push((name.clone(), *factor));
            }
        }
    }
    Some(choice)
}

pub fn on_or_off(text: &str) -> Result<bool, Refusal> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => refuse("is neither on nor off", "write on or off"),
    }
}

pub fn media_mode(text: &str) -> Result<MediaPolicy, Refusal> {
    match text {
        "off" => Ok(MediaPolicy::Off),
        "on-demand" => Ok(MediaPolicy::OnDemand),
        "mirror" => Ok(MediaPolicy::Mirror),
        _ => refuse("is no mode", "write off, on-demand or mirror"),
    }
}

/// `disk`, `disk:FOLDER`, or `s3://bucket/prefix`.
pub fn blobs(text: &str) -> Result<BlobsChoice, Refusal> {
    if text == "disk" {
        return Ok(BlobsChoice::Disk(None));
    }
    if let Some(folder) = text.strip_prefix("disk:")
        && !folder.is_empty()
    {
        return Ok(BlobsChoice::Disk(Some(PathBuf::from(folder))));
    }
    let fix = "write disk, disk:/a/folder, or s3://bucket/prefix";
    let Some(place) = text.strip_prefix("s3://") else {
        return refuse("is no place for blobs", fix);
    };
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let of_bucket = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(of_bucket) {
        return refuse("names no bucket: 3 to 63 of a-z, 0-9, - and .", fix);
    }
    let of_prefix = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
    if !prefix.chars().all(of_prefix) || prefix.contains("//") || prefix.contains("..") {
        return refuse(
            "has a prefix of other letters than a-z, 0-9, -, . and _",
            fix,
        );
    }
    Ok(BlobsChoice::S3 {
        bucket: bucket.to_owned(),
        prefix: prefix.trim_matches('/').to_owned(),
    })
}

/// The name of a region.
pub fn region(text: &str) -> Result<String, Refusal> {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match !text.is_empty() && text.len() <= 64 && text.chars().all(letters) {
        true => Ok(text.to_owned()),
        false => refuse(
            "is no region",
            "write it like auto, eu-central-1 or us-east-1",
        ),
    }
}

pub fn cidr(text: &str) -> Result<(), Refusal> {
    let fix = "write it like 10.0.0.0/8 or 192.0.2.1";
    let (address, bits) = text.split_once('/').unwrap_or((text, "0"));
    let Ok(address) = address.parse::<IpAddr>() else {
        return refuse("is no address", fix);
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    match bits.parse::<u8>() {
        Ok(bits) if bits <= most => Ok(()),
        _ => refuse("has a wrong prefix length", fix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_host_is_loopback() {
        for text in ["8080", ":8080", "127.0.0.1:8080"] {
            assert_eq!(
                address(text).unwrap().to_string(),
                "127.0.0.1:8080",
                "{text}"
            );
        }
        assert!(address("example").is_err());
        assert!(address(":99999").is_err());
    }

    #[test]
    fn sizes_and_durations_carry_units() {
        assert_eq!(size("2MiB"), Ok(2 << 20));
        assert_eq!(size("17"), Ok(17));
        assert!(size("20 gigs").is_err());
        assert!(size("99999999999TiB").is_err());
        assert_eq!(duration("72h"), Ok(Duration::from_secs(259_200)));
        assert!(duration("0s").is_err());
        assert!(duration("soon").is_err());
    }

    #[test]
    fn a_stream_is_a_host_and_nothing_more() {
        assert!(jetstream_url("wss://jetstream1.us-east.bsky.network").is_ok());
        let both = jetstreams("wss://one.example | ws://two.example:1").unwrap();
        assert_eq!(both.len(), 2);
        assert!(jetstreams("wss://one.example|").is_err());
        let canary = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/fm.plyr.track/canary";
        assert!(record_uri(canary).is_ok() && record_uri("at://a.example/b.c.d/e").is_err());
        assert!(count("5").is_ok() && count("0").is_err() && count("-1").is_err());
        for text in [
            "https://host",
            "wss://",
            "ws://host/subscribe",
            "ws://u:p@host",
            "host",
        ] {
            assert!(jetstream_url(text).is_err(), "{text}");
        }
    }
}
