//! Whether an AppView says what it must: every list walked to its end, every count, every view.

use serde_json::{Value, json};

use crate::answers::{Ask, encoded, walk};
use crate::expected::{Expected, Item, Shown, Sums, time};
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
    let mut asked = Asked {
        ask,
        expected: Expected::of(network),
        network,
        questions: 0,
    };
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
    pub network: &'a Network,
    pub questions: u64,
}

pub(crate) fn uris<'a>(shown: impl IntoIterator<Item = &'a Shown>) -> Vec<Value> {
    shown.into_iter().map(|one| json!(one.uri)).collect()
}

fn field(entries: &[Value], path: &str) -> Vec<Value> {
    let of = |entry: &Value| entry.pointer(path).cloned().unwrap_or(Value::Null);
    entries.iter().map(of).collect()
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

    pub(crate) async fn list(
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

    /// A list whose entries are views with an address.
    pub(crate) async fn addressed(
        &mut self,
        method: &str,
        query: &str,
        (name, path): (&str, &str),
        expected: Vec<Value>,
    ) -> Result<Vec<Value>, Disagreement> {
        let entries = self.list(method, query, name).await?;
        self.same(
            &format!("{method}?{query}"),
            &expected,
            &field(&entries, path),
        )?;
        for entry in entries.iter().filter(|entry| entry["author"].is_object()) {
            self.author(&entry["author"])?;
        }
        Ok(entries)
    }

    /// Who made what shows holds records: what they are called is known.
    fn author(&self, author: &Value) -> Result<(), Disagreement> {
        let did = author["did"].as_str().unwrap_or_default();
        let handle = self.network.handle_of(did);
        self.same(&format!("handle of {did}"), &handle, &author["handle"])
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
            self.track(entry)?;
        }
        Ok(())
    }

    /// A track view: its record, its times and its counts.
    pub(crate) fn track(&self, view: &Value) -> Result<(), Disagreement> {
        let uri = view["uri"].as_str().unwrap_or_default();
        let Some(one) = self.expected.shown.get(uri) else {
            return self.same(&format!("view of {uri}"), &"none", view);
        };
        let expected = json!({
            "cid": one.held.cid, "record": one.held.value, "sortAt": time(one.sort_at),
            "author": one.did, "likeCount": self.expected.likers(uri).len(),
            "commentCount": self.expected.comments(uri).len(),
            "listCount": self.expected.lists_with(uri).len(),
        });
        let answered = json!({
            "cid": view["cid"], "record": view["record"], "sortAt": view["sortAt"],
            "author": view["author"]["did"], "likeCount": view["likeCount"],
            "commentCount": view["commentCount"], "listCount": view["listCount"],
        });
        self.same(&format!("view of {uri}"), &expected, &answered)?;
        self.author(&view["author"])
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
    async fn about(&mut self, uri: &str) -> Result<(), Disagreement> {
        let query = format!("uri={}", encoded(uri));
        let expected = uris(self.expected.likers(uri));
        self.addressed("fm.plyr.feed.getLikes", &query, ("likes", "/uri"), expected)
            .await?;
        let place = ("comments", "/uri");
        let expected = uris(self.expected.comments(uri));
        self.addressed("fm.plyr.feed.getComments", &query, place, expected)
            .await?;
        let by_time = format!("{query}&sort=time");
        let expected = uris(self.expected.comments_by_time(uri));
        self.addressed("fm.plyr.feed.getComments", &by_time, place, expected)
            .await?;
        let expected = uris(self.expected.lists_with(uri));
        let place = ("lists", "/uri");
        self.addressed("fm.plyr.graph.getListsWithItem", &query, place, expected)
            .await?;
        if uri.contains("/fm.plyr.track/") {
            let (method, names) = ("fm.plyr.feed.getTrack", ["TrackNotFound", "TrackHidden"]);
            let answer = self.one(method, &query).await;
            let question = format!("{method}?{query}");
            match self.expected.shown.contains_key(uri) {
                true => self.track(&self.answered(&question, answer)?["track"])?,
                false => self.refused(&question, &names, answer)?,
            }
        }
        if uri.contains("/fm.plyr.list/") && self.expected.shown.contains_key(uri) {
            self.items(uri, &query).await?;
        }
        Ok(())
    }

    async fn items(&mut self, uri: &str, query: &str) -> Result<(), Disagreement> {
        let method = "fm.plyr.graph.getList";
        let entries = self.list(method, query, "items").await?;
        let expected = self.expected.items_in(uri, self.network);
        let mut of_gone = expected.iter().map(|(_, state)| *state == Item::OfGone);
        let answered = entries.iter().map(|entry| {
            let kind = entry["item"]["$type"].as_str().unwrap_or_default();
            let kind = kind.rsplit('#').next().unwrap_or_default();
            let is_either = of_gone.next() == Some(true) && kind == "hidden";
            let kind = if is_either { "notFound" } else { kind };
            json!([entry["subject"]["uri"], kind])
        });
        let answered: Vec<Value> = answered.collect();
        let expected = expected.iter().map(|(item, state)| {
            let kind = match state {
                Item::Track => "trackView",
                Item::Hidden => "hidden",
                Item::NotFound | Item::OfGone => "notFound",
            };
            json!([item, kind])
        });
        let question = format!("{method}?{query}");
        self.same(&question, &expected.collect::<Vec<_>>(), &answered)
    }
}
