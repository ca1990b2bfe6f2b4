//! The first play: from asking for what has never been fetched to its first byte. Nothing of a blob
//! is proven before all of it is, so beside it stands the time that the host itself takes to send
//! all of it.

use std::time::Instant;

use super::client::Client;
use super::host::Host;
use super::stage::{Stage, Track};
use super::wave::Wave;
use crate::Outcome;
use crate::load::Times;
use crate::report::{Report, median};

type Failure = Box<dyn std::error::Error>;

/// Sizes in MiB, and how often each is asked for the first time.
const SIZES: [(u32, usize); 3] = [(1, 15), (10, 15), (50, 7)];

/// Measures each size by turns.
pub async fn run(binary: &str, report: &mut Report) -> Outcome {
    let waves = tokio::task::spawn_blocking(|| {
        let sizes = SIZES.iter().flat_map(|(size, rounds)| vec![*size; *rounds]);
        let waves = sizes
            .zip(1..)
            .map(|(size, mark)| Wave::new(mark, size << 20));
        waves.collect::<std::io::Result<Vec<Wave>>>()
    });
    let stage = Stage::start(binary, waves.await??).await?;
    let mut tracks = stage.tracks.iter();
    for (size, rounds) in SIZES {
        let (mut first_bytes, mut wholes) = (Vec::new(), Vec::new());
        for (round, track) in tracks.by_ref().take(rounds).enumerate() {
            // Who comes first takes turns too.
            if round % 2 == 0 {
                wholes.push(whole(&stage, track).await?);
                first_bytes.push(first_byte(&stage, track).await?);
            } else {
                first_bytes.push(first_byte(&stage, track).await?);
                wholes.push(whole(&stage, track).await?);
            }
        }
        let ratio = median(first_bytes.clone()) / median(wholes.clone());
        let (first_bytes, wholes) = (Times::of(first_bytes), Times::of(wholes));
        let show = |times: &Times| {
            let (p50, most) = (times.at(0.5), times.at(1.0));
            format!("p50 {p50:.0} ms, most {most:.0} ms")
        };
        report.add(
            &format!("media: first play of {size} MiB ({rounds}): asked → first byte"),
            show(&first_bytes),
            "given",
        );
        report.add(
            &format!("the same {size} MiB straight from the host: asked → last byte"),
            show(&wholes),
            "compared",
        );
        report.add(
            &format!("ratio first play ÷ straight from the host, {size} MiB"),
            format!("{ratio:.1}"),
            "given",
        );
    }
    stage.stop().await
}

/// Milliseconds until the binary sends the first byte; the rest is read too.
async fn first_byte(stage: &Stage, track: &Track) -> Result<f64, Failure> {
    let began = Instant::now();
    let mut client = Client::open(&stage.plyr.appview).await?;
    client.ask(&Stage::path_of(track), None).await?;
    client.piece(1).await?;
    let took = began.elapsed();
    client.drain().await?;
    Ok(took.as_secs_f64() * 1e3)
}

/// Milliseconds until the host has sent all of it.
async fn whole(stage: &Stage, track: &Track) -> Result<f64, Failure> {
    let began = Instant::now();
    let mut client = Client::open(&stage.host.url).await?;
    client
        .ask(&Host::path_of(&stage.did, &track.wave), None)
        .await?;
    client.drain().await?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}
