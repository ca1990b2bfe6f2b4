//! Repos decoded and proven from memory, and what a check of a repo costs where almost all of it is
//! foreign.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plyr_lexicons::{Cid, Did, Namespace, Rev};
use plyr_outbound::{Outbound, OutboundConfig};
use plyr_repo::{
    Ask, Blocks, Bounds, CarReader, Commit, Digest, Fetcher, Node, Ranges, Step, Walk, layer_of,
    survey,
};
use warp::Filter;

use crate::report::Report;
use crate::{Arguments, Outcome};

/// Repos made by hand, as the crate's tests make them.
#[allow(dead_code, clippy::unwrap_used)]
#[path = "../../indexer/repo/tests/repo/forge.rs"]
mod forge;

use forge::{Built, Key, car, cid, record};

/// Records of each repo that is ours altogether.
const RECORDS_A_REPO: usize = 100;
/// Bytes of a record, as a track has them.
const RECORD: usize = 690;
/// Foreign records of a repo that is checked.
const FOREIGN: usize = 100_000;
/// How many such repos are made: each costs a second to make and none differs much.
const CHECKED: usize = 10;
/// Repos fetched at the same time.
const AT_ONCE: usize = 8;
const REV: Rev = Rev::from_micros(1_750_000_000_000_000, 1);

type AnyError = Box<dyn std::error::Error + Send + Sync>;

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

fn cars(repos: usize) -> Result<Vec<(Did, Vec<u8>)>, AnyError> {
    let make = |n: usize| {
        let did = did(n)?;
        let built = Built::repo(did.as_str(), REV, &Key::k256(7), &ours(RECORDS_A_REPO, n));
        Ok((did, built.car()))
    };
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
    let cars = cars(repos).map_err(|problem| problem.to_string())?;
    let bytes: usize = cars.iter().map(|(_, car)| car.len()).sum();
    let ranges = Arc::new(Ranges::of(&"fm.plyr".parse::<Namespace>()?));
    let key = Key::k256(7).multikey();
    let began = Instant::now();
    for (_, car) in &cars {
        black_box(plyr_lexicons::data::cid_of(black_box(car)));
    }
    let hashing = began.elapsed();
    let mut steps = Steps::default();
    let began = Instant::now();
    for (did, car) in &cars {
        prove(did, car, &key, &ranges, &mut steps)?;
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

fn digest(cid: &Cid) -> Result<Digest, std::array::TryFromSliceError> {
    cid.hash().digest().try_into()
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

/// The body of an answer; none for a 404.
type Answer = Option<Vec<u8>>;

/// Serves answers to paths and queries of XRPC on loopback.
async fn serve(
    answer: impl Fn(&str, &HashMap<String, String>, &str) -> Answer + Send + Sync + 'static,
) -> Result<String, AnyError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let answer = Arc::new(answer);
    let raw = warp::query::raw().or(warp::any().map(String::new)).unify();
    let routes = warp::path!("xrpc" / String)
        .and(raw)
        .then(move |method: String, raw: String| {
            let answer = answer.clone();
            async move {
                let pairs = raw.split('&').filter_map(|pair| pair.split_once('='));
                let query = pairs.map(|(name, value)| (name.to_owned(), value.replace("%3A", ":")));
                let body = answer(&method, &query.collect(), &raw);
                let status = if body.is_some() { 200 } else { 501 };
                let reply = warp::http::Response::builder().status(status);
                Ok::<_, Infallible>(reply.body(body.unwrap_or_default()))
            }
        });
    let routes = routes.map(|reply: Result<_, Infallible>| match reply {
        Ok(Ok(reply)) => reply,
        _ => warp::http::Response::new(Vec::new()),
    });
    tokio::spawn(warp::serve(routes).incoming(listener).run());
    Ok(origin)
}

/// The same repos fetched over loopback and read page by page.
async fn fetched(arguments: &Arguments, report: &mut Report) -> Result<(), AnyError> {
    let repos = arguments.records / RECORDS_A_REPO;
    let cars = cars(repos)?;
    let by_did: HashMap<String, Vec<u8>> = cars
        .into_iter()
        .map(|(did, car)| (did.to_string(), car))
        .collect();
    let origin = serve(move |method, query, _| match method {
        "com.atproto.sync.getRepo" => by_did.get(query.get("did")?).cloned(),
        _ => None,
    })
    .await?;
    let fetcher = fetcher()?;
    let places = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let began = Instant::now();
    let mut fetches = tokio::task::JoinSet::new();
    for n in 0..repos {
        let ask = ask(n, &origin)?;
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
        signing_key: Some(Key::k256(7).multikey()),
        known: None,
        held: None,
    })
}

/// A repo served by proof and blocks.
struct Served {
    blocks: HashMap<Digest, Vec<u8>>,
    commit: Digest,
    root: Digest,
    whole: usize,
}

impl Served {
    fn new(n: usize) -> Result<Served, AnyError> {
        let names = [
            "app.bsky.feed.like",
            "app.bsky.feed.post",
            "app.bsky.graph.follow",
        ];
        let foreign = (0..FOREIGN).map(|at| {
            let key = format!("{}/{}", names[at % names.len()], rkey(at + n));
            let record = record(&key, 250);
            (key, record)
        });
        let all = foreign.chain(ours(5, n)).collect();
        let built = Built::repo(did(n)?.as_str(), REV, &Key::k256(7), &all);
        Ok(Served {
            whole: built.blocks.iter().map(|(_, block)| block.len() + 38).sum(),
            commit: digest(&built.commit.ok_or("no commit")?)?,
            root: digest(&built.data.ok_or("no tree")?)?,
            blocks: built.blocks.into_iter().collect(),
        })
    }

    fn car(&self, roots: &[Cid], digests: &[Digest]) -> Option<Vec<u8>> {
        let blocks = digests
            .iter()
            .map(|digest| Some((cid(digest), &self.blocks.get(digest)?[..])));
        Some(car(roots, blocks.collect::<Option<Vec<_>>>()?))
    }

    fn proof(&self, key: &str) -> Option<Vec<u8>> {
        let mut path = vec![self.commit];
        let mut next = Some(self.root);
        while let Some(node) = next {
            path.push(node);
            let node = Node::read(self.blocks.get(&node)?).ok()?;
            let behind = node
                .entries
                .partition_point(|entry| entry.key[..] <= *key.as_bytes());
            next = match behind.checked_sub(1) {
                Some(at) => node.entries[at].right,
                None => node.left,
            };
        }
        self.car(&[cid(&self.commit)], &path)
    }
}

/// What a first fetch and a check cost, in bytes and requests.
async fn checked(report: &mut Report) -> Result<(), AnyError> {
    let repos: Vec<Served> = (0..CHECKED).map(Served::new).collect::<Result<_, _>>()?;
    let whole: usize = repos.iter().map(|repo| repo.whole).sum();
    let by_did: HashMap<String, Served> = repos
        .into_iter()
        .enumerate()
        .map(|(n, repo)| Ok((did(n)?.to_string(), repo)))
        .collect::<Result<_, AnyError>>()?;
    let origin = serve(move |method, query, raw| {
        let repo = by_did.get(query.get("did")?)?;
        match method {
            "com.atproto.sync.getRecord" => repo.proof(&format!(
                "{}/{}",
                query.get("collection")?,
                query.get("rkey")?
            )),
            "com.atproto.sync.getBlocks" => {
                let cids = raw.split('&').filter_map(|pair| pair.strip_prefix("cids="));
                let digests = cids.map(|text| digest(&Cid::try_from(text).ok()?).ok());
                repo.car(&[], &digests.collect::<Option<Vec<_>>>()?)
            }
            _ => None,
        }
    })
    .await?;
    let fetcher = fetcher()?;
    let (mut first, mut again) = ((0, 0), (0, 0));
    for n in 0..CHECKED {
        let mut ask = ask(n, &origin)?;
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
