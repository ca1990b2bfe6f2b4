//! Observations of accounts and identities: an earlier-asked answer never replaces a later one.

use std::collections::{BTreeMap, BTreeSet};

use plyr_lexicons::{Did, Handle, Namespace, RecordUri};

use super::layers::Layers;
use super::rows::{ActorRow, DueRow, HandleRow};
use super::{cells, hides, sums};
use crate::held::HeldVersion;
use crate::index::Index;
use crate::model::{
    Account, AccountState, ActorTotals, BlueskyProfile, DueCheck, Identity, Micros, Outcome,
    Standing,
};
use crate::store::StoreError;
use crate::tables::{ACTORS, DUE, DUE_BY_TIME, HANDLES, Key, KeyReader, Kind, VERSIONS};

fn actor_key(did: &Did) -> Key {
    Key::of(&ACTORS).text(did.as_str())
}

fn actor(layers: &Layers, did: &Did) -> Result<ActorRow, StoreError> {
    match layers.get(Kind::Network, actor_key(did))? {
        Some(cell) => cells::decode("ACTORS", &cell),
        None => Ok(ActorRow::default()),
    }
}

fn keep_actor(layers: &mut Layers, did: &Did, row: &ActorRow) -> Result<(), StoreError> {
    layers.put(Kind::Network, actor_key(did), cells::encode("ACTORS", row)?);
    Ok(())
}

/// What the actor's host says of the account.
pub fn state(layers: &Layers, did: &Did) -> Result<AccountState, StoreError> {
    Ok(actor(layers, did)?.account_state())
}

/// Whether what the actor made shows and counts: the host shows the account, and the operator does.
pub fn is_visible(layers: &Layers, did: &Did) -> Result<bool, StoreError> {
    Ok(state(layers, did)?.is_visible() && !hides::is_actor_hidden(layers, did)?)
}

/// Applies an account observation; a change of visibility reaches every sum at once.
pub fn account(
    layers: &mut Layers,
    namespace: &Namespace,
    account: &Account,
) -> Result<Outcome, StoreError> {
    let mut row = actor(layers, &account.did)?;
    if account.asked_at <= row.state_asked_at {
        return Ok(Outcome::Superseded);
    }
    let was = row.account_state();
    row.state_since = account.since;
    row.state_asked_at = account.asked_at;
    row.set_account_state(account.state);
    keep_actor(layers, &account.did, &row)?;
    let is_other = was.is_visible() != account.state.is_visible();
    if is_other && !hides::is_actor_hidden(layers, &account.did)? {
        flip(layers, namespace, &account.did, account.state.is_visible())?;
    }
    Ok(if was == account.state {
        Outcome::Superseded
    } else {
        Outcome::Applied
    })
}

/// Takes everything an actor counts for out of the sums, or puts it back.
pub fn flip(
    layers: &mut Layers,
    namespace: &Namespace,
    did: &Did,
    shows: bool,
) -> Result<(), StoreError> {
    let totals = sums::actor_totals(layers, did)?;
    let nothing = ActorTotals::default();
    let (before, after) = if shows {
        (&nothing, &totals)
    } else {
        (&totals, &nothing)
    };
    sums::network(layers, before, after)?;

    let prefix = Key::of(&VERSIONS).text(did.as_str());
    let start = Key::of(&VERSIONS).into_bytes().len();
    // The current version of each record, one at a time: a proven one may lie beneath it.
    let mut counted = Counted::default();
    let mut current: Option<(RecordUri, Vec<u8>)> = None;
    layers.each_under(Kind::Network, prefix, |key, cell| {
        let uri = KeyReader::after(key, start).record();
        let uri = uri.ok_or_else(|| cells::corrupt("VERSIONS", "a key is cut"))?;
        if HeldVersion::standing_of(cell)? == Standing::Void {
            return Ok(());
        }
        match &mut current {
            Some((same, newest)) if *same == uri => *newest = cell.to_vec(),
            _ => {
                let before = current.replace((uri, cell.to_vec()));
                counted.take(layers, namespace, before)?;
            }
        }
        Ok(())
    })?;
    counted.take(layers, namespace, current)?;
    for subject in counted.liked {
        sums::count(layers, &subject, |counts| &mut counts.likes, shows)?;
    }
    for (subject, times) in counted.comments {
        for _ in 0..times {
            sums::count(layers, &subject, |counts| &mut counts.comments, shows)?;
        }
    }
    for (subject, times) in counted.lists {
        for _ in 0..times {
            sums::count(layers, &subject, |counts| &mut counts.lists, shows)?;
        }
    }
    Ok(())
}

/// What an actor counts for: subjects alone, however large the records are.
#[derive(Default)]
struct Counted {
    liked: BTreeSet<String>,
    comments: BTreeMap<String, usize>,
    lists: BTreeMap<String, usize>,
}

impl Counted {
    fn take(
        &mut self,
        layers: &Layers,
        namespace: &Namespace,
        current: Option<(RecordUri, Vec<u8>)>,
    ) -> Result<(), StoreError> {
        let Some((uri, cell)) = current else {
            return Ok(());
        };
        let held = HeldVersion::decode(&cell)?;
        let hidden = hides::is_record_hidden(layers, &uri)?;
        for row in hides::derived_of(namespace, &uri, &held, hidden)?.rows {
            match row.index {
                Index::SubjectLikers(subject) => {
                    self.liked.insert(subject);
                }
                Index::SubjectCommentsByTime(subject) => {
                    *self.comments.entry(subject).or_default() += 1;
                }
                Index::ListsWithItem(subject) => *self.lists.entry(subject).or_default() += 1,
                _ => {}
            }
        }
        Ok(())
    }
}

fn handle_key(handle: &Handle) -> Key {
    Key::of(&HANDLES).text(&handle.as_str().to_lowercase())
}

fn claim(layers: &Layers, handle: &Handle) -> Result<Option<HandleRow>, StoreError> {
    let cell = layers.get(Kind::Network, handle_key(handle))?;
    cell.map(|cell| cells::decode("HANDLES", &cell)).transpose()
}

fn keep_claim(layers: &mut Layers, handle: &Handle, claim: &HandleRow) -> Result<(), StoreError> {
    let cell = cells::encode("HANDLES", claim)?;
    layers.put(Kind::Network, handle_key(handle), cell);
    Ok(())
}

/// Applies an identity observation and keeps the register of handles. Answers also who lost the
/// handle by it.
pub fn identity(
    layers: &mut Layers,
    identity: &Identity,
) -> Result<(Outcome, Option<Did>), StoreError> {
    let mut row = actor(layers, &identity.did)?;
    if identity.asked_at <= row.identity_asked_at {
        return Ok((Outcome::Superseded, None));
    }
    let (mut moves, mut lost) = (false, None);
    let before = row.clone();
    let did = identity.did.as_str();
    let handle = identity.handle.as_ref();
    let given_up = before
        .handle
        .as_ref()
        .and_then(|old| Handle::new(old.clone()).ok());
    if let Some(old) = given_up.filter(|old| Some(old) != handle)
        && let Some(mut claim) = claim(layers, &old)?.filter(|claim| claim.did == did)
    {
        claim.given_up = true;
        keep_claim(layers, &old, &claim)?;
    }
    if let Some(handle) = handle {
        // Of two proofs at one time the greater DID's wins, on every engine.
        let proof = (identity.asked_at, did);
        let held = claim(layers, handle)?;
        let is_newer = |held: &HandleRow| (held.proven_at, held.did.as_str()) <= proof;
        if held.as_ref().is_none_or(is_newer) {
            let holder = held.filter(|held| !held.given_up).map(|held| held.did);
            moves = holder.as_deref() != Some(did);
            lost = holder.filter(|holder| holder != did);
            let claim = HandleRow {
                did: did.to_owned(),
                proven_at: identity.asked_at,
                given_up: false,
            };
            keep_claim(layers, handle, &claim)?;
        }
    }
    row.handle = handle.map(|handle| handle.as_str().to_owned());
    row.pds.clone_from(&identity.pds);
    row.signing_key.clone_from(&identity.signing_key);
    row.identity_asked_at = identity.asked_at;
    keep_actor(layers, &identity.did, &row)?;
    row.identity_asked_at = before.identity_asked_at;
    let lost = lost.map(Did::new).transpose();
    let lost = lost.map_err(|problem| cells::corrupt("HANDLES", problem))?;
    // The row may be as it was where its handle was proven by another meanwhile.
    let outcome = if row == before && !moves {
        Outcome::Superseded
    } else {
        Outcome::Applied
    };
    Ok((outcome, lost))
}

/// Applies a Bluesky profile as read.
pub fn bluesky(layers: &mut Layers, profile: &BlueskyProfile) -> Result<Outcome, StoreError> {
    let mut row = actor(layers, &profile.did)?;
    if profile.asked_at <= row.bluesky_asked_at {
        return Ok(Outcome::Superseded);
    }
    let before = row.clone();
    row.display_name.clone_from(&profile.display_name);
    row.avatar.clone_from(&profile.avatar);
    row.bluesky_asked_at = profile.asked_at;
    keep_actor(layers, &profile.did, &row)?;
    row.bluesky_asked_at = before.bluesky_asked_at;
    Ok(if row == before {
        Outcome::Superseded
    } else {
        Outcome::Applied
    })
}

fn due_key(did: &Did) -> Key {
    Key::of(&DUE).text(did.as_str())
}

fn held_due(layers: &Layers, did: &Did) -> Result<Option<DueRow>, StoreError> {
    let cell = layers.get(Kind::Network, due_key(did))?;
    cell.map(|cell| cells::decode("DUE", &cell)).transpose()
}

fn by_time(did: &Did, due_at: Micros) -> Key {
    Key::of(&DUE_BY_TIME).number(due_at).text(did.as_str())
}

/// Makes a check due, unless a later trigger already did.
pub fn due(layers: &mut Layers, check: &DueCheck) -> Result<Outcome, StoreError> {
    if let Some(held) = held_due(layers, &check.did)? {
        if (held.triggered_at, held.asked) > (check.triggered_at, check.asked) {
            return Ok(Outcome::Superseded);
        }
        layers.remove(Kind::Network, by_time(&check.did, held.due_at));
    }
    let row = cells::encode("DUE", &DueRow::of(check))?;
    layers.put(Kind::Network, due_key(&check.did), row);
    let place = by_time(&check.did, check.due_at);
    layers.put(Kind::Network, place, sums::LIVE.to_vec());
    Ok(Outcome::Applied)
}

/// Ends the checks of a trigger.
pub fn checked(layers: &mut Layers, did: &Did, trigger: Micros) -> Result<Outcome, StoreError> {
    match held_due(layers, did)? {
        Some(held) if held.triggered_at <= trigger => {
            layers.remove(Kind::Network, by_time(did, held.due_at));
            layers.remove(Kind::Network, due_key(did));
            Ok(Outcome::Applied)
        }
        _ => Ok(Outcome::Superseded),
    }
}
