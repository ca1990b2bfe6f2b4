//! What an index holds of one subject, and who goes by a name.

mod catalogue;

use catalogue::{Kept, actor, did, track};
use plyr_search::WriterBudget;
use serde_json::json;

#[test]
fn a_subjects_fingerprint_is_that_of_its_present_document() {
    let documents = [
        track(1, 1, "Night", json!({})),
        track(1, 2, "Night", json!({})),
    ];
    let kept = Kept::of(&documents);
    for document in &documents {
        let held = kept.searcher().fingerprint(&document.subject).unwrap();
        assert_eq!(held, Some(document.fingerprint()));
    }
    assert_eq!(kept.searcher().fingerprint("at://nobody").unwrap(), None);
    let changed = track(1, 1, "Day", json!({}));
    let mut writer = kept.index.writer(WriterBudget::LIVE).unwrap();
    writer.put(&changed).unwrap();
    writer.delete(&documents[1].subject);
    writer.commit("a.2").unwrap();
    let searcher = kept.searcher();
    let held = searcher.fingerprint(&changed.subject).unwrap();
    assert_eq!(held, Some(changed.fingerprint()));
    assert_ne!(held, Some(documents[0].fingerprint()));
    assert_eq!(searcher.fingerprint(&documents[1].subject).unwrap(), None);
}

#[test]
fn who_goes_by_a_handle_is_told() {
    let kept = Kept::of(&[
        actor(1, "Ana", "songs.example.com", ""),
        actor(2, "Songs.Example.com", "bea.example.com", ""),
        actor(3, "Songs", "songs.example.org", ""),
    ]);
    let called = |most| {
        let called = kept.searcher().actors_called("songs.example.com", most);
        let mut called = called.unwrap();
        called.sort();
        called
    };
    let mut both = [1, 2].map(|number| did(number).as_str().to_owned());
    both.sort();
    assert_eq!(called(10), both);
    assert_eq!(called(1).len(), 1);
}
