//! What a store would count if the operator hid nothing: a dump is determined by the network alone.

use std::collections::{BTreeMap, HashSet};

use plyr_lexicons::{Collection, Did, RecordUri, data};

use crate::dump::DumpError;
use crate::hide::HiddenSubject;
use crate::index::{Derived, Index};
use crate::model::Record;
use crate::store::{Snapshot, StoreError};

/// Hides read at a time.
const PAGE: usize = 500;

/// Gathered while the records are read. It grows with what is hidden, not with the store.
pub(crate) struct Unhidden {
    actors: HashSet<Did>,
    /// Likes and comments by subject, which the store leaves out.
    pub(crate) counts: BTreeMap<String, (u64, u64)>,
    /// Who likes what by a record that is hidden.
    likers: HashSet<(String, Did)>,
}

impl Unhidden {
    pub(crate) async fn read<S: Snapshot + ?Sized>(snapshot: &S) -> Result<Unhidden, StoreError> {
        let mut actors = HashSet::new();
        let mut after = None;
        loop {
            let hides = snapshot.all_hides(after.as_ref(), PAGE).await?;
            let Some(last) = hides.last() else { break };
            after = Some(last.subject.clone());
            for hide in hides.into_iter().filter(|hide| hide.hidden) {
                if let HiddenSubject::Actor(did) = hide.subject {
                    actors.insert(did);
                }
            }
        }
        Ok(Unhidden {
            actors,
            counts: BTreeMap::new(),
            likers: HashSet::new(),
        })
    }

    /// Whether what each of these made would show, by what the network says alone.
    pub(crate) async fn are_visible<S: Snapshot + ?Sized>(
        &self,
        snapshot: &S,
        dids: &[Did],
    ) -> Result<Vec<bool>, StoreError> {
        let actors = snapshot.actors(dids).await?;
        let mut are_visible: Vec<bool> = actors
            .iter()
            .map(|actor| actor.state.is_visible())
            .collect();
        let hidden = dids.iter().enumerate();
        let hidden: Vec<(usize, Did)> = hidden
            .filter(|(_, did)| self.actors.contains(did))
            .map(|(at, did)| (at, did.clone()))
            .collect();
        if hidden.is_empty() {
            return Ok(are_visible);
        }
        let (places, dids): (Vec<usize>, Vec<Did>) = hidden.into_iter().unzip();
        for (place, observed) in places.into_iter().zip(snapshot.observed(&dids).await?) {
            let account = observed.account.as_ref();
            are_visible[place] = account.is_none_or(|account| account.state.is_visible());
        }
        Ok(are_visible)
    }

    /// Counts what records count for that the store leaves out.
    pub(crate) async fn count<S: Snapshot + ?Sized>(
        &mut self,
        snapshot: &S,
        records: &[&Record],
    ) -> Result<(), DumpError> {
        let mut pairs = Vec::new();
        for record in records {
            let is_left_out = record.hidden || self.actors.contains(&record.uri.did);
            if !is_left_out || !record.is_accepted() {
                continue;
            }
            for row in derived(record)?.rows {
                match row.index {
                    Index::SubjectLikers(subject) => pairs.push((subject, record.uri.did.clone())),
                    Index::SubjectCommentsByTime(subject) => {
                        self.counts.entry(subject).or_default().1 += 1;
                    }
                    _ => {}
                }
            }
        }
        // Who likes it by another record as well, and isn't hidden, is counted.
        let others = snapshot.first_likes(&pairs).await?;
        for (pair, other) in pairs.into_iter().zip(others) {
            let is_counted = other.is_some() && !self.actors.contains(&pair.1);
            if !is_counted && self.likers.insert(pair.clone()) {
                self.counts.entry(pair.0).or_default().0 += 1;
            }
        }
        Ok(())
    }
}

fn derived(record: &Record) -> Result<Derived, DumpError> {
    let Some(collection) = collection(&record.uri) else {
        return Ok(Derived::default());
    };
    let value = data::from_cbor(&record.bytes).map_err(|problem| DumpError::Record {
        uri: record.uri.to_string(),
        detail: problem.to_string(),
    })?;
    Ok(Derived::of(&record.uri, collection, &value))
}

/// A store holds the collections of one namespace: what follows it says which one this is.
fn collection(uri: &RecordUri) -> Option<Collection> {
    let (_, name) = uri.collection.as_str().rsplit_once('.')?;
    let all = Collection::ALL.into_iter();
    all.filter(|collection| *collection != Collection::Profile)
        .find(|collection| collection.suffix() == name)
}
