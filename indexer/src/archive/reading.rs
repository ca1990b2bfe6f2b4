//! Archives that a real host can't be made to have: in pages, broken, standing still, replaced.

use std::collections::HashSet;
use std::io::Write;
use std::sync::{Arc, Mutex};

use plyr_lexicons::{Did, Namespace};
use plyr_outbound::{Outbound, OutboundConfig};
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::{Store, Urgency};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::reader::{Place, Purpose, Stopped};
use super::{Archive, News};
use crate::repos::{Pace, Repos, Signed};

const TRACKS: &str = "fm.plyr.track";
const ALICE: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const BOB: &str = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb";
const CAROL: &str = "did:plc:cccccccccccccccccccccccc";

/// A status and a body, for a path and what was posted.
type Answers = fn(&str, &Value) -> (u16, Vec<u8>);

/// A host that answers so; where it is, and all plans it was asked for.
async fn host(answers: Answers) -> (Url, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let plans = Arc::new(Mutex::new(Vec::new()));
    let shared = plans.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            answer(stream, answers, &shared).await;
        }
    });
    (url.parse().unwrap(), plans)
}

async fn answer(mut stream: TcpStream, answers: Answers, plans: &Mutex<Vec<Value>>) {
    let mut request = Vec::new();
    let (path, posted) = loop {
        if stream.read_buf(&mut request).await.unwrap() == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        match body.map(|body| serde_json::from_str(&body)) {
            Some(Ok(posted)) => break (path, posted),
            Some(Err(_)) if text.starts_with("GET") => break (path, Value::Null),
            _ => {}
        }
    };
    if !posted.is_null() {
        plans.lock().unwrap().push(posted.clone());
    }
    let (status, body) = answers(&path, &posted);
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
}

/// Who reads it, over a store of its own.
fn reader(folder: &std::path::Path) -> (Archive, Arc<dyn Store>) {
    let namespace: Namespace = "fm.plyr".parse().unwrap();
    let options = EmbeddedOptions::new(folder.to_owned(), namespace.clone());
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(options).unwrap());
    let config = OutboundConfig {
        plc_url: "http://127.0.0.1:1".parse().unwrap(),
        handle_resolvers: Vec::new(),
        dev: true,
        contact: "test".to_owned(),
    };
    let outbound = Outbound::new(config).unwrap();
    let pace = Pace {
        page_pause: std::time::Duration::ZERO,
        ..Pace::default()
    };
    let network = Signed::new(outbound.clone(), namespace.clone(), store.clone(), &pace);
    let collections = namespace.nsids().to_vec();
    let archive = Archive {
        stream: "ws://127.0.0.1:1".parse().unwrap(),
        host: "host".to_owned(),
        news: News::default(),
        collections,
        pace,
        outbound,
        repos: Repos::new(namespace, pace, store.clone(), Arc::new(network)),
    };
    (archive, store)
}

/// How urgently each repo is due.
async fn due(store: &Arc<dyn Store>, dids: &[&str]) -> Vec<Option<Urgency>> {
    let dids: Vec<Did> = dids.iter().map(|did| did.parse().unwrap()).collect();
    let snapshot = store.snapshot().await.unwrap();
    let due = snapshot.due_of(&dids).await.unwrap();
    due.into_iter()
        .map(|due| due.map(|due| due.urgency))
        .collect()
}

/// A block of rows (number, kind, DID, collection), as Jetstream writes it.
fn block(rows: &[(u64, u8, &str, &str)]) -> Vec<u8> {
    let mut body = (rows.len() as u32).to_le_bytes().to_vec();
    body.extend(rows.iter().flat_map(|row| row.0.to_le_bytes()));
    body.resize(body.len() + rows.len() * 16, 0);
    body.extend(rows.iter().map(|row| row.1));
    body.extend(rows.iter().map(|row| row.3.len() as u8));
    body.extend(
        rows.iter()
            .flat_map(|row| (row.2.len() as u16).to_le_bytes()),
    );
    body.resize(body.len() + rows.len() * 6, 0);
    body.extend(rows.iter().flat_map(|row| row.3.bytes()));
    body.extend(rows.iter().flat_map(|row| row.2.bytes()));
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(&body).unwrap();
    encoder.finish().unwrap()
}

fn plan(through: u64, tip: u64, segments: Value) -> (u16, Vec<u8>) {
    let plan = json!({ "plannedThroughSeq": through, "sealedTipSeq": tip, "segments": segments });
    (200, plan.to_string().into_bytes())
}

fn no_such_block() -> (u16, Vec<u8>) {
    (404, br#"{"error":"BlockNotFound"}"#.to_vec())
}

/// Two pages: a whole segment, and of another the blocks 1 and 2, of which the first is broken.
fn in_pages(path: &str, posted: &Value) -> (u16, Vec<u8>) {
    if path.ends_with("planSnapshot") && posted["afterSeq"] == 0 {
        let whole = json!([{ "name": "one", "maxSeq": 5, "mode": "segment" }]);
        return plan(5, 20, whole);
    }
    if path.ends_with("planSnapshot") {
        let tip = posted["beforeSeq"].as_u64().unwrap_or(30);
        let ranges = json!([{ "first": 1, "last": 2 }]);
        return plan(
            tip,
            tip,
            json!([{ "name": "two", "maxSeq": 25, "mode": "blocks",
            "blocks": ranges }]),
        );
    }
    let rows: &[(u64, u8, &str, &str)] = match path.split_once('?').unwrap().1 {
        "segment=one&blockIndex=0" => &[(1, 1, ALICE, TRACKS), (2, 1, BOB, "app.bsky.feed.post")],
        "segment=one&blockIndex=1" => &[(3, 4, BOB, ""), (4, 2, "nobody", TRACKS)],
        "segment=two&blockIndex=1" => return (200, b"broken".to_vec()),
        "segment=two&blockIndex=2" => &[(7, 3, CAROL, "fm.plyr.like"), (9, 1, BOB, "fm.plyr")],
        _ => return no_such_block(),
    };
    (200, block(rows))
}

#[tokio::test]
async fn a_plan_is_followed_page_by_page_to_the_end_that_it_began_with() {
    let (host, plans) = host(in_pages).await;
    let folder = tempfile::tempdir().unwrap();
    let (archive, store) = reader(folder.path());
    let mut place = Place::default();
    let mut purpose = Purpose::Discovery;
    // A block that can't be read is asked for once more before it is passed over.
    let read = archive.read(&host, &mut place, &mut purpose).await;
    assert!(matches!(read, Err(Stopped::Block(_))), "{read:?}");
    let read = archive.read(&host, &mut place, &mut purpose).await;
    assert!(read.is_ok(), "{read:?}");
    assert_eq!(place.after, 30);
    let met = due(&store, &[ALICE, BOB, CAROL]).await;
    assert_eq!(met, [Some(Urgency::Soon), None, Some(Urgency::Soon)]);
    // Later only what is new is asked for.
    let read = archive.read(&host, &mut place, &mut purpose).await;
    assert!(read.is_ok(), "{read:?}");
    let asked: Vec<(Value, Value)> = plans
        .lock()
        .unwrap()
        .iter()
        .map(|asked| (asked["afterSeq"].clone(), asked["beforeSeq"].clone()))
        .collect();
    let expected = [
        (json!(0), Value::Null),
        (json!(5), json!(20)),
        (json!(5), Value::Null),
        (json!(30), Value::Null),
    ];
    assert_eq!(asked, expected);
}

/// To the end: once more where a block could not be read.
async fn read_all(archive: &Archive, host: &Url, place: &mut Place, purpose: &mut Purpose) {
    if archive.read(host, place, purpose).await.is_err() {
        let read = archive.read(host, place, purpose).await;
        assert!(read.is_ok(), "{read:?}");
    }
}

#[tokio::test]
async fn in_a_gap_rows_above_its_beginning_make_repos_due_at_once() {
    let (host, _) = host(in_pages).await;
    let folder = tempfile::tempdir().unwrap();
    let (archive, store) = reader(folder.path());
    let mut purpose = Purpose::Discovery;
    let mut place = Place::default();
    read_all(&archive, &host, &mut place, &mut purpose).await;
    for (after, expected) in [(7, Urgency::Soon), (6, Urgency::Now)] {
        let mut purpose = Purpose::Gap(HashSet::new());
        let mut place = Place::after(after);
        read_all(&archive, &host, &mut place, &mut purpose).await;
        let met = due(&store, &[ALICE, BOB, CAROL]).await;
        assert_eq!(met, [Some(Urgency::Soon), None, Some(expected)]);
    }
}

#[tokio::test]
async fn an_archive_of_another_instance_is_read_from_its_beginning() {
    let (host, _) = host(|_, _| plan(3, 3, json!([]))).await;
    let folder = tempfile::tempdir().unwrap();
    let (archive, _) = reader(folder.path());
    let mut place = Place::after(4);
    let read = archive
        .read(&host, &mut place, &mut Purpose::Discovery)
        .await;
    assert!(read.is_ok(), "{read:?}");
    assert_eq!(place.after, 0);
}

#[tokio::test]
async fn a_plan_that_stands_still_ends_and_a_host_that_fails_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, _) = reader(folder.path());
    let (still, plans) = host(|_, _| plan(4, 10, json!([]))).await;
    let mut place = Place::after(4);
    let read = archive
        .read(&still, &mut place, &mut Purpose::Discovery)
        .await;
    assert!(matches!(read, Err(Stopped::StandsStill(4))), "{read:?}");
    assert_eq!(plans.lock().unwrap().len(), 1);

    // The second block fails: the first is not read again.
    let (failing, _) = host(|path, _| {
        let whole = json!([{ "name": "one", "maxSeq": 5, "mode": "segment" }]);
        match path {
            path if path.ends_with("planSnapshot") => plan(5, 5, whole),
            path if path.ends_with("blockIndex=0") => (200, block(&[(3, 1, ALICE, TRACKS)])),
            _ => (500, Vec::new()),
        }
    })
    .await;
    let mut place = Place::default();
    let read = archive
        .read(&failing, &mut place, &mut Purpose::Discovery)
        .await;
    assert!(matches!(read, Err(Stopped::Host(_))), "{read:?}");
    assert_eq!(place.after, 3);
}
