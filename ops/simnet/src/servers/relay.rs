//! The relay's lists of who has records of what.

use std::sync::Arc;

use serde_json::json;

use super::http::{Answering, Question, Reply};
use crate::network::Shared;
use crate::world::Standing;

/// Repos of a page at most.
const MOST: usize = 1_000;

/// The relay.
pub struct Relay(pub Arc<Shared>);

impl Answering for Relay {
    fn answer(&self, question: &Question) -> Reply {
        match question.path.strip_prefix("/xrpc/") {
            Some("com.atproto.sync.listReposByCollection") => self.repos(question),
            Some("_health") => Reply::json(200, &json!({ "status": "ok" })),
            _ => Reply::error(501, "MethodNotImplemented", "Method Not Implemented"),
        }
    }
}

impl Relay {
    fn repos(&self, question: &Question) -> Reply {
        let from = format!("{}/", question.get("collection"));
        let cursor = question.get("cursor");
        let limit = question.get("limit").parse().unwrap_or(500);
        let limit = std::cmp::Ord::clamp(limit, 1, MOST);
        let world = self.0.world();
        let has_some = |records: &std::collections::BTreeMap<String, _>| {
            let mut next = records.range(from.clone()..);
            next.next().is_some_and(|(key, _)| key.starts_with(&from))
        };
        // Who is hidden for a while is still listed.
        let mut found = world.accounts().filter(|account| {
            account.did.as_str() > cursor
                && account.standing != Standing::Deleted
                && has_some(account.records())
        });
        let page: Vec<&str> = found
            .by_ref()
            .take(limit)
            .map(|account| account.did.as_str())
            .collect();
        let mut body = json!({
            "repos": page.iter().map(|did| json!({ "did": did })).collect::<Vec<_>>(),
        });
        if let (Some(last), Some(_)) = (page.last(), found.next()) {
            body["cursor"] = (*last).into();
        }
        Reply::json(200, &body)
    }
}
