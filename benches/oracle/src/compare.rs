//! Whether an AppView says what it must: every list walked to its end, every count, every view.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::answers::{Ask, encoded, entries_of, walk};
use crate::expected::{Expected, Shown, Sums};
use crate::network::Network;

/// The first thing that is otherwise.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{question}: expected {expected}, answered {answered}")]
pub struct Disagreement {
    /// What was asked.
    pub question: String,
    /// What the network leads to.
    pub expected: String,
    /// What came.
    pub answered: String,
}

/// Entries of a page: few enough that lists have several.
const LIMIT: usize = 7;
/// How far in the future a track may lie and still be in the network's list, in microseconds.
const AHEAD: i64 = 300 * 1_000_000;
/// Where "now" is not certain, tracks this near to the bound are left alone, in microseconds.
const UNCERTAIN: i64 = 60 * 1_000_000;

/// The first line in which two dumps differ.
pub fn dump_difference(expected: &str, dump: &str) -> Option<Disagreement> {
    if expected == dump {
        return None;
    }
    let (mut theirs, mut ours) = (expected.lines(), dump.lines());
    loop {
        let (one, other) = (theirs.next(), ours.next());
        if one == other && one.is_some() {
            continue;
        }
        let text = |line: Option<&str>| line.unwrap_or("the end").to_owned();
        return Some(Disagreement {
            question: "dump".to_owned(),
            expected: text(one),
            answered: text(other),
        });
    }
}

/// Compares everything that is asked of an AppView; `now` in microseconds since 1970.
pub async fn compare(ask: &impl Ask, network: &Network, now: i64) -> Result<u64, Disagreement> {
    let mut asked = Asked::of(ask, network);
    asked.latest(now).await?;
    asked.stats().await?;
    for did in network.accounts.keys() {
        asked.actor(did).await?;
    }
    asked.handles().await?;
    asked.profiles().await?;
    let addresses = asked.addresses();
    for uri in &addresses {
        asked.about(uri).await?;
        asked.record(uri).await?;
    }
    asked.tracks(&addresses).await?;
    asked.coverage().await?;
    asked.quarantine().await?;
    Ok(asked.questions)
}

/// Who is asked, and what must be answered.
pub(crate) struct Asked<'a, A> {
    pub ask: &'a A,
    pub expected: Expected,
    /// Likes, comments and lists of each track that shows.
    pub counts: BTreeMap<String, [usize; 3]>,
    pub network: &'a Network,
    pub questions: u64,
}

pub(crate) fn uris<'a>(shown: impl IntoIterator<Item = &'a Shown>) -> Vec<String> {
    shown.into_iter().map(|one| one.uri.clone()).collect()
}

impl<'a, A: Ask> Asked<'a, A> {
    pub(crate) fn of(ask: &'a A, network: &'a Network) -> Asked<'a, A> {
        let expected = Expected::of(network);
        Asked {
            ask,
            counts: expected.track_counts(),
            expected,
            network,
            questions: 0,
        }
    }
}

impl<A: Ask> Asked<'_, A> {
    /// Everything that something may be asked about.
    fn addresses(&self) -> Vec<String> {
        let held = self.expected.held.keys().cloned();
        let mut all: Vec<String> = held.collect();
        all.extend(self.expected.subjects());
        all.extend(self.expected.items());
        all.sort();
        all.dedup();
        all
    }

    pub(crate) fn same(
        &self,
        question: &str,
        expected: &impl serde::Serialize,
        answered: &impl serde::Serialize,
    ) -> Result<(), Disagreement> {
        let (expected, answered) = (json!(expected), json!(answered));
        if expected == answered {
            return Ok(());
        }
        // Of two lists the first place where they part says most.
        if let (Value::Array(one), Value::Array(other)) = (&expected, &answered) {
            let same = one
                .iter()
                .zip(other)
                .take_while(|(one, other)| one == other);
            let place = same.count();
            let at = |list: &[Value]| {
                list.get(place)
                    .map_or("the end".to_owned(), Value::to_string)
            };
            return Err(Disagreement {
                question: format!("{question} at {place}"),
                expected: at(one),
                answered: at(other),
            });
        }
        Err(Disagreement {
            question: question.to_owned(),
            expected: expected.to_string(),
            answered: answered.to_string(),
        })
    }

    /// A list's pages.
    pub(crate) async fn pages(
        &mut self,
        method: &str,
        query: &str,
        name: &str,
    ) -> Result<Vec<Value>, Disagreement> {
        self.questions += 1;
        let walked = walk(self.ask, method, query, name, LIMIT).await;
        walked.map_err(|problem| Disagreement {
            question: format!("{method}?{query}"),
            expected: "a list".to_owned(),
            answered: problem,
        })
    }

    /// A list's entries.
    pub(crate) async fn list(
        &mut self,
        method: &str,
        query: &str,
        name: &str,
    ) -> Result<Vec<Value>, Disagreement> {
        let pages = self.pages(method, query, name).await?;
        Ok(entries_of(&pages, name))
    }

    /// A list whose entries are views of records: those that must be there, in their order, and all
    /// that each says. Answers its pages.
    pub(crate) async fn viewed(
        &mut self,
        method: &str,
        query: &str,
        name: &str,
        expected: Vec<String>,
    ) -> Result<Vec<Value>, Disagreement> {
        let pages = self.pages(method, query, name).await?;
        let entries = entries_of(&pages, name);
        let answered: Vec<&Value> = entries.iter().map(|entry| &entry["uri"]).collect();
        self.same(&format!("{method}?{query}"), &expected, &answered)?;
        for (uri, entry) in expected.iter().zip(&entries) {
            self.view(uri, entry)?;
        }
        Ok(pages)
    }

    /// What must be refused, by one of some names.
    pub(crate) fn refused(
        &self,
        question: &str,
        names: &[&str],
        answer: Result<Value, String>,
    ) -> Result<(), Disagreement> {
        let is_named = |told: &String| names.iter().any(|name| told.contains(name));
        if answer.as_ref().err().is_some_and(is_named) {
            return Ok(());
        }
        Err(Disagreement {
            question: question.to_owned(),
            expected: names.join(" or "),
            answered: answer.map_or_else(|problem| problem, |answer| answer.to_string()),
        })
    }

    /// What must be answered.
    pub(crate) fn answered(
        &self,
        question: &str,
        answer: Result<Value, String>,
    ) -> Result<Value, Disagreement> {
        answer.map_err(|problem| Disagreement {
            question: question.to_owned(),
            expected: "an answer".to_owned(),
            answered: problem,
        })
    }

    async fn latest(&mut self, now: i64) -> Result<(), Disagreement> {
        let entries = self.list("fm.plyr.feed.getLatest", "", "tracks").await?;
        let expected = self.expected.latest(now + AHEAD + UNCERTAIN);
        let is_certain = |one: &&Shown| (one.sort_at - now - AHEAD).abs() > UNCERTAIN;
        let certain = expected.iter().filter(|one| is_certain(one));
        let certain: Vec<&str> = certain.map(|one| one.uri.as_str()).collect();
        let possible: Vec<&str> = expected.iter().map(|one| one.uri.as_str()).collect();
        let answered = entries.iter().filter_map(|entry| entry["uri"].as_str());
        let answered: Vec<&str> = answered
            .filter(|uri| certain.contains(uri) || !possible.contains(uri))
            .collect();
        self.same("fm.plyr.feed.getLatest", &certain, &answered)?;
        for entry in &entries {
            self.view(entry["uri"].as_str().unwrap_or_default(), entry)?;
        }
        Ok(())
    }

    pub(crate) async fn one(&mut self, method: &str, query: &str) -> Result<Value, String> {
        self.questions += 1;
        self.ask.ask(method, query).await
    }

    async fn stats(&mut self) -> Result<(), Disagreement> {
        let method = "fm.plyr.stats.getStats";
        let answer = self.one(method, "").await;
        let answer = self.answered(method, answer)?;
        let Sums {
            tracks,
            lists: [lists, ..],
            likes,
            comments,
            seconds,
            artists,
        } = self.expected.sums();
        let expected = json!({ "trackCount": tracks, "artistCount": artists, "likeCount": likes,
            "commentCount": comments, "listCount": lists, "durationSeconds": seconds });
        self.same(method, &expected, &answer)
    }

    /// What is asked about one address, whether or not something is held there.
    pub(crate) async fn about(&mut self, uri: &str) -> Result<(), Disagreement> {
        let query = format!("uri={}", encoded(uri));
        let by_time = format!("{query}&sort=time");
        let comments = "fm.plyr.feed.getComments";
        let (likers, lists) = (self.expected.likers(uri), self.expected.lists_with(uri));
        let in_order = uris(self.expected.comments(uri));
        let newest_first = uris(self.expected.comments_by_time(uri));
        let (likers, lists) = (uris(likers), uris(lists));
        for (method, query, name, expected) in [
            ("fm.plyr.feed.getLikes", &query, "likes", likers),
            (comments, &query, "comments", in_order),
            (comments, &by_time, "comments", newest_first),
        ] {
            for page in self.viewed(method, query, name, expected).await? {
                self.same(&format!("uri of {method}?{query}"), &uri, &page["uri"])?;
            }
        }
        let method = "fm.plyr.graph.getListsWithItem";
        self.viewed(method, &query, "lists", lists).await?;
        let is_shown = self.expected.shown.contains_key(uri);
        if uri.contains("/fm.plyr.track/") {
            let (method, names) = ("fm.plyr.feed.getTrack", ["TrackNotFound", "TrackHidden"]);
            let answer = self.one(method, &query).await;
            let question = format!("{method}?{query}");
            match is_shown {
                true => self.view(uri, &self.answered(&question, answer)?["track"])?,
                false => self.refused(&question, &names, answer)?,
            }
        }
        if uri.contains("/fm.plyr.list/") {
            let (method, names) = ("fm.plyr.graph.getList", ["ListNotFound", "ListHidden"]);
            if is_shown {
                return self.items(method, uri, &query).await;
            }
            let answer = self.one(method, &query).await;
            self.refused(&format!("{method}?{query}"), &names, answer)?;
        }
        Ok(())
    }
}
