//! Copying what one store holds of the network, and what the operator hides of it, into another,
//! whatever their engines. Every write is repeatable, so that a copy may be cut off anywhere and go
//! on from its last known place; counts and rows are derived anew on the way.

use futures_util::{StreamExt, TryStreamExt, stream};
use plyr_lexicons::{Did, Namespace, Nsid, RecordUri, Verdict, data, validate};
use serde::{Deserialize, Serialize};

use crate::full_dump::{MOST_CHECKS, is_refused_event};
use crate::hide::HiddenSubject;
use crate::index::Derived;
use crate::model::{Body, Change, Floor, Version};
use crate::store::{Store, StoreError};
use crate::whole::{Kept, Observed, Whole};

/// Rows read at a time.
const PAGE: usize = 2_000;
/// Changes of one batch.
const BATCH: usize = 250;
/// Batches under way at once.
const AT_ONCE: usize = 8;

/// What is copied, in this order: hides and actors first, so that what is hidden never counts;
/// floors after the versions they would keep out; cursors last, because they never lead the data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// What the operator hides.
    #[default]
    Hides,
    /// What was observed of actors.
    Actors,
    /// Versions of records.
    Versions,
    /// Floors.
    Floors,
    /// Repos as wholes, and what is due of them: only now is what they say of themselves true.
    Repos,
    /// Due checks, refused events, cursors.
    Rest,
    /// Nothing more.
    Done,
}

/// How far a copy has come: everything up to here is durable in the target.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyPlace {
    /// The stage it is in.
    pub stage: Stage,
    /// The last key of the stage that was copied: what is hidden, a DID, an at-uri, or a DID and a
    /// collection.
    pub after: Option<String>,
    /// Versions copied so far.
    pub versions: u64,
    /// Actors copied so far.
    pub actors: u64,
}

impl CopyPlace {
    fn next(&mut self, stage: Stage) {
        self.stage = stage;
        self.after = None;
    }

    fn place<T>(&self, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, StoreError> {
        let Some(text) = &self.after else {
            return Ok(None);
        };
        let place = read(text).ok_or_else(|| StoreError::Unusable {
            path: text.clone(),
            problem: "it is no place of a copy; begin the copy anew".to_owned(),
        })?;
        Ok(Some(place))
    }
}

/// Copies from a place to the end; `tell` hears of every page that is durable.
pub async fn copy(
    from: &dyn Whole,
    to: &dyn Store,
    namespace: &Namespace,
    mut place: CopyPlace,
    mut tell: impl FnMut(&CopyPlace) -> Result<(), StoreError>,
) -> Result<CopyPlace, StoreError> {
    while place.stage == Stage::Hides {
        let after = place.place(|text| text.parse::<HiddenSubject>().ok())?;
        let hides = from.all_hides(after.as_ref(), PAGE).await?;
        match hides.last() {
            Some(last) => place.after = Some(last.subject.to_string()),
            None => place.next(Stage::Actors),
        }
        let changes = hides.into_iter().map(|hide| vec![Change::Hide(hide)]);
        apply(to, changes.collect()).await?;
        tell(&place)?;
    }
    while place.stage == Stage::Actors {
        let after = place.place(|text| Did::new(text.to_owned()).ok())?;
        let actors = from.all_actors(after.as_ref(), PAGE).await?;
        place.actors += actors.len() as u64;
        match actors.last() {
            Some(last) => place.after = Some(last.did.as_str().to_owned()),
            None => place.next(Stage::Versions),
        }
        apply(to, actors.into_iter().map(observations).collect()).await?;
        tell(&place)?;
    }
    while place.stage == Stage::Versions {
        let after = place.place(|text| text.parse::<RecordUri>().ok())?;
        let versions = from.all_versions(after.as_ref(), PAGE).await?;
        place.versions += versions.len() as u64;
        match versions.last() {
            Some(last) => place.after = Some(last.uri.to_string()),
            None => place.next(Stage::Floors),
        }
        apply(to, by_key(namespace, versions)).await?;
        tell(&place)?;
    }
    while place.stage == Stage::Floors {
        let after = place.place(|text| {
            let (did, collection) = text.split_once(' ')?;
            let did = Did::new(did.to_owned()).ok()?;
            Some((did, Nsid::new(collection.to_owned()).ok()?))
        })?;
        let after = after.as_ref().map(|(did, collection)| (did, collection));
        let floors = from.all_floors(after, PAGE).await?;
        let key = |last: &Floor| format!("{} {}", last.did.as_str(), last.collection.as_str());
        match floors.last() {
            Some(last) => place.after = Some(key(last)),
            None => place.next(Stage::Repos),
        }
        let changes = floors.into_iter().map(|floor| vec![Change::Floor(floor)]);
        apply(to, changes.collect()).await?;
        tell(&place)?;
    }
    while place.stage == Stage::Repos {
        let after = place.place(|text| Did::new(text.to_owned()).ok())?;
        let repos = from.all_repos(after.as_ref(), PAGE).await?;
        match repos.last() {
            Some(last) => place.after = Some(last.did.as_str().to_owned()),
            None => place.next(Stage::Rest),
        }
        let dids: Vec<Did> = repos.iter().map(|repo| repo.did.clone()).collect();
        let due = from.due_of(&dids).await?.into_iter().flatten();
        let due = due.map(|due| vec![Change::RepoDue(due)]);
        let repos = repos.into_iter().map(|repo| vec![Change::Repo(repo)]);
        apply(to, repos.chain(due).collect()).await?;
        tell(&place)?;
    }
    if place.stage == Stage::Rest {
        rest(from, to).await?;
        place.next(Stage::Done);
        tell(&place)?;
    }
    to.settle().await?;
    Ok(place)
}

/// Due checks, refused events, then the cursors.
async fn rest(from: &dyn Whole, to: &dyn Store) -> Result<(), StoreError> {
    let checks = from.due_checks(i64::MAX, MOST_CHECKS).await?;
    let checks = checks.into_iter().map(|check| vec![Change::Due(check)]);
    apply(to, checks.collect()).await?;
    let mut after: Option<(i64, String)> = None;
    loop {
        let place = after.as_ref().map(|(seen_at, id)| (*seen_at, id.as_str()));
        let entries = from.quarantine(place, PAGE).await?;
        let Some(last) = entries.last() else { break };
        after = Some((last.seen_at, last.id.clone()));
        let refused = entries.into_iter().filter(is_refused_event);
        let refused = refused.map(|entry| vec![Change::Quarantine(entry)]);
        apply(to, refused.collect()).await?;
    }
    let cursors = from.all_cursors().await?;
    let cursors = cursors
        .into_iter()
        .map(|cursor| vec![Change::Cursor(cursor)]);
    apply(to, cursors.collect()).await
}

/// Applies groups of changes, several batches at once; a group stays in order within its batch.
async fn apply(to: &dyn Store, groups: Vec<Vec<Change>>) -> Result<(), StoreError> {
    let mut batches: Vec<Vec<Change>> = vec![Vec::new()];
    for group in groups {
        if batches.last().is_some_and(|batch| batch.len() >= BATCH) {
            batches.push(Vec::new());
        }
        if let Some(batch) = batches.last_mut() {
            batch.extend(group);
        }
    }
    batches.retain(|batch| !batch.is_empty());
    let written = batches.into_iter().map(|batch| to.apply(batch));
    let written = stream::iter(written.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
    written.try_for_each(|_| async { Ok(()) }).await
}

fn observations(observed: Observed) -> Vec<Change> {
    let account = observed.account.map(Change::Account);
    let identity = observed.identity.map(Change::Identity);
    let bluesky = observed.bluesky.map(Change::Bluesky);
    [account, identity, bluesky].into_iter().flatten().collect()
}

/// Versions of one key stay together, oldest first.
fn by_key(namespace: &Namespace, versions: Vec<Kept>) -> Vec<Vec<Change>> {
    let mut groups: Vec<(RecordUri, Vec<Change>)> = Vec::new();
    for kept in versions {
        let uri = kept.uri.clone();
        let change = match version(namespace, kept) {
            Ok(version) => Change::Version(version),
            Err(problem) => {
                // One bad record hurts only itself; the full dumps will differ in it.
                tracing::error!(%uri, %problem, "a kept record can't be copied");
                continue;
            }
        };
        match groups.last_mut() {
            Some((same, group)) if *same == uri => group.push(change),
            _ => groups.push((uri, vec![change])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// A kept version to be applied: judged by this version's rules, its rows derived anew.
fn version(namespace: &Namespace, kept: Kept) -> Result<Version, StoreError> {
    let body = match kept.record {
        None => Body::Delete,
        Some(record) => {
            let unreadable = |detail: String| StoreError::Corrupt {
                table: "VERSIONS",
                detail: format!("{}: {detail}", kept.uri),
            };
            let value = data::from_cbor(&record.bytes)
                .map_err(|problem| unreadable(problem.to_string()))?;
            let collection = namespace
                .collection(kept.uri.collection.as_str())
                .ok_or_else(|| unreadable("a collection of another namespace".to_owned()))?;
            let judgement = validate::judge(namespace, collection, &value);
            let derived = match judgement.verdict {
                Verdict::Invalid => Derived::default(),
                Verdict::Valid | Verdict::Tolerated => Derived::of(&kept.uri, collection, &value),
            };
            Body::Record {
                cid: record.cid,
                bytes: record.bytes,
                judgement,
                derived,
            }
        }
    };
    Ok(Version {
        uri: kept.uri,
        rev: kept.rev,
        standing: kept.standing,
        body,
        seen_at: kept.seen_at,
    })
}
