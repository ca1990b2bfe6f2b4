//! What the operator hides. It is asked for in the batch that depends on it, so that rows and sums
//! follow at once; where nothing was ever hidden nothing is asked.

use plyr_lexicons::{Did, Namespace, RecordUri};
use serde::{Deserialize, Serialize};

use super::layers::{Engine, Layers};
use super::reader::{EmbeddedSnapshot, read};
use super::{cells, observations, versions};
use crate::held::{self, HeldVersion};
use crate::hide::{HiddenSubject, Hide};
use crate::index::Derived;
use crate::model::{LogSubject, Micros, Outcome};
use crate::store::StoreError;
use crate::tables::{HIDES, Key, KeyReader, Kind};

#[derive(Serialize, Deserialize)]
struct HideRow {
    hidden: bool,
    at: Micros,
}

impl HideRow {
    fn read(cell: &[u8]) -> Result<HideRow, StoreError> {
        cells::decode("HIDES", cell)
    }
}

/// Where a subject stands.
pub fn key(subject: &str) -> Key {
    Key::of(&HIDES).text(subject)
}

/// Whether a cell says that something is hidden.
pub fn says_hidden(cell: Option<&[u8]>) -> Result<bool, StoreError> {
    let row = cell.map(HideRow::read).transpose()?;
    Ok(row.is_some_and(|row| row.hidden))
}

/// Whether anything was ever hidden.
pub fn any(engine: &Engine) -> bool {
    let prefix = Key::of(&HIDES).into_bytes();
    engine
        .keyspace(Kind::Network)
        .prefix(prefix)
        .next()
        .is_some()
}

fn is_hidden(layers: &Layers, subject: &str) -> Result<bool, StoreError> {
    if !layers.engine.has_hides() {
        return Ok(false);
    }
    says_hidden(layers.get(Kind::Network, key(subject))?.as_deref())
}

/// Whether an actor is hidden.
pub fn is_actor_hidden(layers: &Layers, did: &Did) -> Result<bool, StoreError> {
    is_hidden(layers, did.as_str())
}

/// Whether a record is hidden itself, whoever made it.
pub fn is_record_hidden(layers: &Layers, uri: &RecordUri) -> Result<bool, StoreError> {
    if !layers.engine.has_hides() {
        return Ok(false);
    }
    is_hidden(layers, &uri.to_string())
}

/// What a held version derives; nothing where the record is hidden.
pub fn derived_of(
    namespace: &Namespace,
    uri: &RecordUri,
    held: &HeldVersion,
    hidden: bool,
) -> Result<Derived, StoreError> {
    match hidden {
        true => Ok(Derived::default()),
        false => held::derived_of(namespace, uri, held),
    }
}

/// Applies a hide: rows and sums follow. Answers what to name in the log.
pub fn apply(
    layers: &mut Layers,
    namespace: &Namespace,
    hide: &Hide,
) -> Result<(Outcome, Option<LogSubject>), StoreError> {
    let key = key(&hide.subject.to_string());
    let held = layers.get(Kind::Network, key.clone())?;
    let held = held.as_deref().map(HideRow::read).transpose()?;
    let is_newer = |held: &HideRow| hide.rank() > (held.at, held.hidden);
    if !held.as_ref().is_none_or(is_newer) {
        return Ok((Outcome::Superseded, None));
    }
    let was = held.is_some_and(|held| held.hidden);
    let Hide { hidden, at, .. } = *hide;
    let cell = cells::encode("HIDES", &HideRow { hidden, at })?;
    layers.engine.hides_from_now_on();
    layers.put(Kind::Network, key, cell);
    let subject = match &hide.subject {
        HiddenSubject::Actor(did) => {
            let is_visible = observations::state(layers, did)?.is_visible();
            if is_visible && was != hidden {
                observations::flip(layers, namespace, did, !hidden)?;
            }
            Some(LogSubject::Actor(did.clone()))
        }
        HiddenSubject::Record(uri) => {
            if was != hidden {
                versions::hide(layers, namespace, uri, hidden)?;
            }
            Some(LogSubject::Record(uri.clone()))
        }
        HiddenSubject::Blob { .. } => None,
    };
    Ok((Outcome::Applied, subject))
}

impl EmbeddedSnapshot {
    pub(super) fn is_hidden(&self, subject: &str) -> Result<bool, StoreError> {
        if !self.engine.has_hides() {
            return Ok(false);
        }
        says_hidden(self.get(Kind::Network, key(subject))?.as_deref())
    }

    pub(super) fn is_record_hidden(&self, uri: &RecordUri) -> Result<bool, StoreError> {
        if !self.engine.has_hides() {
            return Ok(false);
        }
        self.is_hidden(&uri.to_string())
    }

    pub(super) fn hides_after(
        &self,
        after: Option<&HiddenSubject>,
        limit: usize,
    ) -> Result<Vec<Hide>, StoreError> {
        let after = after.map(|subject| key(&subject.to_string()).into_bytes());
        let rows = self.rows_after(Kind::Network, Key::of(&HIDES), after);
        let mut hides = Vec::new();
        for row in rows.take(limit) {
            let (key, cell) = read(row)?;
            let subject = KeyReader::after(&key, 1).text();
            let subject = subject.ok_or_else(|| cells::corrupt("HIDES", "a key is cut"))?;
            let subject = subject
                .parse()
                .map_err(|problem| cells::corrupt("HIDES", problem))?;
            let HideRow { hidden, at } = HideRow::read(&cell)?;
            hides.push(Hide {
                subject,
                hidden,
                at,
            });
        }
        Ok(hides)
    }
}
