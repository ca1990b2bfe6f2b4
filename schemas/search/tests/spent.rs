//! What searches spend, and what they leave to others of the same request.
#![allow(clippy::unwrap_used)] // in helpers of tests

mod catalogue;

use std::time::Duration;

use catalogue::{ALL, Kept, actor, track};
use plyr_search::{Budget, Document, Filters, Found, Kind, Nothing, Query};
use serde_json::json;

const LARGE: Budget = Budget {
    steps: 1_000_000,
    time: Duration::from_secs(600),
};

fn ask(kept: &Kept, query: &str, kinds: &[Kind], budget: Budget) -> Found {
    let query = Query::parse(query).unwrap();
    let filters = Filters {
        kinds: kinds.to_vec(),
        ..Filters::default()
    };
    let searcher = kept.searcher();
    let found = searcher.search(&query, &filters, ALL, &Nothing, budget);
    found.unwrap()
}

fn spent(found: &Found, budget: Budget) -> u64 {
    budget.steps - found.left.steps
}

fn nights() -> Kept {
    let mut documents: Vec<Document> = (0..300)
        .map(|number| {
            let title = format!("night{number} common");
            let more = json!({"description": "nightly common words", "tags": ["nights"]});
            track(number as usize, number, &title, more)
        })
        .collect();
    documents.push(actor(400, "Nightly", "nightly.example.com", "common"));
    Kept::of(&documents)
}

#[test]
fn the_next_search_has_what_the_last_one_left() {
    let kept = nights();
    let whole = ask(&kept, "common", &[], LARGE);
    let cost = spent(&whole, LARGE);
    assert!(cost > 300, "{cost}");
    assert!(whole.left.time <= LARGE.time);
    // Enough for one and a half.
    let budget = Budget {
        steps: cost * 3 / 2,
        ..LARGE
    };
    let first = ask(&kept, "common", &[], budget);
    assert_eq!((&first.hits, first.is_partial), (&whole.hits, false));
    assert_eq!(first.left.steps, budget.steps - cost);
    let second = ask(&kept, "common", &[], first.left);
    assert!(second.is_partial);
    assert_eq!(second.left.steps, 0);
    let third = ask(&kept, "common", &[], second.left);
    assert!(third.is_partial && third.hits.is_empty());
    let no_time = Budget {
        time: Duration::ZERO,
        ..LARGE
    };
    assert_eq!(ask(&kept, "common", &[], no_time).left.time, Duration::ZERO);
}

#[test]
fn tags_alone_cost_what_tags_do() {
    let kept = nights();
    let found = ask(&kept, "nights", &[Kind::Tag], LARGE);
    assert_eq!((found.hits.len(), found.total.is_exact), (1, true));
    assert_eq!(found.hits[0].subject, "nights");
    // A list is opened, and each of its tracks looked at.
    assert_eq!(spent(&found, LARGE), 300 + 50);
    // Nothing else is to be found: they may spend all.
    let budget = Budget {
        steps: 350,
        ..LARGE
    };
    let found = ask(&kept, "nights", &[Kind::Tag], budget);
    assert_eq!((found.hits.len(), found.is_partial), (1, false));
}

#[test]
fn words_of_what_isnt_wanted_are_only_walked_over() {
    let kept = nights();
    let found = ask(&kept, "nigh", &[Kind::Artist], LARGE);
    assert_eq!(found.hits.len(), 1);
    // To open the lists of all words of titles would cost fifty each.
    let cost = spent(&found, LARGE);
    assert!(cost < 300 * 50, "{cost}");
}
