//! The reserve: writes stop before the disk is full and go on by themselves when there is room.
//! What the operator hides is written out of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::StoreError;

/// Answers with the bytes free for this process; replaced by tests.
pub type Probe = Arc<dyn Fn(&Path) -> std::io::Result<u64> + Send + Sync>;

/// Watches one file system.
#[derive(Clone)]
pub struct FreeSpace {
    folder: PathBuf,
    reserve_bytes: u64,
    probe: Probe,
}

impl FreeSpace {
    pub fn new(folder: PathBuf, reserve_bytes: u64, probe: Option<Probe>) -> FreeSpace {
        FreeSpace {
            folder,
            reserve_bytes,
            probe: probe.unwrap_or_else(|| Arc::new(free_bytes)),
        }
    }

    /// Whether writes may go on.
    pub fn check(&self) -> Result<(), StoreError> {
        let free_bytes = (self.probe)(&self.folder).map_err(|problem| StoreError::Engine {
            engine: super::NAME,
            doing: "ask how much disk is free",
            detail: problem.to_string(),
        })?;
        if free_bytes < self.reserve_bytes {
            return Err(StoreError::DiskFull {
                free_bytes,
                reserve_bytes: self.reserve_bytes,
            });
        }
        Ok(())
    }
}

fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let about = rustix::fs::statvfs(folder)?;
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}
