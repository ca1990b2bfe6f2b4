//! Acting: an action is noted first, then the store is told. A store that was not told, or was
//! lost, is told at the next start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::{Action, LONGEST_BY, LONGEST_REASON, OwnJournal, Standing, Verb};
use crate::blob_uses::is_blob_cid;
use crate::hide::{HiddenSubject, Hide};
use crate::model::{Change, Micros};
use crate::store::{Store, StoreError};

/// How often a store that can't write for a moment is told again.
const TRIES: usize = 10;
/// Hides read, and told, together.
const PAGE: usize = 500;
/// What was done this long before a start is told again whatever the store says, in microseconds:
/// over a cluster a hide may be written and not yet named to anybody.
const RECENT: Micros = 24 * 60 * 60 * 1_000_000;
/// So many of the latest actions are told again in any case: a server may have been down for days.
const LATEST: usize = 100;

/// Why nothing was done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OwnError {
    /// What is asked for makes no sense.
    #[error("{0}")]
    Refused(String),
    /// The track was deleted for good.
    #[error(
        "{subject} was deleted for good by {by} ({reason}); if it may be seen again all the same, \
         say so with --force"
    )]
    Deleted {
        /// Which.
        subject: String,
        /// By whom.
        by: String,
        /// Why.
        reason: String,
    },
    /// It is noted, but the store was not told.
    #[error(
        "it is noted, but the store can't take it now: {0}; it is told as soon as it can take it, \
         at the latest when a server starts"
    )]
    NotTold(StoreError),
    /// The journal or the store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OwnError {
    /// Whether the store is to be told again later: nothing is wrong with what is asked for.
    pub fn is_passing(&self) -> bool {
        match self {
            OwnError::NotTold(problem) | OwnError::Store(problem) => problem.is_passing(),
            OwnError::Refused(_) | OwnError::Deleted { .. } => false,
        }
    }
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// What to do.
    pub action: Verb,
    /// To what.
    pub subject: HiddenSubject,
    /// Who asks.
    pub by: String,
    /// Why, for people.
    pub reason: Option<String>,
    /// What it is called elsewhere.
    pub reference: Option<String>,
    /// Whether a track that was deleted for good is restored all the same.
    pub force: bool,
}

/// What was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acted {
    /// What held before.
    pub before: Option<Action>,
    /// What was noted; none where what is asked for held already, or something stronger.
    pub noted: Option<Action>,
}

/// How long is waited for a store that can't be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// Between two tries of the ten that whoever acts waits for.
    pub wait: Duration,
    /// Before each try in the background.
    pub later: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            wait: Duration::from_millis(500),
            later: Duration::from_secs(5),
        }
    }
}

/// The journal, and the store that follows it.
#[derive(Clone)]
pub struct Own {
    journal: Arc<dyn OwnJournal>,
    store: Arc<dyn Store>,
    /// One action at a time, in this process.
    turn: Arc<Mutex<()>>,
    /// Whether the store is being told again in the background.
    tells_later: Arc<AtomicBool>,
    patience: Patience,
}

impl Own {
    /// Over a journal and the store beside it.
    pub fn new(journal: Arc<dyn OwnJournal>, store: Arc<dyn Store>) -> Own {
        Own {
            journal,
            store,
            turn: Arc::default(),
            tells_later: Arc::default(),
            patience: Patience::default(),
        }
    }

    /// The same, with a patience of its own; another one only in tests.
    pub fn with_patience(self, patience: Patience) -> Own {
        Own { patience, ..self }
    }

    /// The journal, to be read.
    pub fn journal(&self) -> &dyn OwnJournal {
        self.journal.as_ref()
    }

    /// What holds of a subject.
    pub async fn standing(&self, subject: &HiddenSubject) -> Result<Option<Action>, StoreError> {
        self.journal.standing_of(subject).await
    }

    /// Whether the store hides what the journal doesn't: the journal was lost, or is older.
    pub async fn is_hidden_unnoted(&self, subject: &HiddenSubject) -> Result<bool, StoreError> {
        let standing = self.standing(subject).await?;
        if standing.is_some_and(|held| held.action.hides()) {
            return Ok(false);
        }
        let snapshot = self.store.snapshot().await?;
        let hidden = snapshot.hidden(std::slice::from_ref(subject)).await?;
        Ok(hidden.contains(&true))
    }

    /// When the store was told of a subject, whoever told it.
    async fn told_at(&self, subject: &HiddenSubject) -> Result<Option<Micros>, StoreError> {
        let snapshot = self.store.snapshot().await?;
        let mut after: Option<HiddenSubject> = None;
        loop {
            let hides = snapshot.all_hides(after.as_ref(), PAGE).await?;
            let Some(last) = hides.last() else {
                return Ok(None);
            };
            if last.subject >= *subject {
                let told = hides.iter().find(|hide| hide.subject == *subject);
                return Ok(told.map(|hide| hide.at));
            }
            after = Some(last.subject.clone());
        }
    }

    /// Whether it would be refused, and what holds now: all that acting looks at first.
    pub async fn check(&self, asked: &Asked) -> Result<Option<Action>, OwnError> {
        bounded("by", Some(&asked.by), LONGEST_BY)?;
        bounded("the reason", asked.reason.as_deref(), LONGEST_REASON)?;
        bounded("the ref", asked.reference.as_deref(), LONGEST_REASON)?;
        if asked.action == Verb::DeleteTrack && !matches!(asked.subject, HiddenSubject::Record(_)) {
            return Err(OwnError::Refused(format!(
                "{} is no track; `takedown` hides accounts and blobs",
                asked.subject
            )));
        }
        if let HiddenSubject::Blob { cid, .. } = &asked.subject
            && asked.action != Verb::Restore
            && !is_blob_cid(cid)
        {
            return Err(OwnError::Refused(format!(
                "{cid} is no blob's CID (those begin with bafkrei): it may be a record's version;                  name the record by its at-uri"
            )));
        }
        let before = self.standing(&asked.subject).await?;
        if let Some(held) = &before
            && held.action == Verb::DeleteTrack
            && asked.action == Verb::Restore
            && !asked.force
        {
            return Err(OwnError::Deleted {
                subject: asked.subject.to_string(),
                by: held.by.clone(),
                reason: held
                    .reason
                    .clone()
                    .unwrap_or_else(|| "no reason".to_owned()),
            });
        }
        Ok(before)
    }

    /// Notes an action, then tells the store. It comes to its end also where whoever asked is gone
    /// meanwhile. What isn't hidden is not restored, and what was deleted for good is not merely
    /// taken down: nothing is noted of these. What a store hides whose journal was lost is
    /// restored.
    pub async fn act(&self, asked: Asked) -> Result<Acted, OwnError> {
        let own = self.clone();
        let acting = tokio::spawn(async move { own.act_to_the_end(asked).await });
        let ended = acting.await;
        ended.map_err(|broken| OwnError::Refused(format!("it broke off: {broken}; try again")))?
    }

    async fn act_to_the_end(&self, asked: Asked) -> Result<Acted, OwnError> {
        let _turn = self.turn.lock().await;
        let before = self.check(&asked).await?;
        let is_unnoted = asked.action == Verb::Restore
            && !before.as_ref().is_some_and(|held| held.action.hides())
            && self.is_hidden_unnoted(&asked.subject).await?;
        if holds_already(asked.action, before.as_ref()) && !is_unnoted {
            // Whoever noted it may have met a store that could not be told.
            self.tell_noted(before.iter().map(Action::hide).collect())
                .await?;
            let noted = None;
            return Ok(Acted { before, noted });
        }
        // The later one holds, also in a store whose clock was ahead.
        let noted_at = before.as_ref().map(|held| held.at);
        let known = match is_unnoted {
            true => self.told_at(&asked.subject).await?.max(noted_at),
            false => noted_at,
        };
        let least = known.map_or(0, |at| at + 1);
        let action = Action {
            id: format!("{:016x}", rand::random::<u64>()),
            at: now().max(least),
            by: asked.by,
            action: asked.action,
            subject: asked.subject,
            reason: asked.reason,
            reference: asked.reference,
        };
        self.journal.append(&action).await?;
        tracing::info!(
            action = %action.action, subject = %action.subject, by = action.by, id = action.id,
            "the operator acted"
        );
        self.tell_noted(vec![action.hide()]).await?;
        let noted = Some(action);
        Ok(Acted { before, noted })
    }

    /// Tells the store what it was not told, or has lost: before anything is served. Answers how
    /// much that was. What was done lately is told once more besides, for whoever wrote it may have
    /// died half-way; a store that knows it all changes nothing.
    pub async fn tell_what_is_missing(&self) -> Result<usize, OwnError> {
        let standing = self.journal.standing().await?;
        let mut missing = standing.clone();
        let mut after: Option<HiddenSubject> = None;
        let snapshot = self.store.snapshot().await?;
        loop {
            let hides = snapshot.all_hides(after.as_ref(), PAGE).await?;
            let Some(last) = hides.last() else { break };
            after = Some(last.subject.clone());
            for hide in hides {
                forget_told(&mut missing, &hide);
            }
        }
        let recent = recent(&standing, now());
        let told_again = standing.values().filter(|action| action.at >= recent);
        let told_again = told_again.filter(|action| !missing.contains_key(&action.subject));
        let hides: Vec<Hide> = missing
            .values()
            .chain(told_again)
            .map(Action::hide)
            .collect();
        for some in hides.chunks(PAGE) {
            self.tell(some.to_vec()).await?;
        }
        Ok(missing.len())
    }

    /// Tells the store again and again in the background, until it knows all that was noted, or is
    /// closed. Once at a time, however often it is asked for.
    pub fn tell_later(&self) {
        if self.tells_later.swap(true, Ordering::AcqRel) {
            return;
        }
        let own = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(own.patience.later).await;
                // Before it is looked at what is missing: what is noted from here on asks anew.
                own.tells_later.store(false, Ordering::Release);
                match own.tell_what_is_missing().await {
                    Ok(told) => {
                        tracing::info!(told, "the store was told what it could not take before");
                        return;
                    }
                    Err(problem) if problem.is_passing() => {
                        tracing::warn!(%problem, "the store was not told yet; trying again");
                    }
                    Err(OwnError::NotTold(StoreError::Closed)) => return,
                    Err(OwnError::Store(StoreError::Closed)) => return,
                    Err(problem) => {
                        tracing::error!(%problem, "the store is told only at the next start");
                        return;
                    }
                }
                if own.tells_later.swap(true, Ordering::AcqRel) {
                    // Another has begun meanwhile.
                    return;
                }
            }
        });
    }

    /// Tells the store what is noted; where it can't take that now, also later.
    async fn tell_noted(&self, hides: Vec<Hide>) -> Result<(), OwnError> {
        let told = self.tell(hides).await;
        if told.as_ref().is_err_and(OwnError::is_passing) {
            self.tell_later();
        }
        told
    }

    async fn tell(&self, hides: Vec<Hide>) -> Result<(), OwnError> {
        let mut tried = 1;
        loop {
            let changes = hides.iter().cloned().map(Change::Hide).collect();
            match self.store.apply(changes).await {
                Ok(_) => return Ok(()),
                Err(problem) if problem.is_passing() && tried < TRIES => {
                    tracing::warn!(%problem, "the store was not told of an action; trying again");
                    tried += 1;
                    tokio::time::sleep(self.patience.wait).await;
                }
                Err(problem) => return Err(OwnError::NotTold(problem)),
            }
        }
    }
}

/// Whether there is nothing to note. A second takedown is noted: it may be for another reason.
fn holds_already(action: Verb, before: Option<&Action>) -> bool {
    let before = before.map_or(Verb::Restore, |held| held.action);
    match action {
        Verb::Restore => !before.hides(),
        Verb::Takedown => before == Verb::DeleteTrack,
        Verb::DeleteTrack => false,
    }
}

/// Takes out what the store knows already.
fn forget_told(missing: &mut Standing, hide: &Hide) {
    match missing.get(&hide.subject) {
        Some(action) if action.at == hide.at && action.action.hides() == hide.hidden => {
            missing.remove(&hide.subject);
        }
        Some(_) => {}
        None => tracing::warn!(
            subject = %hide.subject,
            "the store was told of an action that the journal knows nothing of"
        ),
    }
}

/// From when on what was done is recent: the last day, or the latest actions where those are older.
fn recent(standing: &Standing, now: Micros) -> Micros {
    let mut times: Vec<Micros> = standing.values().map(|action| action.at).collect();
    times.sort_unstable_by(|one, other| other.cmp(one));
    let a_day_ago = now - RECENT;
    match times.get(LATEST - 1) {
        Some(latest) => a_day_ago.min(*latest),
        None => Micros::MIN,
    }
}

fn bounded(what: &str, text: Option<&str>, most: usize) -> Result<(), OwnError> {
    match text {
        Some(text) if text.len() > most => Err(OwnError::Refused(format!(
            "{what} has {} bytes; {most} are the most",
            text.len()
        ))),
        _ => Ok(()),
    }
}

fn now() -> Micros {
    chrono::Utc::now().timestamp_micros()
}
