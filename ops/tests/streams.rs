//! Real Jetstreams of both protocols, followed at the same time over one network: whatever becomes
//! of either, the dump ends equal to what the PDSs hold.

mod blinkers;
mod ending;
mod flood;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use blinkers::Blinkers;
use ending::ends_as;
use flood::{flood as write_flood, truth};
use plyr_peers::{Account, Layout, Peers, PeersError, PeersOptions, Plyr, wait_until};
use serde_json::{Value, json};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
/// Between two commits of a writer, 150 records each.
const EVERY: Duration = Duration::from_millis(400);

/// The value of a metric's row that has all of some words; none where there is no such row.
async fn metric(plyr: &Plyr, name: &str, words: &[&str]) -> Result<Option<f64>, String> {
    let page = plyr.probe("/metrics").await?;
    let mut rows = page.lines().filter(|line| {
        line.starts_with(&format!("{name}{{")) && words.iter().all(|word| line.contains(word))
    });
    Ok(rows
        .next()
        .and_then(|row| row.rsplit(' ').next()?.parse().ok()))
}

async fn received(plyr: &Plyr, host: &str) -> Result<f64, String> {
    let received = metric(plyr, "plyr_events_received_total", &[host]).await?;
    Ok(received.unwrap_or(0.0))
}

/// Waits until a host has told of something more.
async fn tells(plyr: &Plyr, host: &str) -> Result<(), PeersError> {
    let before = received(plyr, host).await.unwrap_or(0.0);
    wait_until(&format!("{host} tells"), || async {
        match received(plyr, host).await? {
            now if now > before => Ok(()),
            now => Err(format!("{now} events, {before} before")),
        }
    })
    .await
}

/// Waits until `/ready` names a host, or names it no more.
async fn named(plyr: &Plyr, host: &str, is_named: bool) -> Result<(), PeersError> {
    wait_until(&format!("/ready names {host}: {is_named}"), || async {
        let ready = plyr.probe("/ready").await?;
        match ready.contains(host) {
            now if now == is_named => Ok(()),
            _ => Err(ready),
        }
    })
    .await
}

async fn i05_all_are_counted(plyr: &Plyr, host: &str) -> Result<(), PeersError> {
    wait_until("the four counters add up", || async {
        let mut sum = 0.0;
        for outcome in ["applied", "superseded", "out_of_scope", "quarantined"] {
            let words = [host, &format!("\"{outcome}\"")];
            let counted = metric(plyr, "plyr_events_total", &words).await?;
            sum += counted.unwrap_or(0.0);
        }
        match received(plyr, host).await? {
            all if all == sum => Ok(()),
            all => Err(format!("{sum} of {all}")),
        }
    })
    .await
}

async fn start(
    peers: &Peers,
    folder: &tempfile::TempDir,
    more: &[&str],
) -> Result<Plyr, PeersError> {
    let mut arguments = Plyr::arguments(peers, &Layout::Embedded);
    arguments.extend(more.iter().map(|one| (*one).to_owned()));
    Plyr::start(BINARY, &folder.path().join("data"), &arguments).await
}

/// Accounts that write all the time.
struct Writers {
    tasks: tokio::task::JoinSet<Result<usize, String>>,
    is_enough: Arc<AtomicBool>,
}

impl Writers {
    async fn start(
        peers: &Peers,
        name: &str,
        accounts: &mut Vec<Account>,
    ) -> Result<Writers, PeersError> {
        let (mut tasks, is_enough) = (
            tokio::task::JoinSet::new(),
            Arc::new(AtomicBool::new(false)),
        );
        for seed in 0..3 {
            let handle = format!("{name}-{seed}.test");
            let account = Account::create(&peers.pds[0], &handle).await?;
            accounts.push(account.clone());
            let (dids, shared) = (vec![account.did.clone()], is_enough.clone());
            tasks.spawn(async move {
                let is_enough = || shared.load(Ordering::Relaxed);
                write_flood(account, dids, seed + 1, 300, EVERY, &is_enough).await
            });
        }
        Ok(Writers { tasks, is_enough })
    }

    async fn stop(mut self) -> Tested {
        self.is_enough.store(true, Ordering::Relaxed);
        while let Some(done) = self.tasks.join_next().await {
            done??;
        }
        Ok(())
    }
}

#[tokio::test]
async fn i02_both_streams_stopped_restarted_lagging_and_replaced() -> Tested {
    let options = PeersOptions {
        jetstream2: true,
        ..PeersOptions::default()
    };
    let Some(peers) = Peers::start(options).await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let plyr = start(&peers, &folder, &["--stream-grace", "2s"]).await?;
    let mut accounts = Vec::new();
    let writers = Writers::start(&peers, "early", &mut accounts).await?;
    let (one, two) = (peers.jetstream.as_str(), peers.jetstream2.as_str());
    for host in [one, two] {
        tells(&plyr, host).await?;
    }
    for (name, host, other) in [("jetstream", one, two), ("jetstream2", two, one)] {
        peers.steer("stop", name).await?;
        named(&plyr, host, true).await?;
        tells(&plyr, other).await?;
        peers.steer("start", name).await?;
        tells(&plyr, host).await?;
        named(&plyr, host, false).await?;
    }
    for (name, host, other) in [("jetstream2", two, one), ("jetstream", one, two)] {
        peers.steer("pause", name).await?;
        for _ in 0..3 {
            tells(&plyr, other).await?;
        }
        peers.steer("resume", name).await?;
        tells(&plyr, host).await?;
    }
    for host in [one, two] {
        let gaps = metric(&plyr, "plyr_stream_gaps_total", &[host]).await?;
        assert_eq!(gaps, None, "{host} went on where it stopped");
    }
    // Another instance behind the same URL: it reads the network anew (which it doesn't get done
    // while the PDS is busy), and counts from one.
    writers.stop().await?;
    peers.steer("stop", "jetstream2").await?;
    peers.steer("forget", "jetstream2").await?;
    peers.steer("start", "jetstream2").await?;
    named(&plyr, two, false).await?;
    let writers = Writers::start(&peers, "late", &mut accounts).await?;
    wait_until("the gap is counted", || async {
        let gaps = metric(&plyr, "plyr_stream_gaps_total", &[two]).await?;
        gaps.filter(|gaps| *gaps == 1.0)
            .ok_or_else(|| format!("{gaps:?}"))
    })
    .await?;
    tells(&plyr, two).await?;
    // The process itself, too.
    plyr.kill().await?;
    let plyr = start(&peers, &folder, &[]).await?;
    tells(&plyr, one).await?;
    tells(&plyr, two).await?;
    writers.stop().await?;
    let expected = truth(&accounts).await?;
    assert!(expected.lines().count() > 300);
    ends_as(&plyr, &expected).await?;
    for host in [one, two] {
        i05_all_are_counted(&plyr, host).await?;
    }
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}

fn track(title: &str) -> Value {
    json!({ "$type": "fm.plyr.track", "title": title, "artist": "A", "fileType": "mp3",
        "createdAt": "2026-06-01T12:00:00.000Z" })
}

/// A Jetstream that looks healthy and carries none of our tracks, as one really did for ten hours.
#[tokio::test]
async fn a_blind_host_loses_nothing_is_named_and_sees_again() -> Tested {
    let options = PeersOptions {
        jetstream2: true,
        ..PeersOptions::default()
    };
    let Some(mut peers) = Peers::start(options).await? else {
        return Ok(());
    };
    let blinkers = Blinkers::before(&peers.jetstream, "fm.plyr.track").await?;
    peers.jetstream = blinkers.url.clone();
    let folder = tempfile::tempdir()?;
    let shortened = ["--stream-grace", "1s", "--blind-events", "3"];
    let plyr = start(&peers, &folder, &shortened).await?;
    named(&plyr, "not connected yet", false).await?;
    let mut accounts = Vec::new();
    for number in 0..2 {
        accounts.push(Account::create(&peers.pds[0], &format!("artist-{number}.test")).await?);
    }
    for host in [&peers.jetstream, &peers.jetstream2] {
        wait_until("both hosts tell of the accounts", || async {
            match received(&plyr, host).await? {
                told if told >= 2.0 => Ok(()),
                told => Err(format!("{told}")),
            }
        })
        .await?;
    }
    // What a fetched state already says is no news of any stream: first the repos are known.
    for account in &accounts {
        let profile = json!({ "$type": "fm.plyr.actor.profile", "bio": "hums",
            "createdAt": "2026-06-01T12:00:00.000Z" });
        account
            .put("fm.plyr.actor.profile", "self", &profile)
            .await?;
        let query = format!("actor={}", account.did);
        wait_until("the repo is verified", || async {
            let told = plyr.xrpc("fm.plyr.sync.getCoverage", &query).await?;
            match told["repos"][0]["state"].as_str() {
                Some("verified") => Ok(()),
                _ => Err(told.to_string()),
            }
        })
        .await?;
    }
    let write = async |rounds: std::ops::Range<usize>| -> Tested {
        for round in rounds {
            for account in &accounts {
                let key = format!("r{round}");
                account.put("fm.plyr.track", &key, &track(&key)).await?;
            }
        }
        Ok(())
    };
    write(0..3).await?;
    named(&plyr, "carries next to nothing of fm.plyr.track", true).await?;
    let ready = plyr.probe("/ready").await?;
    assert!(ready.contains(&blinkers.url), "{ready}");
    let host = blinkers.url.as_str();
    let blind = metric(&plyr, "plyr_source_blind", &[host]).await?;
    assert_eq!(blind, Some(1.0));
    let words = [host, "fm.plyr.track"];
    let missed = metric(&plyr, "plyr_stream_missed_total", &words).await?;
    assert!(missed.is_some_and(|missed| missed >= 3.0), "{missed:?}");
    let other = peers.jetstream2.as_str();
    assert_eq!(metric(&plyr, "plyr_source_blind", &[other]).await?, None);
    wait_until("all of it is doubted", || async {
        let doubted = metric(&plyr, "plyr_doubts_total", &[other]).await?;
        doubted
            .filter(|doubted| *doubted >= 6.0)
            .ok_or_else(|| format!("{doubted:?}"))
    })
    .await?;
    ends_as(&plyr, &truth(&accounts).await?).await?;

    blinkers.take_off();
    write(3..6).await?;
    named(&plyr, "carries next to nothing of fm.plyr.track", false).await?;
    assert_eq!(
        metric(&plyr, "plyr_source_blind", &[host]).await?,
        Some(0.0)
    );
    ends_as(&plyr, &truth(&accounts).await?).await?;
    assert_eq!(plyr.stop().await?, Some(0));
    Ok(())
}
