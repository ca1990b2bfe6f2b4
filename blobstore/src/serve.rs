//! Handing out: how far blobs have come, their bytes, and wanting those that aren't here.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use plyr_lexicons::{Cid, Did, RecordUri};
use plyr_objects::{About, ImageSize, ObjectKey, Objects, Reading};
use plyr_schemas::{Blob, BlobRows, BlobState, MOST_HOLDERS, Micros, SeenAudio, is_blob_cid};
use tokio::sync::Notify;
use url::Url;

use crate::error::BlobstoreError;
use crate::options::{MediaOptions, MediaPolicy};
use crate::public::Copying;
use crate::standing::{Standing, TOO_LARGE, UNNAMED};

/// How often a row that others change is read and written again.
const TRIES: usize = 8;
/// Failures after which one that is asked for again begins anew: the next wait is an hour.
const GIVEN_UP: u32 = 4;
/// When it was last asked for is written down to the hour.
const HOUR: Micros = 3_600_000_000;
/// How long before all others those stand in the queue for which somebody waits: longer than
/// anything else waits, as in a mirror that was full for months.
const BEFORE_ALL: Micros = 10 * 365 * 24 * HOUR;
/// How often a row is looked at that another process may be changing.
const LOOK: Duration = Duration::from_millis(100);

/// What serves bytes. Which record names them, and whether it shows, is for who asks.
#[derive(Clone)]
pub struct Blobstore {
    pub(crate) options: Arc<MediaOptions>,
    pub(crate) rows: Arc<dyn BlobRows>,
    pub(crate) objects: Arc<dyn Objects>,
    /// Told when a job of this process is due or done.
    pub(crate) moved: Arc<Notify>,
    /// What is being copied now to where the public reads it.
    pub(crate) copying: Copying,
    /// Why this process fetches nothing at all now, for people.
    stopped: Arc<Mutex<Option<String>>>,
}

/// Whether a job waits among all others.
fn waits_in_line(row: &Blob, at: Micros) -> bool {
    let is_due = |due: Micros| due <= at && due > at - BEFORE_ALL / 2;
    row.state == BlobState::Wanted && row.leased_until <= at && row.due_at.is_some_and(is_due)
}

/// Whether a job found that no record that shows names the blob: who has one that does knows better.
fn was_unnamed(row: &Blob, at: Micros) -> bool {
    row.state == BlobState::Wanted
        && row.leased_until <= at
        && row.due_at.is_some_and(|due| due > at)
        && row.reason.as_deref() == Some(UNNAMED)
}

/// Whether it was refused for what hosts said of its size, none of which sent its bytes: another
/// who names it may have it.
fn is_unproven(row: &Blob) -> bool {
    row.state == BlobState::Refused && row.reason.as_deref() == Some(TOO_LARGE)
}

/// Forgets what was said of a blob; it is due then, if at all.
fn begin_anew(row: &mut Blob, due_at: Option<Micros>) {
    row.state = BlobState::Wanted;
    row.facts = None;
    row.reason = None;
    row.failures = 0;
    row.due_at = due_at;
}

/// Whether somebody waits for a job that is due.
pub(crate) fn is_before_all(row: &Blob) -> bool {
    row.due_at.is_some_and(|due| due <= now() - BEFORE_ALL / 2)
}

/// When a blob is tried, for people: what somebody waits for was due when they asked.
pub(crate) fn due_for_people(row: &Blob) -> Option<Micros> {
    let due = row.due_at?;
    Some(match is_before_all(row) {
        true => due + BEFORE_ALL,
        false => due,
    })
}

/// The time as rows hold it.
pub(crate) fn now() -> Micros {
    chrono::Utc::now().timestamp_micros()
}

/// When the hour began: that somebody asked is written once in it.
pub(crate) fn hour_of(at: Micros) -> Micros {
    at - at.rem_euclid(HOUR)
}

impl Blobstore {
    /// Over those rows and objects.
    pub fn new(
        options: MediaOptions,
        rows: Arc<dyn BlobRows>,
        objects: Arc<dyn Objects>,
    ) -> Blobstore {
        Blobstore {
            options: Arc::new(options),
            rows,
            objects,
            moved: Arc::new(Notify::new()),
            copying: Copying::default(),
            stopped: Arc::default(),
        }
    }

    /// Why this process fetches nothing at all now, if so.
    pub(crate) fn is_stopped_by(&self, why: Option<String>) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// How far a row has come. Jobs that aren't begun write no reason.
    fn standing(&self, row: Option<&Blob>) -> Standing {
        let mut standing = Standing::of(row);
        if let Standing::Wanted { reason, .. } = &mut standing
            && reason.is_none()
        {
            let stopped = self.stopped.lock();
            reason.clone_from(&stopped.unwrap_or_else(PoisonError::into_inner));
        }
        let is_due = row.is_some_and(|row| row.due_at.is_some());
        match standing {
            Standing::Wanted { .. } if self.policy() == MediaPolicy::Off && !is_due => {
                Standing::NotWanted
            }
            standing => standing,
        }
    }

    /// When audio is fetched.
    pub fn policy(&self) -> MediaPolicy {
        self.options.policy
    }

    /// How far blobs have come, in the order asked; one round to the store.
    pub async fn standings(&self, cids: &[Cid]) -> Result<Vec<Standing>, BlobstoreError> {
        let rows = self.rows.blobs(cids).await?;
        Ok(rows.iter().map(|row| self.standing(row.as_ref())).collect())
    }

    /// Somebody wants to hear or see a blob: notes it, and has it fetched from the PDS of `holder`
    /// (or of others that name it) if it isn't here, unless `--media off`: then it is looked at if
    /// it is here and no row says so. Answers how far it is.
    pub async fn want(&self, cid: &Cid, holder: &Did) -> Result<Standing, BlobstoreError> {
        let is_off = self.policy() == MediaPolicy::Off;
        if !is_blob_cid(cid) || (is_off && !self.is_here_unknown(cid).await?) {
            let row = self.rows.blobs(std::slice::from_ref(cid)).await?;
            return Ok(self.standing(row.first().and_then(Option::as_ref)));
        }
        let hour = hour_of(now());
        let row = self
            .change(cid, |row| {
                let at = now();
                // As long as it isn't here, who asks last has it asked for.
                let is_full = row.holders.len() >= MOST_HOLDERS;
                // Where they are many, who is forgotten and asks again is heard once an hour.
                let is_heard = !is_full || row.played_at != Some(hour);
                if is_unproven(row) && !row.holders.contains(holder) && is_heard {
                    begin_anew(row, Some(at));
                }
                let known =
                    row.holders.contains(holder) || (is_full && row.state != BlobState::Wanted);
                let is_noted = row.played_at == Some(hour) && row.unnamed_since.is_none();
                let rests =
                    row.state == BlobState::Wanted && row.due_at.is_none_or(|due| due > at + HOUR);
                let is_given_up = rests && row.due_at.is_none() && row.leased_until <= at;
                if was_unnamed(row, at) {
                    row.due_at = Some(at);
                    row.reason = None;
                }
                let waits = waits_in_line(row, at);
                if row.revision > 0 && known && is_noted && !is_given_up && !waits {
                    return false;
                }
                // Somebody waits for it: once an hour it is tried sooner than it would be by
                // itself.
                if rests && (is_given_up || row.played_at != Some(hour)) {
                    row.due_at = Some(at.max(row.leased_until));
                    row.failures = row.failures.min(GIVEN_UP);
                }
                if waits_in_line(row, at) {
                    row.due_at = Some(at - BEFORE_ALL);
                }
                row.played_at = Some(hour);
                row.unnamed_since = None;
                if !known {
                    row.holders.drain(..usize::from(is_full));
                    row.holders.push(holder.clone());
                }
                true
            })
            .await?;
        self.moved.notify_waiters();
        Ok(self.standing(Some(&row)))
    }

    /// Somebody waits for a blob that is due: it comes before all for which nobody does.
    async fn comes_first(&self, cid: &Cid) -> Result<(), BlobstoreError> {
        let first = self.change(cid, |row| {
            let at = now();
            let waits = row.revision > 0 && waits_in_line(row, at);
            if waits {
                row.due_at = Some(at - BEFORE_ALL);
            }
            waits
        });
        first.await.map(drop)
    }

    /// A kept blob whose object isn't there any more: it is fetched again.
    pub async fn lost(&self, cid: &Cid) -> Result<(), BlobstoreError> {
        let mut was_kept = false;
        let lost = self.change(cid, |row| {
            was_kept = row.state == BlobState::Kept;
            if !was_kept {
                return false;
            }
            row.state = BlobState::Wanted;
            row.reason = Some("its bytes were lost here".to_owned());
            row.kept_at = None;
            row.due_at = Some(now());
            true
        });
        lost.await?;
        if was_kept {
            metrics::counter!("plyr_media_lost_total").increment(1);
            tracing::error!(%cid, "a kept blob's object is gone; it is fetched again");
            self.moved.notify_waiters();
        }
        Ok(())
    }

    /// A mirror wants whatever is named. Nothing was asked for by anybody.
    pub(crate) async fn want_unasked(&self, cid: &Cid, holder: &Did) -> Result<(), BlobstoreError> {
        if !is_blob_cid(cid) {
            return Ok(());
        }
        self.change(cid, |row| {
            if is_unproven(row) && !row.holders.contains(holder) {
                begin_anew(row, Some(now()));
                row.holders.truncate(MOST_HOLDERS - 1);
            }
            let known = row.holders.contains(holder) || row.holders.len() >= MOST_HOLDERS;
            // Whoever fetched only what was asked for gave it up; a mirror tries for itself.
            let is_given_up =
                row.state == BlobState::Wanted && row.due_at.is_none() && row.leased_until <= now();
            let was_unnamed = was_unnamed(row, now());
            let is_noted = row.unnamed_since.is_none() && !was_unnamed;
            if row.revision > 0 && known && is_noted && !is_given_up {
                return false;
            }
            if was_unnamed {
                row.due_at = Some(now());
                row.reason = None;
            }
            if is_given_up {
                row.due_at = Some(now());
                row.failures = row.failures.min(GIVEN_UP);
            }
            row.unnamed_since = None;
            if !known {
                row.holders.push(holder.clone());
            }
            true
        })
        .await?;
        self.moved.notify_waiters();
        Ok(())
    }

    /// Where nothing is fetched: what a record names and the store has is looked at, if no row says
    /// what it is, as of a store of rows that is new.
    pub(crate) async fn want_if_here(&self, cid: &Cid, by: &Did) -> Result<(), BlobstoreError> {
        match self.is_here_unknown(cid).await? {
            true => self.want_unasked(cid, by).await,
            false => self.is_named(cid, Some(by)).await,
        }
    }

    /// Whether the store has a blob's object, and no row says what it is.
    async fn is_here_unknown(&self, cid: &Cid) -> Result<bool, BlobstoreError> {
        let held = self.rows.blobs(std::slice::from_ref(cid)).await?;
        let is_known = |row: &Blob| row.state != BlobState::Wanted;
        Ok(!held.iter().flatten().any(is_known) && self.has_object(cid).await)
    }

    /// A record names it, of that author where that is known: no sweep takes it for one that nobody
    /// names, and what others' hosts said of its size says nothing of this one's.
    pub(crate) async fn is_named(&self, cid: &Cid, by: Option<&Did>) -> Result<(), BlobstoreError> {
        let is_news = |row: &Blob, did: &Did| {
            is_unproven(row) && row.holders.len() < MOST_HOLDERS && !row.holders.contains(did)
        };
        let held = self.rows.blobs(std::slice::from_ref(cid)).await?;
        let is_in_doubt =
            |row: &Blob| row.unnamed_since.is_some() || by.is_some_and(|did| is_news(row, did));
        if !held.iter().flatten().any(is_in_doubt) {
            return Ok(());
        }
        let named = self.change(cid, |row| {
            if row.revision == 0 || !is_in_doubt(row) {
                return false;
            }
            if let Some(did) = by.filter(|did| is_news(row, did)) {
                // When somebody asks for it.
                begin_anew(row, None);
                row.holders.push(did.clone());
            }
            row.unnamed_since = None;
            true
        });
        named.await.map(drop)
    }

    /// A record newly names it as audio, which may be larger than the picture that it was meant to
    /// be before: what was said of its size is forgotten. It is fetched when it is wanted.
    pub(crate) async fn is_newly_audio(&self, cid: &Cid) -> Result<(), BlobstoreError> {
        let held = self.rows.blobs(std::slice::from_ref(cid)).await?;
        if !held.iter().flatten().any(is_unproven) {
            return Ok(());
        }
        let anew = self.change(cid, |row| {
            let is_refused = row.revision > 0 && is_unproven(row);
            if is_refused {
                begin_anew(row, None);
            }
            is_refused
        });
        anew.await.map(drop)
    }

    /// What tracks' audio was last seen to be, in the order asked.
    pub async fn seen(&self, uris: &[RecordUri]) -> Result<Vec<Option<SeenAudio>>, BlobstoreError> {
        Ok(self.rows.seen_audio(uris).await?)
    }

    /// Waits until a blob is here or refused, that long at most; then answers how far it is.
    pub async fn wait(&self, cid: &Cid, patience: Duration) -> Result<Standing, BlobstoreError> {
        let until = tokio::time::Instant::now() + patience;
        loop {
            let told = self.moved.notified();
            let rows = self.rows.blobs(std::slice::from_ref(cid)).await?;
            let row = rows.first().and_then(Option::as_ref);
            // One that was put off for a moment comes back to the end of the line.
            if row.is_some_and(|row| waits_in_line(row, now())) {
                self.comes_first(cid).await?;
                continue;
            }
            let standing = self.standing(row);
            let is_final = !matches!(standing, Standing::NotWanted | Standing::Wanted { .. });
            if is_final || tokio::time::Instant::now() >= until {
                return Ok(standing);
            }
            let look = (tokio::time::Instant::now() + LOOK).min(until);
            let _ = tokio::time::timeout_at(look, told).await;
        }
    }

    /// A kept blob's bytes, or a range of them; none if the object isn't there.
    pub async fn original(
        &self,
        cid: &Cid,
        range: Option<Range<u64>>,
    ) -> Result<Option<Reading>, BlobstoreError> {
        Ok(self.objects.read(&ObjectKey::original(cid), range).await?)
    }

    /// An image made from a kept blob; none if the object isn't there.
    pub async fn image(
        &self,
        cid: &Cid,
        size: ImageSize,
    ) -> Result<Option<Reading>, BlobstoreError> {
        Ok(self
            .objects
            .read(&ObjectKey::image(cid, size), None)
            .await?)
    }

    /// Whether a kept blob's object is there, and has its size.
    pub async fn is_whole(&self, cid: &Cid, size: u64) -> Result<bool, BlobstoreError> {
        let found = self.objects.find(&ObjectKey::original(cid)).await?;
        Ok(found.is_some_and(|found| found.size == size))
    }

    /// Whether the store answers, and says that it has a blob's object.
    pub(crate) async fn has_object(&self, cid: &Cid) -> bool {
        let found = self.objects.find(&ObjectKey::original(cid)).await;
        matches!(found, Ok(Some(_)))
    }

    /// Where a kept blob of a size can be fetched from the store itself, for that long; none where
    /// the store has no such links, or isn't there whole.
    pub async fn direct(
        &self,
        (cid, size): (&Cid, u64),
        lives: Duration,
        about: &About,
        disposition: Option<&str>,
    ) -> Result<Option<Url>, BlobstoreError> {
        let key = ObjectKey::original(cid);
        let link = self.objects.direct(&key, lives, about, disposition).await?;
        // Whoever follows it is told nothing by us any more.
        match link.is_none() || self.is_whole(cid, size).await? {
            true => Ok(link),
            false => Ok(None),
        }
    }

    /// Reads a blob's row (or a new one), changes it and writes it, until nobody came between.
    /// `change` answers whether there is anything to write.
    pub(crate) async fn change(
        &self,
        cid: &Cid,
        mut change: impl FnMut(&mut Blob) -> bool,
    ) -> Result<Blob, BlobstoreError> {
        for _ in 0..TRIES {
            let held = self.rows.blobs(std::slice::from_ref(cid)).await?;
            let mut row = match held.into_iter().next().flatten() {
                Some(row) => row,
                None => Blob::wanted(*cid, now()),
            };
            if !change(&mut row) || self.rows.replace_blob(row.clone()).await? {
                return Ok(row);
            }
        }
        Err(BlobstoreError::Contended {
            cid: cid.to_string(),
        })
    }
}

#[cfg(test)]
mod tests;
