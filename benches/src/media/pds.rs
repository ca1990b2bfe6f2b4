//! The first play of what lies on a real PDS: the same as with a host of our own, which waits for
//! nothing, and with what a PDS takes itself.

use std::time::Instant;

use plyr_peers::{Account, Peers, PeersOptions, Plyr, wait_until};
use serde_json::json;

use super::client::Client;
use super::wave::Wave;
use crate::Outcome;
use crate::load::Times;
use crate::network::SKIPPED;
use crate::report::{Report, median};

type Failure = Box<dyn std::error::Error>;

/// Sizes in MiB, which the PDS takes, and how often each is asked for the first time.
const SIZES: [(u32, usize); 3] = [(1, 9), (10, 9), (50, 5)];
/// Letters of record keys.
const LETTERS: &[u8] = b"234567abcdefghijklmnopqrstuvwxyz";

/// A blob on the PDS, and the track that names it.
struct OnPds {
    uri: String,
    cid: String,
    did: String,
}

/// Measures each size by turns with the PDS's own answer.
pub async fn run(binary: &str, report: &mut Report) -> Outcome {
    let Some(peers) = Peers::start(PeersOptions::default()).await? else {
        let told = SKIPPED.to_owned();
        report.add("media: first play from a real PDS", told, "given");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let plyr = Plyr::serve(binary, &peers, &folder.path().join("data")).await?;
    let alice = Account::create(&peers.pds[0], "alice.test").await?;
    let mut mark = 0;
    for (size, rounds) in SIZES {
        let (mut first_bytes, mut wholes) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            mark += 1;
            let blob = publish(&alice, &plyr, mark, size << 20).await?;
            if round % 2 == 0 {
                wholes.push(straight(&peers.pds[0], &blob).await?);
                first_bytes.push(first_byte(&plyr, &blob).await?);
            } else {
                first_bytes.push(first_byte(&plyr, &blob).await?);
                wholes.push(straight(&peers.pds[0], &blob).await?);
            }
        }
        let ratio = median(first_bytes.clone()) / median(wholes.clone());
        let show = |times: Vec<f64>| {
            let times = Times::of(times);
            let (p50, most) = (times.at(0.5), times.at(1.0));
            format!("p50 {p50:.0} ms, most {most:.0} ms")
        };
        report.add(
            &format!("media: first play of {size} MiB on a real PDS ({rounds}): first byte"),
            show(first_bytes),
            "given",
        );
        report.add(
            &format!("the same {size} MiB straight from that PDS: last byte"),
            show(wholes),
            "compared",
        );
        report.add(
            &format!("ratio first play ÷ straight from the PDS, {size} MiB"),
            format!("{ratio:.1}"),
            "given",
        );
    }
    match plyr.stop().await? {
        Some(0) => Ok(()),
        code => Err(format!("plyr ended with {code:?}").into()),
    }
}

/// Publishes a track of a WAV that nobody has asked for yet, and waits until it is known.
async fn publish(artist: &Account, plyr: &Plyr, mark: usize, bytes: u32) -> Result<OnPds, Failure> {
    let wave = Wave::new(mark as u64, bytes)?;
    let mut audio = wave.beginning.clone();
    audio.resize(usize::try_from(wave.size)?, 0);
    let blob = artist.upload_blob("audio/wav", audio).await?;
    let record = json!({
        "$type": "fm.plyr.track", "title": format!("Number {mark}"), "artist": "Alice",
        "fileType": "wav", "audioBlob": blob, "createdAt": "2026-06-01T12:00:00.000Z",
    });
    let letter = |place: usize| char::from(LETTERS[place % LETTERS.len()]);
    let rkey = format!(
        "3lfvhszifv{}{}2",
        letter(mark),
        letter(mark / LETTERS.len())
    );
    let (uri, _) = artist.put("fm.plyr.track", &rkey, &record).await?;
    let query = format!("uri={uri}");
    wait_until("the track is known", || async {
        plyr.xrpc("fm.plyr.feed.getTrack", &query).await.map(drop)
    })
    .await?;
    Ok(OnPds {
        did: artist.did.clone(),
        cid: wave.cid.to_string(),
        uri,
    })
}

/// Milliseconds until the binary sends the first byte; the rest is read too.
async fn first_byte(plyr: &Plyr, blob: &OnPds) -> Result<f64, Failure> {
    let path = format!("/xrpc/fm.plyr.media.getAudio?uri={}", blob.uri);
    let began = Instant::now();
    let mut client = Client::open(&plyr.appview).await?;
    client.ask(&path, None).await?;
    client.piece(1).await?;
    let took = began.elapsed();
    client.drain().await?;
    Ok(took.as_secs_f64() * 1e3)
}

/// Milliseconds until the PDS has sent all of it.
async fn straight(pds: &str, blob: &OnPds) -> Result<f64, Failure> {
    let (did, cid) = (&blob.did, &blob.cid);
    let path = format!("/xrpc/com.atproto.sync.getBlob?did={did}&cid={cid}");
    let began = Instant::now();
    let mut client = Client::open(pds).await?;
    client.ask(&path, None).await?;
    client.drain().await?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}
