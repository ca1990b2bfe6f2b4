//! A pass over the store, piece by piece: what is wrong is found through a snapshot, beside the
//! writer; the writer looks at that alone again and mends it ([`super::mend`]).

use plyr_lexicons::{Did, Namespace, RecordUri};

use super::cells;
use super::layers::{Engine, failed};
use super::mend::{self, Mend, Wrong, actor_cell, place_key, readable};
use super::reader::{read, successor};
use super::scan::{Scan, Versions, bytes_of, version_key};
use crate::held::HeldVersion;
use crate::index::DERIVATIONS;
use crate::model::{ActorTotals, Counts};
use crate::rebuild::{Pass, Passing, Stage};
use crate::store::StoreError;
use crate::tables::{
    self, ACTOR_TOTALS, BLOB_USES, COUNTS, INVALID, Key, KeyReader, Kind, LISTS_WITH_ITEM,
    SUBJECT_COMMENTS_BY_TIME, SUBJECT_LIKERS, TOTALS, Table, VERSIONS,
};

/// Keys or rows of one piece.
const KEYS: usize = 2_000;
/// Bytes of records read for one piece.
const BYTES: usize = 8 << 20;
/// Rows of sets read for one piece; a set is counted whole.
const ROWS: usize = 100_000;

/// The sets that are counted.
static SETS: [&Table; 3] = [&SUBJECT_LIKERS, &SUBJECT_COMMENTS_BY_TIME, &LISTS_WITH_ITEM];

/// What one piece of a pass found.
#[derive(Default)]
struct Piece {
    keys: Vec<RecordUri>,
    rows: Vec<Vec<u8>>,
    mend: Mend,
    seen: usize,
    unreadable: usize,
    bytes: usize,
    /// Where the next piece begins; none at the end of the stage.
    next: Option<String>,
}

impl Piece {
    fn is_full(&self) -> bool {
        self.seen >= KEYS || self.bytes >= BYTES
    }
}

/// Where a pass stands: begun anew, or gone on with. None when it ended meanwhile.
fn stored(
    engine: &Engine,
    pass: Pass,
    so_far: Option<&Passing>,
) -> Result<Option<Passing>, StoreError> {
    let cell = engine
        .keyspace(Kind::Network)
        .get(place_key(pass).into_bytes());
    let cell = cell.map_err(|problem| failed("read a row", &problem))?;
    let stored: Option<Passing> = cell.map(|cell| cells::decode("META", &cell)).transpose()?;
    Ok(match (stored, so_far) {
        (Some(stored), None) => Some(stored),
        (Some(stored), Some(so_far)) if stored.began == so_far.began => Some(stored),
        (_, Some(_)) => None,
        (None, None) => Some(Passing::begin(pass, super::now())),
    })
}

/// Finds what is wrong in the next piece; none when the pass was ended by somebody else.
pub fn look(
    engine: &Engine,
    namespace: &Namespace,
    pass: Pass,
    so_far: Option<&Passing>,
) -> Result<Option<Mend>, StoreError> {
    if pass == Pass::Derivations && mend::derivations(engine)? == Some(DERIVATIONS) {
        return Ok(None);
    }
    let Some(mut passing) = stored(engine, pass, so_far)? else {
        return Ok(None);
    };
    let mut scan = Scan::new(engine.clone(), namespace.clone());
    let after = passing.after.as_deref();
    let mut piece = match passing.stage {
        Stage::Records => records(&scan, after)?,
        Stage::Rows => rows(&scan, after)?,
        Stage::Counts => counts(&mut scan, after)?,
        Stage::Sets => sets(&mut scan, after)?,
        Stage::Actors => actors(&mut scan, after)?,
        Stage::Totals => totals(&mut scan)?,
        // The sets are index rows here, and accounts are looked up one by one.
        Stage::Members | Stage::Hidden | Stage::Rules | Stage::Done => Piece::default(),
    };
    if matches!(pass, Pass::Indexes | Pass::Derivations) {
        // Nobody counts after this.
        piece.mend.subjects = subjects(&scan, &piece)?;
    }
    let Piece {
        keys,
        rows,
        mut mend,
        seen,
        unreadable,
        next,
        ..
    } = piece;
    passing.seen += seen as u64;
    passing.unreadable += unreadable as u64;
    passing.go_on(pass, next);
    (mend.keys, mend.rows) = (keys, rows);
    mend.place = Some((pass, passing));
    Ok(Some(mend))
}

/// Looks at sums again: other writes may have come between finding and mending.
pub fn again(
    engine: &Engine,
    namespace: &Namespace,
    subjects: &[String],
    actors: &[Did],
) -> Result<Mend, StoreError> {
    let mut scan = Scan::new(engine.clone(), namespace.clone());
    let mut mend = Mend::default();
    for subject in subjects {
        mend.counts.extend(wrong_counts(&mut scan, subject)?);
    }
    for did in actors {
        mend.totals.extend(wrong_totals(&mut scan, did)?);
    }
    Ok(mend)
}

fn records(scan: &Scan, after: Option<&str>) -> Result<Piece, StoreError> {
    let after = after.and_then(|uri| uri.parse::<RecordUri>().ok());
    let after = after.map(|uri| successor(Key::of(&VERSIONS).record(&uri).into_bytes()));
    let mut piece = Piece::default();
    let mut open: Option<(RecordUri, Versions)> = None;
    let tags = (VERSIONS.tag, VERSIONS.tag);
    for row in scan.rows(Kind::Network, after, tags) {
        let (key, cell) = read(row)?;
        let Some((uri, rev)) = version_key(&key) else {
            piece.unreadable += 1;
            continue;
        };
        let held = match HeldVersion::decode(&cell) {
            Ok(held) => held,
            Err(problem) => {
                tracing::error!(%uri, %problem, "a kept version can't be read");
                piece.unreadable += 1;
                continue;
            }
        };
        piece.bytes += bytes_of(&held);
        match &mut open {
            Some((same, versions)) if *same == uri => versions.push((rev, held)),
            _ => {
                if let Some((before, versions)) = open.replace((uri, vec![(rev, held)])) {
                    record(scan, &mut piece, &before, &versions)?;
                    if piece.is_full() {
                        piece.next = Some(before.to_string());
                        return Ok(piece);
                    }
                }
            }
        }
    }
    if let Some((uri, versions)) = open {
        record(scan, &mut piece, &uri, &versions)?;
    }
    Ok(piece)
}

/// Whether a record lacks a row.
fn record(
    scan: &Scan,
    piece: &mut Piece,
    uri: &RecordUri,
    versions: &Versions,
) -> Result<(), StoreError> {
    piece.seen += 1;
    let wanted = match scan.wanted(uri, versions) {
        Ok(wanted) => wanted,
        Err(problem) => {
            tracing::error!(%uri, %problem, "a kept record can't be read");
            piece.unreadable += 1;
            return Ok(());
        }
    };
    for key in wanted {
        if scan.get(Kind::Derived, key)?.is_none() {
            piece.keys.push(uri.clone());
            break;
        }
    }
    Ok(())
}

fn rows(scan: &Scan, after: Option<&str>) -> Result<Piece, StoreError> {
    let mut piece = Piece::default();
    let tags = (BLOB_USES.tag, INVALID.tag);
    for row in scan.rows(Kind::Derived, after.map(from_hex), tags) {
        if piece.is_full() {
            break;
        }
        let (key, _) = read(row)?;
        piece.seen += 1;
        piece.next = Some(to_hex(&key));
        let is_borne_out = match tables::index_row(&key) {
            None => false,
            Some(uri) => match scan.wanted_of(&uri) {
                Ok((wanted, bytes)) => {
                    piece.bytes += bytes;
                    wanted.contains(key.as_ref())
                }
                // The pass over the records tells of it.
                Err(StoreError::Corrupt { .. }) => false,
                Err(problem) => return Err(problem),
            },
        };
        if !is_borne_out {
            piece.rows.push(key.to_vec());
        }
    }
    if !piece.is_full() {
        piece.next = None;
    }
    Ok(piece)
}

/// Subjects whose sets are mended with the rows of a piece.
fn subjects(scan: &Scan, piece: &Piece) -> Result<Vec<String>, StoreError> {
    let mut keys = piece.rows.clone();
    for uri in &piece.keys {
        keys.extend(scan.wanted_of(uri)?.0);
    }
    let of_sets = keys
        .iter()
        .filter(|key| SETS.iter().any(|set| set.tag == key[0]));
    let subjects = of_sets.filter_map(|key| KeyReader::after(key, 1).text());
    let mut subjects: Vec<String> = subjects.map(str::to_owned).collect();
    subjects.sort_unstable();
    subjects.dedup();
    Ok(subjects)
}

fn wrong_counts(
    scan: &mut Scan,
    subject: &str,
) -> Result<Option<Wrong<String, Counts>>, StoreError> {
    let right = scan.sizes(subject)?;
    let cell = scan.get(Kind::Derived, Key::of(&COUNTS).text(subject).into_bytes())?;
    let held = readable(cell.as_deref(), cells::decode_counts);
    // Nothing is not written down.
    let is_needless = cell.is_some() && right == Counts::default();
    Ok((held != Some(right) || is_needless).then(|| Wrong {
        key: subject.to_owned(),
        held,
        right,
    }))
}

fn counts(scan: &mut Scan, after: Option<&str>) -> Result<Piece, StoreError> {
    let mut piece = Piece::default();
    let mut next = scan.next_text(&COUNTS, after)?;
    while let Some(subject) = next {
        piece.seen += 1;
        piece.mend.counts.extend(wrong_counts(scan, &subject)?);
        next = scan.next_text(&COUNTS, Some(&subject))?;
        if next.is_some() && (piece.seen >= KEYS || scan.read >= ROWS) {
            piece.next = Some(subject);
            break;
        }
    }
    Ok(piece)
}

/// Sets of which nothing is counted. The place is a table's number and a subject.
fn sets(scan: &mut Scan, after: Option<&str>) -> Result<Piece, StoreError> {
    let after = after.and_then(|place| place.split_once(' '));
    let (mut set, mut subject) = match after {
        Some((set, subject)) => (set.parse().unwrap_or(0), Some(subject.to_owned())),
        None => (0, None),
    };
    let mut piece = Piece::default();
    while let Some(table) = SETS.get(set).copied() {
        let Some(next) = scan.next_text(table, subject.as_deref())? else {
            (set, subject) = (set + 1, None);
            continue;
        };
        piece.seen += 1;
        let counted = Key::of(&COUNTS).text(&next).into_bytes();
        if scan.get(Kind::Derived, counted)?.is_none() {
            piece.mend.counts.extend(wrong_counts(scan, &next)?);
        }
        if piece.seen >= KEYS || scan.read >= ROWS {
            piece.next = Some(format!("{set} {next}"));
            break;
        }
        subject = Some(next);
    }
    Ok(piece)
}

fn wrong_totals(scan: &mut Scan, did: &Did) -> Result<Option<Wrong<Did, ActorTotals>>, StoreError> {
    let right = scan.published(did)?;
    let cell = scan.get(
        Kind::Derived,
        Key::of(&ACTOR_TOTALS).text(did.as_str()).into_bytes(),
    )?;
    let held = readable(cell.as_deref(), actor_cell);
    Ok((held != Some(right)).then(|| Wrong {
        key: did.clone(),
        held,
        right,
    }))
}

/// Actors of whom there are records, and those of whom something is summed up.
fn actors(scan: &mut Scan, after: Option<&str>) -> Result<Piece, StoreError> {
    let mut piece = Piece::default();
    let mut after = after.map(str::to_owned);
    loop {
        let of_records = scan.next_text(&VERSIONS, after.as_deref())?;
        let summed = scan.next_text(&ACTOR_TOTALS, after.as_deref())?;
        let Some(next) = [of_records, summed].into_iter().flatten().min() else {
            return Ok(piece);
        };
        piece.seen += 1;
        match Did::new(next.clone()) {
            Ok(did) => piece.mend.totals.extend(wrong_totals(scan, &did)?),
            Err(_) => piece.unreadable += 1,
        }
        if piece.seen >= KEYS || scan.read >= ROWS {
            piece.next = Some(next);
            return Ok(piece);
        }
        after = Some(next);
    }
}

fn totals(scan: &mut Scan) -> Result<Piece, StoreError> {
    let right = scan.network()?;
    let cell = scan.get(Kind::Derived, Key::of(&TOTALS).into_bytes())?;
    let held = readable(cell.as_deref(), cells::decode_totals);
    let mut piece = Piece {
        seen: 1,
        ..Piece::default()
    };
    if held != Some(right) {
        let key = ();
        piece.mend.network = Some(Wrong { key, held, right });
    }
    Ok(piece)
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().as_chunks::<2>().0.iter();
    let byte = |pair: &[u8; 2]| {
        let digits = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(digits, 16).ok()
    };
    pairs.filter_map(byte).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_place_reads_back() {
        let bytes = [0, 1, 15, 16, 200, 255];
        assert_eq!(super::from_hex(&super::to_hex(&bytes)), bytes);
    }
}
