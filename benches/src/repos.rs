//! Repos decoded and proven from memory, and what a check of a repo costs where almost all of it is
//! foreign.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plyr_lexicons::{Did, Namespace, Rev};
use plyr_outbound::{Outbound, OutboundConfig};
use plyr_repo::{
    Ask, Blocks, Bounds, CarReader, Commit, Fetcher, Ranges, Step, Walk, layer_of, survey,
};

use crate::hosted::forge::record;
use crate::hosted::{AnyError, Hosted, digest, key, serve};
use crate::report::Report;
use crate::{Arguments, Outcome};

/// Records of each repo that is ours altogether.
const RECORDS_A_REPO: usize = 100;
/// Bytes of a record, as a track has them.
const RECORD: usize = 690;
/// Foreign records of a repo that is checked.
const FOREIGN: usize = 100_000;
/// How many such repos are made: each costs a second to make and none differs much.
const CHECKED: usize = 10;
/// Hosts of the repos that are fetched: of one, questions come a while apart.
const HOSTS: usize = 100;
/// Repos fetched at the same time.
const AT_ONCE: usize = 16;

/// Runs the campaign.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    proven(arguments, report)?;
    fetched(arguments, report)
        .await
        .map_err(|problem| problem.to_string())?;
    checked(report)
        .await
        .map_err(|problem| problem.to_string())?;
    Ok(())
}

fn did(n: usize) -> Result<Did, AnyError> {
    Ok(Did::new(format!("did:plc:{n:a>24}"))?)
}

/// Keys as TIDs make them: in the order of time.
fn rkey(n: usize) -> String {
    Rev::from_micros(1_700_000_000_000_000 + n as i64 * 977_000, 7).to_string()
}

fn ours(count: usize, salt: usize) -> BTreeMap<String, Vec<u8>> {
    let names = ["track", "track", "like", "like", "like", "comment", "list"];
    let one = |n: usize| {
        let key = format!("fm.plyr.{}/{}", names[n % names.len()], rkey(n));
        let record = record(&format!("{salt} {key}"), RECORD);
        (key, record)
    };
    (0..count).map(one).collect()
}

fn repos_of_ours(repos: usize) -> Result<Vec<Hosted>, AnyError> {
    let make = |n: usize| Hosted::new(did(n)?, &ours(RECORDS_A_REPO, n));
    (0..repos).map(make).collect()
}

/// How long each step of the proofs took.
#[derive(Default)]
struct Steps {
    reading: Duration,
    signature: Duration,
    fingerprint: Duration,
    walking: Duration,
    records: usize,
}

/// Decodes and proves whole repos from memory, on one thread.
fn proven(arguments: &Arguments, report: &mut Report) -> Outcome {
    let repos = arguments.records / RECORDS_A_REPO;
    let hosted = repos_of_ours(repos).map_err(|problem| problem.to_string())?;
    let cars = hosted.iter().enumerate().map(|(n, repo)| {
        let did = did(n).map_err(|problem| problem.to_string())?;
        Ok((did, repo.export().ok_or("a block is missing")?))
    });
    let cars: Vec<(Did, Vec<u8>)> = cars.collect::<Result<_, String>>()?;
    let bytes: usize = cars.iter().map(|(_, car)| car.len()).sum();
    let ranges = Arc::new(Ranges::of(&"fm.plyr".parse::<Namespace>()?));
    let multikey = key().multikey();
    let began = Instant::now();
    for (_, car) in &cars {
        black_box(plyr_lexicons::data::cid_of(black_box(car)));
    }
    let hashing = began.elapsed();
    let mut steps = Steps::default();
    let began = Instant::now();
    for (did, car) in &cars {
        prove(did, car, &multikey, &ranges, &mut steps)?;
    }
    let all = began.elapsed();
    let rate = steps.records as f64 / all.as_secs_f64();
    let share = |part: Duration| 100.0 * part.as_secs_f64() / all.as_secs_f64();
    report.add(
        &format!("{repos} repos of {RECORDS_A_REPO} records proven from memory, one core"),
        format!(
            "{rate:.0} records/s ({:.0} MB/s)",
            bytes as f64 / 1e6 / all.as_secs_f64()
        ),
        "≥ 20,000/s on two cores",
    );
    report.add(
        "where the time goes",
        format!(
            "CAR and hashes {:.0} %, signature {:.0} %, fingerprint {:.0} %, records {:.0} %",
            share(steps.reading),
            share(steps.signature),
            share(steps.fingerprint),
            share(steps.walking)
        ),
        "",
    );
    report.add(
        "hashing the same bytes alone",
        format!("{:.0} % of the time", share(hashing)),
        "compared",
    );
    Ok(())
}

fn prove(did: &Did, car: &[u8], key: &str, ranges: &Arc<Ranges>, steps: &mut Steps) -> Outcome {
    let began = Instant::now();
    let mut reader = CarReader::new(Blocks::new(8 << 20, std::env::temp_dir()), 1 << 30);
    reader.feed(car)?;
    let car = reader.finish()?;
    steps.reading += began.elapsed();
    let began = Instant::now();
    let root = car.roots.first().ok_or("no root")?;
    let commit = Commit::read(&car.blocks.get(&digest(root)?)?.ok_or("no commit")?)?;
    commit.check_did(did)?;
    commit.check_signature(key)?;
    steps.signature += began.elapsed();
    let began = Instant::now();
    let root = digest(&commit.data)?;
    survey(&car.blocks, root, ranges)?
        .fingerprint
        .ok_or("no fingerprint")?;
    steps.fingerprint += began.elapsed();
    let began = Instant::now();
    let mut walk = Walk::through(root, ranges.clone());
    while let Some(step) = walk.next(&car.blocks)? {
        let Step::Record { cid, .. } = step else {
            return Err("a node is missing".into());
        };
        black_box(
            car.blocks
                .get(&digest(&cid)?)?
                .ok_or("a record is missing")?,
        );
        steps.records += 1;
    }
    steps.walking += began.elapsed();
    Ok(())
}

fn fetcher() -> Result<Fetcher, AnyError> {
    let outbound = Outbound::new(OutboundConfig {
        plc_url: "http://127.0.0.1:1".parse()?,
        handle_resolvers: Vec::new(),
        dev: true,
        contact: "bench".to_owned(),
    })?;
    Ok(Fetcher::new(
        outbound,
        "fm.plyr".parse()?,
        Bounds::default(),
    ))
}

/// The same repos fetched over loopback and read page by page.
async fn fetched(arguments: &Arguments, report: &mut Report) -> Result<(), AnyError> {
    let repos = arguments.records / RECORDS_A_REPO;
    let (origins, _) = serve(repos_of_ours(repos)?, HOSTS).await?;
    let fetcher = fetcher()?;
    let places = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let began = Instant::now();
    let mut fetches = tokio::task::JoinSet::new();
    for n in 0..repos {
        let ask = ask(n, &origins[n % origins.len()])?;
        let (fetcher, place) = (fetcher.clone(), places.clone().acquire_owned().await?);
        fetches.spawn(async move {
            let _place = place;
            let fetched = fetcher.fetch(&ask).await?;
            let mut records = fetched.records.ok_or("no records")?;
            let mut count = 0;
            while let Some(page) = records.next_page().await? {
                count += page.len();
            }
            Ok::<usize, AnyError>(count)
        });
    }
    let mut count = 0;
    while let Some(fetched) = fetches.join_next().await {
        count += fetched??;
    }
    let rate = count as f64 / began.elapsed().as_secs_f64();
    report.add(
        "the same, fetched from a host on loopback (which shares the cores)",
        format!("{rate:.0} records/s"),
        "≥ 20,000/s on two cores",
    );
    Ok(())
}

fn ask(n: usize, origin: &str) -> Result<Ask, AnyError> {
    Ok(Ask {
        did: did(n)?,
        pds: origin.to_owned(),
        signing_key: Some(key().multikey()),
        known: None,
        held: None,
    })
}

fn mostly_foreign(n: usize) -> Result<Hosted, AnyError> {
    let names = [
        "app.bsky.feed.like",
        "app.bsky.feed.post",
        "app.bsky.graph.follow",
    ];
    let foreign = (0..FOREIGN).map(|at| {
        let path = format!("{}/{}", names[at % names.len()], rkey(at + n));
        let record = record(&path, 250);
        (path, record)
    });
    Hosted::new(did(n)?, &foreign.chain(ours(5, n)).collect())
}

/// What a first fetch and a check cost, in bytes and requests.
async fn checked(report: &mut Report) -> Result<(), AnyError> {
    let repos: Vec<Hosted> = (0..CHECKED).map(mostly_foreign).collect::<Result<_, _>>()?;
    let whole: usize = repos.iter().map(|repo| repo.whole).sum();
    let (origins, _) = serve(repos, CHECKED).await?;
    let fetcher = fetcher()?;
    let (mut first, mut again) = ((0, 0), (0, 0));
    for (n, origin) in origins.iter().enumerate() {
        let mut ask = ask(n, origin)?;
        let state = fetcher.fetch(&ask).await?.state;
        first = (first.0 + state.bytes, first.1 + state.requests);
        ask.known = state.range;
        let state = fetcher.fetch(&ask).await?.state;
        again = (again.0 + state.bytes, again.1 + state.requests);
    }
    let mean = |sum: u64| sum / CHECKED as u64;
    let requests = |sum: u32| f64::from(sum) / CHECKED as f64;
    let mean_whole = mean(whole as u64);
    report.add(
        &format!("first fetch of 5 records among {FOREIGN} foreign ones"),
        format!("{} bytes, {:.1} requests", mean(first.0), requests(first.1)),
        &format!("the repo has {} MB", mean_whole / 1_000_000),
    );
    report.add(
        "a check of such a repo whose head has moved",
        format!("{} bytes, {:.1} requests", mean(again.0), requests(again.1)),
        "bytes per check",
    );
    let layers = (0..FOREIGN)
        .map(|at| layer_of(rkey(at).as_bytes()))
        .max()
        .unwrap_or(0);
    report.note(format!("Such a tree has about {layers} layers."));
    Ok(())
}
