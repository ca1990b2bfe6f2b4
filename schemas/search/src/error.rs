//! What can go wrong with an index on disk.

use std::path::{Path, PathBuf};

/// An index can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The index, or a file of it, can't be used. It holds nothing that can't be made again: build
    /// a new one beside it (`plyr rebuild search`).
    #[error("the search index can't be used ({0}); build it anew with `plyr rebuild search`")]
    Index(#[from] tantivy::TantivyError),
    /// The position in the log that a commit covers is not the one that was committed.
    #[error("the search index's position was changed; build it anew with `plyr rebuild search`")]
    Position,
    /// Another version's schema can be read, and not written.
    #[error(
        "the search index is of another version's schema and is only read until a new one serves"
    )]
    OtherSchema,
    /// A file beside the index can't be read or written.
    #[error("{}: {problem}; make sure that the folder exists and can be written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        problem: std::io::Error,
    },
    /// A read from a mapped file failed.
    #[error("the search index can't be read ({0}); build it anew with `plyr rebuild search`")]
    Read(#[from] std::io::Error),
}

impl SearchError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> SearchError + use<> {
        let path = path.to_owned();
        move |problem| SearchError::File { path, problem }
    }
}
