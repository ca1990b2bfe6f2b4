//! Whether a list and its items are what they must be: each in its place, and what is missing too.

use serde_json::Value;

use crate::answers::{Ask, entries_of};
use crate::compare::{Asked, Disagreement};
use crate::expected::{Item, reference};

/// What stands in a list for an item.
const TRACK: &str = "fm.plyr.feed.defs#trackView";
const HIDDEN: &str = "fm.plyr.graph.defs#hidden";
const NOT_FOUND: &str = "fm.plyr.graph.defs#notFound";
/// Why something of an account that isn't active doesn't show.
const OF_ACCOUNTS: [&str; 4] = [
    "accountDeactivated",
    "accountDeleted",
    "accountTakenDown",
    "accountSuspended",
];

impl<A: Ask> Asked<'_, A> {
    /// A list that shows, and its items in order.
    pub(crate) async fn items(
        &mut self,
        method: &str,
        uri: &str,
        query: &str,
    ) -> Result<(), Disagreement> {
        let pages = self.pages(method, query, "items").await?;
        for page in &pages {
            self.view(uri, &page["list"])?;
        }
        let entries = entries_of(&pages, "items");
        let expected = self.expected.items_in(uri, self.network);
        let subjects: Vec<&Value> = expected.iter().map(|(subject, _)| subject).collect();
        let answered = entries.iter().map(|entry| reference(&entry["subject"]));
        let question = format!("{method}?{query}");
        self.same(&question, &subjects, &answered.collect::<Vec<_>>())?;
        for ((subject, state), entry) in expected.iter().zip(&entries) {
            let subject = subject["uri"].as_str().unwrap_or_default();
            self.item(&format!("{subject} in {question}"), subject, *state, entry)?;
        }
        Ok(())
    }

    /// What stands for a subject in a list.
    fn item(
        &self,
        question: &str,
        subject: &str,
        state: Item,
        entry: &Value,
    ) -> Result<(), Disagreement> {
        let item = &entry["item"];
        let kind = item["$type"].as_str().unwrap_or_default();
        let reason = item["reason"].as_str().unwrap_or_default();
        let (expected, is_right) = match state {
            Item::Track => (TRACK, kind == TRACK),
            Item::NotFound => (NOT_FOUND, kind == NOT_FOUND),
            Item::Hidden => ("hidden as invalid", kind == HIDDEN && reason == "invalid"),
            Item::OfGone => (
                "hidden because of its account, or not found",
                kind == NOT_FOUND || kind == HIDDEN && OF_ACCOUNTS.contains(&reason),
            ),
        };
        if !is_right {
            return Err(Disagreement {
                question: question.to_owned(),
                expected: expected.to_owned(),
                answered: item.to_string(),
            });
        }
        match state {
            Item::Track => self.view(subject, item),
            _ => self.same(question, &subject, &item["uri"]),
        }
    }
}
