//! A version becomes state: truth, what is derived from it, sums, and the log entry.

use std::collections::HashSet;
use std::str::FromStr;

use plyr_lexicons::{Did, Namespace, Nsid, RecordUri, Rev, Verdict};

use super::layers::Layers;
use super::sums::{self, Sums};
use super::{cells, hides, observations, repos};
use crate::held::{HeldVersion, current, settled};
use crate::index::{Derived, Position};
use crate::model::{Floor, Micros, Outcome, Standing, Version};
use crate::store::StoreError;
use crate::tables::{self, FLOORS, INVALID, Key, KeyReader, Kind, VERSIONS};

/// Takes all versions of a key away, and what follows from them; the floor is raised above them.
/// Answers whether it held a record.
pub fn erase(
    layers: &mut Layers,
    namespace: &Namespace,
    uri: &RecordUri,
) -> Result<bool, StoreError> {
    let held = held(layers, uri)?;
    let before = current(&held);
    if let Some((_, cell)) = before {
        let hidden = hides::is_record_hidden(layers, uri)?;
        let old = hides::derived_of(namespace, uri, cell, hidden)?;
        rederive(layers, uri, &old, &Derived::default())?;
        reinvalidate(layers, uri, before, None);
    }
    for (rev, _) in &held {
        layers.remove(Kind::Network, version_key(uri, *rev));
    }
    if let Some(rev) = held.iter().map(|(rev, _)| *rev).max() {
        let (did, collection) = (uri.did.clone(), uri.collection.clone());
        raise_floor(
            layers,
            &Floor {
                did,
                collection,
                rev,
            },
        )?;
    }
    Ok(held.iter().any(|(_, cell)| cell.content.is_some()))
}

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
    let uri = version.uri.clone();
    let (rev, cell, derived) = HeldVersion::of(version, rules);
    let same_rev = held.iter().find(|(known, _)| *known == rev);
    if same_rev.is_some_and(|(_, known)| known.rank() >= cell.rank()) {
        return Ok(Outcome::Superseded);
    }
    let before = current(&held);
    let older = before.is_some_and(|(newer, _)| *newer > rev);
    // What is proven stays beneath what is only told: that may be made void later.
    if older && cell.standing == Standing::Event {
        return Ok(Outcome::Superseded);
    }

    if cell.standing == Standing::Event {
        repos::told(layers, &uri.did, rev)?;
    }
    layers.put(Kind::Network, version_key(&uri, rev), cell.encode()?);
    let after = with(&held, rev, cell);
    for (old, _) in settled(&after) {
        layers.remove(Kind::Network, version_key(&uri, *old));
    }

    let hidden = hides::is_record_hidden(layers, &uri)?;
    let old = match before {
        Some((_, held)) => hides::derived_of(namespace, &uri, held, hidden)?,
        None => Derived::default(),
    };
    let now = current(&after);
    let new = match now {
        Some((newest, _)) if *newest == rev && !hidden => derived,
        Some((_, held)) => hides::derived_of(namespace, &uri, held, hidden)?,
        None => Derived::default(),
    };
    rederive(layers, &uri, &old, &new)?;
    reinvalidate(layers, &uri, before, now);
    Ok(Outcome::Applied)
}

/// The versions with another cell at one rev.
fn with(held: &[(Rev, HeldVersion)], rev: Rev, cell: HeldVersion) -> Vec<(Rev, HeldVersion)> {
    let others = held.iter().filter(|(at, _)| *at != rev).cloned();
    others.chain([(rev, cell)]).collect()
}

/// Writes a version that is held once more, judged anew. Answers whether it is the current one.
pub fn replace(
    layers: &mut Layers,
    namespace: &Namespace,
    uri: &RecordUri,
    rev: Rev,
    cell: HeldVersion,
) -> Result<bool, StoreError> {
    let held = held(layers, uri)?;
    let Some(before) = current(&held) else {
        return Ok(false);
    };
    layers.put(Kind::Network, version_key(uri, rev), cell.encode()?);
    if before.0 != rev {
        return Ok(false);
    }
    let hidden = hides::is_record_hidden(layers, uri)?;
    let old = hides::derived_of(namespace, uri, &before.1, hidden)?;
    let after = (rev, cell);
    let new = hides::derived_of(namespace, uri, &after.1, hidden)?;
    rederive(layers, uri, &old, &new)?;
    reinvalidate(layers, uri, Some(before), Some(&after));
    Ok(true)
}

/// Takes away what follows from a record, or brings it back. Its versions stay.
pub fn hide(
    layers: &mut Layers,
    namespace: &Namespace,
    uri: &RecordUri,
    hidden: bool,
) -> Result<(), StoreError> {
    let held = held(layers, uri)?;
    let Some((_, cell)) = current(&held) else {
        return Ok(());
    };
    let old = hides::derived_of(namespace, uri, cell, !hidden)?;
    let new = hides::derived_of(namespace, uri, cell, hidden)?;
    rederive(layers, uri, &old, &new)
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

/// The versions of a key, oldest first.
pub fn held(layers: &Layers, uri: &RecordUri) -> Result<Vec<(Rev, HeldVersion)>, StoreError> {
    let prefix = Key::of(&VERSIONS).record(uri);
    let length = prefix.clone().into_bytes().len();
    let rows = layers.under(Kind::Network, prefix, MOST_VERSIONS)?;
    rows.iter()
        .map(|(key, cell)| {
            let number = KeyReader::after(key, length).number();
            let number = number.ok_or_else(|| cells::corrupt("VERSIONS", "a key is cut"))?;
            Ok((Rev::from_u64(number as u64), HeldVersion::decode(cell)?))
        })
        .collect()
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

/// Keys of all derived rows that the versions of a record come to.
pub fn wanted_keys(
    namespace: &Namespace,
    uri: &RecordUri,
    versions: &[(Rev, HeldVersion)],
    hidden: bool,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let Some((_, held)) = current(versions) else {
        return Ok(Vec::new());
    };
    let rows = hides::derived_of(namespace, uri, held, hidden)?.rows;
    let rows = rows.iter().map(|row| tables::entry(row).into_bytes());
    let invalid = is_invalid(held).then(|| invalid_key(uri, held.seen_at).into_bytes());
    Ok(rows.chain(invalid).collect())
}

fn is_invalid(held: &HeldVersion) -> bool {
    let content = held.content.as_ref();
    content.is_some_and(|content| content.judgement.verdict == Verdict::Invalid)
}

fn reinvalidate(
    layers: &mut Layers,
    uri: &RecordUri,
    before: Option<&(Rev, HeldVersion)>,
    after: Option<&(Rev, HeldVersion)>,
) {
    let invalid = |version: Option<&(Rev, HeldVersion)>| {
        let (_, cell) = version?;
        is_invalid(cell).then(|| invalid_key(uri, cell.seen_at))
    };
    if let Some(key) = invalid(before) {
        layers.remove(Kind::Derived, key);
    }
    if let Some(key) = invalid(after) {
        layers.put(Kind::Derived, key, sums::LIVE.to_vec());
    }
}
