//! Putting, reading, deleting, copying.

use std::time::SystemTime;

use futures_util::future::join_all;

use super::{
    AN_HOUR, BoxError, Checked, Place, about, bytes, ensure, file, key, read, same, same_bytes,
};
use crate::{ObjectKey, Put};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// What was put is read back, whatever its length.
pub async fn i09_what_was_put_is_read_back(place: &dyn Place) -> Checked {
    let objects = place.objects();
    let mut lengths = vec![0, 1, 256 * KIB, 256 * KIB + 1];
    // Around the windows and parts of a bucket.
    lengths.extend([
        MIB + 256 * KIB - 1,
        MIB + 256 * KIB + 1,
        8 * MIB,
        8 * MIB + 1,
        20 * MIB,
    ]);
    for (seed, length) in lengths.into_iter().enumerate() {
        let what = format!("{length} bytes");
        let expected = bytes(seed as u64, length);
        let key = key(&what)?;
        same("before", objects.find(&key).await?, None)?;
        ensure(read(objects, &key, None).await?.is_none(), || what.clone())?;
        let source = file(&expected)?;
        let put = objects.put(&key, source.path(), &about()).await?;
        same(&what, put, Put::Created)?;
        same_bytes("the file", &std::fs::read(source.path())?, &expected)?;
        drop(source);
        let found = objects.find(&key).await?.ok_or("it is not found")?;
        same(&what, found.size, length as u64)?;
        let now = SystemTime::now();
        let age = now.duration_since(found.put_at).unwrap_or_default();
        let ahead = found.put_at.duration_since(now).unwrap_or_default();
        ensure(age < AN_HOUR && ahead < AN_HOUR, || {
            format!("put just now, and at {:?}", found.put_at)
        })?;
        let (size, seen) = read(objects, &key, None).await?.ok_or("it is not read")?;
        same(&what, size, length as u64)?;
        same_bytes(&what, &seen, &expected)?;
    }
    Ok(())
}

/// Of two puts the first counts, whatever the second one's bytes are.
pub async fn i09_a_second_put_changes_nothing(place: &dyn Place) -> Checked {
    let objects = place.objects();
    for length in [KIB, 9 * MIB] {
        let key = key(&format!("{length}"))?;
        let first = bytes(1, length);
        for (seed, put) in [
            (1, Put::Created),
            (2, Put::AlreadyThere),
            (1, Put::AlreadyThere),
        ] {
            let source = file(&bytes(seed, length))?;
            let seen = objects.put(&key, source.path(), &about()).await?;
            same("the put", seen, put)?;
            let (_, seen) = read(objects, &key, None).await?.ok_or("it is not read")?;
            same_bytes("the object", &seen, &first)?;
        }
        let other = file(b"other")?;
        let put = objects.put(&key, other.path(), &about()).await?;
        same("a put of another length", put, Put::AlreadyThere)?;
        let found = objects.find(&key).await?.ok_or("it is not found")?;
        same("its length", found.size, length as u64)?;
    }
    same("unfinished", place.drafts().await?, 0)
}

/// Of those who put a key at once one creates it, and its bytes are the object's.
pub async fn i09_of_puts_at_once_one_creates(place: &dyn Place) -> Checked {
    for (name, length, at_once) in [("short", 100 * KIB, 8), ("long", 9 * MIB, 3)] {
        let key = key(name)?;
        let puts = (0..at_once).map(|seed| put_other(place, &key, seed, length));
        let puts: Result<Vec<Put>, BoxError> = join_all(puts).await.into_iter().collect();
        let puts = puts?;
        let created: Vec<usize> = (0..puts.len())
            .filter(|put| puts[*put] == Put::Created)
            .collect();
        let &[winner] = created.as_slice() else {
            return Err(format!("of {name} puts these created it: {created:?}").into());
        };
        let read = read(place.objects(), &key, None).await?;
        let (_, seen) = read.ok_or("it is not read")?;
        same_bytes(name, &seen, &bytes(winner as u64, length))?;
    }
    Ok(())
}

async fn put_other(
    place: &dyn Place,
    key: &ObjectKey,
    seed: u64,
    length: usize,
) -> Result<Put, BoxError> {
    let source = file(&bytes(seed, length))?;
    // A link to a file is copied by a disk, and not linked.
    let folder = tempfile::tempdir()?;
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(source.path(), &link)?;
    let path = match seed % 2 {
        0 => source.path(),
        _ => link.as_path(),
    };
    Ok(place.objects().put(key, path, &about()).await?)
}

/// Ranges are cut to what is there.
pub async fn ranges_are_cut_to_what_is_there(place: &dyn Place) -> Checked {
    let objects = place.objects();
    for length in [0, 1, 20 * MIB] {
        let expected = bytes(3, length);
        let (key, end) = (key(&format!("{length}"))?, length as u64);
        let source = file(&expected)?;
        objects.put(&key, source.path(), &about()).await?;
        let (piece, window, part) = (64 << 10, (1 << 20) + (64 << 10), 8 << 20);
        let ranges = [
            (0, 1),
            (end.saturating_sub(1), end),
            (end.saturating_sub(10), end + 10),
            (piece - 1, piece + 1),
            (window - 1, window + 1),
            (part - 2, part + 2),
            (part - 1, part * 2 + 1),
            (0, u64::MAX),
            (end / 2, u64::MAX),
            (end, end + 1),
            (end + 1, end + 2),
            (u64::MAX - 1, u64::MAX),
            (5, 5),
            (7, 5),
        ];
        for (first, last) in ranges {
            let what = format!("{first}..{last} of {length}");
            let read = read(objects, &key, Some(first..last)).await?;
            let (size, seen) = read.ok_or_else(|| what.clone())?;
            same(&what, size, end)?;
            let last = last.min(end) as usize;
            let first = usize::try_from(first).unwrap_or(usize::MAX).min(last);
            same_bytes(&what, &seen, &expected[first..last])?;
        }
    }
    let absent = key("absent")?;
    for range in [None, Some(0..1), Some(5..5), Some(u64::MAX - 1..u64::MAX)] {
        let seen = read(objects, &absent, range).await?;
        ensure(seen.is_none(), || "what isn't there was read".to_owned())?;
    }
    Ok(())
}

/// What is deleted is gone, may be deleted again, and may come back.
pub async fn what_is_deleted_is_gone_and_may_come_back(place: &dyn Place) -> Checked {
    let objects = place.objects();
    let key = key("deleted")?;
    objects.delete(&key).await?;
    for seed in [1, 2] {
        let expected = bytes(seed, 300 * KIB);
        let source = file(&expected)?;
        let put = objects.put(&key, source.path(), &about()).await?;
        same("the put", put, Put::Created)?;
        let (_, seen) = read(objects, &key, None).await?.ok_or("it is not read")?;
        same_bytes("the object", &seen, &expected)?;
        objects.delete(&key).await?;
        objects.delete(&key).await?;
        same("after", objects.find(&key).await?, None)?;
        let seen = read(objects, &key, None).await?;
        ensure(seen.is_none(), || {
            "it is read after it was deleted".to_owned()
        })?;
        same("listed", objects.list("", None, 10).await?, Vec::new())?;
    }
    Ok(())
}

/// A copy is an object of its own.
pub async fn a_copy_is_an_object_of_its_own(place: &dyn Place) -> Checked {
    let objects = place.objects();
    let original = key("copied")?;
    let public = original.public();
    same("absent", objects.copy(&original, &public).await?, false)?;
    same("absent", objects.find(&public).await?, None)?;
    let expected = bytes(1, 9 * MIB);
    let source = file(&expected)?;
    objects.put(&original, source.path(), &about()).await?;
    for _ in 0..2 {
        same("there", objects.copy(&original, &public).await?, true)?;
        for key in [&original, &public] {
            let (_, seen) = read(objects, key, None).await?.ok_or("it is not read")?;
            same_bytes(key.as_str(), &seen, &expected)?;
        }
    }
    objects.delete(&original).await?;
    let (_, seen) = read(objects, &public, None)
        .await?
        .ok_or("it is gone too")?;
    same_bytes("the copy", &seen, &expected)?;
    let copied = objects.copy(&original, &public).await?;
    same("deleted, and there where it was copied to", copied, false)?;
    same("unfinished", place.drafts().await?, 0)
}
