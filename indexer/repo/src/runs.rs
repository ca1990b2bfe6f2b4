//! Where each spilled block is: sorted runs of fixed-size entries on disk. Digests are spread
//! evenly, so that a lookup guesses its place and is there in a read or two; memory holds nothing.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A digest, an offset (8 bytes) and a length (4 bytes).
const ENTRY: usize = 44;
/// Entries read at once.
const WINDOW: u64 = 64;
/// Runs of one tier that become one of the next: a block's entry is written once a tier, and a
/// lookup meets a few runs of each.
const RUNS_A_TIER: usize = 8;

/// Where a block lies in the file of blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub offset: u64,
    pub length: u32,
}

/// One sorted run.
struct Run {
    file: File,
    entries: u64,
    tier: u32,
}

/// All runs of one store of blocks. Their files have no name and end with it.
#[derive(Default)]
pub struct Runs(Vec<Run>);

impl Runs {
    /// Adds a run; the entries must be in the order of their digests.
    pub fn add(&mut self, folder: &Path, entries: &[([u8; 32], Place)]) -> io::Result<()> {
        let mut run = Writer::new(folder)?;
        for (digest, place) in entries {
            run.write(&encode(digest, *place))?;
        }
        self.0.push(run.finish(0)?);
        while let Some(tier) = self.full_tier() {
            let first = self.0.len() - RUNS_A_TIER;
            let merged = merge(&self.0[first..], tier + 1, folder)?;
            self.0.truncate(first);
            self.0.push(merged);
        }
        Ok(())
    }

    /// Where a block is; none if no run knows it.
    pub fn find(&self, digest: &[u8; 32]) -> io::Result<Option<Place>> {
        for run in self.0.iter().rev() {
            if let Some(place) = run.find(digest)? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// Makes one run of all.
    pub fn merge(&mut self, folder: &Path) -> io::Result<()> {
        if self.0.len() > 1 {
            let tier = self.0[0].tier + 1;
            self.0 = vec![merge(&self.0, tier, folder)?];
        }
        Ok(())
    }

    /// The tier of the last runs, if there are enough of it to become one.
    fn full_tier(&self) -> Option<u32> {
        let last = self.0.last_chunk::<RUNS_A_TIER>()?;
        let tier = last[0].tier;
        last.iter().all(|run| run.tier == tier).then_some(tier)
    }
}

fn merge(runs: &[Run], tier: u32, folder: &Path) -> io::Result<Run> {
    let mut readers = Vec::new();
    for run in runs {
        (&run.file).seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(16 << 10, &run.file);
        let first = next(&mut reader)?;
        readers.push((first, reader));
    }
    let mut merged = Writer::new(folder)?;
    loop {
        let heads = readers.iter().enumerate();
        let heads = heads.filter_map(|(at, (head, _))| Some((head.as_ref()?, at)));
        let Some((_, least)) = heads.min_by(|(a, _), (b, _)| a[..32].cmp(&b[..32])) else {
            return merged.finish(tier);
        };
        let (head, reader) = &mut readers[least];
        if let Some(entry) = std::mem::replace(head, next(reader)?) {
            merged.write(&entry)?;
        }
    }
}

impl Run {
    /// Looks where the digest should be, then nearer and nearer.
    fn find(&self, digest: &[u8; 32]) -> io::Result<Option<Place>> {
        let (mut low, mut high) = (0, self.entries);
        let mut guess = (u128::from(prefix(digest)) * u128::from(self.entries)) >> 64;
        while low < high {
            let first = (guess as u64)
                .clamp(low, high - 1)
                .saturating_sub(WINDOW / 2)
                .max(low);
            let count = WINDOW.min(high - first);
            let mut window = [0; WINDOW as usize * ENTRY];
            let window = &mut window[..count as usize * ENTRY];
            self.file.read_exact_at(window, first * ENTRY as u64)?;
            let entries: &[[u8; ENTRY]] = window.as_chunks().0;
            match entries.binary_search_by(|entry| entry[..32].cmp(digest)) {
                Ok(at) => return Ok(Some(place_of(&entries[at]))),
                Err(0) => high = first,
                Err(at) if at as u64 == count => low = first + count,
                Err(_) => return Ok(None),
            }
            // Digests that somebody chose aren't spread evenly: halves end the search in any case.
            guess = u128::from(low + (high - low) / 2);
        }
        Ok(None)
    }
}

struct Writer {
    out: BufWriter<File>,
    entries: u64,
}

impl Writer {
    fn new(folder: &Path) -> io::Result<Writer> {
        let out = BufWriter::new(tempfile::tempfile_in(folder)?);
        Ok(Writer { out, entries: 0 })
    }

    fn write(&mut self, entry: &[u8; ENTRY]) -> io::Result<()> {
        self.entries += 1;
        self.out.write_all(entry)
    }

    fn finish(self, tier: u32) -> io::Result<Run> {
        let file = self.out.into_inner();
        let file = file.map_err(|problem| problem.into_error())?;
        let entries = self.entries;
        Ok(Run {
            file,
            entries,
            tier,
        })
    }
}

fn next(reader: &mut impl Read) -> io::Result<Option<[u8; ENTRY]>> {
    let mut entry = [0; ENTRY];
    match reader.read_exact(&mut entry) {
        Ok(()) => Ok(Some(entry)),
        Err(problem) if problem.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(problem) => Err(problem),
    }
}

fn encode(digest: &[u8; 32], place: Place) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..32].copy_from_slice(digest);
    entry[32..40].copy_from_slice(&place.offset.to_be_bytes());
    entry[40..].copy_from_slice(&place.length.to_be_bytes());
    entry
}

fn place_of(entry: &[u8; ENTRY]) -> Place {
    let (mut offset, mut length) = ([0; 8], [0; 4]);
    offset.copy_from_slice(&entry[32..40]);
    length.copy_from_slice(&entry[40..]);
    Place {
        offset: u64::from_be_bytes(offset),
        length: u32::from_be_bytes(length),
    }
}

fn prefix(digest: &[u8; 32]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(seed: u64) -> [u8; 32] {
        use sha2::{Digest, Sha256};
        Sha256::digest(seed.to_be_bytes()).into()
    }

    #[test]
    fn what_was_added_is_found_in_many_runs_and_in_one() {
        let folder = std::env::temp_dir();
        let mut runs = Runs::default();
        for run in 0..40u64 {
            let mut entries: Vec<_> = (0..500)
                .map(|at| {
                    let seed = run * 500 + at;
                    let place = Place {
                        offset: seed * 7,
                        length: seed as u32,
                    };
                    (digest(seed), place)
                })
                .collect();
            entries.sort_by_key(|(digest, _)| *digest);
            runs.add(&folder, &entries).unwrap();
        }
        for merged in [false, true] {
            if merged {
                runs.merge(&folder).unwrap();
                assert_eq!(runs.0.len(), 1);
            }
            for seed in 0..20_000 {
                let found = runs.find(&digest(seed)).unwrap().unwrap();
                assert_eq!((found.offset, found.length), (seed * 7, seed as u32));
            }
            for seed in 20_000..21_000 {
                assert_eq!(runs.find(&digest(seed)).unwrap(), None);
            }
        }
    }

    #[test]
    fn digests_that_lie_together_are_found_too() {
        let mut runs = Runs::default();
        let crowded = |at: u32| {
            let mut digest = [0xff; 32];
            digest[28..].copy_from_slice(&(at * 2).to_be_bytes());
            digest
        };
        let place = Place {
            offset: 1,
            length: 1,
        };
        let entries: Vec<_> = (0..3_000).map(|at| (crowded(at), place)).collect();
        runs.add(&std::env::temp_dir(), &entries).unwrap();
        for at in 0..3_000 {
            let digest = crowded(at);
            assert!(runs.find(&digest).unwrap().is_some());
            let mut between = digest;
            between[31] += 1;
            assert!(runs.find(&between).unwrap().is_none());
        }
        assert!(runs.find(&[0; 32]).unwrap().is_none());
    }
}
