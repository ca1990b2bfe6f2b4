//! From what the log names to documents: which subjects have to be looked at, and what the store
//! says of them now.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use plyr_lexicons::{Collection, Did, Ipld, Namespace, RecordKey, RecordUri, SortAt, data};
use plyr_schemas::{
    Actor, Counts, HiddenSubject, LogEntry, LogSubject, Record, Snapshot, Store, StoreError, Whole,
};
use plyr_search::{Document, Excluded, Key, Live, NO_TIME, Popularity};
use tokio::sync::Mutex;

/// Bytes of records read in one go; a single record may have a megabyte.
const MOST_BYTES: usize = 8 << 20;
/// The record key of a profile.
const SELF: &str = "self";

/// A subject, and the document it has now; none where it has none.
pub(super) type Looked = (String, Option<Document>);

/// What has a document of its own and is to be looked at.
#[derive(Default)]
pub(super) struct Subjects {
    records: BTreeSet<RecordUri>,
    actors: HashSet<Did>,
}

impl Subjects {
    /// Every subject whose document may have changed by what an entry is about. Whatever else the
    /// log may name one day belongs here.
    pub(super) fn of(namespace: &Namespace, entries: &[LogEntry]) -> Subjects {
        let mut subjects = Subjects::default();
        for entry in entries {
            match &entry.subject {
                LogSubject::Record(uri) => subjects.add_record(namespace, uri),
                LogSubject::Actor(did) => subjects.add_actor(did.clone()),
            }
        }
        subjects
    }

    fn add_record(&mut self, namespace: &Namespace, uri: &RecordUri) {
        match namespace.collection(uri.collection.as_str()) {
            Some(Collection::Track | Collection::List) => {
                self.records.insert(uri.clone());
            }
            Some(Collection::Profile) if uri.rkey.as_str() == SELF => {
                self.actors.insert(uri.did.clone());
            }
            // How many like a record is told of the record.
            Some(Collection::Profile | Collection::Like | Collection::Comment) | None => {}
        }
    }

    pub(super) fn add_actor(&mut self, did: Did) {
        self.actors.insert(did);
    }
}

/// Reads the store for documents.
pub(super) struct Looker {
    store: Arc<dyn Store>,
    pub(super) namespace: Namespace,
    live: Arc<Live>,
    /// Whoever reads what is hidden holds it until that is hidden or shown: what was read last is
    /// what holds in the end.
    hiding: Mutex<()>,
}

impl Looker {
    pub(super) fn new(store: Arc<dyn Store>, namespace: Namespace, live: Arc<Live>) -> Looker {
        Looker {
            store,
            namespace,
            live,
            hiding: Mutex::new(()),
        }
    }

    /// Looks at subjects through one view of the store. Accounts and records are hidden, or shown
    /// again, as soon as they are read.
    pub(super) async fn look(&self, subjects: Subjects) -> Result<Vec<Looked>, StoreError> {
        let Subjects { records, actors } = subjects;
        let mut looked = Vec::new();
        let turn = self.hiding.lock().await;
        let snapshot = self.store.snapshot().await?;
        if !actors.is_empty() {
            let dids: Vec<Did> = actors.into_iter().collect();
            let actors = snapshot.actors(&dids).await?;
            self.hide(&actors);
            looked = self.of_actors(snapshot.as_ref(), &actors).await?;
        }
        self.hide_records(snapshot.as_ref(), &records).await?;
        drop(turn);
        looked.extend(self.of_records(snapshot.as_ref(), records).await?);
        Ok(looked)
    }

    /// Reads all actors anew and hides those that aren't active, and what the operator hides.
    pub(super) async fn hide_all(&self, page: usize) -> Result<(), StoreError> {
        let _turn = self.hiding.lock().await;
        let whole = self.store.whole().await?;
        let told = self.hide_told(whole.as_ref(), page).await?;
        let mut after: Option<Did> = None;
        loop {
            let observed = whole.all_actors(after.as_ref(), page).await?;
            let observed_alone = observed.iter().filter(|actor| !told.contains(&actor.did));
            self.hide_authors(observed_alone.map(|actor| {
                let account = actor.account.as_ref();
                let is_visible = account.is_none_or(|account| account.state.is_visible());
                (&actor.did, !is_visible)
            }));
            match observed.into_iter().next_back() {
                Some(last) => after = Some(last.did),
                None => return Ok(()),
            }
        }
    }

    /// Hides what the operator hides, and shows what no longer is. Answers which accounts were ever
    /// among it.
    async fn hide_told(&self, whole: &dyn Whole, page: usize) -> Result<HashSet<Did>, StoreError> {
        let mut told = HashSet::new();
        let mut after: Option<HiddenSubject> = None;
        loop {
            let hides = whole.all_hides(after.as_ref(), page).await?;
            let dids = hides.iter().filter_map(|hide| match &hide.subject {
                HiddenSubject::Actor(did) => Some(did.clone()),
                HiddenSubject::Record(_) | HiddenSubject::Blob { .. } => None,
            });
            let dids: Vec<Did> = dids.collect();
            self.hide(&whole.actors(&dids).await?);
            self.live.hide(|hidden| {
                for hide in &hides {
                    if let HiddenSubject::Record(uri) = &hide.subject {
                        hidden.set_subject(&uri.to_string(), hide.hidden);
                    }
                }
            });
            told.extend(dids);
            match hides.into_iter().next_back() {
                Some(last) => after = Some(last.subject),
                None => return Ok(told),
            }
        }
    }

    /// A hidden record is gone from the answers before the index is committed without it.
    async fn hide_records(
        &self,
        snapshot: &dyn Snapshot,
        uris: &BTreeSet<RecordUri>,
    ) -> Result<(), StoreError> {
        let subjects = uris.iter().cloned().map(HiddenSubject::Record);
        let are_hidden = snapshot.hidden(&subjects.collect::<Vec<_>>()).await?;
        let live = self.live.hidden();
        let moved = uris.iter().zip(are_hidden).filter_map(|(uri, is_hidden)| {
            let uri = uri.to_string();
            (live.has_subject(Key::of(&uri)) != is_hidden).then_some((uri, is_hidden))
        });
        let moved: Vec<(String, bool)> = moved.collect();
        drop(live);
        if !moved.is_empty() {
            self.live.hide(|hidden| {
                for (uri, is_hidden) in &moved {
                    hidden.set_subject(uri, *is_hidden);
                }
            });
        }
        Ok(())
    }

    fn hide(&self, actors: &[Actor]) {
        let actors = actors.iter();
        self.hide_authors(actors.map(|actor| (&actor.did, !actor.state.is_visible())));
    }

    /// Hides accounts, or shows them again. Where all are as they were nothing is touched: while
    /// requests are answered a change copies the whole set.
    fn hide_authors<'a>(&self, authors: impl Iterator<Item = (&'a Did, bool)>) {
        let live = self.live.hidden();
        let moved = authors.filter(|(did, is_hidden)| {
            let was_hidden = live.has_author(Key::of(did.as_str()));
            was_hidden != *is_hidden
        });
        let moved: Vec<(&Did, bool)> = moved.collect();
        drop(live);
        if !moved.is_empty() {
            self.live.hide(|hidden| {
                for (did, is_hidden) in moved {
                    hidden.set_author(did, is_hidden);
                }
            });
        }
    }

    /// The documents of actors, in their order.
    pub(super) async fn of_actors(
        &self,
        snapshot: &dyn Snapshot,
        actors: &[Actor],
    ) -> Result<Vec<Looked>, StoreError> {
        let profiles = actors.iter().filter_map(|actor| self.profile(&actor.did));
        let profiles = read_all(snapshot, profiles.collect(), Profile::of).await?;
        let documents = actors.iter().zip(profiles).map(|(actor, (_, profile))| {
            let document = actor_document(actor, profile.unwrap_or_default());
            (actor.did.as_str().to_owned(), document)
        });
        Ok(documents.collect())
    }

    async fn of_records(
        &self,
        snapshot: &dyn Snapshot,
        uris: BTreeSet<RecordUri>,
    ) -> Result<Vec<Looked>, StoreError> {
        let uris = uris.into_iter().collect();
        let documents = read_all(snapshot, uris, |record| self.of_record(record)).await?;
        let mut looked: Vec<Looked> = documents
            .into_iter()
            .map(|(uri, document)| (uri.to_string(), document))
            .collect();
        let documents = looked
            .iter_mut()
            .filter_map(|(_, document)| document.as_mut());
        add_popularity(snapshot, documents.collect()).await?;
        Ok(looked)
    }

    /// The document of a record, nobody's likes counted yet; none for what doesn't show.
    pub(super) fn of_record(&self, record: &Record) -> Option<Document> {
        let collection = self.namespace.collection(record.uri.collection.as_str())?;
        if !matches!(collection, Collection::Track | Collection::List) {
            return None;
        }
        let value = shown(record)?;
        Document::of_record(&record.uri, collection, &value, Popularity::default())
    }

    /// The address of an actor's profile.
    pub(super) fn profile(&self, did: &Did) -> Option<RecordUri> {
        let collection = self.namespace.nsid(Collection::Profile).clone();
        let rkey = RecordKey::new(SELF.to_owned()).ok()?;
        Some(RecordUri::new(did.clone(), collection, rkey))
    }
}

/// Counts the likes of documents of records, all in one call. Nobody looks again at what an older
/// count makes of them.
pub(super) async fn add_popularity(
    snapshot: &dyn Snapshot,
    documents: Vec<&mut Document>,
) -> Result<(), StoreError> {
    let subjects = documents.iter().map(|document| document.subject.clone());
    let counts: Vec<Counts> = snapshot.sure_counts(&subjects.collect::<Vec<_>>()).await?;
    for (document, counts) in documents.into_iter().zip(counts) {
        document.popularity = Popularity::of_likes(counts.likes);
    }
    Ok(())
}

/// What is made of current records, in the order asked, each with its address; none for what isn't
/// held. Few bytes of records are in memory at a time, however many are asked for.
async fn read_all<T>(
    snapshot: &dyn Snapshot,
    uris: Vec<RecordUri>,
    make: impl Fn(&Record) -> Option<T>,
) -> Result<Vec<(RecordUri, Option<T>)>, StoreError> {
    let mut made = Vec::with_capacity(uris.len());
    while let Some(rest) = uris.get(made.len()..).filter(|rest| !rest.is_empty()) {
        let records = snapshot.records_within(rest, MOST_BYTES).await?;
        if records.is_empty() {
            return Err(StoreError::Corrupt {
                table: "VERSIONS",
                detail: "a read of records answered none of them".to_owned(),
            });
        }
        made.extend(records.iter().map(|record| make(record.as_ref()?)));
    }
    Ok(uris.into_iter().zip(made).collect())
}

/// What a record says, if it shows.
fn shown(record: &Record) -> Option<Ipld> {
    if !record.is_shown() {
        return None;
    }
    match data::from_cbor(&record.bytes) {
        Ok(value) => Some(value),
        Err(problem) => {
            let uri = &record.uri;
            tracing::warn!(%uri, %problem, "a record that is held can't be read, nor be found");
            None
        }
    }
}

/// What is taken of an actor's profile.
struct Profile {
    bio: Option<String>,
    sort_at: i64,
}

impl Default for Profile {
    /// Of who has none.
    fn default() -> Profile {
        Profile {
            bio: None,
            sort_at: NO_TIME,
        }
    }
}

impl Profile {
    fn of(record: &Record) -> Option<Profile> {
        let value = shown(record)?;
        let bio = match &value {
            Ipld::Map(fields) => match fields.get("bio") {
                Some(Ipld::String(bio)) => Some(bio.clone()),
                _ => None,
            },
            _ => None,
        };
        let sort_at = SortAt::of(&value, SELF).0;
        Some(Profile { bio, sort_at })
    }
}

fn actor_document(actor: &Actor, profile: Profile) -> Option<Document> {
    Document::of_actor(
        &actor.did,
        actor.display_name.as_deref(),
        actor.handle.as_ref(),
        profile.bio.as_deref(),
        profile.sort_at,
        Popularity::default(),
    )
}
