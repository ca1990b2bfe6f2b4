//! Odd input and great cost: an answer or an error that names the problem, in bounded time.
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests

mod catalogue;

use std::time::Duration;

use catalogue::{Kept, record, track, uri};
use plyr_lexicons::{Collection, Ipld};
use plyr_search::{
    Budget, Document, Filters, Found, LONGEST_DESCRIPTION, LONGEST_NAME, Nothing, Page, Popularity,
    Query,
};
use proptest::prelude::*;
use serde_json::json;

fn ask(kept: &Kept, query: &str, steps: u64) -> Found {
    let query = Query::parse(query).unwrap();
    let page = Page {
        from: 0,
        size: 20,
        count: true,
    };
    let budget = Budget {
        steps,
        time: Duration::from_secs(60),
    };
    kept.searcher()
        .search(&query, &Filters::default(), page, &Nothing, budget)
        .unwrap()
}

#[test]
fn a_query_is_cancelled_at_its_budget_and_says_so() {
    let documents: Vec<Document> = (0..400)
        .map(|number| {
            let title = format!("night{number} common");
            track(
                number as usize,
                number,
                &title,
                json!({"description": "common words"}),
            )
        })
        .collect();
    let kept = Kept::of(&documents);
    let whole = ask(&kept, "common", 1_000_000);
    assert!(!whole.is_partial && whole.total.is_exact);
    assert_eq!(whole.total.count, 400);
    let mut partial = 0;
    for steps in [0, 1, 10, 100, 300, 500, 1_000, 2_000, 5_000] {
        for query in [
            "common",
            "nigh",
            "night1 commno",
            "\"common words\"",
            "common -night3",
            "n",
        ] {
            let cut = ask(&kept, query, steps);
            let whole = ask(&kept, query, 1_000_000);
            assert!(!whole.is_partial);
            if cut.is_partial {
                partial += 1;
                assert!(!cut.total.is_exact);
                assert!(cut.total.count <= whole.total.count);
            } else {
                let (cut, whole) = ((cut.hits, cut.total), (whole.hits, whole.total));
                assert_eq!(cut, whole, "{query} {steps}");
            }
        }
    }
    assert!(partial > 10, "{partial}");
    let query = Query::parse("common").unwrap();
    let page = Page {
        from: 0,
        size: 20,
        count: true,
    };
    let no_time = Budget {
        steps: 100_000_000,
        time: Duration::ZERO,
    };
    let many: Vec<Document> = (0..40_000)
        .map(|number| track(number as usize, number, "common", json!({})))
        .collect();
    let kept = Kept::of(&many);
    let found = kept
        .searcher()
        .search(&query, &Filters::default(), page, &Nothing, no_time)
        .unwrap();
    assert!(found.is_partial);
}

/// However many tags begin with what was typed, everything else is looked for too.
#[test]
fn tags_have_a_share_of_the_budget() {
    let mut documents: Vec<Document> = (0..100)
        .map(|number| {
            let tags: Vec<String> = (0..40).map(|tag| format!("lo{number}x{tag}")).collect();
            track(number as usize, number, "Other", json!({"tags": tags}))
        })
        .collect();
    documents.push(track(200, 200, "Love", json!({"tags": ["lo"]})));
    let kept = Kept::of(&documents);
    // A list costs fifty steps: the tags alone would cost twice this.
    let found = ask(&kept, "lo", 100_000);
    assert!(found.is_partial && !found.total.is_exact);
    let subjects: Vec<&str> = found.hits.iter().map(|hit| hit.subject.as_str()).collect();
    assert_eq!(subjects[0], "lo", "the tag that was typed is counted first");
    let found = ask(&kept, "lov", 100_000);
    assert!(!found.is_partial);
    let page = Page {
        from: 0,
        size: 1000,
        count: true,
    };
    let query = Query::parse("lo").unwrap();
    let budget = Budget {
        steps: 100_000,
        time: Duration::from_secs(60),
    };
    let searcher = kept.searcher();
    let found = searcher
        .search(&query, &Filters::default(), page, &Nothing, budget)
        .unwrap();
    let track = &documents[100].subject;
    assert!(found.hits.iter().any(|hit| hit.subject == *track));
}

#[test]
fn an_empty_index_answers() {
    let kept = Kept::of(&[]);
    for query in [
        "a",
        "\"a b\"",
        "tag:a",
        "artist:did:plc:x a",
        "at://did:web:a.b",
        "abcdefgh",
    ] {
        assert!(kept.hits(query).is_empty());
    }
}

#[test]
fn texts_are_bounded_and_odd_records_give_less() {
    let long = "é".repeat(1_000_000);
    let genres: Vec<String> = (0..500).map(|n| n.to_string()).collect();
    let document = track(
        1,
        1,
        &long,
        json!({
            "description": long, "artist": 7, "album": {"a": 1}, "features": "x", "duration": -4,
            "tags": [1, "a", null, {"b": 1}], "genres": genres,
            "createdAt": false,
        }),
    );
    let bytes: usize = document.texts.iter().map(|(_, text)| text.len()).sum();
    assert!(bytes <= LONGEST_DESCRIPTION + LONGEST_NAME * 2, "{bytes}");
    assert_eq!(document.duration, None);
    let kept = Kept::of(std::slice::from_ref(&document));
    assert_eq!(
        kept.subjects("éééé"),
        std::slice::from_ref(&document.subject)
    );
    assert_eq!(kept.subjects("tag:a"), [document.subject]);
    for nothing in [
        json!({}),
        json!({"title": 3}),
        json!({"title": ""}),
        json!({"title": " \u{0} "}),
    ] {
        let uri = uri(1, "fm.plyr.track", 1);
        let popularity = Popularity::default();
        let record = record(nothing);
        assert_eq!(
            Document::of_record(&uri, Collection::Track, &record, popularity),
            None
        );
    }
}

fn any_value() -> impl Strategy<Value = Ipld> {
    let leaf = prop_oneof![
        Just(Ipld::Null),
        any::<bool>().prop_map(Ipld::Bool),
        any::<i64>().prop_map(|number| Ipld::Integer(i128::from(number))),
        any::<String>().prop_map(Ipld::String),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(Ipld::Bytes),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let names = prop::sample::select(vec![
            "title",
            "artist",
            "album",
            "features",
            "displayName",
            "handle",
            "did",
            "tags",
            "genres",
            "description",
            "duration",
            "name",
            "listType",
            "createdAt",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Ipld::List),
            prop::collection::btree_map(names.prop_map(str::to_owned), inner, 0..8)
                .prop_map(Ipld::Map),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_record_is_taken_and_any_query_answered(
        values in prop::collection::vec(any_value(), 1..12),
        queries in prop::collection::vec(any::<String>(), 1..12),
    ) {
        let mut documents = Vec::new();
        for (number, value) in values.iter().enumerate() {
            let collection = match number % 3 {
                0 => Collection::List,
                _ => Collection::Track,
            };
            let mut value = value.clone();
            if let (Ipld::Map(fields), true) = (&mut value, number % 2 == 0) {
                fields.insert("title".to_owned(), Ipld::String(queries[0].clone()));
            }
            let uri = uri(number, "fm.plyr.track", number as u64);
            documents.extend(Document::of_record(&uri, collection, &value, Popularity::default()));
        }
        let kept = Kept::of(&documents);
        for query in &queries {
            if Query::parse(query).is_ok() {
                kept.hits(query);
            }
        }
    }
}
