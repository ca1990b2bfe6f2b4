//! Whom a query means: by address, by present name, and whom it leaves out.
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests

mod catalogue;

use catalogue::{ALL, Kept, actor, did, track};
use plyr_search::{Budget, Document, Filters, MOST_ARTISTS, Nothing, Query};
use serde_json::json;

/// Places of what is found, in the order of documents.
fn places(kept: &Kept, documents: &[Document], query: &str) -> Vec<usize> {
    let found = kept.subjects(query);
    let places = documents.iter().enumerate();
    let places = places.filter(|(_, document)| found.contains(&document.subject));
    places.map(|(place, _)| place).collect()
}

fn documents() -> Vec<Document> {
    vec![
        actor(1, "Ana Lima", "ana.example.com", ""),
        track(1, 1, "Love", json!({"artist": "old name"})),
        track(2, 2, "Love", json!({"artist": "R.E.M."})),
        track(3, 3, "Love", json!({"artist": "Ana"})),
        track(
            4,
            4,
            "Love",
            json!({"features": [{"did": did(1).as_str(), "displayName": "then"}]}),
        ),
        actor(5, "Love Ana", "love.example.com", ""),
        track(5, 6, "Love", json!({})),
    ]
}

#[test]
fn what_looks_like_a_handle_and_is_nobodys_is_words() {
    let documents = documents();
    let kept = Kept::of(&documents);
    for (query, found) in [
        ("artist:R.E.M.", vec![2]),
        ("love artist:R.E.M.", vec![2]),
        ("love artist:r.e", vec![2]),
        // One that is an artist's is that artist.
        ("love artist:ana.example.com", vec![1, 4]),
        ("love artist:\"ana.example.com\"", vec![1, 4]),
        ("love artist:nobody.example.com", vec![]),
    ] {
        assert_eq!(places(&kept, &documents, query), found, "{query}");
    }
}

#[test]
fn quoted_artists_are_accounts_too() {
    let documents = documents();
    let kept = Kept::of(&documents);
    for (query, found) in [
        ("artist:\"ana lima\"", vec![0, 1, 4]),
        ("artist:\"lima ana\"", vec![]),
        ("\"ana lima\" love", vec![1, 4]),
        ("artist:\"ana\" love", vec![1, 3, 4, 5, 6]),
        ("album:\"ana lima\" love", vec![]),
    ] {
        assert_eq!(places(&kept, &documents, query), found, "{query}");
    }
}

#[test]
fn artists_are_left_out_by_address_and_by_present_name() {
    let documents = documents();
    let kept = Kept::of(&documents);
    let by_did = format!("love -artist:{}", did(1).as_str());
    let other = format!("love -artist:{}", did(5).as_str());
    for (query, found) in [
        (by_did.as_str(), vec![2, 3, 5, 6]),
        // An artist of whom nothing is to be found isn't either.
        (other.as_str(), vec![1, 2, 3, 4]),
        ("love -artist:ana.example.com", vec![2, 3, 5, 6]),
        ("love -artist:\"ana lima\"", vec![2, 3, 5, 6]),
        ("love -artist:ana", vec![2]),
        ("love -artist:R.E.M.", vec![1, 3, 4, 5, 6]),
        ("love -ana", vec![2]),
        ("love -\"ana lima\"", vec![2, 3, 5, 6]),
        ("love -lim", vec![1, 2, 3, 4, 5, 6]),
        ("love -album:ana", vec![1, 2, 3, 4, 5, 6]),
    ] {
        assert_eq!(places(&kept, &documents, query), found, "{query}");
    }
}

#[test]
fn a_handle_that_the_caller_resolved_is_that_account() {
    let documents = documents();
    let kept = Kept::of(&documents);
    // Renamed: the index knows another handle.
    let mut query = Query::parse("love -artist:new.example.com").unwrap();
    query.resolve(&"new.example.com".parse().unwrap(), &did(1));
    let filters = Filters::default();
    let found = kept
        .searcher()
        .search(&query, &filters, ALL, &Nothing, Budget::QUERY)
        .unwrap();
    assert_eq!(found.total.count, 4);
}

/// However many names begin with a word, those that are it are named.
#[test]
fn names_that_are_a_word_come_before_those_that_begin_with_it() {
    let many = MOST_ARTISTS + 10;
    let mut documents = vec![
        actor(1, "Ana", "a.example.com", ""),
        actor(2, "Ana Lima", "b.example.com", ""),
        track(1, 1, "Sunrise", json!({})),
        track(2, 2, "Sunrise", json!({})),
        track(10, 3, "Sunrise", json!({})),
    ];
    for number in 0..many {
        let (name, handle) = (format!("Anatol{number}"), format!("c{number}.example.com"));
        documents.push(actor(10 + number, &name, &handle, ""));
    }
    let kept = Kept::of(&documents);
    assert_eq!(places(&kept, &documents, "sunrise artist:ana"), [2, 3]);
    assert_eq!(places(&kept, &documents, "sunrise ana"), [2, 3]);
    // Too many have it as a word: those that are it are named still.
    for number in 0..many {
        let handle = format!("d{number}.example.com");
        documents.push(actor(200 + number, &format!("Ana {number}"), &handle, ""));
    }
    let kept = Kept::of(&documents);
    assert_eq!(places(&kept, &documents, "sunrise artist:ana"), [2]);
    assert_eq!(places(&kept, &documents, "sunrise -ana"), [3, 4]);
}
