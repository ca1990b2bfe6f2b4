//! Who and what is hidden is neither found nor counted, and is there again when it shows again.
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests

mod catalogue;

use catalogue::{ALL, Kept, actor, did, list, track};
use plyr_search::{Budget, Document, Excluded, Filters, Found, Hidden, Query};
use serde_json::json;

fn documents() -> Vec<Document> {
    vec![
        actor(1, "Night Owl", "owl.example.com", "night"),
        track(1, 1, "Night", json!({"tags": ["night"]})),
        track(1, 2, "Night Drive", json!({})),
        list(1, 3, "Nights", "album"),
        track(
            2,
            4,
            "Night",
            json!({"features": [{"did": did(1).as_str()}]}),
        ),
        track(2, 5, "Nihgt", json!({"description": "night"})),
    ]
}

fn ask(kept: &Kept, query: &str, excluded: &dyn Excluded) -> Found {
    let query = Query::parse(query).unwrap();
    let filters = Filters::default();
    kept.searcher()
        .search(&query, &filters, ALL, excluded, Budget::QUERY)
        .unwrap()
}

fn subjects(found: &Found) -> Vec<String> {
    let mut subjects: Vec<String> = found.hits.iter().map(|hit| hit.subject.clone()).collect();
    assert_eq!(found.total.count, subjects.len() as u64);
    subjects.sort();
    subjects
}

#[test]
fn of_a_hidden_account_nothing_is_found_nor_counted() {
    let documents = documents();
    let kept = Kept::of(&documents);
    let mut hidden = Hidden::default();
    let all = subjects(&ask(&kept, "night", &hidden));
    assert_eq!(all.len(), 7); // and the tag
    hidden.set_author(&did(1), true);
    let expected = [documents[4].subject.clone(), documents[5].subject.clone()];
    assert_eq!(subjects(&ask(&kept, "night", &hidden)), expected);
    assert!(
        subjects(&ask(&kept, "owl", &hidden)).is_empty(),
        "not by their name either"
    );
    hidden.set_author(&did(1), false);
    assert!(hidden.is_empty());
    assert_eq!(subjects(&ask(&kept, "night", &hidden)), all);
}

#[test]
fn a_hidden_record_is_hidden_alone() {
    let documents = documents();
    let kept = Kept::of(&documents);
    let mut hidden = Hidden::default();
    hidden.set_subject(&documents[1].subject, true);
    let found = subjects(&ask(&kept, "night", &hidden));
    assert!(!found.contains(&documents[1].subject));
    assert!(
        !found.contains(&"night".to_owned()),
        "the tag that nothing else carries"
    );
    assert_eq!(found.len(), 5);
    hidden.set_subject(&documents[1].subject, false);
    assert_eq!(subjects(&ask(&kept, "night", &hidden)).len(), 7);
}
