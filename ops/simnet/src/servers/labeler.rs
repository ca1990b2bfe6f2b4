//! The labeler: what it says, by question and by subscription, as Ozone answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plyr_lexicons::data;
use serde_json::json;
use tokio::sync::watch;

use super::http::{Answering, Question, Reply, Socket, Talk};
use super::subscription::Subscription;
use crate::faults::LabelFaults;
use crate::network::Shared;

/// Labels of a page: unless told otherwise, and at most.
const PAGE: usize = 50;
const MOST: usize = 250;

/// The labeler.
pub struct Labeler {
    /// The network.
    pub shared: Arc<Shared>,
    /// Decides when something goes wrong.
    pub seed: u64,
    /// Labels that can be told again to who subscribes; older ones are only answered.
    pub keep: usize,
    /// What goes wrong on its stream.
    pub faults: watch::Receiver<LabelFaults>,
    /// The number of the last label.
    pub grown: watch::Sender<u64>,
    /// Subscriptions that were ever made.
    pub subscriptions: AtomicU64,
}

impl Answering for Labeler {
    fn answer(&self, question: &Question) -> Reply {
        match question.path.strip_prefix("/xrpc/") {
            Some("com.atproto.label.queryLabels") => self.labels(question),
            Some("com.atproto.label.subscribeLabels") => {
                Reply::error(426, "InvalidRequest", "this is told over a websocket")
            }
            Some("_health") => Reply::json(200, &json!({ "version": env!("CARGO_PKG_VERSION") })),
            _ => Reply::error(501, "MethodNotImplemented", "Method Not Implemented"),
        }
    }

    fn talk(self: Arc<Self>, question: &Question) -> Option<Talk> {
        if question.path != "/xrpc/com.atproto.label.subscribeLabels" {
            return None;
        }
        let number = self.subscriptions.fetch_add(1, Ordering::Relaxed) + 1;
        let subscription = Subscription::new(self, number);
        let cursor = question.all("cursor").next().map(str::to_owned);
        let talk = move |socket: Socket| -> futures_util::future::BoxFuture<'static, _> {
            Box::pin(subscription.run(socket, cursor))
        };
        Some(Box::new(talk))
    }
}

impl Labeler {
    /// Labels of what matches a pattern, in the order of their numbers.
    fn labels(&self, question: &Question) -> Reply {
        let patterns: Vec<&str> = question.all("uriPatterns").collect();
        let sources: Vec<&str> = question.all("sources").collect();
        let refused = |message: &str| Reply::error(400, "InvalidRequest", message);
        if patterns.is_empty() {
            return refused("Params must have the property \"uriPatterns\"");
        }
        // A star stands at the end, if anywhere.
        let is_odd = |pattern: &&&str| pattern.find('*').is_some_and(|at| at + 1 < pattern.len());
        if let Some(odd) = patterns.iter().find(is_odd) {
            return refused(&format!("invalid pattern: {odd}"));
        }
        let limit = match question.get("limit") {
            "" => Ok(PAGE),
            text => text.parse(),
        };
        let Some(limit) = limit.ok().filter(|limit| (1..=MOST).contains(limit)) else {
            return refused(&format!("limit must be an integer from 1 to {MOST}"));
        };
        let after = match question.get("cursor") {
            "" => Ok(0),
            text => text.parse(),
        };
        let Ok(after) = after else {
            return refused("invalid cursor");
        };
        let matches = |uri: &str| {
            patterns
                .iter()
                .any(|pattern| match pattern.strip_suffix('*') {
                    Some(beginning) => uri.starts_with(beginning),
                    None => uri == *pattern,
                })
        };
        let world = self.shared.world();
        let said = world.labeler().into_iter();
        let page: Vec<_> = said
            .flat_map(|labeler| labeler.after(after))
            .filter(|(_, label, _)| {
                matches(&label.uri) && (sources.is_empty() || sources.contains(&label.src.as_str()))
            })
            .take(limit)
            .collect();
        let labels = page.iter().map(|(_, _, signed)| data::to_json(signed));
        let mut body = json!({ "labels": labels.collect::<Vec<_>>() });
        // The real one gives a cursor whenever there was a label.
        if let Some((number, ..)) = page.last() {
            body["cursor"] = number.to_string().into();
        }
        Reply::json(200, &body)
    }
}
