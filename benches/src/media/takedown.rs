//! A takedown while twenty are hearing: from giving the command until the last of their bodies has
//! ended.

use std::io;
use std::time::{Duration, Instant};

use super::client::Client;
use super::held_against;
use super::stage::{Stage, Track};
use super::wave::Wave;
use crate::Outcome;
use crate::load::Times;
use crate::report::Report;

type Failure = Box<dyn std::error::Error>;

const ROUNDS: usize = 10;
const LISTENERS: usize = 20;
/// Far more than kernels hold between two ends: what hasn't been read can still be ended.
const FILE: u32 = 96 << 20;
/// Each hears four megabytes a second, many times what music is, so that what is on its way when
/// the body ends weighs little.
const PIECE: usize = 64 << 10;
const PIECES_A_SECOND: u32 = 64;
/// The aim, in milliseconds.
const AIM: f64 = 1000.0;
/// How long a restored track may take to be heard again, and how often it is asked for.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// How a listener's body ended.
struct Ended {
    at: Instant,
    is_whole: bool,
}

/// Measures the rounds.
pub async fn run(binary: &str, report: &mut Report) -> Outcome {
    let wave = tokio::task::spawn_blocking(|| Wave::new(1, FILE)).await??;
    let stage = Stage::start(binary, vec![wave]).await?;
    let track = &stage.tracks[0];
    stage.fetched(track).await?;
    let (mut since_given, mut since_done, mut whole) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let mut listening = tokio::task::JoinSet::new();
        for _ in 0..LISTENERS {
            let mut client = Client::open_narrow(&stage.plyr.appview).await?;
            client.ask(&Stage::path_of(track), None).await?;
            client.read(PIECE).await?;
            listening.spawn(listen(client));
        }
        let given = Instant::now();
        let reason = ["--reason", "a measurement"];
        stage
            .admin(&[&["takedown", &track.uri], &reason[..]].concat())
            .await?;
        let done = Instant::now();
        let mut last = given;
        while let Some(ended) = listening.join_next().await {
            let ended = ended?;
            whole += usize::from(ended.is_whole);
            last = last.max(ended.at);
        }
        let millis = |since: Instant| last.saturating_duration_since(since).as_secs_f64() * 1e3;
        since_given.push(millis(given));
        since_done.push(millis(done));
        stage.admin(&["restore", &track.uri]).await?;
        is_back(&stage, track).await?;
    }
    let mut add = |what: &str, times: Vec<f64>, aim: Option<f64>| {
        let times = Times::of(times);
        let (p50, most) = (times.at(0.5), times.at(1.0));
        let is_met = aim.is_none_or(|aim| most < aim && whole == 0);
        let figure = format!("p50 {p50:.0} ms, most {most:.0} ms");
        let aim = if aim.is_some() { "< 1 s" } else { "given" };
        report.add(what, held_against(is_met, figure), aim);
    };
    add(
        &format!(
            "media: takedown while {LISTENERS} listen, {ROUNDS} times: command given → last body \
             ended"
        ),
        since_given,
        Some(AIM),
    );
    add("the same since the command was done", since_done, None);
    if whole > 0 {
        let figure = format!("{whole} of {}: missed", ROUNDS * LISTENERS);
        report.add(
            "bodies that were heard to their end all the same",
            figure,
            "0",
        );
    }
    stage.stop().await
}

async fn listen(mut client: Client) -> Ended {
    let mut beat = tokio::time::interval(Duration::from_secs(1) / PIECES_A_SECOND);
    loop {
        beat.tick().await;
        let read = client.piece(PIECE).await;
        if !matches!(read, Ok(1..)) {
            return Ended {
                at: Instant::now(),
                is_whole: read.is_ok(),
            };
        }
    }
}

/// Waits until it is heard again.
async fn is_back(stage: &Stage, track: &Track) -> Result<(), Failure> {
    let began = Instant::now();
    loop {
        match begins(stage, track).await {
            Ok(()) => return Ok(()),
            Err(problem) if began.elapsed() > PATIENCE => {
                return Err(format!("a restored track is not heard again: {problem}").into());
            }
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

async fn begins(stage: &Stage, track: &Track) -> io::Result<()> {
    let mut client = Client::open(&stage.plyr.appview).await?;
    client.ask(&Stage::path_of(track), Some(0..1)).await?;
    client.drain().await
}
