//! What a query names by address: handles through the register, pasted at-uris, DIDs and links.
//! Nobody outside is asked: who isn't in the register has nothing here, and a search box would ask
//! at every key.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use plyr_lexicons::{AtIdentifier, Collection, Did, Handle, Namespace, RecordUri};
use plyr_schemas::{Snapshot, Store};
use plyr_search::{Excluded, Filters, Hidden, Key, Kind, Named, Query};

use super::candidate::Subject;
use crate::error::XrpcError;

/// What an address leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// A record or an artist; whether it is there is for the store to say.
    Subject(Subject),
    /// A tag, to be looked for in the index.
    Tag(String),
    /// An album of an artist, to be looked for in the index by the words of its slug.
    Album(Did, String),
}

/// Handles of a query, as the register has them.
pub struct Register(HashMap<Handle, Did>);

impl Register {
    /// Looks up all handles of a query at once, and puts DIDs in their place behind `artist:`.
    pub async fn look_up(store: &dyn Store, query: &mut Query) -> Result<Register, XrpcError> {
        let named = query.named().iter();
        let named = named.filter_map(|named| match actor_of(named) {
            Some(AtIdentifier::Handle(handle)) => Some(handle),
            Some(AtIdentifier::Did(_)) | None => None,
        });
        let mut handles: Vec<Handle> = named.chain(query.artist_handles()).cloned().collect();
        if handles.is_empty() {
            return Ok(Register(HashMap::new()));
        }
        handles.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        handles.dedup();
        let snapshot = store.snapshot().await?;
        let register = Register(held(snapshot.as_ref(), handles).await?);
        for (handle, did) in &register.0 {
            query.resolve(handle, did);
        }
        Ok(register)
    }

    fn did(&self, actor: &AtIdentifier) -> Option<Did> {
        match actor {
            AtIdentifier::Did(did) => Some(did.clone()),
            AtIdentifier::Handle(handle) => self.0.get(handle).cloned(),
        }
    }

    /// What a query names, in its order. With filters beside types, or in the query, nothing is
    /// named: it might not pass them.
    pub fn named(&self, query: &Query, namespace: &Namespace, filters: &Filters) -> Vec<Address> {
        let of_types = Filters {
            kinds: filters.kinds.clone(),
            ..Filters::default()
        };
        if *filters != of_types || query.narrows() {
            return Vec::new();
        }
        let named = query.named().iter();
        let named = named.filter_map(|named| self.address(named, namespace));
        let wants_tags = filters.kinds.is_empty() || filters.kinds.contains(&Kind::Tag);
        let is_wanted = |address: &Address| wants_tags || !matches!(address, Address::Tag(_));
        named.filter(is_wanted).collect()
    }

    fn address(&self, named: &Named, namespace: &Namespace) -> Option<Address> {
        let uri = match named {
            Named::Uri(uri) => uri,
            Named::Actor(actor) => {
                return self.did(actor).map(Subject::Artist).map(Address::Subject);
            }
            Named::Album(artist, slug) => {
                return Some(Address::Album(self.did(artist)?, slug.clone()));
            }
            Named::Tag(tag) => return Some(Address::Tag(tag.clone())),
            Named::TrackNumber(_) | Named::Playlist(_) => return None,
        };
        let did = self.did(&uri.authority)?;
        let collection = uri.collection.clone()?;
        let subject = match namespace.collection(collection.as_str())? {
            Collection::Track | Collection::List => {
                let rkey = uri.rkey.clone()?;
                Subject::Record(RecordUri::new(did, collection, rkey))
            }
            Collection::Profile => Subject::Artist(did),
            Collection::Like | Collection::Comment => return None,
        };
        Some(Address::Subject(subject))
    }
}

/// Whose address it is, or whose thing it names.
fn actor_of(named: &Named) -> Option<&AtIdentifier> {
    match named {
        Named::Actor(actor) | Named::Album(actor, _) => Some(actor),
        Named::Uri(uri) => Some(&uri.authority),
        Named::TrackNumber(_) | Named::Playlist(_) | Named::Tag(_) => None,
    }
}

async fn held(
    snapshot: &dyn Snapshot,
    handles: Vec<Handle>,
) -> Result<HashMap<Handle, Did>, XrpcError> {
    let claims = try_join_all(handles.iter().map(|handle| snapshot.handle(handle))).await?;
    let held = handles.into_iter().zip(claims);
    let held = held.filter_map(|(handle, claim)| Some((handle, claim?.did)));
    Ok(held.collect())
}

/// Whether a query is links and nothing else that name things by numbers of plyr.fm, which nobody
/// but plyr.fm knows.
pub fn is_foreign(query: &Query) -> bool {
    let is_number = |named: &Named| matches!(named, Named::TrackNumber(_) | Named::Playlist(_));
    !query.has_words() && !query.named().is_empty() && query.named().iter().all(is_number)
}

/// Whether a subject, or whose it is, is hidden.
pub fn is_hidden(hidden: &Hidden, subject: &Subject) -> bool {
    match subject {
        Subject::Record(uri) => {
            hidden.has_author(Key::of(uri.did.as_str()))
                || hidden.has_subject(Key::of(&uri.to_string()))
        }
        Subject::Artist(did) => hidden.has_author(Key::of(did.as_str())),
        Subject::Tag(..) => false,
    }
}
