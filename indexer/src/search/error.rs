//! What keeps a search index from being kept.

/// What went wrong with a search index that is kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The store.
    #[error(transparent)]
    Store(#[from] plyr_schemas::StoreError),
    /// The index, or a file of it.
    #[error(transparent)]
    Index(#[from] plyr_search::SearchError),
    /// Another process keeps the folder.
    #[error("{folder} is in use by {holder}; stop that process or choose another --data-dir")]
    Held {
        /// The folder.
        folder: String,
        /// Who holds it, as far as known (`pid 123`).
        holder: String,
    },
    /// Something broke while the index was written to.
    #[error("writing to the search index broke off ({0}); it is opened again")]
    Broken(String),
    /// The disk was full before the index was built.
    #[error("a search index was begun and taken back: {0}")]
    NoRoom(String),
    /// The change log was trimmed past the index that was being built.
    #[error(
        "the change log was trimmed while a search index was built; keep changes longer \
         (--changes-keep)"
    )]
    Overtaken,
    /// The index is no longer kept.
    #[error("the search index is no longer kept; start again")]
    Ended,
}
