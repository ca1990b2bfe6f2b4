//! The index tables: what each is keyed by and the order it answers in. Which rows a record has is
//! a pure function of the record and its address ([`Derived::of`]): so a row read back is valid
//! only if its record still derives exactly it.

use std::collections::{BTreeMap, HashSet};

use plyr_lexicons::{Collection, Did, Ipld, RecordUri, SortAt};

use crate::blob_uses::blobs_of;

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
    /// Records that name a blob (its CID as text), newest first; a record that names it twice
    /// stands once.
    BlobUses(String),
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

/// What a record adds to the store besides itself: its index rows, without repeats, and what it
/// adds to sums. A pure function; a field that can't be read adds nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Derived {
    /// Index rows.
    pub rows: Vec<IndexEntry>,
    /// A track's duration in seconds, taken as at most a day.
    pub duration_seconds: u64,
}

/// The version of what records derive. It rises whenever they derive other rows than before: a
/// store that an older program kept gets those once ([`crate::rebuild::Pass::Derivations`]).
/// 1: uses of blobs.
pub const DERIVATIONS: u16 = 1;

/// Longest subject uri that is indexed, in bytes; longer ones address nothing that exists.
const LONGEST_SUBJECT: usize = 2048;
/// Longest `listType` that has an index of its own, in bytes.
const LONGEST_LIST_TYPE: usize = 64;
/// Items of a list that are indexed; the lexicon allows 500, tolerated lists may be longer.
const MOST_ITEMS: usize = 5000;
/// A track counts as at most this long in sums, in seconds.
const LONGEST_TRACK: u64 = 86_400;

impl Derived {
    /// Derives it from a record that shows.
    pub fn of(uri: &RecordUri, collection: Collection, record: &Ipld) -> Derived {
        let Ipld::Map(fields) = record else {
            return Derived::default();
        };
        let sort_at = SortAt::of(record, uri.rkey.as_str()).0;
        let newest_first = sort_at.saturating_neg();
        let row = |index: Index, major: i64, minor: i64| IndexEntry {
            index,
            position: Position {
                major,
                minor,
                uri: uri.clone(),
            },
        };
        let mut derived = Derived::default();
        let did = &uri.did;
        match collection {
            Collection::Profile => {}
            Collection::Track => {
                derived.duration_seconds = duration(fields);
                derived.rows.push(row(Index::LatestTracks, newest_first, 0));
                derived
                    .rows
                    .push(row(Index::ActorTracks(did.clone()), newest_first, 0));
            }
            Collection::Like => {
                let Some(subject) = indexed_subject(record) else {
                    return derived;
                };
                derived
                    .rows
                    .push(row(Index::SubjectLikes(subject.clone()), newest_first, 0));
                derived.rows.push(row(Index::SubjectLikers(subject), 0, 0));
                derived
                    .rows
                    .push(row(Index::ActorLikes(did.clone()), newest_first, 0));
            }
            Collection::Comment => {
                let Some(subject) = indexed_subject(record) else {
                    return derived;
                };
                let place = match fields.get("timestampMs") {
                    Some(Ipld::Integer(place)) => i64::try_from(*place).unwrap_or(i64::MAX),
                    _ => 0,
                };
                let by_position = Index::SubjectCommentsByPosition(subject.clone());
                derived.rows.push(row(by_position, place, sort_at));
                derived
                    .rows
                    .push(row(Index::SubjectCommentsByTime(subject), newest_first, 0));
            }
            Collection::List => {
                derived
                    .rows
                    .push(row(Index::ActorLists(did.clone()), newest_first, 0));
                if let Some(Ipld::String(list_type)) = fields.get("listType")
                    && list_type.len() <= LONGEST_LIST_TYPE
                    && !list_type.contains('\0')
                {
                    let of_type = Index::ActorListsOfType(did.clone(), list_type.clone());
                    derived.rows.push(row(of_type, newest_first, 0));
                }
                for item in items(fields) {
                    derived
                        .rows
                        .push(row(Index::ListsWithItem(item), newest_first, 0));
                }
            }
        }
        let mut seen = HashSet::new();
        for blob in blobs_of(collection, record) {
            if seen.insert(blob.cid) {
                let uses = Index::BlobUses(blob.cid.to_string());
                derived.rows.push(row(uses, newest_first, 0));
            }
        }
        derived
    }
}

fn duration(fields: &BTreeMap<String, Ipld>) -> u64 {
    match fields.get("duration") {
        Some(Ipld::Integer(seconds)) => {
            u64::try_from(*seconds).map_or(0, |seconds| seconds.min(LONGEST_TRACK))
        }
        _ => 0,
    }
}

fn is_indexed(subject: &str) -> bool {
    subject.starts_with("at://") && subject.len() <= LONGEST_SUBJECT && !subject.contains('\0')
}

fn indexed_subject(record: &Ipld) -> Option<String> {
    subject_of(record)
        .filter(|subject| is_indexed(subject))
        .map(str::to_owned)
}

/// Distinct items of a list, in order.
fn items(fields: &BTreeMap<String, Ipld>) -> Vec<String> {
    let Some(Ipld::List(items)) = fields.get("items") else {
        return Vec::new();
    };
    let mut seen = HashSet::new();
    let subjects = items.iter().take(MOST_ITEMS).filter_map(subject_of);
    subjects
        .filter(|uri| is_indexed(uri) && seen.insert(*uri))
        .map(str::to_owned)
        .collect()
}

/// The uri a like, a comment or a list item is about, as written.
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
