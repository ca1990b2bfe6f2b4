//! Live: records written one by one at a steady rate on a real PDS, through a relay and a real
//! Jetstream v1, until getTrack answers them. Beside it, when a reader that does nothing gets the
//! same event: what lies between the two is ours.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plyr_peers::{Account, Plyr};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::corpus;
use crate::load::Times;
use crate::network::{self, BareReader, SKIPPED, TRACK};
use crate::report::Report;
use crate::{Arguments, Outcome, binary, memory};

/// Repos written to by turns.
const ACCOUNTS: usize = 4;
/// How often getTrack is asked for a record that was written: what the figures are exact to.
const LOOK: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(60);
const METRIC: &str = "plyr_indexed_latency_seconds";

/// When what happened to one record.
struct Seen {
    rkey: String,
    asked: Instant,
    written: Instant,
    readable: Instant,
}

/// Runs the campaign.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let (count, rate) = (arguments.live_records, arguments.live_rate);
    let binary = binary::find(arguments, report).await?;
    let Some(network) = network::start(ACCOUNTS).await? else {
        report.add("live", SKIPPED.to_owned(), "");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let plyr = Plyr::serve(&binary, &network.peers, &folder.path().join("data")).await?;
    let plyr = Arc::new(plyr);
    let mut entries = corpus::tracks(arguments.seed, count + ACCOUNTS)?.into_iter();
    // The first record of a repo also has its account looked up; that is not what is measured.
    for (account, entry) in network.accounts.iter().zip(entries.by_ref().take(ACCOUNTS)) {
        let rkey = entry.uri.rkey.to_string();
        write_and_see(
            account.clone(),
            plyr.clone(),
            rkey,
            network::record(&entry)?,
        )
        .await?;
    }
    let before = Buckets::read(&plyr.probe("/metrics").await?);

    let reader = network.follow(None).await?;
    let (heard, mut hears) = mpsc::channel(count.max(1));
    let listening = tokio::spawn(listen(reader, heard));
    let mut writers = tokio::task::JoinSet::new();
    let mut beat = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
    for (number, entry) in entries.enumerate() {
        beat.tick().await;
        let account = network.accounts[number % ACCOUNTS].clone();
        let (plyr, record) = (plyr.clone(), network::record(&entry)?);
        let rkey = entry.uri.rkey.to_string();
        writers.spawn(async move {
            let seen = write_and_see(account, plyr, rkey, record).await;
            seen.map_err(|problem| problem.to_string())
        });
    }
    let mut seen = Vec::new();
    while let Some(done) = writers.join_next().await {
        seen.push(done??);
    }
    let after = Buckets::read(&plyr.probe("/metrics").await?);
    let mut arrivals = HashMap::new();
    while arrivals.len() < count {
        let heard = tokio::time::timeout(PATIENCE, hears.recv()).await?;
        let (rkey, at) = heard.ok_or("the bare reader ended too soon")?;
        arrivals.insert(rkey, at);
    }
    listening.abort();
    let memory = memory::settled(&plyr).await?;

    let of = |time: &dyn Fn(&Seen) -> f64| Times::of(seen.iter().map(time).collect());
    let add = |report: &mut Report, what: &str, times: Times, aim: &str| {
        let figure = format!("p50 {:.1} ms, p99 {:.1} ms", times.at(0.5), times.at(0.99));
        report.add(what, figure, aim);
    };
    let millis = |from: Instant, to: Instant| {
        // Either may have come first.
        to.saturating_duration_since(from).as_secs_f64() * 1e3
            - from.saturating_duration_since(to).as_secs_f64() * 1e3
    };
    let arrived = |seen: &Seen| arrivals.get(&seen.rkey).copied().unwrap_or(seen.readable);
    add(
        report,
        &format!("live, {count} records at {rate}/s: putRecord itself"),
        of(&|seen| millis(seen.asked, seen.written)),
        "given",
    );
    add(
        report,
        "live: written on the PDS → a bare reader of Jetstream has it",
        of(&|seen| millis(seen.written, arrived(seen))),
        "compared",
    );
    add(
        report,
        "live: written on the PDS → getTrack answers it",
        of(&|seen| millis(seen.written, seen.readable)),
        "given",
    );
    add(
        report,
        "live: a bare reader has it → getTrack answers it",
        of(&|seen| millis(arrived(seen), seen.readable)),
        "given",
    );
    let [p50, p99] = [0.5, 0.99].map(|share| after.between(&before, share));
    report.add(
        &format!("live: received → durable and readable, buckets of `{METRIC}`"),
        format!("p50 {p50}, p99 {p99}"),
        "given",
    );
    report.add(
        "resident memory after these writes",
        memory::megabytes(memory.now),
        "nearest system: 38 MB",
    );
    if let Some(plyr) = Arc::into_inner(plyr) {
        plyr.stop().await?;
    }
    Ok(())
}

async fn write_and_see(
    account: Account,
    plyr: Arc<Plyr>,
    rkey: String,
    record: Value,
) -> Result<Seen, plyr_peers::PeersError> {
    let asked = Instant::now();
    account.put(TRACK, &rkey, &record).await?;
    let written = Instant::now();
    let path = format!(
        "/xrpc/fm.plyr.feed.getTrack?uri=at://{}/{TRACK}/{rkey}",
        account.did
    );
    while plyr.get(&path).await?.0 != 200 {
        if written.elapsed() > PATIENCE {
            return Err(plyr_peers::PeersError::Waited {
                what: format!("{path} is answered"),
                seconds: PATIENCE.as_secs(),
                last: "not found".to_owned(),
            });
        }
        tokio::time::sleep(LOOK).await;
    }
    let readable = Instant::now();
    Ok(Seen {
        rkey,
        asked,
        written,
        readable,
    })
}

/// Tells of every record that Jetstream sends, and when.
async fn listen(mut reader: BareReader, heard: mpsc::Sender<(String, Instant)>) {
    while let Ok(text) = reader.next().await {
        let at = Instant::now();
        let frame: Value = serde_json::from_str(&text).unwrap_or_default();
        let rkey = frame["commit"]["rkey"].as_str().unwrap_or_default();
        if heard.send((rkey.to_owned(), at)).await.is_err() {
            return;
        }
    }
}

/// A histogram of the probes' page: upper bounds in seconds, and how many lay below each.
struct Buckets(Vec<(f64, u64)>);

impl Buckets {
    fn read(page: &str) -> Buckets {
        let start = format!("{METRIC}_bucket{{");
        let lines = page.lines().filter(|line| line.starts_with(&start));
        let bucket = |line: &str| {
            let (_, rest) = line.split_once("le=\"")?;
            let (bound, rest) = rest.split_once('"')?;
            let (_, number) = rest.rsplit_once(' ')?;
            // `+Inf` parses too.
            Some((bound.parse().ok()?, number.parse().ok()?))
        };
        Buckets(lines.filter_map(bucket).collect())
    }

    /// The bucket that a share of what was added since `before` lies in; all that it can tell.
    fn between(&self, before: &Buckets, share: f64) -> String {
        let earlier = |place: usize| before.0.get(place).map_or(0, |(_, number)| *number);
        let added = self.0.iter().enumerate();
        let added: Vec<(f64, u64)> = added
            .map(|(place, (bound, number))| (*bound, number.saturating_sub(earlier(place))))
            .collect();
        let wanted = added.last().map_or(0.0, |(_, all)| *all as f64 * share);
        let place = added.iter().position(|(_, below)| *below as f64 >= wanted);
        let Some(place) = place.filter(|_| wanted > 0.0) else {
            return "unknown".to_owned();
        };
        let low = if place == 0 { 0.0 } else { added[place - 1].0 };
        format!("{}–{} ms", low * 1e3, added[place].0 * 1e3)
    }
}
