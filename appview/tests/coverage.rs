//! Coverage: what is known of repos and sources is told, page by page, to programs and to people.

#![allow(clippy::unwrap_used)] // in helpers of tests

mod served;

use plyr_lexicons::Did;
use plyr_schemas::{Change, DueRepo, Repo, RepoState, StreamCursor, Urgency};
use serde_json::json;
use served::Served;

const DAY: i64 = 86_400_000_000;

fn did(number: usize) -> Did {
    Did::new(format!("did:web:repo{number}.example")).unwrap()
}

/// Seven repos, one of them unreachable, one due, and two cursors of streams beside another row.
async fn filled() -> Served {
    let served = Served::start(100).await;
    let now = chrono::Utc::now().timestamp_micros();
    let mut changes = Vec::new();
    for number in 0..7 {
        let mut repo = Repo::met(did(number), now - DAY);
        repo.asked_at = now;
        repo.state = RepoState::Verified;
        repo.verified_at = now - DAY;
        repo.records = 10 + number as u64;
        if number == 3 {
            repo.state = RepoState::Unreachable;
            repo.unreachable_since = now - DAY;
            repo.failures = 4;
            repo.last_error = Some("it <hangs>".to_owned());
        }
        changes.push(Change::Repo(repo));
    }
    changes.push(Change::RepoDue(DueRepo {
        did: did(2),
        wanted_at: now,
        urgency: Urgency::Soon,
        due_at: now + DAY,
        tries: 0,
        cause: "gap".to_owned(),
    }));
    let at = |source: &str, position: i64| {
        Change::Cursor(StreamCursor {
            source: source.to_owned(),
            position: position as u64,
            recent: Vec::new(),
        })
    };
    changes.push(at("wss://one.example", now - 7_200_000_000));
    changes.push(at("wss://counted.example", 77));
    changes.push(at("heartbeat", now));
    served.apply(changes).await;
    served
}

#[tokio::test]
async fn every_repo_is_told_once_whatever_the_page() {
    let served = filled().await;
    for limit in [1, 2, 3, 7, 50] {
        let (mut told, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/xrpc/fm.plyr.sync.getCoverage?limit={limit}{cursor}");
            let (status, answer) = served.get(&path).await;
            assert_eq!(status, 200, "{answer}");
            for repo in answer["repos"].as_array().unwrap() {
                told.push(repo["did"].as_str().unwrap().to_owned());
            }
            match answer["cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        told.sort();
        let all: Vec<String> = (0..7).map(|one| did(one).as_str().to_owned()).collect();
        assert_eq!(told, all, "limit {limit}");
    }
}

#[tokio::test]
async fn states_sources_and_one_repo_are_told() {
    let served = filled().await;
    let (_, answer) = served
        .get("/xrpc/fm.plyr.sync.getCoverage?actor=did:web:repo3.example")
        .await;
    let [repo] = answer["repos"].as_array().unwrap().as_slice() else {
        panic!("{answer}");
    };
    assert_eq!(repo["state"], "unreachable");
    assert_eq!(repo["failures"], 4);
    assert_eq!(repo["problem"], "it <hangs>");
    assert_eq!(repo["records"], 13);
    let lag = repo["lagSeconds"].as_i64().unwrap();
    assert!((86_400..86_500).contains(&lag), "{lag}");
    let states = answer["states"].as_array().unwrap();
    let of = |name: &str| states.iter().find(|one| one["state"] == name).unwrap()["repos"].clone();
    assert_eq!(
        (of("verified"), of("unreachable"), of("gone")),
        (json!(6), json!(1), json!(0))
    );

    // What only the process that follows a stream knows is not made up.
    let sources = answer["sources"].as_array().unwrap();
    let names: Vec<_> = sources.iter().map(|one| one["source"].clone()).collect();
    assert_eq!(names, ["wss://counted.example", "wss://one.example"]);
    assert!(sources.iter().all(|one| one.get("connected").is_none()));
    assert_eq!(sources[0].get("lagSeconds"), None);
    assert!((7_200..7_300).contains(&sources[1]["lagSeconds"].as_i64().unwrap()));

    let (_, answer) = served
        .get("/xrpc/fm.plyr.sync.getCoverage?actor=did:web:repo2.example")
        .await;
    assert_eq!(answer["repos"][0]["cause"], "gap");
    let (status, answer) = served
        .get("/xrpc/fm.plyr.sync.getCoverage?actor=did:plc:none")
        .await;
    assert_eq!((status, &answer["repos"]), (200, &json!([])));
}

#[tokio::test]
async fn the_page_for_people_says_the_same() {
    let served = filled().await;
    let page = served.call(reqwest::Method::GET, "/status").await;
    assert_eq!(page.status(), 200);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let page = page.text().await.unwrap();
    for expected in [
        "6 of 7 repos are verified",
        "wss://one.example",
        "2 h ago",
        "did:web:repo3.example",
        "it &lt;hangs&gt;",
        "followed by another process",
    ] {
        assert!(page.contains(expected), "{expected} is not in {page}");
    }
}
