//! Erasing a deleted account: some rows at a call, so that other writes take their turn. Where each
//! erasing stands is remembered only while the process runs; begun again it finds what is left.

use std::collections::HashMap;

use plyr_lexicons::{Did, RecordUri};

use super::rows::{LogRow, QuarantineRow};
use super::writer::Writer;
use super::{cells, observations, versions};
use crate::model::{AccountState, LogSubject, Outcome};
use crate::store::StoreError;
use crate::tables::{Key, KeyReader, Kind, QUARANTINE, QUARANTINE_IDS, VERSIONS};

/// Versions taken away at a call: records are up to a megabyte, mostly some hundred bytes.
const VERSIONS_AT_ONCE: usize = 64;
/// Refused events looked at in one call.
const REFUSED_AT_ONCE: usize = 2_000;
/// Erasings whose place is remembered.
const REMEMBERED: usize = 256;

/// Where each erasing goes on: a key of a table.
#[derive(Default)]
pub struct Erasing(HashMap<Did, Place>);

enum Place {
    Versions(Vec<u8>),
    Refused(Vec<u8>),
}

impl Writer {
    /// Takes away the next of what is held of a deleted account's repo.
    pub fn erase(&mut self, did: &Did, head: &mut u64) -> Result<Outcome, StoreError> {
        let state = observations::state(&self.layers, did)?;
        let beginning = || Place::Versions(Key::of(&VERSIONS).text(did.as_str()).into_bytes());
        let place = self.erasing.0.remove(did).unwrap_or_else(beginning);
        if state != AccountState::Deleted {
            return Ok(Outcome::Superseded);
        }
        let next = match place {
            Place::Versions(from) => match self.erase_versions(did, &from, head)? {
                Some(next) => Place::Versions(next),
                None => Place::Refused(Key::of(&QUARANTINE).into_bytes()),
            },
            Place::Refused(from) => match self.erase_refused(did, &from)? {
                Some(next) => Place::Refused(next),
                None => return Ok(Outcome::Superseded),
            },
        };
        if self.erasing.0.len() >= REMEMBERED {
            self.erasing.0.clear();
        }
        self.erasing.0.insert(did.clone(), next);
        Ok(Outcome::Applied)
    }

    /// Answers where to go on; none at the end.
    fn erase_versions(
        &mut self,
        did: &Did,
        from: &[u8],
        head: &mut u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let prefix = Key::of(&VERSIONS).text(did.as_str()).into_bytes();
        let start = Key::of(&VERSIONS).into_bytes().len();
        let rows = self
            .layers
            .under_from(Kind::Network, &prefix, from, VERSIONS_AT_ONCE)?;
        let is_last = rows.len() < VERSIONS_AT_ONCE;
        let mut uris: Vec<RecordUri> = Vec::new();
        for (key, _) in &rows {
            let uri = KeyReader::after(key, start).record();
            uris.push(uri.ok_or_else(|| cells::corrupt("VERSIONS", "a key is cut"))?);
        }
        uris.dedup();
        let now = super::now();
        for uri in uris {
            if versions::erase(&mut self.layers, &self.namespace, &uri)? {
                *head += 1;
                self.log(*head, &LogRow::of(&LogSubject::Record(uri), now))?;
            }
        }
        let last = rows.into_iter().next_back().map(|(key, _)| key);
        Ok(last.filter(|_| !is_last))
    }

    fn erase_refused(&mut self, did: &Did, from: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let prefix = Key::of(&QUARANTINE).into_bytes();
        let rows = self
            .layers
            .under_from(Kind::Network, &prefix, from, REFUSED_AT_ONCE)?;
        let is_last = rows.len() < REFUSED_AT_ONCE;
        for (key, cell) in &rows {
            let row: QuarantineRow = cells::decode("QUARANTINE", cell)?;
            if !row.is_of(did) {
                continue;
            }
            let mut columns = KeyReader::after(key, prefix.len());
            let id = columns.number().and_then(|_| columns.text());
            let id = id.ok_or_else(|| cells::corrupt("QUARANTINE", "a key is cut"))?;
            self.layers
                .remove(Kind::Network, Key::of(&QUARANTINE_IDS).text(id));
            self.layers.remove_bytes(Kind::Network, key.clone());
            self.quarantined = self.quarantined.saturating_sub(1);
        }
        let last = rows.into_iter().next_back().map(|(key, _)| key);
        Ok(last.filter(|_| !is_last))
    }
}
