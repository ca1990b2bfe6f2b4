//! Found: tracks published one by one on a real PDS, through a relay and a real Jetstream v1, until
//! a search box is answered with them; then deleted, until it is no longer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use plyr_peers::{Account, PeersError, Plyr};
use serde_json::{Value, json};

use crate::load::Times;
use crate::network::{self, SKIPPED, TRACK};
use crate::report::Report;
use crate::{Arguments, Outcome, binary, corpus};

/// Repos written to by turns.
const ACCOUNTS: usize = 4;
/// How often each search is asked: what the figures are exact to.
const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);
/// Searches that wait for a track at the same time: more would measure the asking.
const WATCHED: usize = 8;

/// How long one track took, in milliseconds since its host had taken the write.
struct Took {
    found: f64,
    gone: f64,
}

/// Runs the campaign.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let (count, rate) = (arguments.live_records, arguments.live_rate);
    let binary = binary::find(arguments, report).await?;
    let Some(network) = network::start(ACCOUNTS).await? else {
        report.add("found", SKIPPED.to_owned(), "");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let plyr = Plyr::serve(&binary, &network.peers, &folder.path().join("data")).await?;
    let plyr = Arc::new(plyr);
    let mut entries = corpus::tracks(arguments.seed, count + ACCOUNTS)?.into_iter();
    // The first record of a repo also has its account looked up; that is not what is measured.
    for (account, entry) in network.accounts.iter().zip(entries.by_ref().take(ACCOUNTS)) {
        let (rkey, record) = (entry.uri.rkey.to_string(), network::record(&entry)?);
        publish_and_delete(account.clone(), plyr.clone(), 0, (rkey, record)).await?;
    }
    let places = Arc::new(tokio::sync::Semaphore::new(WATCHED));
    let mut writers = tokio::task::JoinSet::new();
    let mut beat = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
    for (number, entry) in entries.enumerate() {
        beat.tick().await;
        let place = places.clone().acquire_owned().await?;
        let account = network.accounts[number % ACCOUNTS].clone();
        let (plyr, record) = (plyr.clone(), network::record(&entry)?);
        let rkey = entry.uri.rkey.to_string();
        writers.spawn(async move {
            let took = publish_and_delete(account, plyr, number + 1, (rkey, record)).await;
            drop(place);
            took.map_err(|problem| problem.to_string())
        });
    }
    let mut took = Vec::new();
    while let Some(done) = writers.join_next().await {
        took.push(done??);
    }
    let add = |report: &mut Report, what: &str, of: &dyn Fn(&Took) -> f64| {
        let times = Times::of(took.iter().map(of).collect());
        let (p50, p99) = (times.at(0.5), times.at(0.99));
        report.add(what, format!("p50 {p50:.0} ms, p99 {p99:.0} ms"), "< 1 s");
    };
    let published =
        format!("found, {count} tracks, at most {rate}/s: published → typeahead has it");
    add(report, &published, &|took| took.found);
    add(
        report,
        "found: deleted → typeahead has it no more",
        &|took| took.gone,
    );
    if let Some(plyr) = Arc::into_inner(plyr) {
        plyr.stop().await?;
    }
    Ok(())
}

/// A word that no other track of the run has.
fn word(number: usize) -> String {
    let letters = format!("{number:06}");
    let letter = |digit: u8| char::from(b'a' + (digit - b'0') * 2);
    let letters = letters.bytes().map(letter);
    format!("xq{}", letters.collect::<String>())
}

async fn publish_and_delete(
    account: Account,
    plyr: Arc<Plyr>,
    number: usize,
    (rkey, mut record): (String, Value),
) -> Result<Took, PeersError> {
    let word = word(number);
    let title = record["title"].as_str().unwrap_or_default();
    record["title"] = json!(format!("{word} {title}"));
    let (uri, _) = account.put(TRACK, &rkey, &record).await?;
    let written = Instant::now();
    until(&plyr, &word, &uri, true).await?;
    let found = written.elapsed();
    account.delete(TRACK, &rkey).await?;
    let deleted = Instant::now();
    until(&plyr, &word, &uri, false).await?;
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(Took {
        found: millis(found),
        gone: millis(deleted.elapsed()),
    })
}

/// Asks until a track is, or isn't, among the answers.
async fn until(plyr: &Plyr, word: &str, uri: &str, is_there: bool) -> Result<(), PeersError> {
    let path = format!("/xrpc/fm.plyr.search.typeahead?q={word}");
    let began = Instant::now();
    loop {
        let (status, answer) = plyr.get(&path).await?;
        let hits = answer["hits"].as_array();
        let has = hits.map(|hits| hits.iter().any(|hit| hit["uri"] == uri));
        if has == Some(is_there) {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(PeersError::Waited {
                what: format!("{path} answers {uri}: {is_there}"),
                seconds: PATIENCE.as_secs(),
                last: format!("{status} {answer}"),
            });
        }
        tokio::time::sleep(LOOK).await;
    }
}
