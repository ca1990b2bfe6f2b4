//! Ranges of one kept file over keep-alive connections: the binary, and nginx over the very same
//! file, by turns.

use std::time::{Duration, Instant};

use super::client::Client;
use super::nginx::Nginx;
use super::stage::Stage;
use super::wave::Wave;
use crate::Outcome;
use crate::corpus::Random;
use crate::report::Report;

type Failure = Box<dyn std::error::Error>;

/// Bytes of the file.
const FILE: u32 = 48 << 20;
const CONNECTIONS: usize = 16;
/// Each kind of request, and each server, has its turn so often.
const TURNS: u32 = 5;
/// What is asked for: bytes of a range at a random place, or all.
const KINDS: [(&str, Option<u64>); 3] = [
    ("ranges of 64 KiB", Some(64 << 10)),
    ("ranges of 1 MiB", Some(1 << 20)),
    ("all", None),
];

/// Who answers, and where it has the file.
struct Server {
    name: &'static str,
    url: String,
    path: String,
}

/// What was read in the turns of one kind at one server.
#[derive(Clone, Copy, Default)]
struct Read {
    requests: u64,
    bytes: u64,
    seconds: f64,
}

impl Read {
    fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }
}

impl std::fmt::Display for Read {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let megabytes = self.bytes as f64 / 1e6 / self.seconds;
        let rate = self.rate();
        match rate < 100.0 {
            true => write!(to, "{rate:.1}/s, {megabytes:.0} MB/s"),
            false => write!(to, "{rate:.0}/s, {megabytes:.0} MB/s"),
        }
    }
}

/// Measures for as long as `run` for each kind and server.
pub async fn run(binary: &str, run: Duration, report: &mut Report) -> Outcome {
    let wave = tokio::task::spawn_blocking(|| Wave::new(1, FILE)).await??;
    let stage = Stage::start(binary, vec![wave]).await?;
    let track = &stage.tracks[0];
    stage.fetched(track).await?;
    let mut servers = vec![Server {
        name: "plyr",
        url: stage.plyr.appview.clone(),
        path: Stage::path_of(track),
    }];
    let file = stage.file_of(&track.wave)?;
    let nginx = Nginx::start(&file).await?;
    match &nginx {
        Some(nginx) => servers.push(Server {
            name: "nginx",
            url: nginx.url.clone(),
            path: "/file".to_owned(),
        }),
        None => report.add(
            "media: the same from nginx",
            "skipped: no nginx in PATH or /usr/sbin".to_owned(),
            "",
        ),
    }
    let mut read = vec![[Read::default(); KINDS.len()]; servers.len()];
    for turn in 0..TURNS {
        for (kind, (_, length)) in KINDS.iter().enumerate() {
            for (place, server) in servers.iter().enumerate() {
                let seed = u64::from(turn) << 32;
                let now = one_turn(server, *length, seed, track.wave.size, run / TURNS).await?;
                let so_far = &mut read[place][kind];
                so_far.requests += now.requests;
                so_far.bytes += now.bytes;
                so_far.seconds += now.seconds;
            }
        }
    }
    for (kind, (what, _)) in KINDS.iter().enumerate() {
        for (server, read) in servers.iter().zip(&read) {
            let name = server.name;
            let file = FILE >> 20;
            let what = format!(
                "media: {what} of {file} MiB, {CONNECTIONS} keep-alive connections: {name}"
            );
            report.add(&what, read[kind].to_string(), "compared");
        }
        if let [plyr, nginx] = &read[..] {
            let ratio = plyr[kind].rate() / nginx[kind].rate();
            let what = format!("ratio plyr ÷ nginx, {what}");
            report.add(&what, format!("{ratio:.2}"), "given");
        }
    }
    if let Some(nginx) = nginx {
        report.note(format!("Beside it: {}", nginx.version));
        nginx.stop().await?;
    }
    stage.stop().await
}

/// Asks one server over all connections for a while.
async fn one_turn(
    server: &Server,
    length: Option<u64>,
    seed: u64,
    size: u64,
    run: Duration,
) -> Result<Read, Failure> {
    let began = Instant::now();
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..CONNECTIONS as u64 {
        let (url, path) = (server.url.clone(), server.path.clone());
        // Both are asked for the same places.
        let mut random = Random::new(seed + number);
        asking.spawn(async move {
            let mut client = Client::open(&url).await?;
            let (mut requests, mut bytes) = (0, 0);
            while began.elapsed() < run {
                let range = length.map(|length| {
                    let begin = random.next() % (size - length);
                    begin..begin + length
                });
                let told = client.ask(&path, range).await?;
                if told != length.unwrap_or(size) {
                    let problem = format!("{path} answered {told} bytes");
                    return Err(std::io::Error::other(problem));
                }
                client.drain().await?;
                requests += 1;
                bytes += told;
            }
            Ok((requests, bytes))
        });
    }
    let mut read = Read::default();
    while let Some(done) = asking.join_next().await {
        let (requests, bytes) = done??;
        read.requests += requests;
        read.bytes += bytes;
    }
    read.seconds = began.elapsed().as_secs_f64();
    Ok(read)
}
