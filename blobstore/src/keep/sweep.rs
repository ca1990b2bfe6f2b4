//! Mark and sweep: what no record names goes, after a grace time. It is seen unnamed first, and
//! goes at a later sweep; whoever names or plays it meanwhile keeps it. What no row knows is
//! another's for all we know: only who is asked to sweep by a person takes it up.

use std::time::{Duration, UNIX_EPOCH};

use plyr_lexicons::Cid;
use plyr_objects::{Listed, ObjectKey};
use plyr_schemas::{Blob, Micros, Store};
use serde::{Deserialize, Serialize};

use super::marks::Marks;
use super::quota::let_go;
use crate::error::BlobstoreError;
use crate::serve::{Blobstore, now};

/// Objects and rows read at once.
const PAGE: usize = 500;
/// What an upload that was cut off leaves is taken away after that.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

/// How to sweep.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SweepOptions {
    /// How long what nobody names stays.
    pub grace: Duration,
    /// Whether only to tell what would go.
    pub is_dry: bool,
    /// Whether objects that no row knows are left alone, however old: a new store over a bucket
    /// that is full knows none of them until its records are here.
    pub spares_unknown: bool,
}

/// How far a sweep has come.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Sweep {
    /// Records that were read for marks.
    pub records: u64,
    /// Blobs that are named.
    pub named: u64,
    /// Objects and rows that were looked at.
    pub looked_at: u64,
    /// Blobs that nobody names and that stay until their grace is over.
    pub unnamed: u64,
    /// Blobs among the objects that neither a row nor a record knows.
    pub unknown: u64,
    /// Blobs that went, or would.
    pub gone: u64,
    /// Their bytes.
    pub gone_bytes: u64,
    /// Leavings of uploads and copies that were cut off.
    pub tidied: u64,
}

/// Sweeps. `told` hears how far it has come; when it answers `false` the sweep ends there.
pub async fn sweep(
    blobstore: &Blobstore,
    store: &dyn Store,
    options: &SweepOptions,
    mut told: impl FnMut(&Sweep) -> bool,
) -> Result<Sweep, BlobstoreError> {
    let mut sweep = Sweep::default();
    let taken = Marks::take(blobstore, store, |records| {
        sweep.records = records;
        told(&sweep)
    });
    let Some(marks) = taken.await? else {
        return Ok(sweep);
    };
    sweep.named = marks.len() as u64;
    let mut after: Option<Cid> = None;
    loop {
        let rows = blobstore.rows.all_blobs(after.as_ref(), PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.cid);
        for row in &rows {
            sweep.looked_at += 1;
            sweep_row(blobstore, &marks, options, row, &mut sweep).await?;
        }
        if !told(&sweep) {
            return Ok(sweep);
        }
    }
    let mut after: Option<ObjectKey> = None;
    loop {
        let listed = blobstore.objects.list("", after.as_ref(), PAGE).await?;
        let Some(last) = listed.last() else { break };
        after = Some(last.key.clone());
        sweep_orphans(blobstore, &marks, options, &listed, &mut sweep).await?;
        if !told(&sweep) {
            return Ok(sweep);
        }
    }
    if !options.is_dry {
        let left = blobstore.objects.tidy(LEFT_BEHIND).await?;
        sweep.tidied = left as u64;
    }
    told(&sweep);
    Ok(sweep)
}

fn micros(duration: Duration) -> Micros {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

async fn sweep_row(
    blobstore: &Blobstore,
    marks: &Marks,
    options: &SweepOptions,
    row: &Blob,
    sweep: &mut Sweep,
) -> Result<(), BlobstoreError> {
    let at = now();
    if marks.has(&row.cid) {
        if row.unnamed_since.is_some() && !options.is_dry {
            blobstore.is_named(&row.cid, None).await?;
        }
        return Ok(());
    }
    if row.leased_until > at {
        return Ok(());
    }
    let since = row.unnamed_since.unwrap_or(at);
    let is_over = since.saturating_add(micros(options.grace)) <= at;
    // Even without any grace it is seen unnamed by one sweep and goes at another.
    if row.unnamed_since.is_none() || !is_over {
        sweep.unnamed += 1;
        if row.unnamed_since.is_none() && !options.is_dry {
            let mut seen = row.clone();
            seen.unnamed_since = Some(at);
            // Who changed it meanwhile is somebody who wants it.
            blobstore.rows.replace_blob(seen).await?;
        }
        return Ok(());
    }
    if !options.is_dry && !let_go(blobstore, row).await? {
        return Ok(());
    }
    sweep.gone += 1;
    sweep.gone_bytes += row.size.unwrap_or_default();
    tracing::info!(cid = %row.cid, is_dry = options.is_dry, "no record names this blob; it goes");
    Ok(())
}

/// Objects that no row knows, of a store that is new or was lost, or put by a process that was
/// killed. What a record names stays, and is found there when it is wanted. The others get a row,
/// and go like what else nobody names: the records that name them may still be on their way.
async fn sweep_orphans(
    blobstore: &Blobstore,
    marks: &Marks,
    options: &SweepOptions,
    listed: &[Listed],
    sweep: &mut Sweep,
) -> Result<(), BlobstoreError> {
    let cids: Vec<Cid> = listed.iter().filter_map(|one| one.key.cid()).collect();
    let rows = blobstore.rows.blobs(&cids).await?;
    let known = cids.iter().zip(&rows);
    let unknown = known.filter(|(cid, row)| row.is_none() && !marks.has(cid));
    let mut unknown: Vec<Cid> = unknown.map(|(cid, _)| *cid).collect();
    unknown.dedup();
    for cid in unknown {
        let original = ObjectKey::original(&cid);
        let has_original = listed.iter().find(|one| one.key == original);
        // What was made of an original goes with it, in the original's turn.
        if has_original.is_none() && blobstore.objects.find(&original).await?.is_some() {
            continue;
        }
        let of_it = listed.iter().filter(|one| one.key.cid() == Some(cid));
        let newest = of_it.map(|one| one.found.put_at).max();
        let newest = newest.unwrap_or(UNIX_EPOCH);
        let is_old = newest.elapsed().is_ok_and(|age| age >= options.grace);
        sweep.looked_at += 1;
        sweep.unknown += 1;
        if !is_old || options.spares_unknown || options.is_dry {
            continue;
        }
        tracing::info!(%cid, "neither a row nor a record knows this object; it is noted");
        let at = now();
        let row = Blob {
            due_at: None,
            unnamed_since: Some(at),
            size: has_original.map(|one| one.found.size),
            reason: Some("it was found here, and no record named it".to_owned()),
            ..Blob::wanted(cid, at)
        };
        // Somebody may be fetching it just now: their row stays.
        blobstore.rows.replace_blob(row).await?;
    }
    Ok(())
}
