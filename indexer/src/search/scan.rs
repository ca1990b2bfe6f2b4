//! The whole store as documents, page by page: what a new index is built from, and what an index is
//! compared with.

use std::collections::HashSet;

use plyr_lexicons::{Collection, Did, RecordUri};
use plyr_schemas::{StoreError, Whole};
use plyr_search::{Document, Key};

use super::look::{Looked, Looker, add_popularity};

/// Actors in one page.
const ACTORS: usize = 500;
/// Records in one page. They may have a megabyte each.
const RECORDS: usize = 200;

/// Where a scan is: actors first, then records.
enum Place {
    Actors(Option<Did>),
    Records(Option<RecordUri>),
    End,
}

/// A scan. Where a page can't be read it stays where it was, and may go on.
pub(super) struct Scan {
    place: Place,
    /// Actors whose documents were given; those with nothing but a profile come with their records.
    met: HashSet<Key>,
}

impl Scan {
    pub(super) fn new() -> Scan {
        Scan {
            place: Place::Actors(None),
            met: HashSet::new(),
        }
    }

    /// The documents of the next page, maybe none; no page at the end.
    pub(super) async fn next(
        &mut self,
        looker: &Looker,
        whole: &dyn Whole,
    ) -> Result<Option<Vec<Document>>, StoreError> {
        let (documents, next) = match &self.place {
            Place::Actors(after) => self.actors(looker, whole, after.as_ref()).await?,
            Place::Records(after) => self.records(looker, whole, after.as_ref()).await?,
            Place::End => return Ok(None),
        };
        let artists = documents.iter().filter(|one| is_actor(one));
        let keys: Vec<Key> = artists.map(|one| Key::of(&one.subject)).collect();
        self.met.extend(keys);
        self.place = next;
        Ok(Some(documents))
    }

    async fn actors(
        &self,
        looker: &Looker,
        whole: &dyn Whole,
        after: Option<&Did>,
    ) -> Result<(Vec<Document>, Place), StoreError> {
        let observed = whole.all_actors(after, ACTORS).await?;
        let dids: Vec<Did> = observed.into_iter().map(|actor| actor.did).collect();
        let Some(last) = dids.last() else {
            return Ok((Vec::new(), Place::Records(None)));
        };
        let next = Place::Actors(Some(last.clone()));
        Ok((self.of_dids(looker, whole, &dids).await?, next))
    }

    async fn records(
        &self,
        looker: &Looker,
        whole: &dyn Whole,
        after: Option<&RecordUri>,
    ) -> Result<(Vec<Document>, Place), StoreError> {
        let records = whole.all_records(after, RECORDS).await?;
        let Some(last) = records.last() else {
            return Ok((Vec::new(), Place::End));
        };
        let next = Place::Records(Some(last.uri.clone()));
        let documents = records.iter().filter_map(|record| looker.of_record(record));
        let mut documents: Vec<Document> = documents.collect();
        add_popularity(whole, documents.iter_mut().collect()).await?;
        let profile = looker.namespace.nsid(Collection::Profile);
        let profiles = records.iter().filter(|one| &one.uri.collection == profile);
        let dids = profiles.map(|one| one.uri.did.clone());
        let unmet = dids.filter(|did| !self.met.contains(&Key::of(did.as_str())));
        let unmet: HashSet<Did> = unmet.collect();
        let unmet: Vec<Did> = unmet.into_iter().collect();
        documents.extend(self.of_dids(looker, whole, &unmet).await?);
        Ok((documents, next))
    }

    async fn of_dids(
        &self,
        looker: &Looker,
        whole: &dyn Whole,
        dids: &[Did],
    ) -> Result<Vec<Document>, StoreError> {
        if dids.is_empty() {
            return Ok(Vec::new());
        }
        let actors = whole.actors(dids).await?;
        let looked = looker.of_actors(whole, &actors).await?;
        let documents = looked
            .into_iter()
            .filter_map(|(_, document): Looked| document);
        Ok(documents.collect())
    }
}

fn is_actor(document: &Document) -> bool {
    document.kind == plyr_search::Kind::Artist
}
