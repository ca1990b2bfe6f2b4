//! New rules judge every version again, both ways. What older rules said stays beneath: a verdict's
//! cell begins with the rules' version, and so does what decides a derived row.

use plyr_lexicons::{RecordUri, Rev, data, validate};

use super::super::Inner;
use super::super::cells;
use super::super::cql::{Write, write};
use super::super::placing::record_shard;
use super::super::writer::Versions;
use super::Piece;
use crate::held::{HeldVersion, current};
use crate::model::LogSubject;
use crate::store::StoreError;

impl Inner {
    /// Judges a version anew where older rules did; none where there is nothing to judge.
    fn judged_anew(
        &self,
        uri: &RecordUri,
        held: &HeldVersion,
    ) -> Result<Option<HeldVersion>, StoreError> {
        let mut held = held.clone();
        let Some(content) = held.content.as_mut().filter(|_| !held.swept) else {
            return Ok(None);
        };
        let Some(collection) = self.namespace.collection(uri.collection.as_str()) else {
            return Ok(None);
        };
        if content.rules >= self.rules {
            return Ok(None);
        }
        let record = data::from_cbor(&content.bytes);
        let record = record.map_err(|problem| cells::corrupt("VERSIONS", problem))?;
        content.judgement = validate::judge(&self.namespace, collection, &record);
        content.rules = self.rules;
        Ok(Some(held))
    }

    /// Judges the next records. With `again`, whoever was at this piece before may have died after
    /// writing what it says and before what follows from it: that is done for all of it.
    pub(super) async fn judge_piece(
        &self,
        after: Option<&str>,
        again: bool,
    ) -> Result<Piece, StoreError> {
        let (keys, next) = self.walk_keys(after).await?;
        let mut piece = Piece {
            next,
            ..Piece::default()
        };
        let (mut writes, mut changed) = (Vec::new(), Vec::new());
        for (uri, versions) in keys {
            let judged = self.judge_key(&uri, &versions, &mut piece)?;
            let differs = judged.iter().any(|(_, differs)| *differs);
            writes.extend(judged.into_iter().map(|(write, _)| write));
            piece.mended += u64::from(differs);
            if differs || again {
                changed.push(uri);
            }
        }
        self.cql.write(writes).await?;
        piece.touched = self.derive(&changed, true).await?.0;
        piece.changed = changed.into_iter().map(LogSubject::Record).collect();
        Ok(piece)
    }

    /// What is to be written of a key, and whether that changes the verdict that shows.
    fn judge_key(
        &self,
        uri: &RecordUri,
        versions: &Versions,
        piece: &mut Piece,
    ) -> Result<Vec<(Write, bool)>, StoreError> {
        let mut judged = Vec::new();
        let shows = current(versions).map(|(rev, held)| (*rev, held.rank()));
        for (rev, held) in versions {
            let anew = match self.judged_anew(uri, held) {
                Ok(anew) => anew,
                Err(problem) => {
                    // One bad row hurts only itself; it never shows either.
                    tracing::error!(%uri, %problem, "a kept record can't be read");
                    piece.unreadable += 1;
                    continue;
                }
            };
            let Some(anew) = anew else { continue };
            piece.seen += 1;
            let verdict = |held: &HeldVersion| {
                let content = held.content.as_ref();
                content.map(|content| content.judgement.clone())
            };
            let is_shown = shows == Some((*rev, held.rank()));
            let differs = is_shown && verdict(&anew) != verdict(held);
            judged.push((write_judged(uri, *rev, &anew)?, differs));
        }
        Ok(judged)
    }
}

/// The verdict alone, at the version's own stamp: that of the newest rules is the greater cell.
pub fn write_judged(uri: &RecordUri, rev: Rev, held: &HeldVersion) -> Result<Write, StoreError> {
    let rkey = uri.rkey.as_str();
    Ok(write!(WriteJudged;
        uri.did.as_str(), uri.collection.as_str(), record_shard(rkey), rkey, rev.as_u64() as i64,
        cells::rank(held), cells::judged(held)?, rev.micros()))
}
