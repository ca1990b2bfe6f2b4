//! A version becomes state: truth, what is derived from it, sums, and the log entry.

use std::collections::HashSet;
use std::str::FromStr;

use plyr_lexicons::{Collection, Did, Namespace, Nsid, RecordUri, Rev, Verdict, data};

use super::cells::{Content, VersionCell, rank};
use super::layers::Layers;
use super::sums::{self, Sums};
use super::{cells, observations};
use crate::index::{Derived, Position};
use crate::model::{Body, Floor, Micros, Outcome, Standing, Version};
use crate::store::StoreError;
use crate::tables::{self, FLOORS, INVALID, Key, KeyReader, Kind, VERSIONS};

/// Versions of one key that are looked at; settled ones are swept, so there are few.
const MOST_VERSIONS: usize = 64;

/// Applies a version.
pub fn apply(
    layers: &mut Layers,
    namespace: &Namespace,
    rules: u16,
    version: Version,
) -> Result<Outcome, StoreError> {
    if version.rev <= floor(layers, &version.uri)? {
        return Ok(Outcome::Superseded);
    }
    let held = held(layers, &version.uri)?;
    let (content, derived) = match version.body {
        Body::Record {
            cid,
            bytes,
            judgement,
            derived,
        } => (
            Some(Content {
                cid,
                bytes,
                judgement,
                rules,
            }),
            derived,
        ),
        Body::Delete => (None, Derived::default()),
    };
    let cell = VersionCell {
        standing: version.standing,
        seen_at: version.seen_at,
        content,
    };
    let same_rev = held.iter().find(|(rev, _)| *rev == version.rev);
    if same_rev.is_some_and(|(_, known)| rank(known) >= rank(&cell)) {
        return Ok(Outcome::Superseded);
    }
    let before = current(&held);
    let older = before.as_ref().is_some_and(|(rev, _)| *rev > version.rev);
    // What is proven stays beneath what is only told: that may be made void later.
    if older && cell.standing == Standing::Event {
        return Ok(Outcome::Superseded);
    }

    let uri = &version.uri;
    layers.put(Kind::Network, version_key(uri, version.rev), cell.encode()?);
    let after = with(&held, version.rev, cell);
    let settled = current(&after);
    sweep(layers, uri, &after, settled.as_ref().map(|(rev, _)| *rev));

    let old = match &before {
        Some((_, cell)) => derived_of(namespace, uri, cell)?,
        None => Derived::default(),
    };
    let new = match &settled {
        Some((rev, _)) if *rev == version.rev => derived,
        Some((_, cell)) => derived_of(namespace, uri, cell)?,
        None => Derived::default(),
    };
    rederive(layers, uri, &old, &new)?;
    reinvalidate(layers, uri, before.as_ref(), settled.as_ref());
    Ok(Outcome::Applied)
}

/// The versions with another cell at one rev.
fn with(held: &[(Rev, VersionCell)], rev: Rev, cell: VersionCell) -> Vec<(Rev, VersionCell)> {
    let others = held.iter().filter(|(at, _)| *at != rev).cloned();
    others.chain([(rev, cell)]).collect()
}

/// Writes a version that is held once more, judged anew. Answers whether it is the current one.
pub fn replace(
    layers: &mut Layers,
    namespace: &Namespace,
    uri: &RecordUri,
    rev: Rev,
    cell: VersionCell,
) -> Result<bool, StoreError> {
    let held = held(layers, uri)?;
    let Some(before) = current(&held) else {
        return Ok(false);
    };
    layers.put(Kind::Network, version_key(uri, rev), cell.encode()?);
    if before.0 != rev {
        return Ok(false);
    }
    let old = derived_of(namespace, uri, &before.1)?;
    let after = (rev, cell);
    let new = derived_of(namespace, uri, &after.1)?;
    rederive(layers, uri, &old, &new)?;
    reinvalidate(layers, uri, Some(&before), Some(&after));
    Ok(true)
}

fn version_key(uri: &RecordUri, rev: Rev) -> Key {
    Key::of(&VERSIONS).record(uri).number(rev.as_u64() as i64)
}

fn floor_key(did: &Did, collection: &Nsid) -> Key {
    Key::of(&FLOORS)
        .text(did.as_str())
        .text(collection.as_str())
}

/// Raises a floor; a lower one changes nothing.
pub fn raise_floor(layers: &mut Layers, floor: &Floor) -> Result<Outcome, StoreError> {
    let key = floor_key(&floor.did, &floor.collection);
    if floor.rev <= floor_at(layers, key.clone())? {
        return Ok(Outcome::Superseded);
    }
    let cell = cells::encode("FLOORS", &floor.rev.to_string())?;
    layers.put(Kind::Network, key, cell);
    Ok(Outcome::Applied)
}

fn floor(layers: &Layers, uri: &RecordUri) -> Result<Rev, StoreError> {
    floor_at(layers, floor_key(&uri.did, &uri.collection))
}

fn floor_at(layers: &Layers, key: Key) -> Result<Rev, StoreError> {
    let Some(cell) = layers.get(Kind::Network, key)? else {
        return Ok(Rev::MIN);
    };
    let text: String = cells::decode("FLOORS", &cell)?;
    Rev::from_str(&text).map_err(|problem| cells::corrupt("FLOORS", problem))
}

fn held(layers: &Layers, uri: &RecordUri) -> Result<Vec<(Rev, VersionCell)>, StoreError> {
    let prefix = Key::of(&VERSIONS).record(uri);
    let length = prefix.clone().into_bytes().len();
    let rows = layers.under(Kind::Network, prefix, MOST_VERSIONS)?;
    rows.iter()
        .map(|(key, cell)| {
            let number = KeyReader::after(key, length).number();
            let number = number.ok_or_else(|| cells::corrupt("VERSIONS", "a key is cut"))?;
            Ok((Rev::from_u64(number as u64), VersionCell::decode(cell)?))
        })
        .collect()
}

/// The greatest version that isn't void.
fn current(versions: &[(Rev, VersionCell)]) -> Option<(Rev, VersionCell)> {
    let real = versions
        .iter()
        .filter(|(_, cell)| cell.standing != Standing::Void);
    real.max_by_key(|(rev, _)| *rev).cloned()
}

/// What is older than the settled version goes, and its bytes with it; but the newest proven one
/// stays until the settled one is proven too.
fn sweep(
    layers: &mut Layers,
    uri: &RecordUri,
    versions: &[(Rev, VersionCell)],
    settled: Option<Rev>,
) {
    let Some(settled) = settled else { return };
    let proven = versions
        .iter()
        .filter(|(_, cell)| cell.standing == Standing::Proven);
    let base = proven.map(|(rev, _)| *rev).max();
    let goes = |rev: Rev| rev < settled && Some(rev) != base;
    for (rev, _) in versions.iter().filter(|(rev, _)| goes(*rev)) {
        layers.remove(Kind::Network, version_key(uri, *rev));
    }
}

/// What a stored version derives; nothing for deletes and invalid records.
pub fn derived_of(
    namespace: &Namespace,
    uri: &RecordUri,
    cell: &VersionCell,
) -> Result<Derived, StoreError> {
    let Some(content) = &cell.content else {
        return Ok(Derived::default());
    };
    let Some(collection) = namespace.collection(uri.collection.as_str()) else {
        return Ok(Derived::default());
    };
    if content.judgement.verdict == Verdict::Invalid || collection == Collection::Profile {
        return Ok(Derived::default());
    }
    let record =
        data::from_cbor(&content.bytes).map_err(|problem| cells::corrupt("VERSIONS", problem))?;
    Ok(Derived::of(uri, collection, &record))
}

fn rederive(
    layers: &mut Layers,
    uri: &RecordUri,
    old: &Derived,
    new: &Derived,
) -> Result<(), StoreError> {
    if old.rows.is_empty() && new.rows.is_empty() {
        return Ok(());
    }
    let visible = observations::is_visible(layers, &uri.did)?;
    let mut sums = Sums::of(layers, &uri.did, visible)?;
    let kept: HashSet<_> = old.rows.iter().collect();
    let wanted: HashSet<_> = new.rows.iter().collect();
    for row in old.rows.iter().filter(|row| !wanted.contains(row)) {
        layers.remove(Kind::Derived, tables::entry(row));
        sums.left(layers, row)?;
    }
    for row in new.rows.iter().filter(|row| !kept.contains(row)) {
        sums.joins(layers, row)?;
        layers.put(Kind::Derived, tables::entry(row), sums::LIVE.to_vec());
    }
    sums.lasting(old.duration_seconds, new.duration_seconds);
    sums.write(layers)
}

fn invalid_key(uri: &RecordUri, seen_at: Micros) -> Key {
    let position = Position {
        major: seen_at.saturating_neg(),
        minor: 0,
        uri: uri.clone(),
    };
    tables::place(Key::of(&INVALID), &position)
}

fn reinvalidate(
    layers: &mut Layers,
    uri: &RecordUri,
    before: Option<&(Rev, VersionCell)>,
    after: Option<&(Rev, VersionCell)>,
) {
    let invalid = |version: Option<&(Rev, VersionCell)>| {
        let (_, cell) = version?;
        let verdict = cell.content.as_ref()?.judgement.verdict;
        (verdict == Verdict::Invalid).then(|| invalid_key(uri, cell.seen_at))
    };
    if let Some(key) = invalid(before) {
        layers.remove(Kind::Derived, key);
    }
    if let Some(key) = invalid(after) {
        layers.put(Kind::Derived, key, sums::LIVE.to_vec());
    }
}
