//! The protocol's words: at-uris, DIDs, handles, NSIDs, record keys, TIDs and times.

use plyr_lexicons::sort_at::parse_datetime;
use plyr_lexicons::validate::is_format;
use plyr_lexicons::{
    AtIdentifier, AtUri, Collection, Did, Handle, Ipld, Namespace, Nsid, RecordKey, RecordUri, Rev,
    SortAt, at_uri, data,
};

/// Reads the bytes as each word of the protocol. What is accepted prints as it was written; two
/// readers of one word agree; and an address put together from words that are valid is read.
pub fn uris(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    address(text);
    words(text);
    time(text);
    tid(text);
    namespace(text);
    let mut parts = text.splitn(3, ' ');
    if let (Some(did), Some(nsid), Some(rkey)) = (parts.next(), parts.next(), parts.next()) {
        put_together(did, nsid, rkey);
    }
}

fn address(text: &str) {
    let read = text.parse::<AtUri>();
    assert_eq!(read.is_ok(), is_format("at-uri", text), "{text:?}");
    let record = text.parse::<RecordUri>();
    let Ok(uri) = read else {
        assert!(record.is_err(), "{text:?}");
        return;
    };
    assert_eq!(uri.to_string(), text);
    assert!(text.len() <= at_uri::MAX_LENGTH);
    let is_record = matches!(
        uri,
        AtUri {
            authority: AtIdentifier::Did(_),
            collection: Some(_),
            rkey: Some(_),
        }
    );
    assert_eq!(record.is_ok(), is_record, "{text:?}");
    if let Ok(record) = record {
        assert_eq!(record.to_string(), text);
    }
}

fn words(text: &str) {
    let did = Did::new(text.to_owned());
    let handle = Handle::new(text.to_owned());
    assert_eq!(did.is_ok(), is_format("did", text), "{text:?}");
    assert_eq!(handle.is_ok(), is_format("handle", text), "{text:?}");
    assert!(did.is_err() || handle.is_err(), "both: {text:?}");
    let either = text.parse::<AtIdentifier>();
    assert_eq!(either.is_ok(), did.is_ok() || handle.is_ok(), "{text:?}");
    let cid = data::cid_of_text(text);
    assert!(cid.is_some() || !is_format("cid", text), "{text:?}");
    if let Some(cid) = cid {
        assert_eq!(data::cid_of_text(&cid.to_string()), Some(cid), "{text:?}");
    }
    for format in ["cid", "language", "nsid", "record-key", "tid", "uri"] {
        if is_format(format, text) {
            assert!(
                !text.is_empty() && !text.contains(char::is_whitespace),
                "{format}: {text:?}"
            );
        }
    }
}

/// A time that the lexicons accept is one that records are sorted by, and written again it is the
/// same time.
fn time(text: &str) {
    let record = Ipld::Map([("createdAt".to_owned(), Ipld::String(text.to_owned()))].into());
    let sorted = SortAt::of(&record, "self");
    let shown = sorted.to_string();
    assert_eq!(parse_datetime(&shown), Some(sorted.0), "{text:?}: {shown}");
    assert!(is_format("datetime", &shown), "{text:?}: {shown}");
    if is_format("datetime", text) {
        assert!(parse_datetime(text).is_some(), "{text:?}");
    }
}

fn tid(text: &str) {
    let rev = Rev::parse(text);
    // The format looks at characters alone; a rev has its top bit to be 0.
    let is_tid =
        is_format("tid", text) && !text.starts_with(['c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']);
    assert_eq!(rev.is_some(), is_tid, "{text:?}");
    let Some(rev) = rev else {
        return;
    };
    assert_eq!(rev.to_string(), text);
    assert_eq!(Rev::from_u64(rev.as_u64()), rev);
    assert!(rev.micros() >= 0 && rev.next() >= rev);
    assert!(is_format("record-key", text), "{text:?}");
}

fn namespace(text: &str) {
    let Ok(namespace) = text.parse::<Namespace>() else {
        return;
    };
    for collection in Collection::ALL {
        let nsid = namespace.nsid(collection).as_str();
        assert_eq!(namespace.collection(nsid), Some(collection), "{text:?}");
    }
}

fn put_together(did: &str, nsid: &str, rkey: &str) {
    let (did, nsid, rkey) = (
        Did::new(did.to_owned()),
        Nsid::new(nsid.to_owned()),
        RecordKey::new(rkey.to_owned()),
    );
    let (Ok(did), Ok(nsid), Ok(rkey)) = (did, nsid, rkey) else {
        return;
    };
    let uri = RecordUri::new(did, nsid, rkey);
    assert_eq!(uri.to_string().parse(), Ok(uri));
}
