//! Tags among hits: how many stand before others, and which of them.
#![allow(clippy::unwrap_used)] // in helpers of tests

mod catalogue;

use catalogue::{ALL, Kept, actor, found, track};
use plyr_search::{
    Document, Hit, Key, Kind, MOST_COUNTED, NO_TIME, Popularity, ROUND, WriterBudget,
};
use serde_json::json;

fn tags(kept: &Kept, query: &str) -> Vec<Hit> {
    let hits = kept.hits(query).into_iter();
    hits.filter(|hit| hit.kind == Kind::Tag).collect()
}

#[test]
fn tags_that_begin_alike_flood_no_page() {
    let all = [
        "rock",
        "romance",
        "roots",
        "rodeo",
        "rocksteady",
        "robots",
        "romantic",
        "rockabilly",
        "roadtrip",
        "rococo",
    ];
    let mut documents: Vec<Document> = (0..20)
        .map(|number| track(number as usize, number, "Song", json!({"tags": all})))
        .collect();
    documents.push(track(30, 30, "Roses", json!({})));
    documents.push(track(31, 31, "Robins", json!({})));
    documents.push(actor(32, "Rosa", "rosa.example.com", ""));
    let hits = Kept::of(&documents).hits("ro");
    let are_tags: Vec<bool> = hits.iter().map(|hit| hit.kind == Kind::Tag).collect();
    assert_eq!(
        are_tags[..ROUND * 2],
        [true, true, true, false, false, false]
    );
    // All are there, behind the others.
    let tags = are_tags.iter().filter(|is_tag| **is_tag);
    assert_eq!(tags.count(), all.len());
}

#[test]
fn a_tag_is_as_popular_as_accounts_use_it() {
    let by = |author: usize, number: u64, tag: &str| {
        track(author, number, "Song", json!({"tags": [tag]}))
    };
    let mut documents: Vec<Document> = (0..60)
        .map(|number| by(1, number, ["rock solo", "Rock-Solo"][number as usize % 2]))
        .collect();
    documents.extend((2..7).map(|author| by(author, 100 + author as u64, "rock crowd")));
    let hits = tags(&Kept::of(&documents), "rock");
    let told: Vec<(&str, Popularity, Option<u64>)> = hits
        .iter()
        .map(|hit| (hit.subject.as_str(), hit.popularity, hit.tracks))
        .collect();
    let crowd = ("rock crowd", Popularity::of_likes(5), Some(5));
    let solo = ("Rock-Solo", Popularity::of_likes(1), Some(60));
    assert_eq!(told, [crowd, solo]);
}

/// What one account has beyond the tracks that are counted hides nobody who comes after it.
#[test]
fn accounts_are_counted_beyond_the_tracks_that_are() {
    let by = |author: usize, number: u64| track(author, number, "Song", json!({"tags": ["rock"]}));
    let most = MOST_COUNTED;
    let mut documents: Vec<Document> = (0..most + 10).map(|number| by(1, number)).collect();
    documents.extend((2..7).map(|author| by(author, most + 100)));
    let kept = Kept::of(&documents);
    let hits = found(&kept.searcher(), "rock", ALL).hits;
    let told = (hits[0].popularity, hits[0].tracks);
    assert_eq!(told, (Popularity::of_likes(6), Some(most)));
}

/// A caller that marks what it has shown knows a tag again.
#[test]
fn the_key_of_a_tag_stays_when_its_spelling_changes() {
    let tagged =
        |author: usize, tag: &str| track(author, author as u64, "One", json!({"tags": [tag]}));
    let kept = Kept::of(&[
        tagged(1, "Hip-Hop"),
        actor(2, "Hip Hop", "hip.example.com", ""),
    ]);
    for hit in kept.hits("hip hop") {
        let address = match hit.kind {
            Kind::Tag => "hip hop",
            _ => hit.subject.as_str(),
        };
        assert_eq!(hit.key, Key::of(address), "{hit:?}");
    }
    let before = tags(&kept, "hip hop");
    let mut writer = kept.index.writer(WriterBudget::LIVE).unwrap();
    for author in [3, 4] {
        writer.put(&tagged(author, "hip hop")).unwrap();
    }
    writer.commit("a.2").unwrap();
    let after = tags(&kept, "hip hop");
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before[0].subject, after[0].subject);
    assert_eq!(before[0].key, after[0].key);
}

/// A track may have a word as a tag and as a genre, written in two ways.
#[test]
fn a_track_that_has_a_tag_twice_counts_once() {
    let twice = json!({"tags": ["electronic"], "genres": ["Electronic", "electronic"]});
    let kept = Kept::of(&[track(1, 1, "One", twice)]);
    let found = tags(&kept, "electronic");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].tracks, Some(1), "{found:?}");
}

/// Who has no profile record has no time either.
#[test]
fn what_has_no_time_is_neither_before_nor_after() {
    let mut timeless = actor(1, "Ana", "ana.example.com", "");
    timeless.sort_at = NO_TIME;
    let mut timely = actor(2, "Ana", "ana.two.example.com", "");
    timely.sort_at = 1;
    let kept = Kept::of(&[timeless, timely.clone()]);
    assert_eq!(kept.subjects("ana").len(), 2);
    assert_eq!(kept.subjects("ana before:1980"), [timely.subject]);
    assert!(kept.subjects("ana after:1980").is_empty());
}
