//! Whether a disk has room for an index that is to be built.

use std::path::{Path, PathBuf};

/// The disk of a folder of indexes.
pub(super) struct Room {
    folder: PathBuf,
    /// Free bytes that are left to others.
    reserve: u64,
}

impl Room {
    pub(super) fn new(folder: &Path, reserve: u64) -> Room {
        Room {
            folder: folder.to_owned(),
            reserve,
        }
    }

    /// Why so many bytes more shall not be written; none when they may be. A disk that can't be
    /// asked is no reason: what is written tells.
    pub(super) fn lacks(&self, bytes: u64) -> Option<String> {
        let about = rustix::fs::statvfs(&self.folder).ok()?;
        let free = about.f_bavail.saturating_mul(about.f_frsize);
        let wanted = self.reserve.saturating_add(bytes);
        (free < wanted).then(|| {
            format!(
                "the disk of {} has {} MB free and {} MB are wanted; free some, or set a lower \
                 --disk-reserve",
                self.folder.display(),
                free / 1_000_000,
                wanted / 1_000_000
            )
        })
    }
}

/// Bytes of the files of a folder.
pub(super) fn bytes_in(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_full_where_the_reserve_begins() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Room::new(folder.path(), 0).lacks(1), None);
        let told = Room::new(folder.path(), u64::MAX).lacks(1).unwrap();
        assert!(told.contains("--disk-reserve"), "{told}");
        assert!(Room::new(folder.path(), 0).lacks(u64::MAX).is_some());
        std::fs::write(folder.path().join("a"), [0; 7]).unwrap();
        std::fs::write(folder.path().join("b"), [0; 5]).unwrap();
        assert_eq!(bytes_in(folder.path()).unwrap(), 12);
    }
}
