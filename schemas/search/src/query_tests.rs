use proptest::prelude::*;

use super::*;

fn words(text: &str) -> Vec<String> {
    let query = Query::parse(text).unwrap();
    query.words.into_iter().map(|word| word.text).collect()
}

#[test]
fn words_phrases_and_what_is_left_out() {
    let query = Query::parse("Night \"In the City\" drive -live -\"radio edit\" -hip-hop").unwrap();
    assert_eq!(words("Night drive"), ["night", "drive"]);
    assert_eq!(query.key, "night in the city drive");
    assert_eq!(query.phrases.len(), 1);
    assert_eq!(query.phrases[0].words[2], ("city".to_owned(), 2));
    let without: Vec<Vec<&str>> = query
        .without
        .iter()
        .filter_map(|without| match without {
            Without::Phrase(phrase) => Some(phrase),
            Without::Tag(_) | Without::Artist(..) => None,
        })
        .map(|phrase| phrase.words.iter().map(|word| word.0.as_str()).collect())
        .collect();
    assert_eq!(
        without,
        [vec!["live"], vec!["radio", "edit"], vec!["hip", "hop"]]
    );
}

#[test]
fn operators() {
    let query = Query::parse(
        "artist:Ana album:\"First Light\" tag:#Hip-Hop -tag:ai min:1:30 MAX:600 after:2024 \
         before:2024-05-01 song",
    )
    .unwrap();
    assert_eq!(query.key, "song");
    assert_eq!(query.words[0].scope, Scope::Artist);
    assert_eq!(query.phrases[0].scope, Scope::Album);
    assert_eq!(query.tags, ["hip hop"]);
    assert_eq!(query.without, [Without::Tag("ai".to_owned())]);
    assert_eq!((query.min, query.max), (Some(90), Some(600)));
    assert_eq!(query.after, Some(1_704_067_200_000_000));
    assert_eq!(query.before, Some(1_714_521_600_000_000));
}

#[test]
fn an_artist_by_address_is_the_callers_to_resolve() {
    let mut query = Query::parse("artist:@Alice.com love").unwrap();
    let handle: Handle = "alice.com".parse().unwrap();
    assert_eq!(query.artist_handles().collect::<Vec<_>>(), [&handle]);
    let did: Did = "did:plc:abcdefghijklmnopqrstuvwx".parse().unwrap();
    query.resolve(&handle, &did);
    assert_eq!(query.artist_handles().count(), 0);
    assert_eq!(query.artists[0].actor, AtIdentifier::Did(did.clone()));
    let mut query = Query::parse("love -artist:alice.com").unwrap();
    assert_eq!(query.artist_handles().collect::<Vec<_>>(), [&handle]);
    query.resolve(&handle, &did);
    assert_eq!(query.artist_handles().count(), 0);
    // In quotes stands a name.
    let query = Query::parse("artist:\"alice.com\"").unwrap();
    assert_eq!(query.artist_handles().count(), 0);
    assert_eq!(query.phrases[0].key, "alice com");
}

#[test]
fn what_is_an_address_alone_and_what_narrows_a_search() {
    for (text, has_words, narrows) in [
        ("@alice.com", true, false),
        ("alice.com/", true, false),
        ("https://bsky.app/profile/alice.com", false, false),
        ("plyr.fm/u/alice.com", false, false),
        ("at://alice.com", false, false),
        ("did:plc:abcdefghijklmnopqrstuvwx", false, false),
        ("did:plc:abcdefghijklmnopqrstuvwx -live", false, true),
        ("alice.com -artist:bob.com", true, true),
        ("at://alice.com max:90", false, true),
        ("night min:60", true, true),
        ("night after:2024", true, true),
        ("night before:2024", true, true),
        ("night artist:ana", true, false),
    ] {
        let query = Query::parse(text).unwrap();
        let read = (query.has_words(), query.narrows(), query.named().is_empty());
        let names = !text.starts_with("night");
        assert_eq!(read, (has_words, narrows, !names), "{text}");
    }
}

#[test]
fn no_more_than_ten_names_are_looked_up() {
    let handle = |number: usize| format!("a{number}.example.com");
    let artists = |numbers: std::ops::Range<usize>, before: &str| -> String {
        let artists = numbers.map(|number| format!("{before}{} ", handle(number)));
        artists.collect()
    };
    let asked = |query: &Query| -> Vec<String> {
        let handles = query.artist_handles();
        handles.map(|handle| handle.as_str().to_owned()).collect()
    };
    let did: Did = "did:plc:abcdefghijklmnopqrstuvwx".parse().unwrap();
    let text = artists(0..7, "artist:") + &artists(0..9, "artist:") + &artists(9..14, "-artist:");
    let mut query = Query::parse(&text).unwrap();
    let first: Vec<String> = (0..10).map(handle).collect();
    assert_eq!(asked(&query), first);
    // What is looked up doesn't make room for others, and these stay handles.
    for name in &first {
        query.resolve(&name.parse().unwrap(), &did);
    }
    assert!(asked(&query).is_empty());
    let stays = |without: &Without| matches!(without, Without::Artist(AtIdentifier::Handle(_), _));
    assert_eq!(query.without.iter().filter(|it| stays(it)).count(), 4);
    let query = Query::parse(&(artists(0..8, "@") + &artists(20..29, "artist:"))).unwrap();
    assert_eq!((query.named().len(), asked(&query).len()), (8, 2));
    let query = Query::parse(&(artists(0..30, "@") + "artist:b.example.com")).unwrap();
    assert_eq!((query.named().len(), asked(&query).len()), (10, 0));
    // They are words all the same.
    assert!(query.key.ends_with("a29 example com"));
}

#[test]
fn what_is_typed_so_far_is_read() {
    for unfinished in [
        "after:2",
        "after:202",
        "before:2024-",
        "before:2024-1",
        "min:1:",
        "min:x",
        "max:",
        "MAX:",
        "artist:",
        "-tag:",
        "AFTER:20",
    ] {
        let typed = Query::parse_while_typing(&format!("night {unfinished}")).unwrap();
        let before = Query::parse("night").unwrap();
        assert_eq!(
            (&typed.key, &typed.words),
            (&before.key, &before.words),
            "{unfinished}"
        );
        assert_eq!(
            (typed.min, typed.max, typed.after, typed.before),
            (None, None, None, None)
        );
        let alone = Query::parse_while_typing(unfinished);
        assert_eq!(alone, Err(QueryError::NothingToFind), "{unfinished}");
    }
    for text in ["after:202 night", "night after:202 ", "night min:\"1:\""] {
        let problem = Query::parse_while_typing(text).unwrap_err();
        assert!(matches!(problem, QueryError::Operand { .. }), "{text}");
    }
    let typed = Query::parse_while_typing("night after:2024").unwrap();
    assert_eq!(typed.after, Some(1_704_067_200_000_000));
    assert_eq!(Query::parse_while_typing(" "), Err(QueryError::Empty));
    assert_eq!(
        Query::parse_while_typing("-x"),
        Err(QueryError::NothingToFind)
    );
    assert_eq!(words("night max:"), ["night", "max"]);
}

#[test]
fn what_is_pasted_names_something() {
    let query = Query::parse(" at://alice.com/fm.plyr.track/3lxmoe5k2xs2a ").unwrap();
    assert_eq!(query.named().len(), 1);
    assert!(!query.has_words());
    let query = Query::parse("mr.blue").unwrap();
    assert_eq!(query.named().len(), 1);
    assert_eq!(query.key, "mr blue");
}

#[test]
fn odd_input_is_answered_or_named() {
    for (text, problem) in [
        ("", QueryError::Empty),
        ("  \0\u{202e}\u{200b} ", QueryError::Empty),
        ("\"\"", QueryError::Empty),
        ("\"", QueryError::Empty),
        ("-x", QueryError::NothingToFind),
        ("after:2024 min:3", QueryError::NothingToFind),
        (&"x".repeat(2000), QueryError::TooLong(2000)),
        (&"a ".repeat(10_000), QueryError::TooLong(20_000)),
        (&"a ".repeat(200), QueryError::TooManyWords(200)),
    ] {
        assert_eq!(Query::parse(text), Err(problem), "{text:?}");
    }
    for text in [
        "min:x a",
        "max:1:75 a",
        "min:1:2:3:4 a",
        "min:99999999999999999999 a",
        "after:soon a",
        "before:2024-13 a",
        "after:9 a",
    ] {
        let problem = Query::parse(text).unwrap_err();
        assert!(matches!(problem, QueryError::Operand { .. }), "{text}");
    }
}

#[test]
fn a_bound_behind_a_minus_is_refused_with_what_to_write() {
    for (text, message) in [
        ("a -min:90", "`-min:90` leaves nothing out; write `max:90`"),
        (
            "a -MAX:1:30",
            "`-max:1:30` leaves nothing out; write `min:1:30`",
        ),
        (
            "a -after:2024",
            "`-after:2024` leaves nothing out; write `before:2024`",
        ),
        (
            "a -before:2024",
            "`-before:2024` leaves nothing out; write `after:2024`",
        ),
    ] {
        assert_eq!(Query::parse(text).unwrap_err().to_string(), message);
    }
}

/// What documents drop is dropped here too: folding is the same on both sides.
#[test]
fn what_has_no_shape_is_nothing() {
    for text in [
        "ni\u{202e}ght",
        "ni\u{200f}gh\u{200c}t",
        "\u{2067}night\u{2069}",
        "\u{feff}night",
    ] {
        assert_eq!(words(text), ["night"], "{text:?}");
    }
    let query = Query::parse("a \u{202b}-night").unwrap();
    assert_eq!(query.without.len(), 1);
}

#[test]
fn what_only_looks_like_an_operator_is_words() {
    assert_eq!(words("artist: ana"), ["artist", "ana"]);
    assert_eq!(words("re:birth"), ["re", "birth"]);
    assert_eq!(words("\"not closed"), ["not", "closed"]);
    assert_eq!(words("a - b"), ["a", "b"]);
    assert_eq!(words("Simon & Garfunkel"), ["simon", "garfunkel"]);
    assert_eq!(words("!!!"), ["!!!"]);
    assert_eq!(words("-"), ["-"]);
    assert_eq!(words("the the"), ["the"]);
    assert_eq!(words("\u{202e}abc\0def"), ["abc", "def"]);
}

proptest! {
    #[test]
    fn anything_is_read(text in any::<String>()) {
        let whole = Query::parse(&text);
        let typed = Query::parse_while_typing(&text);
        // Typing on refuses nothing that could be asked, but for operators without an operand.
        prop_assert!(typed.is_ok() || whole.is_err() || text.trim_end().ends_with([':', '：']));
    }

    #[test]
    fn anything_of_the_language_is_read(
        text in prop::collection::vec(
            prop::sample::select(vec![
                "\"", "-", ":", "artist:", "album:", "tag:", "min:", "max:", "after:", "before:",
                " ", "a", "日", "2024", "1:30", "did:plc:x", "at://", "\0", "❤️", "'",
            ]),
            0..40,
        ),
    ) {
        if let Ok(query) = Query::parse(&text.concat()) {
            prop_assert!(query.has_words() || !query.named().is_empty());
        }
    }

    #[test]
    fn plain_words_are_all_asked_for(words in prop::collection::vec("[a-z]{1,9}", 1..8)) {
        let query = Query::parse(&words.join(" ")).unwrap();
        prop_assert_eq!(&query.key, &words.join(" "));
        for word in &words {
            prop_assert!(query.words.iter().any(|asked| asked.text == *word));
        }
    }
}
