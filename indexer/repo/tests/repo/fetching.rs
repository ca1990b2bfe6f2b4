//! Fetching from a host that is right, lacks methods, changes meanwhile, or misbehaves.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use plyr_lexicons::{Cid, Collection, Did};
use plyr_outbound::{Outbound, OutboundConfig};
use plyr_repo::{Ask, Bounds, Entry, Fault as Whose, Fetched, Fetcher, Held, RepoError, Way};

use crate::fake::{FakePds, Fault, Repo, document};
use crate::forge::{Built, Key, record};
use crate::reading::namespace;

pub const PROOF: &str = "com.atproto.sync.getRecord";
pub const BLOCKS: &str = "com.atproto.sync.getBlocks";
pub const REPO: &str = "com.atproto.sync.getRepo";

pub fn did(n: usize) -> Did {
    Did::new(format!("did:plc:{n:a>24}")).unwrap()
}

pub fn bounds() -> Bounds {
    Bounds {
        memory: 64 << 10,
        ..Bounds::default()
    }
}

pub fn fetcher(plc: &str, bounds: Bounds) -> Fetcher {
    let outbound = Outbound::new(OutboundConfig {
        plc_url: plc.parse().unwrap(),
        handle_resolvers: Vec::new(),
        dev: true,
        contact: "test".to_owned(),
    });
    Fetcher::new(outbound.unwrap(), namespace(), bounds)
}

/// So many records of ours and of others.
pub fn records(ours: usize, foreign: usize) -> BTreeMap<String, Vec<u8>> {
    let names = [
        "fm.plyr.track",
        "fm.plyr.like",
        "fm.plyr.comment",
        "fm.plyr.actor.profile",
    ];
    let own = (0..ours).map(|n| format!("{}/3k{n:07}", names[n % names.len()]));
    let names = [
        "app.bsky.feed.post",
        "app.bsky.feed.like",
        "zz.other.thing",
        "fm.plyr.dev.track",
    ];
    let other = (0..foreign).map(|n| format!("{}/3k{n:07}", names[n % names.len()]));
    own.chain(other)
        .map(|key| (key.clone(), record(&key, 300)))
        .collect()
}

/// A host with one repo.
pub async fn host(ours: usize, foreign: usize) -> (FakePds, Ask) {
    let pds = FakePds::start().await;
    let did = did(1);
    pds.put(
        did.as_str(),
        Repo::new(did.as_str(), Key::k256(7), records(ours, foreign)),
    );
    let ask = Ask {
        did,
        pds: pds.origin.clone(),
        signing_key: Some(Key::k256(7).multikey()),
        known: None,
        held: None,
    };
    (pds, ask)
}

pub fn change(pds: &FakePds, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) {
    let mut state = pds.state();
    let repo = state.repos.get_mut(did(1).as_str()).unwrap();
    change(&mut repo.records);
    repo.commit(did(1).as_str());
}

pub async fn read_all(fetched: Fetched, page: usize) -> Vec<Entry> {
    let mut records = fetched.records.expect("the range has changed");
    let mut all: Vec<Entry> = Vec::new();
    while let Some(found) = records.next_page().await.unwrap() {
        assert!(!found.is_empty() && found.len() <= page);
        all.extend(found);
    }
    assert_eq!(Some(all.len() as u64), fetched.state.records);
    all
}

pub fn expected(pds: &FakePds) -> Vec<(String, Vec<u8>)> {
    let state = pds.state();
    let all = &state.repos[did(1).as_str()].records;
    let ours = all.iter().filter(|(key, _)| {
        let collection = key.split('/').next().unwrap();
        namespace().collection(collection).is_some()
    });
    ours.map(|(key, record)| (key.clone(), record.clone()))
        .collect()
}

pub fn keyed(entries: &[Entry]) -> Vec<(String, Vec<u8>)> {
    let keyed = entries.iter().map(|entry| {
        let key = format!(
            "{}/{}",
            namespace().nsid(entry.collection).as_str(),
            entry.rkey
        );
        (
            key,
            entry.record.as_deref().expect("it was asked for").to_vec(),
        )
    });
    keyed.collect()
}

#[tokio::test]
async fn the_cheapest_way_is_taken_and_all_give_the_same() {
    for (ours, foreign, way) in [
        (0, 0, Way::Repo),
        (0, 3_000, Way::Blocks),
        (5, 0, Way::Repo),
        (5, 3_000, Way::Blocks),
        (900, 100, Way::Repo),
        (300, 6_000, Way::Blocks),
    ] {
        let (pds, ask) = host(ours, foreign).await;
        let fetcher = fetcher(&pds.origin, bounds());
        let fetched = fetcher.fetch(&ask).await.unwrap();
        let state = fetched.state.clone();
        let (methods, bytes) = pds.asked();
        let whole = pds.state().repos[did(1).as_str()].built.car().len();
        println!(
            "{ours} of {foreign}: {:?} {} bytes of {whole}",
            state.way, state.bytes
        );
        assert_eq!(state.way, way, "{ours} of {foreign}");
        assert!(state.verified && state.data.is_some() && state.range.is_some());
        assert_eq!(
            (state.requests as usize, state.bytes as usize),
            (methods.len(), bytes)
        );
        if way == Way::Blocks {
            assert!(bytes * 10 < whole || ours > 5, "{bytes} of {whole}");
        }
        let expected = expected(&pds);
        assert_eq!(
            keyed(&read_all(fetched, 500).await),
            expected,
            "{ours} of {foreign}"
        );
        let head = fetcher.head(&ask.pds, &ask.did).await.unwrap();
        assert_eq!((head.rev, head.commit), (state.rev, state.commit));

        // A host that offers less.
        pds.fault(BLOCKS, Fault::Lacking);
        let fetched = fetcher.fetch(&ask).await.unwrap();
        let expected_way = if ours + foreign == 0 { way } else { Way::Repo };
        assert!(
            fetched.state.way == expected_way || ours == 0,
            "{:?}",
            fetched.state.way
        );
        assert_eq!(fetched.state.range, state.range);
        assert_eq!(keyed(&read_all(fetched, 500).await), expected);
        pds.fault(PROOF, Fault::Lacking);
        pds.fault(REPO, Fault::Lacking);
        let fetched = fetcher.fetch(&ask).await.unwrap();
        assert_eq!(fetched.state.way, Way::Listing);
        assert!(!fetched.state.verified && fetched.state.range.is_none());
        assert_eq!(fetched.state.rev, state.rev);
        assert_eq!(keyed(&read_all(fetched, 500).await), expected);
    }
}

#[tokio::test]
async fn what_others_write_costs_a_few_nodes_and_no_record() {
    let (pds, mut ask) = host(5, 3_000).await;
    let fetcher = fetcher(&pds.origin, bounds());
    let before = fetcher.fetch(&ask).await.unwrap().state;
    ask.known = before.range;
    for round in 0..5 {
        change(&pds, |records| {
            records.insert(format!("app.bsky.feed.post/new{round}"), record("new", 300));
            records
                .remove(&format!("zz.other.thing/3k{:07}", 4 * round + 2))
                .unwrap();
        });
        pds.asked();
        let fetched = fetcher.fetch(&ask).await.unwrap();
        assert!(fetched.records.is_none() && fetched.state.records.is_none());
        assert!(fetched.state.rev > before.rev && fetched.state.verified);
        assert_eq!(fetched.state.range, before.range);
        let (methods, bytes) = pds.asked();
        println!("{methods:?} {bytes} bytes");
        assert!(bytes < 12_000, "{bytes}");
    }
    change(&pds, |records| {
        drop(records.insert("fm.plyr.like/new".to_owned(), record("new", 99)))
    });
    let fetched = fetcher.fetch(&ask).await.unwrap();
    assert_eq!(keyed(&read_all(fetched, 500).await), expected(&pds));
}

/// Has what it was given.
#[derive(Default)]
struct Has(Mutex<HashSet<Cid>>);

#[async_trait]
impl Held for Has {
    async fn held(&self, _: &Did, entries: &[Entry]) -> Vec<bool> {
        let has = self.0.lock().unwrap();
        entries
            .iter()
            .map(|entry| has.contains(&entry.cid))
            .collect()
    }
}

#[tokio::test]
async fn what_is_held_is_not_fetched_again() {
    let (pds, mut ask) = host(2_000, 4_000).await;
    let fetcher = fetcher(&pds.origin, bounds());
    let fetched = fetcher.fetch(&ask).await.unwrap();
    ask.known = fetched.state.range;
    let has = Has::default();
    for entry in read_all(fetched, 500).await {
        has.0.lock().unwrap().insert(entry.cid);
    }
    ask.held = Some(Arc::new(has));
    change(&pds, |records| {
        records.insert("fm.plyr.track/3k0000000".to_owned(), record("changed", 300));
        records.remove("fm.plyr.like/3k0000001").unwrap();
    });
    pds.asked();
    let fetched = fetcher.fetch(&ask).await.unwrap();
    assert_eq!(fetched.state.way, Way::Blocks);
    let (methods, bytes) = pds.asked();
    let whole = pds.state().repos[did(1).as_str()].built.car().len();
    println!("{} requests, {bytes} bytes of {whole}", methods.len());
    let entries = read_all(fetched, 500).await;
    assert_eq!(entries.len(), 1_999);
    let told: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.record.is_some())
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].rkey, "3k0000000");
    assert!(bytes * 4 < whole, "{bytes} of {whole}");
}

#[tokio::test]
async fn pages_end_by_count_and_by_bytes() {
    let (pds, ask) = host(700, 0).await;
    for (page_records, page_bytes) in [(1, 4 << 20), (64, 4 << 20), (500, 4_000)] {
        let bounds = Bounds {
            page_records,
            page_bytes,
            ..bounds()
        };
        let fetched = fetcher(&pds.origin, bounds).fetch(&ask).await.unwrap();
        let mut records = fetched.records.unwrap();
        let (mut all, mut pages) = (Vec::new(), 0);
        while let Some(page) = records.next_page().await.unwrap() {
            let bytes: usize = page
                .iter()
                .map(|entry| entry.record.as_ref().unwrap().len())
                .sum();
            assert!(page.len() <= page_records && bytes <= page_bytes);
            pages += 1;
            all.extend(page);
        }
        assert!(pages >= 11);
        assert_eq!(keyed(&all), expected(&pds));
    }
}

#[tokio::test]
async fn i17_a_repo_of_too_many_records_is_over_quota_on_every_way() {
    let (pds, ask) = host(300, 3_000).await;
    let bounds = Bounds {
        records: 299,
        ..bounds()
    };
    let fetcher = fetcher(&pds.origin, bounds);
    for lacking in [&[][..], &[PROOF, BLOCKS], &[PROOF, BLOCKS, REPO]] {
        lacking
            .iter()
            .for_each(|method| pds.fault(method, Fault::Lacking));
        let told = fetcher
            .fetch(&ask)
            .await
            .map(|fetched| fetched.state)
            .unwrap_err();
        assert_eq!(told, RepoError::OverQuota { limit: 299 }, "{lacking:?}");
    }
    pds.state().faults.clear();
    let enough = Bounds {
        records: 300,
        ..self::bounds()
    };
    assert!(self::fetcher(&pds.origin, enough).fetch(&ask).await.is_ok());
}

#[tokio::test]
async fn a_record_is_proven_present_or_absent_by_one_request() {
    let (pds, ask) = host(40, 400).await;
    let fetcher = fetcher(&pds.origin, bounds());
    let there = fetcher
        .prove_record(&ask, Collection::Track, "3k0000000")
        .await
        .unwrap();
    let found = there.record.unwrap();
    assert_eq!(found.record, record("fm.plyr.track/3k0000000", 300));
    let absent = fetcher
        .prove_record(&ask, Collection::Track, "3k0000001")
        .await
        .unwrap();
    assert!(absent.record.is_none());
    assert_eq!(
        (absent.rev, absent.commit, absent.data),
        (there.rev, there.commit, there.data)
    );
    assert_eq!(pds.asked().0, [PROOF, PROOF]);
    // A host that serves the proof of another key proves nothing about this one.
    let other = pds.state().repos[did(1).as_str()].built.clone();
    let commit = other.blocks.last().unwrap().clone();
    let alone = Built {
        blocks: vec![commit],
        ..other
    };
    pds.fault(PROOF, Fault::Body(alone.car()));
    let told = fetcher
        .prove_record(&ask, Collection::Track, "3k0000000")
        .await
        .unwrap_err();
    assert_eq!(told.reason(), "missing-block");
}

#[tokio::test]
async fn a_repo_that_changes_while_it_is_read_is_begun_again() {
    let (pds, ask) = host(40, 3_000).await;
    let fetcher = fetcher(&pds.origin, bounds());
    for method in [PROOF, BLOCKS] {
        pds.asked();
        let grow: Box<dyn FnOnce(&mut Repo) + Send> = Box::new(move |repo| {
            let key = format!("fm.plyr.track/{method}");
            repo.records.insert(key, record("meanwhile", 300));
            repo.records
                .insert(format!("app.bsky.feed.post/{method}"), record("x", 300));
        });
        pds.state().then = Some((method, did(1).to_string(), grow));
        let fetched = fetcher.fetch(&ask).await.unwrap();
        assert_eq!(fetched.state.way, Way::Blocks);
        let proofs = pds.asked().0.iter().filter(|asked| *asked == PROOF).count();
        assert_eq!(proofs, 2, "{method}");
        assert_eq!(keyed(&read_all(fetched, 500).await), expected(&pds));
    }
}

#[tokio::test]
async fn a_host_that_keeps_blocks_back_is_asked_for_the_whole_repo() {
    let (pds, ask) = host(40, 3_000).await;
    let fetcher = fetcher(&pds.origin, bounds());
    pds.fault(BLOCKS, Fault::Body(crate::forge::car(&[], [])));
    let fetched = fetcher.fetch(&ask).await.unwrap();
    assert_eq!(fetched.state.way, Way::Repo);
    assert!(pds.asked().0.len() < 10, "it isn't asked for ever");
    assert_eq!(keyed(&read_all(fetched, 500).await), expected(&pds));
}

#[tokio::test]
async fn the_key_is_asked_again_once_and_a_strangers_is_refused() {
    let (pds, mut ask) = host(5, 20).await;
    let fetcher = fetcher(&pds.origin, bounds());
    // The account's key has changed since.
    for known in [None, Some(Key::p256(9).multikey()), Some("z".to_owned())] {
        ask.signing_key = known;
        let state = fetcher.fetch(&ask).await.unwrap().state;
        assert_eq!(state.signing_key, Some(Key::k256(7).multikey()));
    }
    let name = ask.did.to_string();
    let told = async |document: Option<serde_json::Value>| {
        match document {
            Some(document) => pds.state().documents.insert(name.clone(), document),
            None => pds.state().documents.remove(&name),
        };
        fetcher
            .fetch(&ask)
            .await
            .map(|fetched| fetched.state)
            .unwrap_err()
    };
    let stranger = told(Some(document(&name, &pds.origin, &Key::k256(8).multikey()))).await;
    assert_eq!(
        (stranger.reason(), stranger.fault()),
        ("signature", Whose::Content)
    );
    let moved = told(Some(document(
        &name,
        "https://new.example",
        &Key::k256(8).multikey(),
    )))
    .await;
    assert_eq!(moved, RepoError::Moved("https://new.example".to_owned()));
    assert_eq!(moved.fault(), Whose::Account);
    let keyless = told(Some(document(&name, &pds.origin, "zNone"))).await;
    assert_eq!(keyless.reason(), "no-key");
    // A directory that doesn't know whom it is asked about says nothing about anybody.
    assert_eq!(told(None).await.reason(), "directory");
    let gone = Ask {
        did: did(404),
        ..ask.clone()
    };
    let told = fetcher
        .fetch(&gone)
        .await
        .map(|fetched| fetched.state)
        .unwrap_err();
    assert_eq!(told, RepoError::Unavailable("RepoNotFound".to_owned()));
    let told = fetcher.head(&gone.pds, &gone.did).await.unwrap_err();
    assert_eq!(told, RepoError::Unavailable("RepoNotFound".to_owned()));
}

#[tokio::test]
async fn what_is_no_answer_is_refused_with_its_reason_and_nothing_is_handed_out() {
    let (pds, ask) = host(30, 300).await;
    let right = pds.state().repos[did(1).as_str()].built.car();
    let other = Built::repo(
        did(2).as_str(),
        plyr_lexicons::Rev::MIN,
        &Key::k256(7),
        &records(3, 3),
    );
    let cut = right[..right.len() - 10].to_vec();
    let mut flipped = right.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut huge = Vec::new();
    crate::forge::varint(&mut huge, 1 << 40);
    let html = b"<!doctype html><title>a login page</title>".to_vec();
    let redirect = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\
        content-length: 0\r\nconnection: close\r\n\r\n";
    let bare = b"no HTTP at all\r\n\r\n".to_vec();
    for (what, fault, reason, whose) in [
        (
            "another's repo",
            Fault::Body(other.car()),
            "wrong-repo",
            Whose::Content,
        ),
        (
            "a CAR cut in two",
            Fault::Body(cut),
            "truncated",
            Whose::Content,
        ),
        (
            "a flipped bit",
            Fault::Body(flipped),
            "wrong-cid",
            Whose::Content,
        ),
        (
            "a header of 2^40",
            Fault::Body(huge),
            "too-large",
            Whose::Content,
        ),
        (
            "a page of HTML",
            Fault::Body(html),
            "truncated",
            Whose::Content,
        ),
        (
            "nothing",
            Fault::Body(Vec::new()),
            "truncated",
            Whose::Content,
        ),
        ("a broken connection", Fault::Cut(500), "host", Whose::Host),
        (
            "a redirect inward",
            Fault::Says(redirect.to_vec()),
            "host",
            Whose::Host,
        ),
        ("no HTTP", Fault::Says(bare), "host", Whose::Host),
    ] {
        for method in [PROOF, REPO] {
            let fetcher = fetcher(&pds.origin, bounds());
            pds.state().faults.clear();
            if method == REPO {
                pds.fault(PROOF, Fault::Lacking);
            }
            pds.fault(method, fault.clone());
            let told = fetcher
                .fetch(&ask)
                .await
                .map(|fetched| fetched.state)
                .unwrap_err();
            assert_eq!(
                (told.reason(), told.fault()),
                (reason, whose),
                "{what}, {method}: {told}"
            );
        }
    }
    pds.state().faults.clear();
    // Nodes that are kept back are no proof of absence, whichever way.
    let built = pds.state().repos[did(1).as_str()].built.clone();
    let mut lacking = built.clone();
    lacking
        .blocks
        .retain(|(_, block)| block != &record("fm.plyr.track/3k0000004", 300));
    pds.fault(REPO, Fault::Body(lacking.car()));
    pds.fault(PROOF, Fault::Lacking);
    let told = fetcher(&pds.origin, bounds()).fetch(&ask).await;
    assert_eq!(
        told.map(|fetched| fetched.state).unwrap_err().reason(),
        "missing-block"
    );
    let small = Bounds {
        repo: 10_000,
        ..bounds()
    };
    pds.state().faults.remove(REPO);
    let told = fetcher(&pds.origin, small).fetch(&ask).await;
    let told = told.map(|fetched| fetched.state).unwrap_err();
    assert_eq!(told.reason(), "too-large", "{told}");
}
