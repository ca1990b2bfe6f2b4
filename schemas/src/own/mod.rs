//! The operator's own state: what exists only here, as a journal of actions. It is state and audit
//! log in one: what holds of a subject is what its latest action says.

mod acting;
mod file;

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use acting::{Acted, Asked, Own, OwnError, Patience};
pub use file::FileJournal;

use crate::hide::{HiddenSubject, Hide};
use crate::model::Micros;
use crate::store::StoreError;

/// Longest name of who acts, in bytes.
pub const LONGEST_BY: usize = 200;
/// Longest reason, and longest reference, in bytes.
pub const LONGEST_REASON: usize = 4_000;

/// What an operator did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// Hides the subject, until it is restored.
    Takedown,
    /// Lets it be seen again.
    Restore,
    /// Hides a track for good, as its maker or the law wants it. A takedown that isn't lifted by
    /// the way: whoever restores it has to insist.
    DeleteTrack,
}

impl Verb {
    /// Whether the subject is hidden after it.
    pub fn hides(self) -> bool {
        self != Verb::Restore
    }

    /// As it is written in the journal and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Verb::Takedown => "takedown",
            Verb::Restore => "restore",
            Verb::DeleteTrack => "delete-track",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.word())
    }
}

/// One line of the journal. Nothing in it ever changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// 16 letters and digits, at random: the same action noted twice is one.
    pub id: String,
    /// When; above that of the subject's action before it.
    pub at: Micros,
    /// Who says to have done it: a claim.
    pub by: String,
    /// What was done.
    pub action: Verb,
    /// To what.
    #[serde(with = "as_text")]
    pub subject: HiddenSubject,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it is called elsewhere: a report, a case, a moderation event.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A subject by its text, in the journal as everywhere.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::hide::HiddenSubject;

    pub fn serialize<S: Serializer>(subject: &HiddenSubject, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(subject)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<HiddenSubject, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Action {
    /// What a store is told of it.
    pub fn hide(&self) -> Hide {
        Hide {
            subject: self.subject.clone(),
            hidden: self.action.hides(),
            at: self.at,
        }
    }

    /// Whether it says what holds, of two actions on one subject: the later does, and of two at one
    /// time the one that hides, as in a store.
    fn beats(&self, other: &Action) -> bool {
        let rank = |action: &Action| (action.at, action.action.hides());
        (rank(self), &self.id) > (rank(other), &other.id)
    }
}

/// Where actions are noted. It is never written anew, and no rebuild and no backfill touches it.
#[async_trait]
pub trait OwnJournal: Send + Sync {
    /// Notes an action; it is durable when this returns. After an error it may be noted or not.
    async fn append(&self, action: &Action) -> Result<(), StoreError>;

    /// Hands over every action, about the oldest first and those of one subject in their order,
    /// until `hear` answers false.
    async fn each(&self, hear: Hear<'_>) -> Result<(), StoreError>;

    /// What holds of every subject that was ever acted on, by subject: its latest action.
    async fn standing(&self) -> Result<Standing, StoreError> {
        let mut latest = Standing::new();
        let mut hear = |action: Action| {
            keep_latest(&mut latest, action);
            true
        };
        self.each(&mut hear).await?;
        Ok(latest)
    }

    /// What holds of one subject; none where it was never acted on.
    async fn standing_of(&self, subject: &HiddenSubject) -> Result<Option<Action>, StoreError> {
        let mut latest = Standing::new();
        let mut hear = |action: Action| {
            if action.subject == *subject {
                keep_latest(&mut latest, action);
            }
            true
        };
        self.each(&mut hear).await?;
        Ok(latest.remove(subject))
    }
}

/// The latest action of each subject.
pub type Standing = BTreeMap<HiddenSubject, Action>;

/// Hears actions; whether it wants more.
pub type Hear<'a> = &'a mut (dyn FnMut(Action) -> bool + Send);

/// Copies what isn't in the other journal yet; answers how many actions that was.
pub async fn copy(from: &dyn OwnJournal, to: &dyn OwnJournal) -> Result<u64, StoreError> {
    let mut held = HashSet::new();
    let mut hear = |action: Action| {
        held.insert(action.id);
        true
    };
    to.each(&mut hear).await?;
    let mut missing = Vec::new();
    let mut hear = |action: Action| {
        if !held.contains(&action.id) {
            missing.push(action);
        }
        true
    };
    from.each(&mut hear).await?;
    for action in &missing {
        to.append(action).await?;
    }
    Ok(missing.len() as u64)
}

fn keep_latest(latest: &mut Standing, action: Action) {
    match latest.get(&action.subject) {
        Some(held) if !action.beats(held) => {}
        _ => {
            latest.insert(action.subject.clone(), action);
        }
    }
}
