//! Accounts, profiles, due checks, refused events, cursors: registers, each stamped by its own
//! time, so that an earlier-asked answer never replaces a later one.

use std::hash::{DefaultHasher, Hash, Hasher};

use plyr_lexicons::Did;
use serde::{Deserialize, Serialize};

use super::Inner;
use super::cells::{self, corrupt, read_register, register};
use super::cql::write;
use super::derived::FeedRow;
use super::placing::{Feed, actor_shard};
use super::statements::Statement::{ReadActor, ReadDue, ReadHiddenOne, ReadQuarantine};
use crate::embedded::rows::QuarantineRow;
use crate::fault::{AFTER_DERIVED, AFTER_LOG, BEFORE_TRUTH};
use crate::model::{
    Account, AccountState, BlueskyProfile, DueCheck, Floor, LogSubject, Micros, Outcome,
    QuarantineEntry, StreamCursor,
};
use crate::store::StoreError;

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AccountRow {
    pub state: String,
    /// When the first question was asked whose answer was this state; 0 in older rows.
    #[serde(default)]
    pub since: Micros,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct IdentityRow {
    pub pds: Option<String>,
    pub signing_key: Option<String>,
    pub handle: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct BlueskyRow {
    pub display_name: Option<String>,
    pub avatar: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CursorRow {
    pub position: u64,
    pub recent: Vec<u64>,
}

/// An actor's registers, each with its time of asking.
#[derive(Clone, Debug, Default)]
pub struct ActorRow {
    pub account: Option<(Micros, AccountRow)>,
    pub identity: Option<(Micros, IdentityRow)>,
    pub bluesky: Option<(Micros, BlueskyRow)>,
}

const WORDS: [(AccountState, &str); 6] = [
    (AccountState::Unknown, ""),
    (AccountState::Active, "active"),
    (AccountState::Deactivated, "deactivated"),
    (AccountState::Deleted, "deleted"),
    (AccountState::TakenDown, "takendown"),
    (AccountState::Suspended, "suspended"),
];

impl ActorRow {
    pub fn state(&self) -> AccountState {
        let word = self.account.as_ref().map_or("", |(_, row)| &row.state);
        let found = WORDS.iter().find(|(_, known)| *known == word);
        found.map_or(AccountState::Unknown, |(state, _)| *state)
    }

    pub fn is_known(&self) -> bool {
        self.account.is_some() || self.identity.is_some() || self.bluesky.is_some()
    }
}

/// A check as held. Of two rows of one trigger the greater cell stays, so the times it was asked
/// come first.
struct Due {
    asked: u8,
    due_at: Micros,
    triggered_at: Micros,
    failures: u8,
    missing_since: Micros,
}

/// The checks of a trigger are done.
const DONE: u8 = u8::MAX;

impl Due {
    fn cell(&self) -> Vec<u8> {
        let mut cell = vec![self.asked];
        cell.extend_from_slice(&self.due_at.to_be_bytes());
        cell.extend_from_slice(&self.triggered_at.to_be_bytes());
        cell.push(self.failures);
        cell.extend_from_slice(&self.missing_since.to_be_bytes());
        cell
    }

    fn read(cell: &[u8]) -> Option<Due> {
        let (&asked, rest) = cell.split_first()?;
        let (due_at, rest) = rest.split_first_chunk::<8>()?;
        let (triggered_at, rest) = rest.split_first_chunk::<8>()?;
        // Older cells end here.
        let (&failures, rest) = rest.split_first().unwrap_or((&0, &[]));
        let missing_since = rest.first_chunk::<8>().copied().unwrap_or_default();
        Some(Due {
            asked,
            due_at: i64::from_be_bytes(*due_at),
            triggered_at: i64::from_be_bytes(*triggered_at),
            failures,
            missing_since: i64::from_be_bytes(missing_since),
        })
    }

    fn check(self, did: &Did) -> Option<DueCheck> {
        (self.asked != DONE).then(|| DueCheck {
            did: did.clone(),
            triggered_at: self.triggered_at,
            asked: self.asked,
            failures: self.failures,
            missing_since: self.missing_since,
            due_at: self.due_at,
        })
    }
}

/// An observation that this process brought all the way to the log: of what, of whom, and the
/// register's bytes, hashed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Observed(&'static str, Did, u64);

impl Observed {
    pub fn of(what: &'static str, did: &Did, cell: &[u8]) -> Observed {
        let mut hasher = DefaultHasher::new();
        cell.hash(&mut hasher);
        Observed(what, did.clone(), hasher.finish())
    }
}

/// What stands under the id of something refused.
enum Refusal {
    /// It, and when it was refused.
    Kept(i64, QuarantineRow),
    /// It was settled at this time.
    Settled(i64),
}

impl Inner {
    pub async fn actor_row(&self, did: &Did) -> Result<ActorRow, StoreError> {
        type Row = (Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);
        let row: Option<Row> = self.cql.first(ReadActor, (did.as_str(),)).await?;
        let Some((account, identity, bluesky)) = row else {
            return Ok(ActorRow::default());
        };
        let read = |cell: Option<Vec<u8>>| cell.filter(|cell| !cell.is_empty());
        Ok(ActorRow {
            account: read(account)
                .map(|c| read_register("ACTORS", &c))
                .transpose()?,
            identity: read(identity)
                .map(|c| read_register("ACTORS", &c))
                .transpose()?,
            bluesky: read(bluesky)
                .map(|c| read_register("ACTORS", &c))
                .transpose()?,
        })
    }

    /// Logs an actor, and who else an observation changed, unless this process has logged the very
    /// same observation: who wrote it before may have died. Its time is part of it. Asked again
    /// with the same answer it is logged again, for what others wrote and logged meanwhile is
    /// unknown.
    pub(super) async fn log_actor(
        &self,
        did: &Did,
        others: Vec<Did>,
        observed: Observed,
    ) -> Result<(), StoreError> {
        if self.logged_actors.has(&observed) {
            return Ok(());
        }
        self.crash(AFTER_DERIVED)?;
        let dids = std::iter::once(did.clone()).chain(others);
        let subjects: Vec<LogSubject> = dids.map(LogSubject::Actor).collect();
        self.log.append(&self.cql, &subjects).await?;
        self.crash(AFTER_LOG)?;
        self.logged_actors.add(observed);
        Ok(())
    }

    /// An older answer than the one that is held brings that to the log: who wrote it may have
    /// died.
    pub async fn account(&self, account: &Account) -> Result<Outcome, StoreError> {
        let did = &account.did;
        let held = self.actor_row(did).await?;
        let newer = held.account.clone();
        if let Some((asked_at, row)) = newer.filter(|(at, _)| account.asked_at < *at) {
            let cell = register("ACTORS", asked_at, &row)?;
            let observed = Observed::of("account", did, &cell);
            if !self.logged_actors.has(&observed) {
                let newer = Account {
                    did: did.clone(),
                    state: held.state(),
                    since: row.since,
                    asked_at,
                };
                self.write_account(&newer, held).await?;
            }
            return Ok(Outcome::Superseded);
        }
        self.write_account(account, held).await
    }

    async fn write_account(
        &self,
        account: &Account,
        held: ActorRow,
    ) -> Result<Outcome, StoreError> {
        let did = &account.did;
        let known = held.account.as_ref();
        let word = WORDS.iter().find(|(state, _)| *state == account.state);
        let state = word.map_or("", |(_, word)| *word).to_owned();
        let since = account.since;
        let row = AccountRow { state, since };
        let was = held.state();
        self.crash(BEFORE_TRUTH)?;
        let (shard, stamp) = (actor_shard(did), account.asked_at);
        let hides = !account.state.is_visible();
        if hides {
            self.write_hidden(did, stamp, true).await?;
        }
        let cell = register("ACTORS", stamp, &row)?;
        let observed = Observed::of("account", did, &cell);
        self.cql
            .write(vec![write!(WriteAccount; did.as_str(), cell, stamp)])
            .await?;
        // Read back after the write: of two at once at least one sees both, and puts the list of
        // the hidden right.
        let now = self.actor_row(did).await?;
        let ever: Option<(Vec<u8>,)> = self.cql.first(ReadHiddenOne, (shard, did.as_str())).await?;
        let ever = ever.is_some();
        if ever {
            let won_at = now
                .account
                .as_ref()
                .map_or(stamp, |(asked_at, _)| *asked_at);
            self.write_hidden(did, won_at, !now.state().is_visible())
                .await?;
        }
        let same = known.is_some_and(|(_, known)| known.state == row.state);
        // What was held is counted if it was brought here to the end.
        let finished = match known {
            Some((at, known)) if known.state == row.state => {
                let cell = register("ACTORS", *at, known)?;
                self.logged_actors.has(&Observed::of("account", did, &cell))
            }
            _ => false,
        };
        let touched = if !finished && (hides || ever || !was.is_visible()) {
            self.touches_of(did).await?
        } else {
            Vec::new()
        };
        // Before the entry: a stream is settled up to an entry once nothing is left to count.
        if !touched.is_empty() {
            self.settler.touch(touched, Vec::new());
        }
        self.log_actor(did, Vec::new(), observed).await?;
        let unchanged = same || (known.is_none() && account.state == AccountState::Unknown);
        Ok(if unchanged {
            Outcome::Superseded
        } else {
            Outcome::Applied
        })
    }

    /// Writes into the directory of hidden accounts.
    pub async fn write_hidden(&self, did: &Did, stamp: i64, hides: bool) -> Result<(), StoreError> {
        let mut cell = stamp.to_be_bytes().to_vec();
        cell.push(u8::from(hides));
        let hidden = write!(WriteHidden; actor_shard(did), did.as_str(), cell, stamp);
        self.cql.write(vec![hidden]).await
    }

    pub async fn bluesky(&self, profile: &BlueskyProfile) -> Result<Outcome, StoreError> {
        let (did, stamp) = (&profile.did, profile.asked_at);
        let held = self.actor_row(did).await?.bluesky;
        if let Some((asked_at, row)) = held.as_ref().filter(|(at, _)| stamp < *at) {
            // Who wrote it may have died before it was logged.
            let cell = register("ACTORS", *asked_at, row)?;
            let observed = Observed::of("bluesky", did, &cell);
            self.log_actor(did, Vec::new(), observed).await?;
            return Ok(Outcome::Superseded);
        }
        let row = BlueskyRow {
            display_name: profile.display_name.clone(),
            avatar: profile.avatar.clone(),
        };
        self.crash(BEFORE_TRUTH)?;
        let cell = register("ACTORS", stamp, &row)?;
        let observed = Observed::of("bluesky", did, &cell);
        self.cql
            .write(vec![write!(WriteBluesky; did.as_str(), cell, stamp)])
            .await?;
        self.log_actor(did, Vec::new(), observed).await?;
        Ok(outcome(held.map(|(_, held)| held), &row))
    }

    pub async fn raise_floor(&self, floor: &Floor) -> Result<Outcome, StoreError> {
        let (did, collection) = (floor.did.as_str(), floor.collection.as_str());
        if floor.rev <= self.floor(did, collection).await? {
            return Ok(Outcome::Superseded);
        }
        // Two revs of one microsecond tie; the greater number wins.
        let (rev, stamp) = (floor.rev.as_u64() as i64, floor.rev.micros());
        self.cql
            .write(vec![write!(WriteFloor; did, collection, rev, stamp)])
            .await?;
        Ok(Outcome::Applied)
    }

    async fn held_due(&self, did: &Did) -> Result<Option<Due>, StoreError> {
        let row: Option<(Vec<u8>,)> = self.cql.first(ReadDue, (did.as_str(),)).await?;
        let read = |(cell,): (Vec<u8>,)| Due::read(&cell).ok_or_else(|| corrupt("DUE", "cut"));
        row.map(read).transpose()
    }

    pub async fn due(&self, check: &DueCheck) -> Result<Outcome, StoreError> {
        let held = self.held_due(&check.did).await?;
        let place = (check.triggered_at, check.asked.min(DONE - 1));
        if held.is_some_and(|held| (held.triggered_at, held.asked) > place) {
            return Ok(Outcome::Superseded);
        }
        let (did, now) = (check.did.as_str(), super::now());
        let due = Due {
            asked: place.1,
            due_at: check.due_at,
            triggered_at: check.triggered_at,
            failures: check.failures,
            missing_since: check.missing_since,
        };
        let feed = Feed::due();
        let (bucket, shard) = feed.place(check.due_at, did);
        let by_time = FeedRow {
            feed: feed.clone(),
            position: (
                check.due_at,
                0,
                did.to_owned(),
                String::new(),
                String::new(),
            ),
            cell: vec![1],
            stamp: now,
        };
        // The bucket after its row: whoever clears empty buckets looks before it clears.
        self.cql.write(vec![by_time.write()]).await?;
        self.cql
            .write(vec![
                write!(WriteBucket; feed.name, bucket, shard, now),
                write!(WriteDue; did, due.cell(), check.triggered_at),
            ])
            .await?;
        Ok(Outcome::Applied)
    }

    pub async fn checked(&self, did: &Did, triggered_at: Micros) -> Result<Outcome, StoreError> {
        let held = self.held_due(did).await?;
        let open = held.filter(|held| held.triggered_at <= triggered_at && held.asked != DONE);
        if open.is_none() {
            return Ok(Outcome::Superseded);
        }
        let done = Due {
            asked: DONE,
            due_at: 0,
            triggered_at,
            failures: 0,
            missing_since: 0,
        };
        self.cql
            .write(vec![
                write!(WriteDue; did.as_str(), done.cell(), triggered_at),
            ])
            .await?;
        Ok(Outcome::Applied)
    }

    /// The check of an actor, where one is open.
    pub async fn open_check(&self, did: &Did) -> Result<Option<DueCheck>, StoreError> {
        Ok(self.held_due(did).await?.and_then(|held| held.check(did)))
    }

    pub async fn quarantine(&self, entry: &QuarantineEntry) -> Result<Outcome, StoreError> {
        let settled_at = match self.refusal(&entry.id).await? {
            Some(Refusal::Kept(..)) => return Ok(Outcome::Superseded),
            Some(Refusal::Settled(at)) => at,
            None => 0,
        };
        let did = entry.did.as_ref().map_or("", |did| did.as_str()).to_owned();
        let feed = Feed::quarantine();
        let newest_first = entry.seen_at.saturating_neg();
        let (bucket, shard) = feed.place(newest_first, &did);
        let listed = FeedRow {
            feed: feed.clone(),
            position: (newest_first, 0, did, String::new(), entry.id.clone()),
            cell: vec![1],
            stamp: entry.seen_at.max(1),
        };
        let bucket = write!(WriteBucket; feed.name, bucket, shard, 1i64);
        self.cql.write(vec![listed.write(), bucket]).await?;
        let row = QuarantineRow::of(entry);
        let cell = register("QUARANTINE", entry.seen_at, &row)?;
        // It may have been settled before, and is refused again: that was later, whatever this
        // machine's clock says.
        let stamp = entry.seen_at.max(settled_at.saturating_add(1));
        let kept = write!(WriteQuarantine; entry.id.as_str(), cell, stamp);
        self.cql.write(vec![kept]).await?;
        Ok(Outcome::Applied)
    }

    /// What was refused under an id; none where it was settled since.
    pub async fn refused(&self, id: &str) -> Result<Option<(i64, QuarantineRow)>, StoreError> {
        match self.refusal(id).await? {
            Some(Refusal::Kept(at, row)) => Ok(Some((at, row))),
            _ => Ok(None),
        }
    }

    async fn refusal(&self, id: &str) -> Result<Option<Refusal>, StoreError> {
        let held: Option<(Vec<u8>,)> = self.cql.first(ReadQuarantine, (id,)).await?;
        let Some((cell,)) = held else {
            return Ok(None);
        };
        if let Ok(at) = <[u8; 8]>::try_from(cell.as_slice()) {
            return Ok(Some(Refusal::Settled(i64::from_be_bytes(at))));
        }
        let (at, row) = read_register("QUARANTINE", &cell)?;
        Ok(Some(Refusal::Kept(at, row)))
    }

    /// The time alone in an entry's place; its row in the feed expires.
    pub async fn release(&self, id: &str) -> Result<Outcome, StoreError> {
        let Some((seen_at, _)) = self.refused(id).await? else {
            return Ok(Outcome::Superseded);
        };
        let now = super::now().max(seen_at.saturating_add(1));
        let settled = now.to_be_bytes().to_vec();
        let released = write!(WriteQuarantine; id, settled, now);
        self.cql.write(vec![released]).await?;
        Ok(Outcome::Applied)
    }

    pub async fn cursor(&self, cursor: &StreamCursor) -> Result<Outcome, StoreError> {
        self.crash(BEFORE_TRUTH)?;
        // Everything up to it is finished, whoever says so: the greatest is right. A stamp ahead
        // of the clock would be refused.
        let stamp = i64::try_from(cursor.position).unwrap_or(i64::MAX);
        let stamp = stamp.clamp(1, super::now());
        let row = CursorRow {
            position: cursor.position,
            recent: cursor.recent.clone(),
        };
        let cell = cells::register("CURSORS", stamp, &row)?;
        self.cql
            .write(vec![
                write!(WriteCursor; cursor.source.as_str(), cell, stamp),
            ])
            .await?;
        Ok(Outcome::Applied)
    }
}

pub fn outcome<T: PartialEq>(held: Option<T>, row: &T) -> Outcome {
    if held.as_ref() == Some(row) {
        Outcome::Superseded
    } else {
        Outcome::Applied
    }
}
