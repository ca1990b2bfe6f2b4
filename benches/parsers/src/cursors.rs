//! Cursors: of pages, as clients hand them back, and of streams, as they were stored.

use plyr_appview::ListName;
use plyr_indexer::Protocol;
use plyr_lexicons::Namespace;
use plyr_schemas::StreamCursor;
use url::Url;

/// Reads the bytes as a page's cursor, and as the place that a cursor seals; and as the number
/// where a stream stopped. A cursor that is taken is the one that its list gives out for that
/// place, and none of another list; and a stream goes on where it stopped, or has a gap.
pub fn cursors(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        page(text);
        let list = list();
        let sealed = list.seal(text);
        assert_eq!(list.open(Some(&sealed)), Ok(Some(text.to_owned())));
        page(&sealed);
    }
    if let Some(number) = bytes.first_chunk::<8>() {
        stream(u64::from_be_bytes(*number));
    }
}

fn list() -> ListName {
    ListName::new("fm.plyr.feed.getActorTracks", &["did:plc:a"])
}

fn page(cursor: &str) {
    let list = list();
    let Ok(place) = list.open(Some(cursor)) else {
        assert!(
            list.position(Some(cursor)).is_err(),
            "none, but a position: {cursor}"
        );
        return;
    };
    let other = ListName::new("fm.plyr.feed.getActorTracks", &["did:plc:b"]);
    let is_theirs = other.open(Some(cursor)).is_ok();
    assert!(!is_theirs, "good for two lists: {cursor}");
    let place = place.expect("a cursor was given");
    assert_eq!(list.seal(&place), cursor, "two cursors of one place");
    if let Ok(position) = list.position(Some(cursor)) {
        let position = position.expect("a cursor was given");
        assert_eq!(list.after(&position), cursor, "two cursors of one position");
    }
}

fn stream(position: u64) {
    let stored = StreamCursor {
        source: "ws://host".to_owned(),
        position,
        recent: vec![position],
    };
    let namespace: Namespace = "fm.plyr".parse().expect("a namespace");
    let host: Url = "ws://host".parse().expect("a URL");
    for protocol in [Protocol::V1, Protocol::V2] {
        let start = protocol.start(Some(&stored));
        assert!(
            start.is_gap || start.cursor <= position,
            "{position}: events passed over"
        );
        let number = Protocol::number(&stored);
        if protocol == Protocol::V2 {
            assert!(!start.is_gap, "{position}: v2 takes numbers and times");
            assert!(
                number.is_none_or(|number| number == start.cursor),
                "{position}"
            );
        }
        let address = protocol.address(&host, &namespace, start.cursor, true, true);
        let mut pairs = address.query_pairs();
        let asked = pairs.find_map(|(name, value)| (name == "cursor").then_some(value));
        assert_eq!(
            asked.and_then(|asked| asked.parse().ok()),
            Some(start.cursor)
        );
    }
}
