//! Rows of blobs: compared and set, due, listed.

use std::collections::HashSet;

use futures_util::future::join_all;
use plyr_lexicons::Cid;

use super::*;
use crate::blobs::{Blob, BlobRows, BlobState, MOST_HOLDERS, SeenAudio};

/// Any store, with its rows of blobs.
pub trait BlobStore: Store + BlobRows {}

impl<T: Store + BlobRows> BlobStore for T {}

/// A place whose stores have rows of blobs.
#[async_trait]
pub trait BlobPlace: Place {
    /// Opens the store.
    async fn open_blobs(&self) -> Result<Arc<dyn BlobStore>, StoreError>;
}

/// The CID of a blob, another for each number.
pub fn blob_cid(number: u64) -> Cid {
    let digest = *data::cid_of(&number.to_be_bytes()).hash();
    Cid::new_v1(0x55, digest)
}

/// What is due then is neither long past nor to come.
fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

/// A row with something in every field.
fn full(cid: Cid, revision: u64, due_at: i64) -> Result<Blob, BoxError> {
    let holders = (0..MOST_HOLDERS).map(|number| Did::new(format!("did:plc:holder{number}")));
    Ok(Blob {
        revision,
        state: BlobState::Refused,
        reason: Some("it hung".to_owned()),
        size: Some(u64::MAX),
        facts: Some("{\"kind\":\"audio\"}".to_owned()),
        holders: holders.collect::<Result<_, _>>()?,
        failures: 3,
        crashes: 2,
        due_at: Some(due_at),
        leased_until: 7,
        leased_by: "somebody".to_owned(),
        kept_at: Some(8),
        played_at: Some(9),
        unnamed_since: Some(10),
        ..Blob::wanted(cid, 5)
    })
}

async fn held(store: &dyn BlobStore, cid: &Cid) -> Result<Option<Blob>, StoreError> {
    let held = store.blobs(std::slice::from_ref(cid)).await?;
    Ok(held.into_iter().next().flatten())
}

/// A row is written over the revision that it was read at and no other, and outlives a restart.
pub async fn a_blobs_row_is_compared_and_set(place: &dyn BlobPlace) -> Checked {
    let store = place.open_blobs().await?;
    let (one, two, now) = (blob_cid(1), blob_cid(2), now());
    assert_eq!(store.blobs(&[one, two]).await?, [None, None]);
    assert!(!store.remove_blob(&one, 0).await?);
    let mut early = Blob::wanted(one, now);
    early.revision = 1;
    assert!(
        !store.replace_blob(early.clone()).await?,
        "there was no row"
    );
    let wanted = Blob::wanted(one, now);
    assert!(store.replace_blob(wanted.clone()).await?);
    assert!(!store.replace_blob(wanted).await?, "a row was there");
    assert_eq!(held(store.as_ref(), &one).await?, Some(early));
    let mut revision = 1;
    for state in [
        BlobState::Wanted,
        BlobState::Kept,
        BlobState::SetAside,
        BlobState::Refused,
    ] {
        let mut row = full(one, revision, now)?;
        row.state = state;
        assert!(store.replace_blob(row.clone()).await?);
        assert!(!store.replace_blob(row.clone()).await?, "{row:?} twice");
        revision += 1;
        row.revision = revision;
        assert_eq!(held(store.as_ref(), &one).await?, Some(row));
    }
    for wrong in [0, revision - 1, revision + 1] {
        assert!(!store.remove_blob(&one, wrong).await?, "{wrong}");
    }
    let expected = held(store.as_ref(), &one).await?;
    assert!(expected.is_some());
    store.close().await?;
    drop(store);

    let store = place.open_blobs().await?;
    let rows = store.blobs(&[two, one, two]).await?;
    assert_eq!(rows, [None, expected, None]);
    // Of holders too many the first are kept.
    let mut row = full(one, revision, now)?;
    row.holders.push(Did::new("did:plc:toomany".to_owned())?);
    assert!(store.replace_blob(row).await?);
    let row = held(store.as_ref(), &one).await?.ok_or("no row")?;
    assert_eq!(row, full(one, revision + 1, now)?);
    assert!(store.remove_blob(&one, revision + 1).await?);
    assert_eq!(held(store.as_ref(), &one).await?, None);
    assert!(!store.remove_blob(&one, revision + 1).await?);
    assert!(store.replace_blob(Blob::wanted(one, now)).await?);
    assert_eq!(
        held(store.as_ref(), &one).await?.map(|row| row.revision),
        Some(1)
    );
    store.close().await?;
    Ok(())
}

/// Of many that write over one revision one does, from the first write to the last.
pub async fn of_many_writers_of_a_blob_one_wins_each_round(place: &dyn BlobPlace) -> Checked {
    const WRITERS: usize = 16;
    let one = place.open_blobs().await?;
    let two = match place.is_shared() {
        true => place.open_blobs().await?,
        false => one.clone(),
    };
    let cid = blob_cid(1);
    for round in 0..6u64 {
        let writers = (0..WRITERS).map(|number| {
            let mut row = Blob::wanted(cid, now());
            row.revision = round;
            row.leased_by = number.to_string();
            let store = if number % 2 == 0 { &one } else { &two };
            store.replace_blob(row)
        });
        let mut winners = Vec::new();
        for (number, won) in join_all(writers).await.into_iter().enumerate() {
            if won? {
                winners.push(number.to_string());
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        let row = held(two.as_ref(), &cid).await?.ok_or("no row")?;
        assert_eq!(
            (row.revision, row.leased_by),
            (round + 1, winners[0].clone())
        );
    }
    let removers = (0..WRITERS).map(|_| one.remove_blob(&cid, 6));
    let removed: Vec<bool> = join_all(removers)
        .await
        .into_iter()
        .collect::<Result<_, _>>()?;
    let removed = removed.iter().filter(|did| **did).count();
    // Over a cluster who got no answer and finds it gone can't tell whose doing that was.
    assert!(
        removed == 1 || removed > 1 && place.is_shared(),
        "{removed}"
    );
    one.close().await?;
    if place.is_shared() {
        two.close().await?;
    }
    Ok(())
}

/// What is due follows the rows: the soonest first, once each, moved and taken away with them.
pub async fn i03_blobs_are_due_as_their_rows_say(place: &dyn BlobPlace) -> Checked {
    let store = place.open_blobs().await?;
    let (now, second) = (now(), 1_000_000);
    let cids: Vec<Cid> = (0..5).map(blob_cid).collect();
    for (place, cid) in [3, 1, 4, 0, 2].into_iter().zip(&cids) {
        let wanted = Blob::wanted(*cid, now + place * second);
        assert!(store.replace_blob(wanted).await?);
    }
    let in_order = [cids[3], cids[1], cids[4], cids[0], cids[2]];
    let all = now + 10 * second;
    assert_eq!(store.due_blobs(all, 100).await?, in_order);
    assert_eq!(store.due_blobs(all, 2).await?, in_order[..2]);
    assert_eq!(store.due_blobs(now + 2 * second, 100).await?, in_order[..3]);
    assert_eq!(store.due_blobs(now - 1, 100).await?, []);
    store.close().await?;
    drop(store);

    let store = place.open_blobs().await?;
    assert_eq!(store.due_blobs(all, 100).await?, in_order);
    let set_due = async |cid: &Cid, due_at: Option<i64>| -> Result<bool, BoxError> {
        let mut row = held(store.as_ref(), cid).await?.ok_or("no row")?;
        row.due_at = due_at;
        Ok(store.replace_blob(row).await?)
    };
    // The first goes to the end, the second isn't due, the third is there a second time.
    assert!(set_due(&cids[3], Some(now + 9 * second)).await?);
    assert!(set_due(&cids[1], None).await?);
    assert!(set_due(&cids[4], Some(now + 2 * second)).await?);
    let expected = [cids[4], cids[0], cids[2], cids[3]];
    assert_eq!(store.due_blobs(all, 100).await?, expected);
    // Back again, where it was before; and what lost makes nothing due.
    assert!(set_due(&cids[1], Some(now + second)).await?);
    let mut lost = held(store.as_ref(), &cids[0]).await?.ok_or("no row")?;
    (lost.revision, lost.due_at) = (lost.revision - 1, Some(now));
    assert!(!store.replace_blob(lost).await?);
    let expected = [cids[1], cids[4], cids[0], cids[2], cids[3]];
    assert_eq!(store.due_blobs(all, 100).await?, expected);
    for cid in [&cids[0], &cids[4]] {
        let row = held(store.as_ref(), cid).await?.ok_or("no row")?;
        assert!(!store.remove_blob(cid, row.revision + 1).await?);
        assert!(store.remove_blob(cid, row.revision).await?);
    }
    let expected = [cids[1], cids[2], cids[3]];
    assert_eq!(store.due_blobs(all, 100).await?, expected);
    // Something long past, and wanted anew after its row was taken away.
    assert!(
        store
            .replace_blob(Blob::wanted(cids[0], now - 86_400 * second))
            .await?
    );
    assert!(
        store
            .replace_blob(Blob::wanted(cids[4], now + 2 * second))
            .await?
    );
    let expected = [cids[0], cids[1], cids[4], cids[2], cids[3]];
    for _ in 0..2 {
        assert_eq!(store.due_blobs(all, 100).await?, expected);
    }
    assert_eq!(store.due_blobs(all, 1).await?, expected[..1]);
    store.close().await?;
    Ok(())
}

/// Every row is listed once, in an order that stays the same.
pub async fn i15_blobs_are_listed_whole(place: &dyn BlobPlace) -> Checked {
    let store = place.open_blobs().await?;
    assert_eq!(store.all_blobs(None, 10).await?, []);
    let cids: HashSet<Cid> = (0..40).map(blob_cid).collect();
    for cid in &cids {
        assert!(store.replace_blob(Blob::wanted(*cid, now())).await?);
    }
    let listed = async |limit: usize| -> Result<Vec<Cid>, StoreError> {
        let mut listed: Vec<Cid> = Vec::new();
        loop {
            let page = store.all_blobs(listed.last(), limit).await?;
            assert!(page.len() <= limit);
            if page.is_empty() {
                return Ok(listed);
            }
            listed.extend(page.iter().map(|row| row.cid));
        }
    };
    let by_seven = listed(7).await?;
    assert_eq!(by_seven.len(), 40);
    assert_eq!(by_seven.iter().copied().collect::<HashSet<_>>(), cids);
    assert_eq!(listed(100).await?, by_seven);
    // Rows that go leave the order of the others, also where a page has only those.
    for cid in &by_seven[7..21] {
        assert!(store.remove_blob(cid, 1).await?);
    }
    let rest = [&by_seven[..7], &by_seven[21..]].concat();
    assert_eq!(listed(7).await?, rest);
    store.close().await?;
    Ok(())
}

/// What a track's audio was seen to be is what was written last, and is listed whole.
pub async fn what_was_seen_of_audio_is_kept(place: &dyn BlobPlace) -> Checked {
    let store = place.open_blobs().await?;
    let track = |number: u64| uri(&format!("a{}", number % 5), "track", &number.to_string());
    let seen = |number: u64, cid: u64, dropped_at: Option<i64>| -> Result<SeenAudio, BoxError> {
        Ok(SeenAudio {
            uri: track(number)?,
            cid: blob_cid(cid),
            dropped_at,
        })
    };
    assert_eq!(store.seen_audio(&[track(1)?]).await?, [None]);
    store.forget_audio(&track(1)?).await?;
    for number in 0..20 {
        store.see_audio(seen(number, number, None)?).await?;
    }
    store.see_audio(seen(1, 100, None)?).await?;
    store.see_audio(seen(2, 2, Some(77))?).await?;
    store.forget_audio(&track(3)?).await?;
    store.close().await?;
    drop(store);

    let store = place.open_blobs().await?;
    let asked = [track(2)?, track(3)?, track(1)?, track(99)?];
    let held = store.seen_audio(&asked).await?;
    assert_eq!(
        held,
        [
            Some(seen(2, 2, Some(77))?),
            None,
            Some(seen(1, 100, None)?),
            None
        ]
    );
    let listed = async |limit: usize| -> Result<Vec<RecordUri>, StoreError> {
        let mut listed: Vec<RecordUri> = Vec::new();
        loop {
            let page = store.all_seen_audio(listed.last(), limit).await?;
            assert!(page.len() <= limit);
            if page.is_empty() {
                return Ok(listed);
            }
            listed.extend(page.into_iter().map(|seen| seen.uri));
        }
    };
    let by_three = listed(3).await?;
    assert_eq!(by_three.len(), 19);
    assert_eq!(by_three.iter().collect::<HashSet<_>>().len(), 19);
    assert_eq!(listed(100).await?, by_three);
    store.see_audio(seen(3, 3, None)?).await?;
    assert_eq!(listed(100).await?.len(), 20);
    store.close().await?;
    Ok(())
}
