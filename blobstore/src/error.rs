//! What can go wrong with bytes.

use plyr_objects::ObjectsError;
use plyr_schemas::StoreError;

/// What can go wrong; [`BlobstoreError::is_passing`] says whether to come again.
#[derive(Debug, thiserror::Error)]
pub enum BlobstoreError {
    /// The rows can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The objects can't.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// The folder that fetches are staged in.
    #[error("{path} can't be used to stage fetches: {problem}; check the disk and its permissions")]
    Staging {
        /// The folder.
        path: String,
        /// The system's words.
        problem: std::io::Error,
    },
    /// A kept record that can't be read: what it names isn't known.
    #[error("{uri} is held and can't be read ({detail}); `plyr verify --repair` fetches it again")]
    Unreadable {
        /// Which.
        uri: String,
        /// Why.
        detail: String,
    },
    /// Others changed the same row again and again.
    #[error("the row of {cid} changed too often meanwhile; try again in a moment")]
    Contended {
        /// Which blob.
        cid: String,
    },
}

impl BlobstoreError {
    /// Whether the same call may succeed in a moment.
    pub fn is_passing(&self) -> bool {
        match self {
            BlobstoreError::Store(problem) => problem.is_passing(),
            BlobstoreError::Objects(problem) => problem.is_passing(),
            BlobstoreError::Staging { .. } | BlobstoreError::Contended { .. } => true,
            BlobstoreError::Unreadable { .. } => false,
        }
    }
}
