//! Pages: to their end, while the index changes, and without what is hidden.

use std::collections::BTreeSet;

use plyr_lexicons::Did;
use serde_json::json;

use crate::served::{Served, about, put, track};
use crate::*;

#[tokio::test]
async fn actors_are_found_by_their_names_page_by_page() {
    let served = night().await;
    for number in 0..7 {
        let did = format!("did:plc:singer{number}");
        let handle = format!("singer{number}.test");
        names(&served, &did, Some(&handle), Some("A Singer")).await;
        let uri = format!("at://{did}/fm.plyr.track/one");
        served.put(&uri, 1, track("singer")).await;
    }
    served.index().await;
    let (mut seen, mut cursor) = (BTreeSet::new(), None::<String>);
    for page in 0.. {
        assert!(page < 4);
        let mut parameters = vec![("q", "singer"), ("limit", "3")];
        parameters.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let found = answer(&served, ACTORS, &parameters).await;
        for profile in found["profiles"].as_array().unwrap() {
            assert_eq!(profile["trackCount"], 1);
            assert!(seen.insert(profile["did"].as_str().unwrap().to_owned()));
        }
        cursor = found["cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 7);
}

/// Titles that one query finds, of a few artists.
async fn many(count: usize) -> Served {
    let served = Served::start(100).await;
    let changes = (0..count).map(|number| {
        let uri = format!("at://did:plc:a{}/fm.plyr.track/t{number:03}", number % 7);
        put(&uri, number as i64, track(&format!("common {number}")))
    });
    served.apply(changes.collect()).await;
    served.index().await;
    served
}

/// Reads pages to the end; `between` is done after the first.
async fn walk(served: &Served, limit: &str, between: impl AsyncFnOnce()) -> Vec<String> {
    let (mut all, mut cursor, mut between) = (Vec::new(), None::<String>, Some(between));
    for page in 0.. {
        assert!(page < 300, "no last page");
        let mut parameters = vec![("q", "common"), ("limit", limit)];
        parameters.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let found = answer(served, QUERY, &parameters).await;
        let shown = addresses(&found);
        cursor = found["cursor"].as_str().map(str::to_owned);
        let is_full = shown.len() == limit.parse::<usize>().unwrap();
        assert!(is_full || cursor.is_none(), "a page is short and has more");
        assert!(!shown.is_empty(), "a cursor leads to nothing");
        all.extend(shown);
        if cursor.is_none() {
            break;
        }
        if let Some(between) = between.take() {
            between().await;
        }
    }
    all
}

#[tokio::test]
async fn i15_pages_hold_every_hit_once() {
    let served = many(130).await;
    let whole = walk(&served, "100", async || ()).await;
    assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 130);
    for limit in ["25", "7", "1", "65"] {
        assert_eq!(walk(&served, limit, async || ()).await, whole, "{limit}");
    }
    let found = answer(&served, QUERY, &[("q", "common"), ("limit", "1")]).await;
    assert_eq!(
        (&found["hitsTotal"], &found["totalExact"]),
        (&json!(130), &json!(true))
    );
}

#[tokio::test]
async fn i15_an_index_that_changes_between_pages_repeats_and_loses_nothing() {
    let served = many(60).await;
    let before = walk(&served, "100", async || ()).await;
    let all = walk(&served, "20", async || {
        // The last become the most loved, some of the first go, and new ones come.
        let mut changes = Vec::new();
        for (place, uri) in before.iter().enumerate().skip(20) {
            for who in 0..place / 10 {
                let like = format!("at://did:plc:fan{who}/fm.plyr.like/l{place}");
                changes.push(put(&like, 100, about(uri)));
            }
        }
        for uri in before.iter().take(20).step_by(2) {
            changes.push(put(uri, 100, track("other")));
        }
        for number in 0..5 {
            let uri = format!("at://did:plc:new/fm.plyr.track/n{number}");
            changes.push(put(&uri, 100, track("common new")));
        }
        served.apply(changes).await;
        served.index().await;
    })
    .await;
    let seen: BTreeSet<&String> = all.iter().collect();
    assert_eq!(seen.len(), all.len(), "a hit is repeated");
    for uri in &before {
        assert!(seen.contains(uri), "{uri} is lost");
    }
    assert_eq!(seen.len(), 65, "new ones come too");
    assert_ne!(all[20..], before[20..], "the order has changed");
}

#[tokio::test]
async fn a_cursor_is_good_for_its_search_alone() {
    let served = many(30).await;
    let found = answer(&served, QUERY, &[("q", "common"), ("limit", "5")]).await;
    let cursor = found["cursor"].as_str().unwrap();
    let again = [("q", "common"), ("cursor", cursor), ("limit", "9")];
    assert_eq!(hits(&answer(&served, QUERY, &again).await).len(), 9);
    let cut = &cursor[..cursor.len() - 1];
    for (method, parameters) in [
        (QUERY, &[("q", "common "), ("cursor", cursor)][..]),
        (
            QUERY,
            &[("q", "common"), ("type", "track"), ("cursor", cursor)],
        ),
        (
            QUERY,
            &[
                ("q", "common"),
                ("author", "did:plc:a1"),
                ("cursor", cursor),
            ],
        ),
        (
            QUERY,
            &[("q", "common"), ("minDuration", "0"), ("cursor", cursor)],
        ),
        (ACTORS, &[("q", "common"), ("cursor", cursor)]),
        (QUERY, &[("q", "common"), ("cursor", cut)]),
        (QUERY, &[("q", "common"), ("cursor", "25")]),
    ] {
        let (status, refused) = ask(&served, method, parameters).await;
        assert_eq!(
            (status, &refused["error"]),
            (400, &json!("InvalidRequest")),
            "{method} {parameters:?}"
        );
        let message = refused["message"].as_str().unwrap();
        assert!(message.starts_with("cursor: "), "{message}");
    }
}

#[tokio::test]
async fn i07_who_is_hidden_is_neither_found_nor_counted() {
    let served = many(60).await;
    let did: Did = "did:plc:a1".parse().unwrap();
    served.live.hide(|hidden| hidden.set_author(&did, true));
    served.live.hide(|hidden| {
        hidden.set_subject("at://did:plc:a2/fm.plyr.track/t002", true);
    });
    let found = answer(&served, QUERY, &[("q", "common"), ("limit", "100")]).await;
    assert_eq!(found["hitsTotal"], 60 - 9 - 1);
    let shown = addresses(&found);
    assert_eq!(shown.len(), 50);
    assert!(
        !shown
            .iter()
            .any(|uri| uri.contains("did:plc:a1/") || uri.contains("t002"))
    );
    for uri in [
        "at://did:plc:a1/fm.plyr.track/t001",
        "at://did:plc:a2/fm.plyr.track/t002",
    ] {
        let named = answer(&served, QUERY, &[("q", uri)]).await;
        assert_eq!(
            (hits(&named).len(), &named["hitsTotal"]),
            (0, &json!(0)),
            "{uri}"
        );
    }
    served.live.hide(|hidden| hidden.set_author(&did, false));

    // What the index doesn't know yet, the store does: pages are full all the same.
    deactivate(&served, "did:plc:a1").await;
    let all = walk(&served, "20", async || ()).await;
    assert_eq!(all.len(), 50);
    assert!(!all.iter().any(|uri| uri.contains("did:plc:a1/")));
    let named = "at://did:plc:a1/fm.plyr.track/t001";
    for q in [named, "did:plc:a1"] {
        let found = answer(&served, QUERY, &[("q", q)]).await;
        assert_eq!(
            (hits(&found).len(), &found["hitsTotal"]),
            (0, &json!(0)),
            "{q}"
        );
    }
}

#[tokio::test]
async fn i11_pages_of_large_hits_are_short_and_lose_none() {
    let served = Served::start(100).await;
    let large = "x".repeat(900_000);
    for number in 0..9 {
        let mut record = track("common");
        record["unknown"] = large.clone().into();
        let uri = format!("at://did:plc:a{number}/fm.plyr.track/t");
        served.put(&uri, number, record).await;
    }
    served.index().await;
    let (mut seen, mut pages, mut cursor) = (BTreeSet::new(), 0, None::<String>);
    loop {
        let mut parameters = vec![("q", "common"), ("limit", "100")];
        parameters.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let found = answer(&served, QUERY, &parameters).await;
        assert!(found.to_string().len() < 8 << 20);
        seen.extend(addresses(&found));
        pages += 1;
        assert!(pages < 5);
        cursor = found["cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 9);
    assert!(pages > 1);
}

/// Of what doesn't show a page looks at so many and then has its end: the next one goes on.
#[tokio::test]
async fn i15_pages_go_on_behind_many_that_do_not_show() {
    let served = many(130).await;
    for author in 1..7 {
        deactivate(&served, &format!("did:plc:a{author}")).await;
    }
    let (mut seen, mut cursor) = (BTreeSet::new(), None::<String>);
    for page in 0.. {
        assert!(page < 20);
        let mut parameters = vec![("q", "common")];
        parameters.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let found = answer(&served, QUERY, &parameters).await;
        for uri in addresses(&found) {
            assert!(uri.contains("did:plc:a0/") && seen.insert(uri));
        }
        cursor = found["cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 19);
}

/// What is named stands beside what its words find: a total is the same on every page, whether the
/// named ones show or not and wherever else they stand.
#[tokio::test]
async fn totals_are_the_same_on_every_page_whatever_is_named() {
    let served = many(60).await;
    names(&served, "did:plc:gone", Some("gone.test"), Some("Gone")).await;
    let last = walk(&served, "100", async || ()).await.pop().unwrap();
    deactivate(&served, "did:plc:gone").await;
    let read = async |q: &str, limit: &str| {
        let (mut shown, mut totals, mut cursor) = (Vec::new(), Vec::new(), None::<String>);
        for page in 0.. {
            assert!(page < 70);
            let mut parameters = vec![("q", q), ("limit", limit)];
            parameters.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let found = answer(&served, QUERY, &parameters).await;
            shown.extend(addresses(&found));
            assert_eq!(found["totalExact"], true, "{q} {limit}");
            totals.push(found["hitsTotal"].as_u64().unwrap());
            cursor = found["cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        totals.dedup();
        (shown, totals)
    };
    let named = format!("{last} common");
    for (q, limit, found) in [
        ("did:plc:gone common", "20", 60),
        ("did:plc:a1 common", "20", 61),
        ("did:plc:a1 common", "1", 61),
        (&named, "20", 60),
    ] {
        let (shown, totals) = read(q, limit).await;
        assert_eq!((shown.len(), totals), (found, vec![60]), "{q} {limit}");
        assert_eq!(shown.iter().collect::<BTreeSet<_>>().len(), found, "{q}");
    }
    let (shown, _) = read(&named, "20").await;
    assert_eq!(shown[0], last);
    // Addresses alone are what there is.
    let three = "did:plc:a1 did:plc:gone did:plc:a2 did:plc:a1 at://did:plc:a3/fm.plyr.track/t003";
    for limit in ["1", "2", "3", "25"] {
        let (shown, totals) = read(three, limit).await;
        assert_eq!((shown.len(), totals), (3, vec![3]), "{limit}");
    }
}

#[tokio::test]
async fn a_tag_that_is_written_otherwise_by_now_is_not_repeated() {
    let served = Served::start(100).await;
    let tagged = async |names: &[(&str, &str)]| {
        for (rkey, tag) in names {
            let mut record = track("one");
            record["tags"] = json!([tag]);
            let uri = format!("at://did:plc:{rkey}/fm.plyr.track/{rkey}");
            served.put(&uri, 1, record).await;
        }
        served.index().await;
    };
    tagged(&[("a", "Night"), ("b", "nightfall")]).await;
    let asked = [("q", "night"), ("type", "tag"), ("limit", "1")];
    let first = answer(&served, QUERY, &asked).await;
    assert_eq!(addresses(&first), ["Night"]);
    tagged(&[("c", "Nïght"), ("d", "Nïght")]).await;
    let again = answer(&served, QUERY, &asked).await;
    assert_eq!(addresses(&again), ["Nïght"]);
    let cursor = first["cursor"].as_str().unwrap();
    let next = answer(
        &served,
        QUERY,
        &[&asked[..], &[("cursor", cursor)]].concat(),
    )
    .await;
    assert_eq!(addresses(&next), ["nightfall"]);
}
