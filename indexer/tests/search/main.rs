//! The search index is kept.
