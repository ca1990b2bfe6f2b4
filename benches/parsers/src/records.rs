//! Records: JSON and DAG-CBOR into the data model, and there against the lexicons.

use plyr_lexicons::generated::{
    fm_plyr_actor_profile, fm_plyr_comment, fm_plyr_like, fm_plyr_list, fm_plyr_track,
};
use plyr_lexicons::typed::Misfit;
use plyr_lexicons::validate::judge;
use plyr_lexicons::{Collection, Ipld, Namespace, SortAt, Typed, Verdict, data};

/// Most reasons that are kept of one record.
const MOST_REASONS: usize = 16;

/// Reads the bytes as a record's JSON and as its DAG-CBOR. What is read keeps its bytes and its
/// CID through both forms, whatever is judged valid or tolerated reads as its collection's type,
/// and what reads is written back as the very same bytes.
pub fn records(bytes: &[u8]) {
    if let Ok(value) = data::from_json(bytes) {
        from_json(&value);
        judged(&value);
    }
    if let Ok(value) = data::from_canonical(bytes) {
        let canonical = data::to_cbor(&value).expect("what was read is written");
        assert_eq!(canonical, bytes, "taken, but not in canonical form");
        from_cbor(&value);
        judged(&value);
    }
    // Bytes at rest, whatever they have become.
    if let Ok(value) = data::from_cbor(bytes) {
        drop(data::to_json(&value));
        drop(data::to_json_text(&value));
    }
}

/// JSON loses nothing of what JSON said.
fn from_json(value: &Ipld) {
    from_cbor(value);
    let text = data::to_json_text(value).expect("what was JSON is JSON again");
    let again = data::from_json(&text).expect("JSON of our own is read");
    assert_eq!(again, *value, "changed by its JSON");
    let built = serde_json::to_vec(&data::to_json(value)).expect("JSON is written");
    assert_eq!(
        data::from_json(&built).as_ref(),
        Ok(value),
        "two forms of JSON"
    );
}

/// The canonical bytes of a value are read as the value, and have one CID.
fn from_cbor(value: &Ipld) {
    let canonical = data::to_cbor(value).expect("what was read is written");
    let again = data::from_cbor(&canonical).expect("canonical bytes are read");
    assert_eq!(again, *value, "changed by its DAG-CBOR");
    let bytes = data::to_cbor(&again).expect("what was read is written");
    assert_eq!(
        data::cid_of(&bytes),
        data::cid_of(&canonical),
        "another CID"
    );
}

fn judged(value: &Ipld) {
    let namespace: Namespace = "fm.plyr".parse().expect("a namespace");
    let bytes = data::to_cbor(value).expect("what was read is written");
    for collection in Collection::ALL {
        let judgement = judge(&namespace, collection, value);
        let is_valid = judgement.verdict == Verdict::Valid;
        assert_eq!(judgement.reasons.is_empty(), is_valid, "{judgement:?}");
        assert!(judgement.reasons.len() <= MOST_REASONS, "{judgement:?}");
        match typed(collection, value.clone()) {
            Ok(again) => {
                let again = data::to_cbor(&again).expect("what was read is written");
                assert_eq!(again, bytes, "changed by its type: {collection:?}");
            }
            Err(misfit) => {
                let verdict = judgement.verdict;
                assert_eq!(verdict, Verdict::Invalid, "{collection:?}: {misfit}");
            }
        }
    }
    let shown = SortAt::of(value, "self").to_string();
    let named = plyr_lexicons::sort_at::parse_datetime(&shown);
    assert_eq!(named, Some(SortAt::of(value, "self").0), "{shown}");
}

/// Reads a value as its collection's type and writes it back.
fn typed(collection: Collection, value: Ipld) -> Result<Ipld, Misfit> {
    match collection {
        Collection::Track => fm_plyr_track::Track::read(value).map(Typed::write),
        Collection::Like => fm_plyr_like::Like::read(value).map(Typed::write),
        Collection::Comment => fm_plyr_comment::Comment::read(value).map(Typed::write),
        Collection::List => fm_plyr_list::List::read(value).map(Typed::write),
        Collection::Profile => fm_plyr_actor_profile::Profile::read(value).map(Typed::write),
    }
}
