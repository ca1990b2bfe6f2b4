//! What can go wrong with a store of objects.

/// What can go wrong; [`ObjectsError::is_passing`] says whether to come again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The disk or the service failed, was too slow, or hung up.
    #[error("{store} failed while it tried to {doing}: {detail}")]
    Failed {
        /// Which store, as its [`crate::Objects::name`] says.
        store: String,
        /// What was being done.
        doing: &'static str,
        /// Its own words.
        detail: String,
    },
    /// The disk or the bucket takes nothing more.
    #[error("{store} is full: {detail}; make room, or lower --media-quota")]
    Full {
        /// Which store.
        store: String,
        /// What is left.
        detail: String,
    },
    /// It can't be used as it is configured.
    #[error("{store} can't be used: {problem}")]
    Unusable {
        /// Which store.
        store: String,
        /// Why, and what to do.
        problem: String,
    },
}

impl ObjectsError {
    /// Whether the same call may succeed in a moment.
    pub fn is_passing(&self) -> bool {
        !matches!(self, ObjectsError::Unusable { .. })
    }
}
