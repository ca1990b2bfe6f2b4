//! Views: `skeleton → hydrate → rules → present`. The skeleton is a page of an index; hydration
//! asks for all records, actors and counts at once; the rules say what may show; presenting makes
//! the lexicon's view type.

pub mod avatars;
pub mod page;
pub mod present;

use plyr_lexicons::{Collection, Did, Ipld, Namespace, RecordUri, data};
use plyr_schemas::{AccountState, Actor, Counts, Derived, IndexEntry, Record, Snapshot};

use crate::error::XrpcError;

/// A record that was read and decoded.
pub struct Hydrated {
    pub record: Record,
    pub value: Ipld,
    pub collection: Collection,
    pub author: Actor,
    pub counts: Counts,
}

/// Why something that is held does not show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hidden {
    Invalid,
    Account(AccountState),
    /// The operator hides the record.
    TakenDown,
}

impl Hidden {
    /// The word used in views.
    pub fn word(self) -> &'static str {
        match self {
            Hidden::Account(AccountState::Deactivated) => "accountDeactivated",
            Hidden::Account(AccountState::Deleted) => "accountDeleted",
            Hidden::Account(AccountState::TakenDown) => "accountTakenDown",
            Hidden::Account(AccountState::Suspended) => "accountSuspended",
            Hidden::TakenDown => "takenDown",
            Hidden::Account(AccountState::Unknown | AccountState::Active) | Hidden::Invalid => {
                "invalid"
            }
        }
    }
}

/// What an address leads to.
pub enum Found {
    Shown(Box<Hydrated>),
    Hidden(Hidden),
    Nothing,
}

/// What shows of what was looked up.
pub fn shown(found: &[Found]) -> Vec<&Hydrated> {
    let shown = found.iter().filter_map(|found| match found {
        Found::Shown(hydrated) => Some(hydrated.as_ref()),
        Found::Hidden(_) | Found::Nothing => None,
    });
    shown.collect()
}

/// Looks addresses up: records, authors and counts in one wave, then whether authors' pictures are
/// hidden.
pub async fn hydrate(
    namespace: &Namespace,
    snapshot: &dyn Snapshot,
    uris: &[RecordUri],
) -> Result<Vec<Found>, XrpcError> {
    hydrate_within(namespace, snapshot, uris, usize::MAX).await
}

/// The same for the first of them whose records have that many bytes together, at least one.
pub async fn hydrate_within(
    namespace: &Namespace,
    snapshot: &dyn Snapshot,
    uris: &[RecordUri],
    most_bytes: usize,
) -> Result<Vec<Found>, XrpcError> {
    let dids: Vec<Did> = uris.iter().map(|uri| uri.did.clone()).collect();
    let subjects: Vec<String> = uris.iter().map(RecordUri::to_string).collect();
    let (records, mut actors, counts) = tokio::try_join!(
        snapshot.records_within(uris, most_bytes),
        snapshot.actors(&dids),
        snapshot.counts(&subjects)
    )?;
    // Of those that are answered: each has its author's place.
    actors.truncate(records.len());
    avatars::without_hidden(snapshot, &mut actors).await?;
    let found = records.into_iter().zip(actors).zip(counts);
    Ok(found
        .map(|((record, author), counts)| judge(namespace, record, author, counts))
        .collect())
}

fn judge(namespace: &Namespace, record: Option<Record>, author: Actor, counts: Counts) -> Found {
    let Some(record) = record else {
        return Found::Nothing;
    };
    if !author.state.is_visible() {
        return Found::Hidden(Hidden::Account(author.state));
    }
    if record.hidden {
        return Found::Hidden(Hidden::TakenDown);
    }
    if !record.is_accepted() {
        return Found::Hidden(Hidden::Invalid);
    }
    let Some(collection) = namespace.collection(record.uri.collection.as_str()) else {
        return Found::Nothing;
    };
    match data::from_cbor(&record.bytes) {
        Ok(value) => Found::Shown(Box::new(Hydrated {
            record,
            value,
            collection,
            author,
            counts,
        })),
        Err(problem) => {
            // One bad row hurts only itself.
            tracing::error!(uri = %record.uri, %problem, "a kept record can't be read");
            Found::Hidden(Hidden::Invalid)
        }
    }
}

impl Hydrated {
    /// A row is a hint: it counts only if its record derives exactly it.
    pub fn bears_out(&self, row: &IndexEntry) -> bool {
        Derived::of(&self.record.uri, self.collection, &self.value)
            .rows
            .contains(row)
    }
}

#[cfg(test)]
mod tests {
    use plyr_lexicons::{Judgement, Rev, Verdict};
    use plyr_schemas::Index;

    use super::*;

    fn like(subject: &str) -> Hydrated {
        let json = format!(
            r#"{{"$type":"fm.plyr.like","createdAt":"2026-01-01T00:00:00Z",
                "subject":{{"uri":"at://did:plc:a/fm.plyr.track/{subject}","cid":"c"}}}}"#
        );
        let value = data::from_json(json.as_bytes()).unwrap();
        let bytes = data::to_cbor(&value).unwrap();
        let uri: RecordUri = "at://did:plc:b/fm.plyr.like/x".parse().unwrap();
        let author = Actor {
            did: uri.did.clone(),
            state: AccountState::Active,
            handle: None,
            pds: None,
            display_name: None,
            avatar: None,
        };
        let judgement = Judgement {
            verdict: Verdict::Valid,
            reasons: Vec::new(),
        };
        Hydrated {
            record: Record {
                uri,
                rev: Rev::MIN,
                cid: data::cid_of(&bytes),
                bytes,
                judgement,
                seen_at: 1,
                hidden: false,
            },
            value,
            collection: Collection::Like,
            author,
            counts: Counts::default(),
        }
    }

    /// A like that is of another track by now is none of the track that its old row names.
    #[test]
    fn i07_a_row_counts_only_if_its_record_derives_it() {
        let (before, now) = (like("one"), like("two"));
        let of = |hydrated: &Hydrated| {
            Derived::of(&hydrated.record.uri, Collection::Like, &hydrated.value).rows
        };
        assert!(of(&now).iter().all(|row| now.bears_out(row)));
        for row in of(&before) {
            let is_same = matches!(row.index, Index::ActorLikes(_));
            assert_eq!(now.bears_out(&row), is_same, "{row:?}");
        }
    }
}
