//! The index tables, declared once: what each is keyed by and the order it answers in. Which rows
//! a record has is a pure function of the record and its address ([`rows_of`]): so a row read back
//! is valid only if its record still derives exactly it.

use plyr_lexicons::{Collection, Did, Ipld, RecordUri};

/// An index: one ordered table, named with the partition it is read by.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Index {
    /// The whole network's tracks, newest first.
    LatestTracks,
    /// An actor's tracks, newest first.
    ActorTracks(Did),
    /// Likes of a subject (its uri as written), newest first. Holds every like record.
    SubjectLikes(String),
    /// The same likes ordered by actor, then rkey: the set that is counted; an actor's first row is
    /// the one that shows.
    SubjectLikers(String),
    /// An actor's likes, newest first. Holds every like record.
    ActorLikes(Did),
    /// Comments of a subject by position in the track (`timestampMs`), then oldest first.
    SubjectCommentsByPosition(String),
    /// Comments of a subject, newest first.
    SubjectCommentsByTime(String),
    /// An actor's lists, newest first.
    ActorLists(Did),
    /// An actor's lists of one `listType`, newest first.
    ActorListsOfType(Did, String),
    /// Lists that hold a subject, newest first; a list that holds it twice stands once.
    ListsWithItem(String),
}

/// Where an entry stands in its index: compares in the order the index answers in.
/// `major` and `minor` are already turned round for newest-first indexes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Position {
    /// First sort key (a time, a millisecond in the track, or 0).
    pub major: i64,
    /// Second sort key, or 0.
    pub minor: i64,
    /// Tie-breaker: the record the row comes from.
    pub uri: RecordUri,
}

/// One row of an index.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct IndexEntry {
    /// The table and partition.
    pub index: Index,
    /// The place in it; its uri is the record the row comes from.
    pub position: Position,
}

/// The rows that a record has, without repeats. Empty for profiles and for what has no place in
/// an index. Never fails: a field that can't be read gives no row.
pub fn rows_of(uri: &RecordUri, collection: Collection, record: &Ipld) -> Vec<IndexEntry> {
    let _ = (uri, collection, record);
    Vec::new()
}

/// The uri a like or comment is about, as written in the record.
pub fn subject_of(record: &Ipld) -> Option<&str> {
    let Ipld::Map(fields) = record else {
        return None;
    };
    let Some(Ipld::Map(subject)) = fields.get("subject") else {
        return None;
    };
    match subject.get("uri") {
        Some(Ipld::String(uri)) => Some(uri),
        _ => None,
    }
}
