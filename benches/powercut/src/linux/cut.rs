//! The cut: what was not synced is taken back, in one of several ways.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{create_dir, rename};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::change::{Change, Id};
use super::disk::Disk;
use super::{PowerError, on};
use crate::Way;

/// A disk writes pages of this size, in bytes, or not at all.
const PAGE: u64 = 4_096;

/// What a cut took back.
#[derive(Default)]
pub struct Taken {
    /// Bytes that were written and not synced.
    pub unsynced: u64,
    /// Bytes of them that are gone.
    pub bytes: u64,
    /// Changes of names that are gone.
    pub names: u64,
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 1
    }
}

/// Takes back what was not synced. The program must have ended.
pub fn cut(disk: &mut Disk, way: Way, seed: u64) -> Result<Taken, PowerError> {
    let mut random = Random(seed);
    let notes = std::mem::take(&mut disk.notes);
    let changes: Vec<Change> = notes.into_iter().map(|note| note.change).collect();
    let mut taken = Taken {
        unsynced: changes.iter().map(written).sum(),
        ..Taken::default()
    };
    match way {
        Way::Everything => {}
        Way::Nothing => back(disk, &changes, &mut taken)?,
        Way::Prefix => {
            let kept = random.below(changes.len() as u64 + 1) as usize;
            let gone = changes.get(kept..).unwrap_or_default();
            prefix(disk, gone, &mut random, &mut taken)?;
        }
        Way::Pages => pages(disk, &changes, &mut random, &mut taken)?,
    }
    Ok(taken)
}

/// Bytes that a change writes.
fn written(change: &Change) -> u64 {
    match change {
        Change::Write { length, .. } => *length,
        _ => 0,
    }
}

/// All of it is gone, but of the first write some bytes.
fn prefix(
    disk: &Disk,
    gone: &[Change],
    random: &mut Random,
    taken: &mut Taken,
) -> Result<(), PowerError> {
    let torn = match gone.first() {
        Some(Change::Write {
            file, at, length, ..
        }) => Some((*file, *at, disk.read(*file, *at, *length)?)),
        _ => None,
    };
    back(disk, gone, taken)?;
    if let Some((file, at, bytes)) = torn {
        let begun = random.below(bytes.len() as u64 + 1) as usize;
        put(disk, file, at, bytes.get(..begun).unwrap_or_default())?;
        taken.bytes = taken.bytes.saturating_sub(begun as u64);
    }
    Ok(())
}

/// Of what was written any pages are there, and of what was named all up to a point.
fn pages(
    disk: &Disk,
    changes: &[Change],
    random: &mut Random,
    taken: &mut Taken,
) -> Result<(), PowerError> {
    let (contents, names): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|change| change.file().is_some());
    let kept = random.below(names.len() as u64 + 1) as usize;
    back(disk, names.into_iter().skip(kept), taken)?;
    // What is there now, before it is taken back.
    let mut touched: BTreeMap<Id, BTreeSet<u64>> = BTreeMap::new();
    for change in &contents {
        let Some(file) = change.file() else { continue };
        let pages = touched.entry(file).or_default();
        if let Change::Write { at, length, .. } = change {
            pages.extend(at / PAGE..(at + length).div_ceil(PAGE));
        }
    }
    let mut now = Vec::new();
    for (file, pages) in touched {
        let length = disk.length(file)?;
        for page in pages {
            now.push((file, page * PAGE, disk.read(file, page * PAGE, PAGE)?));
        }
        now.push((file, length, Vec::new()));
    }
    back(disk, contents, taken)?;
    for (file, at, bytes) in now {
        if !random.coin() {
            continue;
        }
        if bytes.is_empty() {
            set_length(disk, file, at)?;
        } else {
            put(disk, file, at, &bytes)?;
            taken.bytes = taken.bytes.saturating_sub(bytes.len() as u64);
        }
    }
    Ok(())
}

fn put(disk: &Disk, file: Id, at: u64, bytes: &[u8]) -> Result<(), PowerError> {
    let done = disk.file(file)?.write_all_at(bytes, at);
    on(Path::new("a file that is put back"), done)
}

fn set_length(disk: &Disk, file: Id, length: u64) -> Result<(), PowerError> {
    let done = disk.file(file)?.set_len(length);
    on(Path::new("a file that is put back"), done)
}

/// Undoes changes, the last first. One of names may not have been made: its call was cut off.
fn back<'a>(
    disk: &Disk,
    changes: impl IntoIterator<Item = &'a Change, IntoIter: DoubleEndedIterator>,
    taken: &mut Taken,
) -> Result<(), PowerError> {
    for change in changes.into_iter().rev() {
        taken.bytes += written(change);
        match change {
            Change::Write {
                file,
                at,
                length,
                old,
                old_length,
            } => {
                put(disk, *file, *at, old)?;
                if at + length > *old_length {
                    set_length(disk, *file, *old_length)?;
                }
            }
            Change::Length {
                file,
                new_length,
                old_length,
                tail,
            } => {
                set_length(disk, *file, *old_length)?;
                put(disk, *file, *new_length, tail)?;
            }
            Change::Made { path } if path.symlink_metadata().is_ok() => {
                on(path, rename(path, disk.grave()))?;
                taken.names += 1;
            }
            Change::Removed { path, kept } if path.symlink_metadata().is_err() => {
                on(path, std::fs::hard_link(kept, path))?;
                taken.names += 1;
            }
            Change::RemovedFolder { path } if !path.exists() => {
                on(path, create_dir(path))?;
                taken.names += 1;
            }
            Change::Renamed { from, to, kept } if from.symlink_metadata().is_err() => {
                on(to, rename(to, from))?;
                if let Some(kept) = kept {
                    on(to, std::fs::hard_link(kept, to))?;
                }
                taken.names += 1;
            }
            _ => {}
        }
    }
    Ok(())
}
