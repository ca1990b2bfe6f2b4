//! A page of an index: filtered inside the loop, so that it is full while there is something, at
//! most three passes; then a short page with a cursor.

use plyr_lexicons::Namespace;
use plyr_schemas::{Index, IndexEntry, Position, Snapshot};

use super::{Found, Hydrated, hydrate_within};
use crate::cursor::ListName;
use crate::error::XrpcError;

/// Passes that may be made to fill a page; then it is a short one.
pub const PASSES: usize = 3;
/// Bytes of records after which a page ends, however few they are: a record may have a megabyte.
pub const MOST_BYTES: usize = 4 << 20;

/// What the rows that may show lead to, and where the next page begins.
pub struct Page {
    pub rows: Vec<Hydrated>,
    pub cursor: Option<String>,
}

/// Which page.
pub struct Wanted<'a> {
    pub list: &'a ListName,
    pub index: Index,
    pub after: Option<Position>,
    pub limit: usize,
    /// Whether an actor shows once a subject: with the first of their likes.
    pub once_an_actor: bool,
}

/// What one pass over an index found.
pub struct Pass {
    pub rows: Vec<Hydrated>,
    /// The last row looked at, whether it shows or not.
    pub last: Option<Position>,
    /// Whether there are rows after it.
    pub more: bool,
}

/// Fills a page.
pub async fn fill(
    namespace: &Namespace,
    snapshot: &dyn Snapshot,
    wanted: Wanted<'_>,
) -> Result<Page, XrpcError> {
    let Wanted {
        list,
        index,
        mut after,
        limit,
        once_an_actor,
    } = wanted;
    let mut rows = Vec::new();
    for _ in 0..PASSES {
        let room = limit - rows.len();
        let looked = pass(
            namespace,
            snapshot,
            &index,
            after.as_ref(),
            room,
            once_an_actor,
        )
        .await?;
        rows.extend(looked.rows);
        if !looked.more {
            return Ok(Page { rows, cursor: None });
        }
        after = looked.last;
        let bytes: usize = rows
            .iter()
            .map(|row: &Hydrated| row.record.bytes.len())
            .sum();
        if rows.len() >= limit || bytes >= MOST_BYTES {
            break;
        }
    }
    let cursor = after.map(|position| list.after(&position));
    Ok(Page { rows, cursor })
}

/// Looks at the next rows, at most `room`: two rounds to the store.
pub async fn pass(
    namespace: &Namespace,
    snapshot: &dyn Snapshot,
    index: &Index,
    after: Option<&Position>,
    room: usize,
    once_an_actor: bool,
) -> Result<Pass, XrpcError> {
    // One more than there is room for tells whether this is the end.
    let mut entries = snapshot.page(index, after, room + 1).await?;
    let mut more = entries.len() > room;
    entries.truncate(room);
    let uris: Vec<_> = entries
        .iter()
        .map(|entry| entry.position.uri.clone())
        .collect();
    let found = hydrate_within(namespace, snapshot, &uris, MOST_BYTES);
    let (found, first) = tokio::try_join!(found, firsts(snapshot, &entries, once_an_actor))?;
    more |= found.len() < entries.len();
    let (mut rows, mut last, mut bytes) = (Vec::new(), None, 0);
    for ((entry, found), first) in entries.into_iter().zip(found).zip(first) {
        if bytes >= MOST_BYTES {
            more = true;
            break;
        }
        match found {
            Found::Shown(hydrated) if first && hydrated.bears_out(&entry) => {
                bytes += hydrated.record.bytes.len();
                rows.push(*hydrated);
            }
            _ => {}
        }
        last = Some(entry.position);
    }
    Ok(Pass { rows, last, more })
}

/// For each row of likes whether it is its actor's first of that subject.
async fn firsts(
    snapshot: &dyn Snapshot,
    entries: &[IndexEntry],
    asked: bool,
) -> Result<Vec<bool>, XrpcError> {
    let pair = |entry: &IndexEntry| match &entry.index {
        Index::SubjectLikes(subject) => Some((subject.clone(), entry.position.uri.did.clone())),
        _ => None,
    };
    let pairs: Option<Vec<_>> = entries.iter().map(pair).collect();
    let Some(pairs) = pairs.filter(|_| asked) else {
        return Ok(vec![true; entries.len()]);
    };
    let firsts = snapshot.first_likes(&pairs).await?;
    let own = firsts.iter().zip(entries);
    Ok(own
        .map(|(first, entry)| first.as_ref() == Some(&entry.position.uri))
        .collect())
}
