//! Which blob a request means, and whether a record that shows names it: that alone lets bytes out.

use plyr_lexicons::data::cid_of_text;
use plyr_lexicons::{Cid, Collection, Did, Namespace, RecordUri};
use plyr_schemas::{Index, Position, Snapshot};

use super::named::{Role, blob_of, is_gated};
use super::{error, seen};
use crate::App;
use crate::actor::resolve_uri;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::page::MOST_BYTES;
use crate::view::{Found, Hydrated, hydrate, hydrate_within, present};

/// Rows looked at together for a record that names a blob.
const ROWS: usize = 200;
/// How often; then the latest of the actor's own are looked through, and a record's own address
/// finds it in any case.
const MOST_PAGES: usize = 10;
/// Times that records are read for one request, some megabytes each.
const MOST_WAVES: usize = 16;

/// A blob with what lets it out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Named {
    pub by: NamedBy,
    pub cid: Cid,
    pub role: Role,
}

/// What names a blob.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum NamedBy {
    Record(RecordUri),
    /// The actor's picture at Bluesky.
    Avatar(Did),
}

impl Named {
    /// Whose blob it is.
    pub fn did(&self) -> &Did {
        match &self.by {
            NamedBy::Record(uri) => &uri.did,
            NamedBy::Avatar(did) => did,
        }
    }
}

/// What a request means.
pub struct Which {
    pub named: Named,
    /// The record's title.
    pub title: Option<String>,
}

/// The blob that a request's `uri`, or `did` and `cid`, mean, if a record that shows names it.
pub async fn find(app: &App, parameters: &Parameters, role: Role) -> Result<Which, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let cid = match parameters.optional("cid") {
        Some(text) => {
            let no_cid = || XrpcError::invalid("cid: is no CID");
            Some(cid_of_text(text).ok_or_else(no_cid)?)
        }
        None => None,
    };
    match (parameters.optional("uri"), parameters.optional("did"), cid) {
        (Some(_), None, cid) => by_uri(app, snapshot.as_ref(), parameters, cid, role).await,
        (None, Some(did), Some(cid)) => {
            let no_did = |_| XrpcError::invalid("did: is no DID");
            let did = Did::new(did.to_owned()).map_err(no_did)?;
            by_did(app, snapshot.as_ref(), did, cid, role).await
        }
        (Some(_), Some(_), _) => Err(XrpcError::invalid("did: stands in the place of uri")),
        (None, Some(_), None) => Err(XrpcError::invalid("cid: which blob of this did?")),
        (None, None, _) => {
            let message = "uri: name a record by its uri, or a blob by did and cid";
            Err(XrpcError::invalid(message))
        }
    }
}

async fn by_uri(
    app: &App,
    snapshot: &dyn Snapshot,
    parameters: &Parameters,
    wanted: Option<Cid>,
    role: Role,
) -> Result<Which, XrpcError> {
    let not_found = || error::not_found(role);
    let uri = resolve_uri(app, snapshot, parameters.at_uri("uri")?).await?;
    let uri = uri.ok_or_else(not_found)?;
    let collection = app.namespace.collection(uri.collection.as_str());
    match (role, collection) {
        (_, Some(Collection::Track)) => {}
        (Role::Image, Some(Collection::List | Collection::Profile)) => {}
        _ => return Err(not_found()),
    }
    let found = hydrate(&app.namespace, snapshot, std::slice::from_ref(&uri)).await?;
    let hydrated = match found.into_iter().next() {
        Some(Found::Shown(hydrated)) => hydrated,
        Some(Found::Hidden(why)) => return Err(error::hidden(role, why.word())),
        Some(Found::Nothing) | None => return Err(not_found()),
    };
    if role == Role::Audio && is_gated(&hydrated.value) {
        return Err(error::gated());
    }
    let named = blob_of(&hydrated, role).filter(|cid| wanted.is_none_or(|wanted| wanted == *cid));
    let cid = named.ok_or_else(|| error::blob_not_found(role))?;
    let owned = [(uri.did.clone(), cid)];
    if !seen::hidden(snapshot, &owned).await?.is_empty() {
        return Err(error::blob_not_found(role));
    }
    Ok(which(*hydrated, cid, role))
}

async fn by_did(
    app: &App,
    snapshot: &dyn Snapshot,
    did: Did,
    cid: Cid,
    role: Role,
) -> Result<Which, XrpcError> {
    let blob_not_found = || error::blob_not_found(role);
    let owned = [(did.clone(), cid)];
    if !seen::hidden(snapshot, &owned).await?.is_empty() {
        return Err(blob_not_found());
    }
    match use_of(&app.namespace, snapshot, &did, cid, role).await? {
        Use::Open(hydrated) => return Ok(which(*hydrated, cid, role)),
        Use::Gated => return Err(error::gated()),
        Use::None => {}
    }
    let named = Named {
        by: NamedBy::Avatar(did),
        cid,
        role,
    };
    match avatars(snapshot, std::slice::from_ref(&named))
        .await?
        .as_slice()
    {
        [true] => Ok(Which { named, title: None }),
        _ => Err(blob_not_found()),
    }
}

fn which(hydrated: Hydrated, cid: Cid, role: Role) -> Which {
    Which {
        title: present::title(&hydrated.value),
        named: Named {
            by: NamedBy::Record(hydrated.record.uri),
            cid,
            role,
        },
    }
}

/// How an actor's records name a blob.
enum Use {
    /// By this one, for everybody.
    Open(Box<Hydrated>),
    /// Only where its author asks for support first.
    Gated,
    None,
}

/// Looks for a record of an actor that names a blob, until one lets it out: rows are hints, like
/// all rows, and others may name it as well, as often as they like.
async fn use_of(
    namespace: &Namespace,
    snapshot: &dyn Snapshot,
    did: &Did,
    cid: Cid,
    role: Role,
) -> Result<Use, XrpcError> {
    let index = Index::BlobUses(cid.to_string());
    let mut looking = Looking {
        namespace,
        snapshot,
        cid,
        role,
        waves: 0,
        gated: false,
    };
    let mut after: Option<Position> = None;
    for _ in 0..MOST_PAGES {
        let rows = snapshot.page(&index, after.as_ref(), ROWS).await?;
        let is_last = rows.len() < ROWS;
        after = rows.last().map(|row| row.position.clone());
        let uris = rows.into_iter().map(|row| row.position.uri);
        let uris: Vec<RecordUri> = uris.filter(|uri| uri.did == *did).collect();
        if let Some(open) = looking.among(&uris).await? {
            return Ok(Use::Open(open));
        }
        if is_last {
            return Ok(looking.ends());
        }
    }
    // So many others name it: among the latest of this actor's own, then.
    let own = match role {
        Role::Audio => vec![Index::ActorTracks(did.clone())],
        Role::Image => vec![
            Index::ActorTracks(did.clone()),
            Index::ActorLists(did.clone()),
        ],
    };
    for index in own {
        let rows = snapshot.page(&index, None, ROWS).await?;
        let uris: Vec<RecordUri> = rows.into_iter().map(|row| row.position.uri).collect();
        if let Some(open) = looking.among(&uris).await? {
            return Ok(Use::Open(open));
        }
    }
    Ok(looking.ends())
}

/// Looks through an actor's records for one that lets a blob out.
struct Looking<'a> {
    namespace: &'a Namespace,
    snapshot: &'a dyn Snapshot,
    cid: Cid,
    role: Role,
    /// Times that records were read.
    waves: usize,
    /// Whether one names it whose author asks for support first.
    gated: bool,
}

impl Looking<'_> {
    async fn among(&mut self, uris: &[RecordUri]) -> Result<Option<Box<Hydrated>>, XrpcError> {
        let mut rest = uris;
        while !rest.is_empty() && self.waves < MOST_WAVES {
            self.waves += 1;
            let wave = hydrate_within(self.namespace, self.snapshot, rest, MOST_BYTES).await?;
            // At least one is answered; else there would be no end.
            rest = &rest[wave.len().clamp(1, rest.len())..];
            for found in wave {
                match found {
                    Found::Shown(hydrated) if blob_of(&hydrated, self.role) == Some(self.cid) => {
                        if self.role == Role::Image || !is_gated(&hydrated.value) {
                            return Ok(Some(hydrated));
                        }
                        self.gated = true;
                    }
                    Found::Shown(_) | Found::Hidden(_) | Found::Nothing => {}
                }
            }
        }
        Ok(None)
    }

    fn ends(&self) -> Use {
        match self.gated {
            true => Use::Gated,
            false => Use::None,
        }
    }
}

/// For each whether it is the picture of an actor that shows.
pub async fn avatars(snapshot: &dyn Snapshot, all: &[Named]) -> Result<Vec<bool>, XrpcError> {
    let dids: Vec<Did> = all.iter().map(|named| named.did().clone()).collect();
    let actors = snapshot.actors(&dids).await?;
    let is_one = |(named, actor): (&Named, plyr_schemas::Actor)| {
        let avatar = actor.avatar.and_then(|text| cid_of_text(&text));
        named.role == Role::Image && actor.state.is_visible() && avatar == Some(named.cid)
    };
    Ok(all.iter().zip(actors).map(is_one).collect())
}
