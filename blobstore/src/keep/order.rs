//! In which order blobs make room for others.

use std::collections::{BinaryHeap, HashSet};

use plyr_lexicons::{Cid, RecordUri};
use plyr_schemas::{Blob, BlobState, Micros, SeenAudio};

use super::marks::DROPPED_STAY;
use crate::error::BlobstoreError;
use crate::serve::{Blobstore, hour_of, now};

/// Rows read at once.
const PAGE: usize = 500;
/// Those that one look may find.
const MOST_EVICTED: usize = 512;

/// What a blob is kept for; the least goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Purpose {
    /// For nothing: no record names it, as a sweep saw.
    None,
    /// For whoever plays it. It can be fetched again.
    Play,
    /// For a corrected record. Its host may have it no more.
    Correction,
}

/// What is kept in all, in bytes.
pub(super) async fn sum(blobstore: &Blobstore) -> Result<u64, BlobstoreError> {
    let mut bytes = 0_u64;
    let mut after: Option<Cid> = None;
    loop {
        let rows = blobstore.rows.all_blobs(after.as_ref(), PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.cid);
        for row in rows.iter().filter(|row| row.state == BlobState::Kept) {
            bytes = bytes.saturating_add(row.size.unwrap_or_default());
        }
    }
    Ok(bytes)
}

/// What may go first: what nobody names, then what was played longest ago, and only then what a
/// track dropped lately.
pub(super) async fn first_to_go(blobstore: &Blobstore) -> Result<Vec<Blob>, BlobstoreError> {
    let dropped = dropped_lately(blobstore).await?;
    // The greatest of the heap is the last to go, and makes place for one that goes before.
    let mut first: BinaryHeap<(Purpose, Micros, Cid)> = BinaryHeap::new();
    let mut after: Option<Cid> = None;
    loop {
        let rows = blobstore.rows.all_blobs(after.as_ref(), PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.cid);
        for row in rows.iter().filter(|row| row.state == BlobState::Kept) {
            let purpose = match row.unnamed_since {
                _ if dropped.contains(&row.cid) => Purpose::Correction,
                Some(_) => Purpose::None,
                None => Purpose::Play,
            };
            // Of a play the hour alone is known, so no more is asked of a fetch.
            let played = row.played_at.max(row.kept_at.map(hour_of));
            first.push((purpose, played.unwrap_or_default(), row.cid));
            if first.len() > MOST_EVICTED {
                first.pop();
            }
        }
    }
    let first = first.into_sorted_vec();
    let cids: Vec<Cid> = first.into_iter().map(|(_, _, cid)| cid).collect();
    let rows = blobstore.rows.blobs(&cids).await?;
    let is_kept = |row: &Blob| row.state == BlobState::Kept;
    Ok(rows.into_iter().flatten().filter(is_kept).collect())
}

/// Blobs that a track has dropped and that stay for a while, in case its record is corrected; none
/// that another track names.
async fn dropped_lately(blobstore: &Blobstore) -> Result<HashSet<Cid>, BlobstoreError> {
    let is_lately = |at: Micros| at.saturating_add(DROPPED_STAY) > now();
    let mut dropped: HashSet<Cid> = HashSet::new();
    let add = |seen: SeenAudio| {
        if seen.dropped_at.is_some_and(is_lately) {
            dropped.insert(seen.cid);
        }
    };
    each_seen(blobstore, add).await?;
    if dropped.is_empty() {
        return Ok(dropped);
    }
    let remove = |seen: SeenAudio| {
        if seen.dropped_at.is_none() {
            dropped.remove(&seen.cid);
        }
    };
    each_seen(blobstore, remove).await?;
    Ok(dropped)
}

async fn each_seen(
    blobstore: &Blobstore,
    mut told: impl FnMut(SeenAudio),
) -> Result<(), BlobstoreError> {
    let mut after: Option<RecordUri> = None;
    loop {
        let seen = blobstore.rows.all_seen_audio(after.as_ref(), PAGE).await?;
        let Some(last) = seen.last() else { break };
        after = Some(last.uri.clone());
        seen.into_iter().for_each(&mut told);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use plyr_schemas::BlobRows;

    use super::*;
    use crate::options::MediaPolicy;
    use crate::testing::{World, cid_of};

    const HOUR: Micros = 3_600_000_000;

    fn kept(name: &str, kept_at: Micros, played_at: Option<Micros>) -> Blob {
        Blob {
            state: BlobState::Kept,
            size: Some(1),
            due_at: None,
            kept_at: Some(kept_at),
            played_at,
            ..Blob::wanted(cid_of(name.as_bytes()), 1)
        }
    }

    async fn order(world: &World) -> Vec<Cid> {
        let blobstore = world.blobstore(MediaPolicy::OnDemand);
        let first = first_to_go(&blobstore).await.unwrap();
        first.into_iter().map(|row| row.cid).collect()
    }

    #[tokio::test]
    async fn i17_what_can_not_be_fetched_again_is_the_last_to_make_room() {
        let world = World::new();
        let at = hour_of(now());
        let unnamed = Blob {
            unnamed_since: Some(at),
            ..kept("unnamed", at, Some(at))
        };
        let (played, older) = (kept("played", 1, Some(at)), kept("older", 1, Some(1)));
        let dropped = kept("dropped", 1, Some(1));
        let elsewhere = kept("elsewhere", 1, Some(2));
        let long_ago = kept("long ago", 1, Some(3));
        let seen = [
            ("one", &dropped, Some(at)),
            ("two", &elsewhere, Some(at)),
            ("three", &elsewhere, None),
            ("four", &long_ago, Some(at - DROPPED_STAY - HOUR)),
        ];
        for (rkey, row, dropped_at) in seen {
            let uri = format!("at://did:plc:a/fm.plyr.track/{rkey}");
            let (uri, cid) = (uri.parse().unwrap(), row.cid);
            let seen = SeenAudio {
                uri,
                cid,
                dropped_at,
            };
            world.store.see_audio(seen).await.unwrap();
        }
        let expected = [unnamed, older, elsewhere, long_ago, played, dropped];
        for row in &expected {
            world.write(row.clone()).await;
        }
        let expected = expected.map(|row| row.cid);
        assert_eq!(order(&world).await, expected);
    }

    #[tokio::test]
    async fn i17_a_fetch_counts_no_more_than_a_play_of_the_same_hour() {
        let world = World::new();
        let at = hour_of(now());
        // Whichever has the lesser CID: of two of one hour nothing more is known.
        let names = ["one", "two", "three", "four"];
        for name in names {
            let row = match name.len() {
                3 => kept(name, at + HOUR / 2, None),
                _ => kept(name, 1, Some(at)),
            };
            world.write(row).await;
        }
        let mut expected = names.map(|name| cid_of(name.as_bytes()));
        expected.sort();
        assert_eq!(order(&world).await, expected);
    }
}
