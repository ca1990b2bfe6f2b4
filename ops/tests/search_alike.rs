//! AppViews over one cluster, each with a search index of its own that grew in its own way: once
//! they have caught up they answer alike, page by page.

use std::collections::BTreeSet;

use plyr_lexicons::{Did, Namespace, RecordUri, Rev};
use plyr_peers::{Layout, PeersError, Plyr, wait_until};
use plyr_schemas::conformance::put;
use plyr_schemas::scylla::{ScyllaOptions, ScyllaStore};
use plyr_schemas::{
    Account, AccountState, BlueskyProfile, Body, Change, Identity, Standing, Store, Version,
};
use serde_json::{Value, json};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Tested = Result<(), BoxError>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const NOWHERE: [&str; 5] = [
    "--dev",
    "--jetstream",
    "ws://127.0.0.1:1",
    "--plc-url",
    "http://127.0.0.1:1",
];

const ARTISTS: usize = 9;
const TRACKS: usize = 60;
const NAMES: [&str; ARTISTS] = [
    "Ana Lima",
    "Béa Noir",
    "Cidade",
    "Дана",
    "夜の電車",
    "Eva Night",
    "Fox & Fern",
    "김하늘",
    "The The",
];
const WORDS: [&str; 12] = [
    "Night",
    "Drive",
    "Comet",
    "Café",
    "Ночь",
    "東京",
    "Rain",
    "Blue",
    "The",
    "Lumière",
    "밤하늘",
    "4",
];
const TAGS: [&str; 4] = ["ambient", "hip hop", "Ambient", "jazz"];

/// What is asked; each of it page by page.
const QUERIES: [&str; 24] = [
    "q=night",
    "q=n",
    "q=nig",
    "q=nigth",
    "q=night%20drive",
    "q=cafe",
    "q=comet%20blue",
    "q=the",
    "q=the%20the",
    "q=%D0%BD%D0%BE%D1%87%D1%8C",
    "q=%E6%9D%B1%E4%BA%AC",
    "q=%EB%B0%A4",
    "q=4",
    "q=%22night%20drive%22",
    "q=night%20-drive",
    "q=artist:ana",
    "q=tag:ambient",
    "q=amb",
    "q=night&type=track",
    "q=night&type=artist&type=album",
    "q=lumeire",
    "q=rain%20min:70",
    "q=ana0.example.com",
    "q=fern",
];

fn did(artist: usize) -> Result<Did, BoxError> {
    Ok(format!("did:plc:artist{artist:a<18}").parse()?)
}

fn uri(artist: usize, collection: &str, rkey: &str) -> Result<RecordUri, BoxError> {
    let did = did(artist)?;
    Ok(format!("at://{}/fm.plyr.{collection}/{rkey}", did.as_str()).parse()?)
}

fn title(number: usize) -> String {
    let word = |place: usize| WORDS[place % WORDS.len()];
    match number % 5 {
        0 => word(number / 5).to_owned(),
        1 | 2 => format!("{} {}", word(number), word(number / 3 + 5)),
        3 => format!("{} {} (Live)", word(number / 2), word(number)),
        _ => format!(
            "{}, {} {}",
            word(number),
            word(number + 7),
            word(number / 4)
        ),
    }
}

fn track(artist: usize, number: usize, at: i64, title: &str) -> Result<Change, BoxError> {
    let second = number % 60;
    let record = json!({
        "title": title, "artist": NAMES[artist], "fileType": "mp3", "duration": 30 + number,
        "album": if number.is_multiple_of(4) { WORDS[number % WORDS.len()] } else { "" },
        "tags": [TAGS[number % TAGS.len()]],
        "createdAt": format!("2026-06-01T12:{second:02}:00.000Z"),
    });
    put(&uri(artist, "track", &format!("t{number}"))?, at, &record)
}

fn delete(artist: usize, number: usize, at: i64) -> Result<Change, BoxError> {
    Ok(Change::Version(Version {
        uri: uri(artist, "track", &format!("t{number}"))?,
        rev: Rev::from_micros(1_700_000_000_000_000 + at * 1_000_000, 0),
        standing: Standing::Event,
        body: Body::Delete,
        seen_at: 5,
    }))
}

fn like(liker: usize, artist: usize, number: usize) -> Result<Change, BoxError> {
    let subject = uri(artist, "track", &format!("t{number}"))?;
    let cid = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";
    let record = json!({ "subject": { "uri": subject.to_string(), "cid": cid } });
    put(
        &uri(liker, "like", &format!("{artist}-{number}"))?,
        3,
        &record,
    )
}

fn account(artist: usize, at: i64, state: AccountState) -> Result<Change, BoxError> {
    let did = did(artist)?;
    Ok(Change::Account(Account {
        did,
        state,
        since: at,
        asked_at: at,
    }))
}

fn handle(artist: usize, at: i64, handle: &str) -> Result<Change, BoxError> {
    Ok(Change::Identity(Identity {
        did: did(artist)?,
        pds: None,
        signing_key: None,
        handle: Some(handle.parse()?),
        asked_at: at,
    }))
}

fn name(artist: usize, at: i64, name: &str) -> Result<Change, BoxError> {
    Ok(Change::Bluesky(BlueskyProfile {
        did: did(artist)?,
        display_name: Some(name.to_owned()),
        avatar: None,
        asked_at: at,
    }))
}

/// What there is before any AppView.
fn opening() -> Result<Vec<Change>, BoxError> {
    let mut changes = Vec::new();
    for artist in 0..ARTISTS {
        changes.push(name(artist, 1, NAMES[artist])?);
        changes.push(handle(artist, 1, &format!("ana{artist}.example.com"))?);
        for number in 0..TRACKS {
            changes.push(track(artist, number, 1, &title(number * 7 + artist))?);
        }
        let album = json!({ "name": WORDS[artist], "listType": "album", "items": [] });
        changes.push(put(&uri(artist, "list", "album")?, 1, &album)?);
        for number in 0..artist * 3 {
            changes.push(like(artist, number % ARTISTS, number)?);
        }
    }
    Ok(changes)
}

/// What happens while two AppViews answer, a part at a time.
fn story() -> Result<Vec<Vec<Change>>, BoxError> {
    let mut parts = vec![
        vec![
            account(2, 10, AccountState::Deactivated)?,
            name(0, 10, "Ana Rain")?,
        ],
        vec![
            handle(1, 10, "night.example.com")?,
            account(2, 11, AccountState::Active)?,
        ],
        vec![
            account(5, 10, AccountState::TakenDown)?,
            handle(3, 10, "comet.example.com")?,
        ],
    ];
    for number in 0..TRACKS {
        let artist = number % ARTISTS;
        let renamed = track(artist, number, 10, &title(number * 11 + 3))?;
        let mut part = vec![renamed, delete((artist + 4) % ARTISTS, number, 10)?];
        for liker in 0..number % 5 {
            part.push(like(liker + 2, (artist + 1) % ARTISTS, number)?);
        }
        parts.push(part);
    }
    Ok(parts)
}

/// All pages of each query: what was found, why, and how much in all.
async fn answers(appview: &Plyr) -> Result<Vec<(String, Value)>, String> {
    let mut answers = Vec::new();
    for query in QUERIES {
        let mut cursor = String::new();
        loop {
            let asked = format!("{query}&limit=20{cursor}");
            let answer = appview.xrpc("fm.plyr.search.query", &asked).await?;
            let next = answer["cursor"].as_str().map(str::to_owned);
            let told = json!({ "hits": answer["hits"], "total": answer["hitsTotal"],
                "exact": answer["totalExact"], "partial": answer["partial"] });
            answers.push((asked, told));
            let Some(next) = next else { break };
            cursor = format!("&cursor={next}");
        }
        let typed = appview.xrpc("fm.plyr.search.typeahead", query).await?;
        answers.push((format!("typeahead {query}"), typed));
    }
    Ok(answers)
}

/// The first answer that differs.
fn difference(one: &[(String, Value)], other: &[(String, Value)]) -> Option<String> {
    let pairs = one.iter().zip(other);
    let differs = pairs
        .into_iter()
        .find(|((_, one), (_, other))| one != other);
    let differs = differs.map(|((asked, one), (_, other))| format!("{asked}\n{one}\n{other}"));
    let of_length = (one.len() != other.len()).then(|| "more pages".to_owned());
    differs.or(of_length)
}

async fn alike(one: &Plyr, other: &Plyr) -> Result<Vec<(String, Value)>, PeersError> {
    wait_until("two AppViews answer alike", || async {
        let (one, other) = (answers(one).await?, answers(other).await?);
        match difference(&one, &other) {
            None => Ok(one),
            Some(difference) => Err(difference),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i15_appviews_over_one_cluster_answer_alike() -> Tested {
    let Some(layout) = Layout::together(BINARY, "alike").await? else {
        return Ok(());
    };
    let url = layout.store().ok_or("no store")?;
    let namespace: Namespace = "fm.plyr".parse()?;
    let store = ScyllaStore::open(ScyllaOptions::parse(url, namespace)?).await?;
    store.apply(opening()?).await?;
    store.settle().await?;
    let folder = tempfile::tempdir()?;
    let mut arguments: Vec<String> = NOWHERE.map(str::to_owned).to_vec();
    arguments.extend(["--store".to_owned(), url.to_owned()]);
    let start = async |name: &str| {
        let data_dir = folder.path().join(name);
        Plyr::command(BINARY, "appview", &data_dir, &arguments).await
    };
    let (one, other) = (start("one").await?, start("other").await?);
    let before = alike(&one, &other).await?;
    let parts = story()?;
    let half = parts.len() / 2;
    let (mut first, mut rest) = (parts, Vec::new());
    rest.extend(first.drain(half..));
    for part in first {
        store.apply(part).await?;
    }
    alike(&one, &other).await?;
    // One of them sleeps through the rest, and goes on from its last commit.
    assert_eq!(other.stop().await?, Some(0));
    for part in rest {
        store.apply(part).await?;
    }
    store.settle().await?;
    let last = track(0, 1, 20, "Zugvogel")?;
    store.apply(vec![last]).await?;
    let other = start("other").await?;
    let builds = async |appview: &Plyr| appview.counted("plyr_search_builds_total", "").await;
    // And a third one reads the whole store as it is.
    let third = start("third").await?;
    for appview in [&one, &other, &third] {
        wait_until("the last track is found", || async {
            let answer = appview.xrpc("fm.plyr.search.query", "q=zugvogel").await?;
            (answer["hitsTotal"] == 1)
                .then_some(())
                .ok_or(answer.to_string())
        })
        .await?;
    }
    assert_eq!(
        builds(&other).await?,
        0.0,
        "it did not go on from its last commit"
    );
    assert_eq!(builds(&third).await?, 1.0);
    let after = alike(&one, &other).await?;
    let of_third = alike(&one, &third).await?;
    assert!(difference(&after, &of_third).is_none());
    assert!(difference(&before, &after).is_some(), "nothing has changed");
    let uris: BTreeSet<&str> = after
        .iter()
        .flat_map(|(_, answer)| answer["hits"].as_array().into_iter().flatten())
        .filter_map(|hit| hit.pointer("/track/uri")?.as_str())
        .collect();
    let gone = uri(5, "track", "t")?.to_string();
    assert!(uris.len() > 100, "few were found: {}", uris.len());
    assert!(
        !uris.iter().any(|uri| uri.starts_with(&gone)),
        "who was taken down is found"
    );
    for appview in [one, other, third] {
        assert_eq!(appview.stop().await?, Some(0));
    }
    store.close().await?;
    Ok(())
}
