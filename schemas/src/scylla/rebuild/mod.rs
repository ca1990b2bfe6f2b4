//! Passes over the cluster, piece by piece, for any number of processes: one is at a pass, others
//! look on and take over when it stands still. Two at one piece do no harm: every write is stamped.

mod counts;
mod rows;
mod rules;
mod walk;

use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Inner;
use super::cells::{corrupt, read_register, register};
use super::cql::write;
use super::settle::Touch;
use super::statements::Statement::ReadPass;
use crate::index::DERIVATIONS;
use crate::model::{LogSubject, Micros};
use crate::rebuild::{Pass, Passing, Stage};
use crate::store::StoreError;
pub use rules::write_judged;

/// Who looks on looks this often.
const LOOK: Duration = Duration::from_secs(1);

/// A pass as stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// The stream of the process that is at it.
    holder: String,
    /// The rules it judges by; of a pass over what records derive the version of that.
    rules: u16,
    passing: Passing,
}

/// What one piece came to.
#[derive(Default)]
struct Piece {
    seen: u64,
    mended: u64,
    unreadable: u64,
    /// Sets to be counted again.
    touched: Vec<Touch>,
    /// What to look at again.
    changed: Vec<LogSubject>,
    /// Where the next piece begins; none at the end of the stage.
    next: Option<String>,
}

/// A place within a stage, as text.
fn place<T: Serialize>(place: &T) -> Result<String, StoreError> {
    serde_json::to_string(place).map_err(|problem| corrupt("PASSES", problem))
}

/// A place read back.
fn read_place<T: DeserializeOwned>(text: Option<&str>) -> Result<Option<T>, StoreError> {
    let read = |text: &str| serde_json::from_str(text).map_err(|p| corrupt("PASSES", p));
    text.map(read).transpose()
}

/// What a process does about a pass.
enum Turn {
    /// Begins.
    Begins(Passing),
    /// Goes on from here; whether somebody else may have died in the middle of the piece.
    Goes(Passing, bool),
    /// Only looks on.
    Looks(Passing),
    /// It has ended.
    Ended(Passing),
}

impl Inner {
    /// Does the next piece of a pass. One that is done again finds right what was mended before it
    /// was cut off: it names everything in it, since nobody may have been told.
    pub async fn pass(&self, pass: Pass, so_far: Option<Passing>) -> Result<Passing, StoreError> {
        self.alive()?;
        let (mut passing, again) = match self.turn(pass, so_far).await? {
            Turn::Begins(passing) => {
                // Told before anything is done: who takes over knows that somebody was at it.
                self.keep(pass, &passing).await?;
                (passing, false)
            }
            Turn::Goes(passing, again) => (passing, again),
            Turn::Ended(passing) => return Ok(passing),
            Turn::Looks(passing) => {
                tokio::time::sleep(LOOK).await;
                return Ok(passing);
            }
        };
        // Open from now on: a piece that fails half-way is done again as if another had died in it.
        let again = !self.open_pieces().insert(pass) || again;
        let after = passing.after.as_deref();
        let piece = match passing.stage {
            Stage::Rules => self.judge_piece(after, again).await?,
            Stage::Records => self.records_piece(after, again).await?,
            Stage::Rows => self.rows_piece(after, again).await?,
            Stage::Members => self.members_piece(after, again).await?,
            Stage::Hidden => self.hidden_piece(after, again).await?,
            Stage::Counts => self.counts_piece(after, again).await?,
            Stage::Sets => self.sets_piece(after, again).await?,
            Stage::Actors => self.actors_piece(after).await?,
            Stage::Totals => self.totals_piece().await?,
            Stage::Done => Piece::default(),
        };
        let mut touched = piece.touched;
        touched.sort_unstable_by_key(|touch| format!("{touch:?}"));
        touched.dedup();
        let mut once = HashSet::new();
        let changed = piece.changed.into_iter();
        let changed: Vec<LogSubject> = changed.filter(|one| once.insert(one.clone())).collect();
        self.settler.room(|| self.alive()).await?;
        self.settler.touch(touched, Vec::new());
        self.log.append(&self.cql, &changed).await?;
        passing.seen += piece.seen;
        passing.mended += piece.mended;
        passing.unreadable += piece.unreadable;
        passing.elsewhere = false;
        passing.go_on(pass, piece.next);
        self.keep(pass, &passing).await?;
        self.open_pieces().remove(&pass);
        Ok(passing)
    }

    fn open_pieces(&self) -> MutexGuard<'_, HashSet<Pass>> {
        let open = self.open_pieces.lock();
        open.unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep(&self, pass: Pass, passing: &Passing) -> Result<(), StoreError> {
        let stored = Stored {
            holder: self.log.stream.clone(),
            rules: self.version_of(pass),
            passing: passing.clone(),
        };
        let now = super::now();
        let cell = register("PASSES", now, &stored)?;
        let kept = write!(WritePass; pass.name(), cell, now);
        self.cql.write(vec![kept]).await
    }

    const fn version_of(&self, pass: Pass) -> u16 {
        match pass {
            Pass::Derivations => DERIVATIONS,
            Pass::Indexes | Pass::Counts | Pass::All | Pass::Rules => self.rules,
        }
    }

    async fn turn(&self, pass: Pass, so_far: Option<Passing>) -> Result<Turn, StoreError> {
        let now = super::now();
        let begin = || Turn::Begins(Passing::begin(pass, now));
        let row: Option<(Vec<u8>,)> = self.cql.first(ReadPass, (pass.name(),)).await?;
        let Some((cell,)) = row else {
            return Ok(so_far.map_or_else(begin, |so_far| Turn::Goes(so_far, true)));
        };
        let (told_at, stored): (Micros, Stored) = read_register("PASSES", &cell)?;
        let passing = stored.passing;
        let is_once = matches!(pass, Pass::Rules | Pass::Derivations);
        if is_once && stored.rules != self.version_of(pass) {
            // Newer rules have judged, or do: they count.
            let is_older = stored.rules < self.version_of(pass);
            let ended = Passing {
                stage: Stage::Done,
                ..passing
            };
            return Ok(if is_older {
                begin()
            } else {
                Turn::Ended(ended)
            });
        }
        if passing.is_done() {
            let begins = so_far.is_none() && !is_once;
            return Ok(if begins {
                begin()
            } else {
                Turn::Ended(passing)
            });
        }
        if let Some(so_far) = so_far.filter(|so_far| so_far.began != passing.began) {
            // The one that was handed in has ended, and another began.
            let stage = Stage::Done;
            return Ok(Turn::Ended(Passing { stage, ..so_far }));
        }
        let is_mine = stored.holder == self.log.stream;
        // Who told nothing for that long has let go of it.
        if !is_mine && told_at > now - self.settler.left_behind {
            return Ok(Turn::Looks(Passing {
                elsewhere: true,
                ..passing
            }));
        }
        Ok(Turn::Goes(passing, !is_mine))
    }
}
