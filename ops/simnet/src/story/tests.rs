use std::collections::BTreeMap;

use plyr_lexicons::data;
use sha2::{Digest, Sha256};

use super::*;

fn plot(seed: u64) -> Plot {
    let plot = Plot::of_seed(seed, "fm.plyr".parse().unwrap());
    Plot {
        artists: 6,
        listeners: 6,
        tracks: 20,
        seconds: (1, 1),
        tunes: 4,
        history: 0,
        ..plot
    }
}

fn acts(plot: Plot, count: usize) -> Vec<Act> {
    Story::new(plot).unwrap().take(count).collect()
}

#[test]
fn a_seed_is_a_story_byte_for_byte() {
    let told = format!("{:?}", acts(plot(5), 600));
    assert_eq!(told, format!("{:?}", acts(plot(5), 600)));
    assert_ne!(told, format!("{:?}", acts(plot(6), 600)));
    // Others remember a seed's at-uris: a change that alters these alters them all.
    let acts = acts(plot(5), 40);
    let of = |record: &&Act| matches!(&record.deed, Deed::Write { ops, .. } if ops.len() == 1);
    let last = acts.iter().rfind(of).unwrap();
    let Deed::Write { ops, .. } = &last.deed else {
        panic!("{last:?}");
    };
    let uri = format!("at://{}/{}/{}", last.did, ops[0].collection, ops[0].rkey);
    let known = "at://did:plc:zypwss2ipqtjp5swzfo22j5k/fm.plyr.track/3mbg5zualy522";
    assert_eq!(uri, known);
}

/// A hash of all that others see of a story: times, DIDs, deeds, keys, and the CIDs of records.
fn fingerprint(plot: Plot) -> String {
    let mut hash = Sha256::new();
    for act in acts(plot, 1_500) {
        hash.update(format!("{} {} {}\n", act.at, act.did, name(&act)));
        let Deed::Write { ops, .. } = act.deed else {
            continue;
        };
        for op in ops {
            let bytes = op.record.map(|record| data::to_cbor(&record).unwrap());
            let cid = bytes.map(|bytes| data::cid_of(&bytes).to_string());
            hash.update(format!("{}/{} {cid:?}\n", op.collection, op.rkey));
        }
    }
    let bytes = hash.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Findings are cited by their seeds: what is added to stories later must not alter those that
/// don't ask for it.
#[test]
fn stories_of_known_seeds_stay_as_they_are() {
    let known = [
        (
            5,
            "c4db19e810dcc50a165a0e6290ce76ae39608170c8f1549a52421cfd75362a3e",
        ),
        (
            12,
            "47b628de264d58b4d819e6df70bc19ae111f5fc4cef9755167f25b196ac54262",
        ),
        (
            3_003,
            "245db98bd11f260987f41189fcd808b8f4f98efa578a22d475c57b1380210e05",
        ),
    ];
    let told = known.map(|(seed, _)| (seed, fingerprint(plot(seed))));
    assert_eq!(told, known.map(|(seed, hash)| (seed, hash.to_owned())));
}

#[test]
fn time_goes_on_and_keys_are_written_once_a_commit() {
    let mut before = BEGINNING;
    for act in acts(plot(7), 2_000) {
        assert!(act.at > before, "{act:?}");
        before = act.at;
        if let Deed::Write { ops, .. } = act.deed {
            let mut keys: Vec<_> = ops.iter().map(|op| (&op.collection, &op.rkey)).collect();
            let count = keys.len();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), count);
        }
    }
}

/// What an act is, as far as it can be told from outside.
fn name(act: &Act) -> &'static str {
    match &act.deed {
        Deed::Join { .. } => "join",
        Deed::Rename { .. } => "rename",
        Deed::Deactivate => "deactivate",
        Deed::Reactivate => "reactivate",
        Deed::TakeDown => "take down",
        Deed::Restore => "restore",
        Deed::Delete => "delete",
        Deed::Move { .. } => "move",
        Deed::OfferLabels => "offer labels",
        Deed::Label { neg: true, .. } => "take a label back",
        Deed::Label { .. } => "label",
        Deed::Write { ops, .. } if ops.len() > 1 => "album",
        Deed::Write { ops, .. } => match (ops[0].collection.as_str(), &ops[0].record) {
            (_, None) => "delete record",
            ("fm.plyr.track", _) => "track",
            ("fm.plyr.like", _) => "like",
            ("fm.plyr.comment", _) => "comment",
            ("fm.plyr.list", _) => "list",
            ("fm.plyr.actor.profile", _) => "profile",
            ("fm.plyr.dev.track", _) => "sibling",
            _ => "other app",
        },
    }
}

#[test]
fn a_long_story_has_every_kind_of_act_in_its_proportions() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for act in acts(plot(9), 8_000) {
        *counts.entry(name(&act)).or_default() += 1;
    }
    let expected = [
        "join",
        "rename",
        "deactivate",
        "reactivate",
        "take down",
        "restore",
        "delete",
        "move",
        "album",
        "delete record",
        "track",
        "like",
        "comment",
        "list",
        "profile",
        "sibling",
        "other app",
    ];
    for kind in expected {
        assert!(counts.contains_key(kind), "{kind} is missing: {counts:?}");
    }
    // 300 and 8 and some odd ones of 804.
    let likes = counts["like"] as f64 / 8_000.0;
    assert!((0.33..0.45).contains(&likes), "{likes} of all are likes");
    let comments = counts["comment"] as f64 / 8_000.0;
    assert!((0.14..0.21).contains(&comments), "{comments} are comments");
}

#[test]
fn proportions_are_given() {
    let mut calm = plot(3);
    for (kind, _) in Proportions::default().all() {
        calm.proportions = calm.proportions.with(*kind, 0);
    }
    calm.proportions = calm.proportions.with(Kind::Comment, 1);
    let story = Story::new(calm).unwrap();
    let opening = story.opening();
    for act in story.skip(opening).take(200) {
        assert_eq!(name(&act), "comment", "{act:?}");
    }
}

#[test]
fn the_opening_publishes_what_was_asked_for() {
    let story = Story::new(plot(4)).unwrap();
    let opening = story.opening();
    let (mut tracks, mut joined) = (0, 0);
    for act in story.take(opening) {
        match act.deed {
            Deed::Join { .. } => joined += 1,
            Deed::Write { ops, .. } => {
                tracks += ops
                    .iter()
                    .filter(|op| op.collection == "fm.plyr.track")
                    .count();
            }
            _ => {}
        }
    }
    assert_eq!((joined, tracks), (12, 20));
}

#[test]
fn a_plot_that_can_not_be_told_says_why() {
    let nobody = Plot {
        artists: 0,
        ..plot(1)
    };
    let told = Story::new(nobody).err().unwrap().to_string();
    assert!(told.contains("artists must be 1"), "{told}");
}

#[test]
fn who_labels_joins_in_the_opening_and_does_nothing_else() {
    let labelled = plot(8);
    let proportions = labelled.proportions.clone();
    let labelled = Plot {
        proportions: proportions.with(Kind::Label, 300).with(Kind::Unlabel, 80),
        ..labelled
    };
    let without = Story::new(plot(8)).unwrap().opening();
    let opening = Story::new(labelled.clone()).unwrap().opening();
    let told = acts(labelled, 2_000);
    assert_eq!(told[..without], acts(plot(8), without));
    let names: Vec<&str> = told[without..opening].iter().map(name).collect();
    assert_eq!(names, ["join", "offer labels", "other app"]);
    let labeler = &told[without].did;
    let mut held = std::collections::HashSet::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for act in &told[opening..] {
        *counts.entry(name(act)).or_default() += 1;
        let Deed::Label {
            uri,
            cid,
            val,
            neg,
            exp,
        } = &act.deed
        else {
            assert_ne!(&act.did, labeler, "{act:?}");
            continue;
        };
        assert_eq!(&act.did, labeler);
        assert!(exp.is_none_or(|exp| exp > act.at && !neg));
        let said = (uri, cid, val);
        match neg {
            false => drop(held.insert(said)),
            true => assert!(held.remove(&said), "{act:?} was never said"),
        }
    }
    let (said, back) = (counts["label"], counts["take a label back"]);
    assert!(
        said > 350 && back > 80 && back * 2 < said,
        "{said} and {back}"
    );
}
