//! Every table, declared once: what it is keyed by, in the order it is read. The embedded engine's
//! keys follow from the declarations: the table's tag, then the columns, so encoded that bytes
//! compare as the columns do.

use plyr_lexicons::{Did, Nsid, RecordKey, RecordUri};

use crate::index::{Index, IndexEntry, Position};

/// Which of the three kinds of state a table is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Fetched again from the network at will.
    Network,
    /// Made again from the first.
    Derived,
    /// What to look at again.
    Log,
}

/// A key column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Column {
    /// UTF-8 without NUL; bytes and a closing NUL.
    Text(&'static str),
    /// A signed 64-bit number; big-endian with the sign turned.
    Number(&'static str),
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// First byte of its keys, unique within its kind.
    pub tag: u8,
    /// Which kind of state.
    pub kind: Kind,
    /// What a row is found by together.
    pub partition: &'static [Column],
    /// The order within a partition.
    pub order: &'static [Column],
}

use Column::{Number, Text};

const RECORD: [Column; 3] = [Text("did"), Text("collection"), Text("rkey")];
const SORTED: &[Column] = &[
    Number("major"),
    Number("minor"),
    RECORD[0],
    RECORD[1],
    RECORD[2],
];

macro_rules! tables {
    ($(
        $(#[$doc:meta])*
        $name:ident = $kind:ident $tag:literal [$partition:expr] [$order:expr];
    )*) => {
        $($(#[$doc])* pub static $name: Table = Table {
            name: stringify!($name),
            tag: $tag,
            kind: Kind::$kind,
            partition: $partition,
            order: $order,
        };)*
        /// All of them.
        pub static ALL: &[&Table] = &[$(&$name),*];
    };
}

tables! {
    /// Every version of every record. Cell: standing, body, verdict.
    VERSIONS = Network 1 [&[Text("did")]] [&[Text("collection"), Text("rkey"), Number("rev")]];
    /// The rev of the last signed state merged whole.
    FLOORS = Network 2 [&[Text("did")]] [&[Text("collection")]];
    /// Account state, identity and Bluesky profile of an actor.
    ACTORS = Network 3 [&[Text("did")]] [&[]];
    /// The register of handles.
    HANDLES = Network 4 [&[Text("handle")]] [&[]];
    /// Checks that are due, by actor.
    DUE = Network 5 [&[Text("did")]] [&[]];
    /// Checks that are due, by time.
    DUE_BY_TIME = Network 6 [&[]] [&[Number("due_at"), Text("did")]];
    /// Cursors of sources.
    CURSORS = Network 7 [&[Text("source")]] [&[]];
    /// Refused events, newest first.
    QUARANTINE = Network 8 [&[]] [&[Number("newest_first"), Text("id")]];
    /// Where a refused event stands in the table above.
    QUARANTINE_IDS = Network 9 [&[Text("id")]] [&[]];
    /// What the store knows of itself, by name.
    META = Network 10 [&[Text("name")]] [&[]];
    /// What is known of repos as wholes.
    REPOS = Network 20 [&[Text("did")]] [&[]];
    /// Repos that are due, by repo.
    DUE_REPOS = Network 21 [&[Text("did")]] [&[]];
    /// Repos that are due, by urgency and time.
    DUE_REPOS_BY_TIME = Network 22 [&[]] [&[Number("urgency"), Number("due_at"), Text("did")]];
    /// What streams told of a repo.
    TOLD = Network 23 [&[Text("did")]] [&[]];
    /// What the operator hides, or did: a copy of own state, which no rebuild touches.
    HIDES = Network 30 [&[Text("subject")]] [&[]];
    /// Records that name a blob, newest first. Stands before the others, so that the rows that a
    /// rebuild walks over are one range.
    BLOB_USES = Derived 0 [&[Text("cid")]] [SORTED];
    /// Tracks of the network, newest first.
    LATEST_TRACKS = Derived 1 [&[]] [SORTED];
    /// Tracks of an actor, newest first.
    ACTOR_TRACKS = Derived 2 [&[Text("actor")]] [SORTED];
    /// Likes of a subject, newest first.
    SUBJECT_LIKES = Derived 3 [&[Text("subject")]] [SORTED];
    /// The set of likes of a subject, by actor.
    SUBJECT_LIKERS = Derived 4 [&[Text("subject")]] [SORTED];
    /// Likes by an actor, newest first.
    ACTOR_LIKES = Derived 5 [&[Text("actor")]] [SORTED];
    /// Comments of a subject, by place.
    SUBJECT_COMMENTS_BY_POSITION = Derived 6 [&[Text("subject")]] [SORTED];
    /// Comments of a subject, newest first.
    SUBJECT_COMMENTS_BY_TIME = Derived 7 [&[Text("subject")]] [SORTED];
    /// Lists of an actor, newest first.
    ACTOR_LISTS = Derived 8 [&[Text("actor")]] [SORTED];
    /// Lists of an actor and a type, newest first.
    ACTOR_LISTS_OF_TYPE = Derived 9 [&[Text("actor"), Text("list_type")]] [SORTED];
    /// Lists that hold a subject, newest first.
    LISTS_WITH_ITEM = Derived 10 [&[Text("subject")]] [SORTED];
    /// Current records that are invalid, newest seen first.
    INVALID = Derived 11 [&[]] [SORTED];
    /// Sizes of the sets around a subject.
    COUNTS = Derived 12 [&[Text("subject")]] [&[]];
    /// What an actor has published.
    ACTOR_TOTALS = Derived 13 [&[Text("did")]] [&[]];
    /// What the network holds: one row.
    TOTALS = Derived 14 [&[]] [&[]];
    /// Blobs: from the records that name them, and from what is kept of them. No rebuild of the
    /// indexes touches them.
    BLOBS = Derived 20 [&[Text("cid")]] [&[]];
    /// Blobs of which something is due, by time.
    BLOBS_DUE = Derived 21 [&[]] [&[Number("due_at"), Text("cid")]];
    /// What tracks' audio was last seen to be.
    SEEN_AUDIO = Derived 22 [&[Text("did")]] [&[Text("collection"), Text("rkey")]];
    /// The change log, in the order of commits.
    LOG = Log 1 [&[]] [&[Number("number")]];
}

/// A key under construction: columns in the order of the declaration.
#[derive(Clone, Debug)]
pub struct Key {
    bytes: Vec<u8>,
    table: &'static Table,
    columns: usize,
}

impl Key {
    /// Begins a key (or a prefix) of a table.
    pub fn of(table: &'static Table) -> Key {
        Key {
            bytes: vec![table.tag],
            table,
            columns: 0,
        }
    }

    fn next(&mut self) -> Option<Column> {
        let partition = self.table.partition;
        let column = partition
            .iter()
            .chain(self.table.order)
            .nth(self.columns)
            .copied();
        self.columns += 1;
        column
    }

    /// The next column, a text. What follows a NUL is cut off, so that no text reaches into the
    /// next column.
    pub fn text(mut self, text: &str) -> Key {
        let column = self.next();
        debug_assert!(
            matches!(column, Some(Text(_))),
            "{} {column:?}",
            self.table.name
        );
        let text = text.split('\0').next().unwrap_or_default();
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
        self
    }

    /// The next column, a number.
    pub fn number(mut self, number: i64) -> Key {
        let column = self.next();
        debug_assert!(
            matches!(column, Some(Number(_))),
            "{} {column:?}",
            self.table.name
        );
        let turned = (number as u64) ^ (1 << 63);
        self.bytes.extend_from_slice(&turned.to_be_bytes());
        self
    }

    /// Did, collection and rkey.
    pub fn record(self, uri: &RecordUri) -> Key {
        self.text(uri.did.as_str())
            .text(uri.collection.as_str())
            .text(uri.rkey.as_str())
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads the columns of a key back.
#[derive(Clone, Copy, Debug)]
pub struct KeyReader<'a> {
    rest: &'a [u8],
}

impl<'a> KeyReader<'a> {
    /// After `prefix` bytes.
    pub fn after(key: &'a [u8], prefix: usize) -> KeyReader<'a> {
        KeyReader {
            rest: key.get(prefix..).unwrap_or_default(),
        }
    }

    /// The next text.
    pub fn text(&mut self) -> Option<&'a str> {
        let end = self.rest.iter().position(|byte| *byte == 0)?;
        let text = std::str::from_utf8(&self.rest[..end]).ok()?;
        self.rest = &self.rest[end + 1..];
        Some(text)
    }

    /// The next number.
    pub fn number(&mut self) -> Option<i64> {
        let (number, rest) = self.rest.split_first_chunk::<8>()?;
        self.rest = rest;
        Some((u64::from_be_bytes(*number) ^ (1 << 63)) as i64)
    }

    /// Did, collection and rkey.
    pub fn record(&mut self) -> Option<RecordUri> {
        let did = Did::new(self.text()?.to_owned()).ok()?;
        let collection = Nsid::new(self.text()?.to_owned()).ok()?;
        let rkey = RecordKey::new(self.text()?.to_owned()).ok()?;
        Some(RecordUri {
            did,
            collection,
            rkey,
        })
    }

    /// The place of an index row.
    pub fn position(&mut self) -> Option<Position> {
        let (major, minor) = (self.number()?, self.number()?);
        Some(Position {
            major,
            minor,
            uri: self.record()?,
        })
    }
}

/// The key prefix of an index's partition.
pub fn partition(index: &Index) -> Key {
    match index {
        Index::LatestTracks => Key::of(&LATEST_TRACKS),
        Index::ActorTracks(did) => Key::of(&ACTOR_TRACKS).text(did.as_str()),
        Index::SubjectLikes(subject) => Key::of(&SUBJECT_LIKES).text(subject),
        Index::SubjectLikers(subject) => Key::of(&SUBJECT_LIKERS).text(subject),
        Index::ActorLikes(did) => Key::of(&ACTOR_LIKES).text(did.as_str()),
        Index::SubjectCommentsByPosition(subject) => {
            Key::of(&SUBJECT_COMMENTS_BY_POSITION).text(subject)
        }
        Index::SubjectCommentsByTime(subject) => Key::of(&SUBJECT_COMMENTS_BY_TIME).text(subject),
        Index::ActorLists(did) => Key::of(&ACTOR_LISTS).text(did.as_str()),
        Index::ActorListsOfType(did, list_type) => Key::of(&ACTOR_LISTS_OF_TYPE)
            .text(did.as_str())
            .text(list_type),
        Index::ListsWithItem(subject) => Key::of(&LISTS_WITH_ITEM).text(subject),
        Index::BlobUses(cid) => Key::of(&BLOB_USES).text(cid),
    }
}

/// The key of a place within a partition.
pub fn place(partition: Key, position: &Position) -> Key {
    partition
        .number(position.major)
        .number(position.minor)
        .record(&position.uri)
}

/// The key of an index row.
pub fn entry(entry: &IndexEntry) -> Key {
    place(partition(&entry.index), &entry.position)
}

/// The record that the key of an index row names; none if it is no such key.
pub fn index_row(key: &[u8]) -> Option<RecordUri> {
    let (tag, _) = key.split_first()?;
    let is_index = |table: &&&Table| table.kind == Kind::Derived && table.order == SORTED;
    let mut tables = ALL.iter().filter(is_index);
    let table = tables.find(|table| table.tag == *tag)?;
    let mut columns = KeyReader::after(key, 1);
    for column in table.partition {
        match column {
            Text(_) => columns.text().map(drop)?,
            Number(_) => columns.number().map(drop)?,
        }
    }
    let position = columns.position()?;
    columns.rest.is_empty().then_some(position.uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_unique_within_a_kind() {
        for (place, table) in ALL.iter().enumerate() {
            let same = |other: &&&Table| other.kind == table.kind && other.tag == table.tag;
            assert_eq!(
                ALL.iter().skip(place).filter(same).count(),
                1,
                "{}",
                table.name
            );
        }
    }

    #[test]
    fn keys_compare_as_their_columns_do_and_read_back() {
        let uri = |rkey: &str| -> RecordUri {
            format!("at://did:plc:abc/fm.plyr.track/{rkey}")
                .parse()
                .unwrap()
        };
        let index = Index::LatestTracks;
        let places = [
            (-5, 0, "b"),
            (-5, 0, "ba"),
            (-4, 9, "a"),
            (0, -1, "z"),
            (7, 0, "a"),
        ];
        let positions = places.map(|(major, minor, rkey)| Position {
            major,
            minor,
            uri: uri(rkey),
        });
        for pair in positions.windows(2) {
            assert!(pair[0] < pair[1]);
            let [one, two] =
                [&pair[0], &pair[1]].map(|at| place(partition(&index), at).into_bytes());
            assert!(one < two);
            let read = KeyReader::after(&one, 1).position().unwrap();
            assert_eq!(read, pair[0]);
        }
    }
}
