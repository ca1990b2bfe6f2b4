//! The generated types: what is judged valid or tolerated reads, what reads is written back as the
//! very same bytes, and the rest is a misfit that names the place.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // in helpers of tests

mod corpus;
#[allow(dead_code)]
mod shared;

use corpus::{Record, namespace};
use plyr_lexicons::generated::{
    fm_plyr_actor_profile, fm_plyr_comment, fm_plyr_like, fm_plyr_list, fm_plyr_track,
};
use plyr_lexicons::typed::{Blob, Fields, Misfit};
use plyr_lexicons::validate::judge;
use plyr_lexicons::{Collection, Ipld, Typed, Verdict, data};

/// Reads a value as its collection's type and writes it back.
fn round(collection: Collection, value: Ipld) -> Result<Ipld, Misfit> {
    match collection {
        Collection::Track => fm_plyr_track::Track::read(value).map(Typed::write),
        Collection::Like => fm_plyr_like::Like::read(value).map(Typed::write),
        Collection::Comment => fm_plyr_comment::Comment::read(value).map(Typed::write),
        Collection::List => fm_plyr_list::List::read(value).map(Typed::write),
        Collection::Profile => fm_plyr_actor_profile::Profile::read(value).map(Typed::write),
    }
}

/// What came of a record: its verdict, and whether it reads. None when it is no data at all.
fn examine(record: &Record) -> Option<(Verdict, bool)> {
    let value = data::from_json(record.value.to_string().as_bytes()).ok()?;
    let bytes = data::to_cbor(&value).unwrap();
    let judged = judge(&namespace(), record.collection, &value);
    match round(record.collection, value) {
        Ok(again) => {
            let again = data::to_cbor(&again).unwrap();
            assert!(
                again == bytes,
                "{} came back changed: {}",
                record.id,
                record.value
            );
            Some((judged.verdict, true))
        }
        Err(misfit) => {
            let (id, value) = (&record.id, &record.value);
            assert_eq!(judged.verdict, Verdict::Invalid, "{id}: {misfit}: {value}");
            assert!(!misfit.path.is_empty(), "{id}: {misfit}: {value}");
            Some((judged.verdict, false))
        }
    }
}

#[test]
fn records_of_every_age_have_their_verdict_and_survive() {
    for (record, expected) in corpus::of_every_age() {
        let (verdict, _) = examine(&record).unwrap();
        assert_eq!(verdict.as_str(), expected, "{}", record.id);
    }
}

#[test]
fn captured_records_come_back_as_the_same_bytes() {
    let captured = corpus::captured();
    if captured.is_empty() {
        return;
    }
    let examined = captured.iter().filter_map(examine);
    let reading = examined.filter(|(_, reads)| *reads).count();
    // Hostile ones are few.
    assert!(
        reading > 1000 && reading < captured.len(),
        "{reading} of {}",
        captured.len()
    );
    println!(
        "{} captured records, {reading} of them read",
        captured.len()
    );
}

#[test]
fn mutated_records_come_back_or_are_misfits() {
    let mutated = corpus::mutated(20_261_124, 400);
    let examined: Vec<_> = mutated.iter().filter_map(examine).collect();
    let count = |wanted: (Verdict, bool)| examined.iter().filter(|one| **one == wanted).count();
    let seen = [
        count((Verdict::Valid, true)),
        count((Verdict::Tolerated, true)),
        count((Verdict::Invalid, true)),
        count((Verdict::Invalid, false)),
    ];
    println!(
        "of {} mutations (valid, tolerated, invalid, misfit): {seen:?}",
        mutated.len()
    );
    assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
    assert_eq!(seen.iter().sum::<usize>(), examined.len());
}

#[test]
fn a_record_of_another_namespace_keeps_its_type() {
    let json = r#"{"$type":"fm.plyr.dev.like","createdAt":"2026-01-15T10:30:00.000Z",
        "subject":{"uri":"at://alice.test","cid":"x"}}"#;
    let value = data::from_json(json.as_bytes()).unwrap();
    let like = fm_plyr_like::Like::read(value.clone()).unwrap();
    assert_eq!(like.write(), value);
}

#[test]
fn a_record_that_is_made_here_gets_its_type_and_ours_is_kept_apart() {
    let like = fm_plyr_like::Like {
        created_at: "2026-01-15T10:30:00.000Z".to_owned(),
        subject: plyr_lexicons::generated::com_atproto_repo_strong_ref::StrongRef {
            uri: "at://alice.test".to_owned(),
            cid: "x".to_owned(),
            other: Fields::new(),
        },
        other: Fields::new(),
    };
    let value = like.clone().write();
    assert_eq!(data::to_json(&value)["$type"], "fm.plyr.like");
    assert_eq!(
        fm_plyr_like::Like::read(value).unwrap().subject,
        like.subject
    );
}

#[test]
fn a_blob_of_the_oldest_form_can_be_made() {
    let text = "bafkreifnvhfnyy7p3ara2gdyv6krztsd26luv2mi45j7hw3sreq7xjpd24";
    let blob = Blob {
        r#ref: text.parse().unwrap(),
        mime_type: "audio/mpeg".to_owned(),
        size: None,
        other: Fields::new(),
    };
    let written = data::to_json(&blob.clone().write());
    assert_eq!(
        written,
        serde_json::json!({ "cid": text, "mimeType": "audio/mpeg" })
    );
    let sized = Blob {
        size: Some(7),
        ..blob
    };
    assert_eq!(Blob::read(sized.clone().write()), Ok(sized));
}

#[test]
fn misfits_name_the_place_and_closed_or_unknown_members_survive() {
    let track = |labels: &str| {
        let json = format!(
            r#"{{"$type":"fm.plyr.track","title":"t","artist":"a","fileType":"mp3",
            "createdAt":"2026-01-15T10:30:00.000Z","labels":{labels}}}"#
        );
        fm_plyr_track::Track::read(data::from_json(json.as_bytes()).unwrap())
    };
    let misfit =
        track(r#"{"$type":"com.atproto.label.defs#selfLabels","values":[{"val":"x"},{"val":1}]}"#);
    assert_eq!(misfit.unwrap_err().path, "labels.values.1.val");
    let known = track(r#"{"$type":"com.atproto.label.defs#selfLabels","values":[]}"#).unwrap();
    assert!(matches!(
        known.labels,
        Some(fm_plyr_track::TrackLabels::SelfLabels(_))
    ));
    let unknown = track(r#"{"$type":"app.other.thing","values":1}"#).unwrap();
    assert!(matches!(
        unknown.labels,
        Some(fm_plyr_track::TrackLabels::Other(_))
    ));
}
