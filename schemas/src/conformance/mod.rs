//! What every engine must keep, as cases that run over any of them: [`store_conformance!`] makes a
//! test of each. A factory gives a fresh place; a place opens a store, again and again.

mod blob_uses;
mod blobs;
mod durability;
mod erasing;
mod hiding;
mod logged;
mod order;
mod own;
mod reading;
mod rebuild;
mod repos;

pub use blob_uses::*;
pub use blobs::*;
pub use durability::*;
pub use erasing::*;
pub use hiding::*;
pub use logged::*;
pub use order::*;
pub use own::*;
pub use reading::*;
pub use rebuild::*;
pub use repos::*;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use plyr_lexicons::{Did, Handle, Namespace, RecordUri, Rev, data, validate};
use serde_json::{Value, json};

use crate::{
    Account, AccountState, Body, Change, Counts, CrashPoint, Derived, FaultHook, Floor, Identity,
    Index, LogPosition, LogSubject, Outcome, Standing, Store, StoreError, StreamCursor, Urgency,
    Version,
};

/// Whatever went wrong in a case.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// What a case may end with.
pub type Checked = Result<(), BoxError>;

/// A place where a store lives, for one case.
#[async_trait]
pub trait Place: Send + Sync {
    /// Opens the store, with a fault hook where the case wants one. The hook is asked at every
    /// step of the engine's write path.
    async fn open(&self, fault: Option<FaultHook>) -> Result<Arc<dyn Store>, StoreError>;

    /// Whether several stores may be open at once, as several processes.
    fn is_shared(&self) -> bool {
        false
    }
}

/// Makes one test of every case, over places from `$factory`.
#[macro_export]
macro_rules! store_conformance {
    ($factory:expr; $($case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() -> $crate::conformance::Checked {
                let place = $factory;
                $crate::conformance::$case(&place).await
            }
        )*
    };
}

fn namespace() -> Result<Namespace, plyr_lexicons::NamespaceError> {
    "fm.plyr".parse()
}

pub(crate) fn uri(
    actor: &str,
    collection: &str,
    rkey: &str,
) -> Result<RecordUri, plyr_lexicons::AtUriError> {
    format!("at://did:plc:{actor}/fm.plyr.{collection}/{rkey}").parse()
}

pub(crate) fn rev(number: i64) -> Rev {
    Rev::from_micros(1_700_000_000_000_000 + number * 1_000_000, 0)
}

/// A version of a record, judged as an indexer would.
pub fn put(uri: &RecordUri, at: i64, record: &Value) -> Result<Change, BoxError> {
    let namespace = namespace()?;
    let collection = namespace
        .collection(uri.collection.as_str())
        .ok_or("no collection")?;
    let mut record = record.clone();
    record["$type"] = uri.collection.as_str().into();
    record["createdAt"] = "2026-01-01T00:00:00Z".into();
    let value = data::from_json(record.to_string().as_bytes())?;
    let bytes = data::to_cbor(&value)?;
    let judgement = validate::judge(&namespace, collection, &value);
    let derived = match judgement.verdict {
        plyr_lexicons::Verdict::Invalid => Derived::default(),
        _ => Derived::of(uri, collection, &value),
    };
    let body = Body::Record {
        cid: data::cid_of(&bytes),
        bytes,
        judgement,
        derived,
    };
    let (uri, rev, standing) = (uri.clone(), rev(at), Standing::Event);
    Ok(Change::Version(Version {
        uri,
        rev,
        standing,
        body,
        seen_at: 5,
    }))
}

pub(crate) fn delete(uri: &RecordUri, at: i64) -> Change {
    let (uri, rev, standing, body) = (uri.clone(), rev(at), Standing::Event, Body::Delete);
    Change::Version(Version {
        uri,
        rev,
        standing,
        body,
        seen_at: 5,
    })
}

pub(crate) fn account(
    actor: &str,
    state: AccountState,
    asked_at: i64,
) -> Result<Change, &'static str> {
    let did = Did::new(format!("did:plc:{actor}"))?;
    Ok(Change::Account(Account {
        did,
        state,
        since: asked_at,
        asked_at,
    }))
}

pub(crate) fn track(title: &str) -> Value {
    json!({ "title": title, "artist": "A", "fileType": "mp3", "duration": 60 })
}

pub(crate) fn about(subject: &RecordUri) -> Value {
    let cid = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";
    json!({ "subject": { "uri": subject.to_string(), "cid": cid }, "text": "t", "timestampMs": 1 })
}

pub(crate) async fn dump(store: &dyn Store) -> Result<String, BoxError> {
    let mut out = Vec::new();
    store.settle().await?;
    let snapshot = store.snapshot().await?;
    crate::dump::dump(snapshot.as_ref(), &mut out, &std::env::temp_dir()).await?;
    Ok(String::from_utf8(out)?)
}

pub(crate) async fn settled(store: &dyn Store) -> Result<Box<dyn crate::Snapshot>, StoreError> {
    store.settle().await?;
    store.snapshot().await
}

pub(crate) async fn counts(store: &dyn Store, subject: &RecordUri) -> Result<Counts, StoreError> {
    store.settle().await?;
    let counts = store
        .snapshot()
        .await?
        .counts(&[subject.to_string()])
        .await?;
    Ok(counts.first().copied().unwrap_or_default())
}

/// A history with everything in it, for cases that shuffle.
pub(crate) fn history() -> Result<Vec<Change>, BoxError> {
    let (one, two) = (uri("a", "track", "one")?, uri("a", "track", "two")?);
    let (like, again) = (uri("b", "like", "x")?, uri("b", "like", "y")?);
    let comment = uri("b", "comment", "c")?;
    let list = uri("b", "list", "l")?;
    let items = json!({ "listType": "album", "items": [about(&one), about(&two), about(&one)] });
    Ok(vec![
        put(&one, 1, &track("first"))?,
        put(&one, 2, &track("second"))?,
        delete(&one, 3),
        put(&one, 4, &track("again"))?,
        put(&one, 5, &json!({ "title": 7 }))?,
        put(&one, 6, &track("mended"))?,
        put(&two, 2, &track("two"))?,
        delete(&two, 7),
        put(&like, 1, &about(&one))?,
        put(&again, 2, &about(&one))?,
        delete(&like, 3),
        put(&comment, 4, &about(&one))?,
        put(&comment, 5, &about(&two))?,
        put(&list, 6, &items)?,
        account("b", AccountState::Deactivated, 10)?,
        account("b", AccountState::Active, 20)?,
        account("a", AccountState::Active, 15)?,
    ])
}

pub(crate) async fn title(store: &dyn Store, uri: &RecordUri) -> Result<Option<String>, BoxError> {
    let snapshot = store.snapshot().await?;
    let record = snapshot.records(std::slice::from_ref(uri)).await?;
    let Some(Some(record)) = record.into_iter().next() else {
        return Ok(None);
    };
    let value = data::to_json(&data::from_cbor(&record.bytes)?);
    Ok(value["title"].as_str().map(str::to_owned))
}

pub(crate) fn with_standing(change: Change, standing: Standing) -> Change {
    match change {
        Change::Version(version) => Change::Version(Version {
            standing,
            ..version
        }),
        other => other,
    }
}

/// A like, and the subject it counts for: for tests of one engine alone.
pub fn a_like() -> Result<(String, Change), BoxError> {
    let subject = uri("a", "track", "one")?;
    let like = put(&uri("b", "like", "x")?, 1, &about(&subject))?;
    Ok((subject.to_string(), like))
}

/// Likes of one subject by as many actors, all of one rev: for tests of one engine alone.
pub fn likes(actors: usize, rev: i64) -> Result<Vec<Change>, BoxError> {
    let subject = uri("a", "track", "one")?;
    let like = |number| {
        put(
            &uri(&format!("w{number}"), "like", "x")?,
            rev,
            &about(&subject),
        )
    };
    (0..actors).map(like).collect()
}
