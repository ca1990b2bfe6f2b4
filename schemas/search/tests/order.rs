//! The order of hits is the documents' alone: not of the order they were written in, nor of
//! commits, segments, replaced and deleted documents; and pages are cuts of it.
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests

mod catalogue;

use catalogue::{ALL, Kept, actor, found, liked_track, list};
use plyr_search::{
    Budget, Document, Filters, Found, Hit, Index, Kind, Nothing, Page, Query, Searcher, Tier,
    WriterBudget,
};
use proptest::prelude::*;
use serde_json::json;

const WORDS: [&str; 24] = [
    "night",
    "Nights",
    "nihgt",
    "drive",
    "driver",
    "Love",
    "lover",
    "the",
    "blue",
    "Blau",
    "déjà",
    "deja",
    "vu",
    "夜",
    "夜の歌",
    "歌",
    "мой",
    "ёлка",
    "❤️",
    "x",
    "remix",
    "Remixed",
    "don't",
    "transit",
];
const QUERIES: [&str; 22] = [
    "night",
    "nig",
    "n",
    "love",
    "lov",
    "the blue",
    "deja vu",
    "deja",
    "夜",
    "夜の歌",
    "мой",
    "елка",
    "❤",
    "x",
    "remix",
    "dont",
    "transitt",
    "\"love the\"",
    "night -the",
    "tag:love",
    "artist:blue",
    "love drive min:100",
];

fn words(most: usize) -> impl Strategy<Value = String> {
    let words = prop::collection::vec(prop::sample::select(&WORDS[..]), 1..=most);
    words.prop_map(|words| words.join(" "))
}

fn document() -> impl Strategy<Value = (usize, usize, String, String, String, String, u64)> {
    let numbers = (0_usize..5, 0_usize..8);
    (numbers, words(4), words(2), words(1), words(5), 0_u64..9).prop_map(
        |((kind, author), title, artist, tag, description, likes)| {
            (kind, author, title, artist, tag, description, likes)
        },
    )
}

fn documents() -> impl Strategy<Value = Vec<Document>> {
    prop::collection::vec(document(), 1..80).prop_map(|made| {
        let made = made.into_iter().enumerate();
        made.map(
            |(number, (kind, author, title, artist, tag, description, likes))| {
                // Times repeat, so that the last rule has to decide too.
                let second = number / 4;
                let more = json!({
                    "artist": artist,
                    "tags": [tag],
                    "description": description,
                    "duration": 50 * likes,
                    "createdAt": format!("2020-01-01T00:00:{second:02}Z"),
                });
                match kind {
                    0 => actor(
                        1000 + number,
                        &title,
                        &format!("a{number}.example.com"),
                        &artist,
                    ),
                    1 => list(author, number as u64, &title, "playlist"),
                    _ => liked_track(author, number as u64, &title, more, likes),
                }
            },
        )
        .collect()
    })
}

/// The same documents by another way: in many commits, many of them replaced, others deleted.
fn by_another_way(documents: &[Document]) -> Kept {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::create(&folder.path().join("index")).unwrap();
    let mut writer = index.writer(WriterBudget::LIVE).unwrap();
    for (place, document) in documents.iter().rev().enumerate() {
        let mut other = document.clone();
        other.texts.reverse();
        other.popularity = plyr_search::Popularity::of_likes(1_000_000);
        writer.put(&other).unwrap();
        let gone = liked_track(
            3,
            5_000 + place as u64,
            "night love 夜 deja vu",
            json!({}),
            7,
        );
        writer.put(&gone).unwrap();
        if place % 7 == 0 {
            writer.commit("a.1").unwrap();
        }
        writer.put(document).unwrap();
        writer.delete(&gone.subject);
        if place % 5 == 0 {
            writer.commit("a.2").unwrap();
        }
    }
    writer.commit("a.3").unwrap();
    drop(writer);
    Kept { folder, index }
}

fn paged(searcher: &Searcher, query: &str, size: usize) -> Vec<Hit> {
    let mut hits = Vec::new();
    loop {
        let page = Page {
            from: hits.len(),
            size,
            count: false,
        };
        let found = found(searcher, query, page);
        assert!(found.hits.len() <= size);
        if found.hits.is_empty() {
            return hits;
        }
        hits.extend(found.hits);
    }
}

/// One word with a typo and another one in a description alone stand above two typos in a name,
/// also where the first page could be filled without descriptions.
#[test]
fn typos_come_in_the_order_of_their_tiers() {
    let documents = [
        liked_track(1, 1, "Midnight", json!({"description": "transit"}), 0),
        liked_track(2, 2, "Midnights transit", json!({}), 9),
    ];
    let (kept, query) = (Kept::of(&documents), "midnigth transit");
    let hits = kept.hits(query);
    let tiers: Vec<Tier> = hits.iter().map(|hit| hit.tier).collect();
    assert_eq!(tiers, [Tier::OneTypo, Tier::TwoTypos]);
    assert_eq!(paged(&kept.searcher(), query, 1), hits);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn two_indexes_of_the_same_documents_answer_the_same(documents in documents()) {
        let (one, other) = (Kept::of(&documents), by_another_way(&documents));
        for query in QUERIES {
            let hits = one.hits(query);
            prop_assert_eq!(&hits, &other.hits(query), "{}", query);
            prop_assert_eq!(&paged(&one.searcher(), query, 3), &hits, "{}", query);
            prop_assert_eq!(&paged(&other.searcher(), query, 7), &hits, "{}", query);
        }
    }

    #[test]
    fn hits_stand_by_tier_and_once_each(documents in documents()) {
        let kept = Kept::of(&documents);
        for query in QUERIES {
            let hits = kept.hits(query);
            let places: Vec<_> = hits.iter().map(|hit| (hit.tier, hit.field)).collect();
            prop_assert!(places.is_sorted(), "{}: {:?}", query, places);
            let mut subjects: Vec<_> = hits.iter().map(|hit| (hit.kind, &hit.subject)).collect();
            subjects.sort();
            subjects.dedup();
            prop_assert_eq!(subjects.len(), hits.len());
        }
    }

    #[test]
    fn the_exact_title_is_first_unless_more_share_it(documents in documents()) {
        let kept = Kept::of(&documents);
        let tracks: Vec<&Document> =
            documents.iter().filter(|document| document.kind == Kind::Track).collect();
        let searcher = kept.searcher();
        for track in &tracks {
            let title = title(track);
            let query = Query::parse(title).unwrap();
            let filters = Filters { kinds: vec![Kind::Track], ..Filters::default() };
            let found = searcher.search(&query, &filters, ALL, &Nothing, Budget::QUERY).unwrap();
            let place = found.hits.iter().position(|hit| hit.subject == track.subject).unwrap();
            let folded = folded(title);
            let sharing = tracks.iter().filter(|other| self::folded(self::title(other)) == folded);
            prop_assert!(place < sharing.count(), "{} at {}", title, place);
            prop_assert_eq!(found.hits[place].tier, Tier::Exact);
        }
    }
}

fn title(document: &Document) -> &str {
    &document.texts[0].1
}

fn folded(title: &str) -> String {
    plyr_search::fold::folded_text(title).replace('\'', "")
}

#[test]
fn what_isnt_counted_is_said() {
    let documents: Vec<Document> = (0..1500)
        .map(|number| {
            let title = if number < 1200 { "night" } else { "night x" };
            liked_track(number, number as u64, title, json!({}), 0)
        })
        .collect();
    let kept = Kept::of(&documents);
    let ask = |query: &str, from: usize, count: bool| -> Found {
        let page = Page {
            from,
            size: 10,
            count,
        };
        found(&kept.searcher(), query, page)
    };
    let counted = ask("night", 0, true);
    assert_eq!((counted.total.count, counted.total.is_exact), (1200, false));
    let all = ask("night x", 0, true);
    assert_eq!((all.total.count, all.total.is_exact), (300, true));
    assert_eq!(ask("night x", 0, false).hits, all.hits);
    assert_eq!(ask("night", 990, false).hits.len(), 10);
    assert_eq!(ask("night", 995, false).hits.len(), 5);
    assert_eq!(ask("night", 1000, true).hits.len(), 0);
}
