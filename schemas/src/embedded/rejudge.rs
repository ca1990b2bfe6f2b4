//! New rules judge everything again, both ways: what was invalid may show, what showed may not.
//! A version's cell says by which rules it was judged, so that this goes on where it was cut off.

use plyr_lexicons::{RecordUri, Rev, data, validate};

use super::cells;
use super::rows::LogRow;
use super::versions;
use super::writer::Writer;
use crate::held::HeldVersion;
use crate::model::{LogSubject, Standing};
use crate::store::StoreError;
use crate::tables::{Key, KeyReader, Kind, META, VERSIONS};

/// Versions looked at in one go; other writes take their turn in between.
const AT_ONCE: usize = 500;

/// How far judging everything again has come.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rejudging {
    /// Key of the last version looked at.
    pub after: Option<Vec<u8>>,
    /// Versions looked at.
    pub judged: u64,
    /// Of those, records whose verdict is another now.
    pub changed: u64,
    /// Rows that records derive since, and that were written afterwards.
    pub written: u64,
    /// Whether everything has been looked at.
    pub done: bool,
}

fn rules_key() -> Key {
    Key::of(&META).text("rules")
}

impl Writer {
    /// Judges the next versions again.
    pub fn rejudge(&mut self, mut progress: Rejudging) -> Result<Rejudging, StoreError> {
        let held = self.layers.get(Kind::Network, rules_key())?;
        let held: Option<u16> = held.map(|cell| cells::decode("META", &cell)).transpose()?;
        if held == Some(self.rules) {
            progress.done = true;
            return Ok(progress);
        }
        // Where there is nothing to do, a full disk keeps nobody from opening the store.
        self.space.check()?;
        let prefix = Key::of(&VERSIONS);
        let start = prefix.clone().into_bytes().len();
        let after = progress.after.take();
        let rows = self.layers.after(Kind::Network, prefix, after, AT_ONCE)?;
        progress.done = rows.len() < AT_ONCE;
        let mut head = *self.head.borrow();
        let now = super::now();
        for (key, cell) in rows {
            let mut columns = KeyReader::after(&key, start);
            let (uri, rev) = (columns.record(), columns.number());
            let (Some(uri), Some(rev)) = (uri, rev) else {
                return Err(cells::corrupt("VERSIONS", "a key is cut"));
            };
            progress.judged += 1;
            if self.rejudge_one(&uri, Rev::from_u64(rev as u64), &cell)? {
                progress.changed += 1;
                head += 1;
                let subject = LogSubject::Record(uri);
                self.log(head, &LogRow::of(&subject, now))?;
            }
            progress.after = Some(key);
        }
        if progress.done {
            let cell = cells::encode("META", &self.rules)?;
            self.layers.put(Kind::Network, rules_key(), cell);
        }
        self.layers.keep_batch();
        self.log_likes(&mut head)?;
        self.layers.commit()?;
        self.head.send_replace(head);
        Ok(progress)
    }

    /// Whether the current record's verdict is another now.
    fn rejudge_one(&mut self, uri: &RecordUri, rev: Rev, cell: &[u8]) -> Result<bool, StoreError> {
        let mut cell = HeldVersion::decode(cell)?;
        let Some(content) = &mut cell.content else {
            return Ok(false);
        };
        let Some(collection) = self.namespace.collection(uri.collection.as_str()) else {
            return Ok(false);
        };
        if content.rules == self.rules {
            return Ok(false);
        }
        let record = match data::from_cbor(&content.bytes) {
            Ok(record) => record,
            Err(problem) => {
                // One bad row hurts only itself; it never shows either.
                tracing::error!(%uri, %problem, "a kept record can't be read");
                return Ok(false);
            }
        };
        let judgement = validate::judge(&self.namespace, collection, &record);
        let same = content.judgement == judgement;
        content.judgement = judgement;
        content.rules = self.rules;
        let is_void = cell.standing == Standing::Void;
        let is_current = versions::replace(&mut self.layers, &self.namespace, uri, rev, cell)?;
        Ok(is_current && !is_void && !same)
    }
}
