//! What stands above what: the rules of docs/search.md, one by one.
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests

mod catalogue;

use catalogue::{Kept, actor, liked_track, list, track};
use plyr_search::{Field, Kind, Tier};
use serde_json::json;

fn ranks(kept: &Kept, query: &str) -> Vec<(Tier, Field)> {
    let hits = kept.hits(query).into_iter();
    hits.map(|hit| (hit.tier, hit.field)).collect()
}

#[test]
fn tiers_stand_above_one_another_however_loved_the_lower_is() {
    let documents = [
        liked_track(1, 1, "Transit", json!({}), 0),
        liked_track(2, 2, "Transitory", json!({}), 10),
        liked_track(3, 3, "Night Transit", json!({}), 100),
        liked_track(4, 4, "Night Transitory", json!({}), 1_000),
        liked_track(5, 5, "Night Transti", json!({}), 10_000),
        liked_track(
            6,
            6,
            "Elsewhere",
            json!({"description": "of transit"}),
            100_000,
        ),
        liked_track(7, 7, "Elsewhere", json!({}), 1_000_000),
    ];
    let kept = Kept::of(&documents);
    let expected = [0, 1, 2, 5, 3, 4].map(|place: usize| documents[place].subject.clone());
    assert_eq!(kept.subjects("transit"), expected);
    assert_eq!(
        ranks(&kept, "transit"),
        [
            (Tier::Exact, Field::Name),
            (Tier::Prefix, Field::Name),
            (Tier::Word, Field::Name),
            (Tier::Word, Field::Description),
            (Tier::Start, Field::Name),
            (Tier::OneTypo, Field::Name),
        ]
    );
}

#[test]
fn within_a_tier_fields_then_popularity_then_time() {
    let documents = [
        liked_track(1, 1, "Blue Night", json!({}), 1),
        liked_track(2, 2, "Red Night", json!({}), 100),
        liked_track(3, 3, "x", json!({"artist": "The Night"}), 9_000),
        liked_track(4, 4, "x", json!({"album": "A Night"}), 9_000),
        liked_track(
            5,
            5,
            "x",
            json!({"features": [{"did": "did:web:a.b", "handle": "my.night.example.com"}]}),
            9_000,
        ),
        liked_track(6, 6, "x", json!({"tags": ["late night"]}), 9_000),
        liked_track(7, 7, "x", json!({"genres": ["night"]}), 9_000),
        liked_track(8, 8, "x", json!({"description": "night"}), 9_000),
        track(
            9,
            9,
            "Old Night",
            json!({"createdAt": "2001-01-01T00:00:00Z"}),
        ),
        track(
            9,
            10,
            "Newer Night",
            json!({"createdAt": "2002-01-01T00:00:00Z"}),
        ),
    ];
    let kept = Kept::of(&documents);
    let found = kept.subjects("night");
    let place = |subject: usize| {
        found
            .iter()
            .position(|found| *found == documents[subject].subject)
    };
    // First of all stands the tag of that name.
    assert_eq!(found[0], "night");
    let order = [1, 0, 9, 8, 2, 3, 4];
    let places: Vec<usize> = order.into_iter().filter_map(place).collect();
    assert_eq!(places, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(place(7), Some(10));
}

/// A quoted phrase holds in every tier: its words are whole, and side by side.
#[test]
fn a_phrase_is_one_in_the_prefix_tier_too() {
    let documents = [
        liked_track(1, 1, "Night Drivers", json!({}), 1_000),
        liked_track(2, 2, "A Night Drive", json!({}), 10),
        liked_track(3, 3, "Night Drive Home", json!({}), 0),
        liked_track(4, 4, "Night Drivers", json!({"album": "Night Drive"}), 0),
        liked_track(5, 5, "Night Drive", json!({}), 0),
        liked_track(6, 6, "夜のドライブ", json!({}), 0),
    ];
    let kept = Kept::of(&documents);
    let found = |query: &str| -> Vec<usize> {
        let subjects = kept.subjects(query).into_iter();
        let place = |subject: String| documents.iter().position(|it| it.subject == subject);
        subjects.filter_map(place).collect()
    };
    assert_eq!(found("\"night drive\""), [4, 2, 1, 3]);
    let prefix = (Tier::Prefix, Field::Name);
    assert_eq!(ranks(&kept, "\"night drive\"")[1], prefix);
    assert_eq!(
        ranks(&kept, "\"night drive\"")[3],
        (Tier::Word, Field::Album)
    );
    // A word behind it may begin one.
    assert_eq!(found("\"night drive\" ho"), [2]);
    assert_eq!(ranks(&kept, "\"night drive\" ho"), [prefix]);
    assert_eq!(found("night drive")[..2], [4, 2]);
    // Where words have no spaces between, pairs of characters are what is whole.
    assert_eq!(ranks(&kept, "\"夜の\""), [prefix]);
}

/// A name that is found whole stands above those of which a part is, in the same tier.
#[test]
fn whole_names_stand_before_longer_ones() {
    let documents = [
        liked_track(1, 1, "Comet", json!({}), 0),
        liked_track(2, 2, "Copper Comet", json!({}), 1_000),
        liked_track(3, 3, "The Harmony", json!({}), 0),
        liked_track(4, 4, "Harmony in the Storm", json!({}), 1_000),
        liked_track(5, 5, "4 (feat. Ana)", json!({}), 0),
        liked_track(6, 6, "44 Ravens", json!({}), 1_000),
        actor(7, "Ana Lima", "sunflower.example.com", ""),
        liked_track(8, 8, "Ana and Lima", json!({}), 1_000),
        liked_track(9, 9, "Other", json!({"artist": "Comet"}), 1_000),
        liked_track(10, 10, "Comet Comet", json!({"artist": "x"}), 1),
    ];
    let kept = Kept::of(&documents);
    let found = |query: &str| -> Vec<(usize, bool)> {
        let hits = kept.hits(query).into_iter();
        let hits = hits.filter_map(|hit| {
            let place = documents.iter().position(|it| it.subject == hit.subject);
            Some((place?, hit.is_whole))
        });
        hits.collect()
    };
    let typo = [(9, true), (0, true), (1, false), (8, false)];
    assert_eq!(found("comett"), typo);
    assert_eq!(found("the haromny"), [(2, true), (3, false)]);
    assert_eq!(found("harmony the"), [(2, true), (3, false)]);
    assert_eq!(found("har the"), [(2, true), (3, false)]);
    assert_eq!(found("4"), [(4, true), (5, false)]);
    assert_eq!(found("lima ana"), [(6, true), (7, false)]);
    // A beginning inside a word is none.
    assert!(found("flower").is_empty());
}

/// Of a word in a script without spaces all pairs may be there and the word not.
#[test]
fn pairs_that_are_apart_stand_below_the_word() {
    let documents = [
        liked_track(1, 1, "新東京都", json!({}), 0),
        liked_track(2, 2, "東京と京都", json!({}), 100),
        liked_track(3, 3, "x", json!({"artist": "東京", "album": "京都"}), 1_000),
        liked_track(4, 4, "x", json!({"description": "新しい東京都"}), 0),
    ];
    let kept = Kept::of(&documents);
    let expected = [0, 3, 1, 2].map(|place: usize| documents[place].subject.clone());
    assert_eq!(kept.subjects("東京都"), expected);
    assert_eq!(
        ranks(&kept, "東京都"),
        [
            (Tier::Word, Field::Name),
            (Tier::Word, Field::Description),
            (Tier::Start, Field::Name),
            (Tier::Start, Field::Album),
        ]
    );
}

/// Two characters of a script without spaces are one pair, and no one character's whole name.
#[test]
fn one_character_is_no_longer_name() {
    let documents = [
        liked_track(1, 1, "の夜", json!({}), 100),
        liked_track(2, 2, "今夜", json!({"artist": "夜"}), 10),
        liked_track(3, 3, "歌 夜の", json!({}), 1),
    ];
    let kept = Kept::of(&documents);
    let whole = |query: &str| -> Vec<bool> {
        let hits = kept.hits(query).into_iter();
        hits.map(|hit| hit.is_whole).collect()
    };
    assert_eq!(whole("夜"), [false; 3]);
    assert_eq!(whole("夜の 歌"), [true]);
}

/// A flag is one sign, and so is what is joined to one: neither is found by its parts.
#[test]
fn what_is_shown_as_one_emoji_is_found_as_one() {
    let documents = [
        track(1, 1, "🇯🇵 Tour", json!({})),
        track(2, 2, "Live 🇵🇱🇯🇲", json!({})),
        track(3, 3, "👩🏽\u{200d}🚀 Launch", json!({})),
        track(4, 4, "🚀 for 👩", json!({})),
    ];
    let kept = Kept::of(&documents);
    let found = |query: &str| -> Vec<usize> {
        let subjects = kept.subjects(query).into_iter();
        let place = |subject: String| documents.iter().position(|it| it.subject == subject);
        subjects.filter_map(place).collect()
    };
    assert_eq!(found("🇯🇵"), [0]);
    assert_eq!(found("🇯🇲"), [1]);
    assert_eq!(found("\"🇵🇱\" live"), [1]);
    assert!(found("🇯").is_empty());
    assert_eq!(found("👩\u{200d}🚀"), [2]);
    assert_eq!(found("\"👩🏿\u{200d}🚀 launch\""), [2]);
    assert_eq!(found("👩"), [3]);
    assert_eq!(found("👩🚀"), [3]);
}

#[test]
fn words_may_be_swapped_and_stand_in_several_fields() {
    let documents = [
        track(1, 1, "Sunrise", json!({"artist": "Ana Lima"})),
        track(2, 2, "Sunrise", json!({"artist": "Other"})),
        track(3, 3, "Ana", json!({"artist": "Sunrise"})),
    ];
    let kept = Kept::of(&documents);
    let both = [documents[2].subject.clone(), documents[0].subject.clone()];
    assert_eq!(kept.subjects("ana sunrise"), both);
    assert_eq!(
        kept.subjects("sunrise lima"),
        std::slice::from_ref(&documents[0].subject)
    );
    assert_eq!(ranks(&kept, "lima sunrise"), [(Tier::Word, Field::Artist)]);
}

#[test]
fn however_it_is_written_it_is_found() {
    let documents = [
        track(1, 1, "Don’t Stop", json!({})),
        track(2, 2, "夜のドライブ", json!({})),
        track(3, 3, "Сон й Ёлка", json!({})),
        track(4, 4, "❤️ only", json!({})),
        track(5, 5, "Röyksopp Forever", json!({})),
        track(6, 6, "사랑해 그대", json!({})),
        track(7, 7, "أُغنية", json!({})),
        track(8, 8, "!!!", json!({})),
        track(9, 9, "x", json!({})),
        track(10, 10, "The The", json!({})),
        track(11, 11, "قناة ٢٤", json!({})),
        track(12, 12, "می\u{200c}خواهم", json!({})),
        track(13, 13, "Mid\u{202b}way", json!({})),
        track(14, 14, "צה״ל צ׳יפס", json!({})),
    ];
    let kept = Kept::of(&documents);
    for (query, place) in [
        ("dont stop", 0),
        ("DON'T", 0),
        ("ドライブ", 1),
        ("夜", 1),
        ("ﾄﾞﾗｲﾌﾞ", 1),
        ("елка", 2),
        ("❤", 3),
        ("royksopp", 4),
        ("ryksopp", 4),
        ("사랑", 5),
        ("اغنية", 6),
        ("!!!", 7),
        ("X", 8),
        ("the the", 9),
        ("the", 9),
        ("사라", 5),
        ("사랑ㅎ", 5),
        ("24", 10),
        ("۲۴", 10),
        ("می\u{200c}خواهم", 11),
        ("ميخواهم", 11),
        ("midway", 12),
        ("mid\u{202b}way", 12),
        ("צהל", 13),
        ("צ'יפס", 13),
    ] {
        assert_eq!(
            kept.subjects(query),
            std::slice::from_ref(&documents[place].subject),
            "{query}"
        );
    }
}

#[test]
fn operators_narrow_what_is_found() {
    let documents = [
        track(
            1,
            1,
            "Blue Night",
            json!({"artist": "Ana", "duration": 90, "tags": ["Hip-Hop"]}),
        ),
        track(
            2,
            2,
            "Blue Night",
            json!({"artist": "Bo", "duration": 200, "album": "First"}),
        ),
        track(
            3,
            3,
            "Night of Blue",
            json!({"tags": ["hip hop", "ai"], "duration": 300}),
        ),
        list(4, 4, "Blue Night", "playlist"),
        list(4, 5, "First", "album"),
        track(
            5,
            6,
            "Blue Night",
            json!({"createdAt": "2020-01-01T00:00:00Z"}),
        ),
    ];
    let kept = Kept::of(&documents);
    for (query, mut places) in [
        ("blue night artist:ana", vec![0]),
        ("\"blue night\"", vec![0, 1, 3, 5]),
        ("\"night blue\"", vec![]),
        ("\"night of blue\"", vec![2]),
        ("blue -of", vec![0, 1, 3, 5]),
        ("blue -\"blue night\"", vec![2]),
        ("album:first", vec![1, 4]),
        ("tag:\"hip hop\"", vec![0, 2]),
        ("blue tag:hip-hop -tag:ai", vec![0]),
        ("blue min:1:30 max:200", vec![0, 1]),
        ("blue before:2021", vec![5]),
        (
            "blue night after:2021 -artist:ana -album:first -of",
            vec![3],
        ),
        ("artist:bob blue", vec![]),
    ] {
        let mut found = kept.subjects(query);
        found.sort();
        places.sort_by_key(|place| documents[*place].subject.clone());
        let expected: Vec<String> = places
            .into_iter()
            .map(|place: usize| documents[place].subject.clone())
            .collect();
        assert_eq!(found, expected, "{query}");
    }
}

/// An operator narrows what is found and is no word of it: titles stand first all the same.
#[test]
fn under_an_operator_fields_stand_in_their_order() {
    let more =
        |artist: &str, album: &str| json!({"artist": artist, "album": album, "tags": ["jazz"]});
    let documents = [
        liked_track(1, 1, "Deep Night", more("Ana", "First"), 0),
        liked_track(1, 2, "Other", more("Ana Night", "First"), 10),
        liked_track(1, 3, "Other", more("Ana", "First Night"), 100),
        liked_track(1, 4, "Comet", more("Ana", "First"), 0),
        liked_track(1, 5, "Copper Comet", more("Ana", "First"), 100),
    ];
    let kept = Kept::of(&documents);
    let by_did = format!("artist:{}", catalogue::did(1).as_str());
    for operator in [
        "tag:jazz",
        &by_did,
        "artist:ana",
        "artist:\"ana\"",
        "album:first",
        "tag:jazz artist:ana album:first",
    ] {
        let query = format!("{operator} night");
        let night = [0, 1, 2].map(|place: usize| documents[place].subject.clone());
        assert_eq!(kept.subjects(&query), night, "{query}");
        let fields = [Field::Name, Field::Artist, Field::Album];
        let fields = fields.map(|field| (Tier::Word, field));
        assert_eq!(ranks(&kept, &query), fields, "{query}");
        // Whole names stand first too.
        let query = format!("{operator} comett");
        let comet = [3, 4].map(|place: usize| documents[place].subject.clone());
        assert_eq!(kept.subjects(&query), comet, "{query}");
        assert!(kept.hits(&query)[0].is_whole, "{query}");
    }
    // Where there is no word it is what was found.
    assert_eq!(ranks(&kept, "tag:jazz")[0], (Tier::Word, Field::Tag));
}

#[test]
fn artists_are_found_by_name_handle_and_bio_and_their_tracks_by_their_present_name() {
    let documents = [
        actor(1, "Ana Lima", "sunflower.example.com", "fado from Porto"),
        track(1, 1, "Sunrise", json!({"artist": "old name"})),
        track(
            2,
            2,
            "Sunrise",
            json!({"features": [{"did": catalogue::did(1).as_str()}]}),
        ),
        track(3, 3, "Sunrise", json!({})),
    ];
    let kept = Kept::of(&documents);
    let artist = documents[0].subject.clone();
    assert_eq!(kept.subjects("ana lima")[0], artist);
    assert_eq!(
        kept.subjects("sunflower.example.com"),
        std::slice::from_ref(&artist)
    );
    assert_eq!(kept.subjects("porto"), std::slice::from_ref(&artist));
    assert_eq!(kept.hits("ana lima")[0].kind, Kind::Artist);
    let by_name = kept.subjects("lima sunrise");
    assert_eq!(
        by_name,
        [documents[1].subject.clone(), documents[2].subject.clone()]
    );
    let sunflower = kept.subjects("sunflower");
    assert_eq!(sunflower, [artist, by_name[0].clone(), by_name[1].clone()]);
    let by_did = format!("artist:{} sunrise", catalogue::did(1).as_str());
    // Whole titles now: the newer stands first.
    assert_eq!(
        kept.subjects(&by_did),
        [by_name[1].clone(), by_name[0].clone()]
    );
    assert!(kept.subjects("example").is_empty());
}

/// Whoever is featured is found by what they chose of their handle.
#[test]
fn of_a_featured_handle_the_chosen_labels_are_words() {
    let feature = json!({"features": [{"did": "did:web:a.b", "handle": "@nova.bsky.social"}]});
    let documents = [
        track(1, 1, "Sunrise", feature),
        track(2, 2, "Social", json!({})),
    ];
    let kept = Kept::of(&documents);
    assert_eq!(
        kept.subjects("nova"),
        std::slice::from_ref(&documents[0].subject)
    );
    assert_eq!(
        kept.subjects("social"),
        std::slice::from_ref(&documents[1].subject)
    );
    assert!(kept.subjects("bsky").is_empty());
}

/// A title may look like operators. It is found as it was typed, though its words may leave it out.
#[test]
fn a_pasted_title_that_looks_like_operators_is_found() {
    let documents = [
        track(1, 1, "Colors -Melody-", json!({})),
        track(2, 2, "Colors", json!({})),
        track(3, 3, "Best of tag:pop min:3", json!({})),
        track(4, 4, "Melody", json!({})),
        track(5, 5, "Colors Melody", json!({})),
    ];
    let kept = Kept::of(&documents);
    let colors = [documents[0].subject.clone(), documents[1].subject.clone()];
    let mut found = kept.subjects("Colors -Melody-");
    found.sort();
    assert_eq!(found, colors);
    assert!(
        ranks(&kept, "Colors -Melody-")
            .iter()
            .all(|rank| rank.0 == Tier::Exact)
    );
    let best = std::slice::from_ref(&documents[2].subject);
    assert_eq!(kept.subjects("best of tag:pop min:3"), best);
    assert_eq!(kept.subjects("colors -melodi").len(), 3);
    assert_eq!(kept.subjects("colors -melody -x"), colors[1..]);
}

#[test]
fn one_artist_doesnt_flood_a_page() {
    let mut documents: Vec<_> = (0..40)
        .map(|number| liked_track(1, number, &format!("Love {number}"), json!({}), 50))
        .collect();
    documents.push(track(2, 100, "Love you", json!({})));
    documents.push(track(3, 101, "Love me", json!({})));
    let kept = Kept::of(&documents);
    let found = kept.subjects("love");
    assert_eq!(found.len(), 42);
    let others = [documents[41].subject.clone(), documents[40].subject.clone()];
    assert_eq!(found[3..5], others);
}

#[test]
fn tags_are_hits_while_a_track_that_shows_carries_them() {
    let documents = [
        track(1, 1, "One", json!({"tags": ["Hip-Hop", "jazz"]})),
        track(2, 2, "Two", json!({"tags": ["hip hop"]})),
        track(3, 3, "Three", json!({"genres": ["Hip-Hop", "hip house"]})),
    ];
    let kept = Kept::of(&documents);
    let tags = |query: &str| -> Vec<(String, Tier)> {
        let hits = kept.hits(query).into_iter();
        let tags = hits.filter(|hit| hit.kind == Kind::Tag);
        tags.map(|hit| (hit.subject, hit.tier)).collect()
    };
    let hip_hop = ("Hip-Hop".to_owned(), Tier::Prefix);
    assert_eq!(
        tags("hip"),
        [hip_hop, ("hip house".to_owned(), Tier::Prefix)]
    );
    assert_eq!(tags("hip hop"), [("Hip-Hop".to_owned(), Tier::Exact)]);
    assert_eq!(tags("#jazz"), [("jazz".to_owned(), Tier::Exact)]);
    assert!(tags("jazz -one").is_empty());
    let mut writer = kept.index.writer(plyr_search::WriterBudget::LIVE).unwrap();
    writer.delete(&documents[0].subject);
    writer.commit("a.2").unwrap();
    assert!(tags("jazz").is_empty());
    assert_eq!(tags("hip hop"), [("Hip-Hop".to_owned(), Tier::Exact)]);
}
