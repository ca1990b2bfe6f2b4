//! Filling a page: what may be a hit is looked up in the store, and what doesn't show is left out
//! inside the loop, so that a page is full while there is something.

use std::collections::{HashSet, VecDeque};

use plyr_lexicons::{Collection, Did, Ipld, RecordKey, RecordUri};
use plyr_schemas::{Actor, ActorTotals, Snapshot};
use plyr_search::{Hit, Kind, Total};

use super::Asked;
use super::answered::Answered;
use super::candidate::{Candidate, Subject, Why};
use crate::App;
use crate::error::XrpcError;
use crate::view::page::{MOST_BYTES, PASSES};
use crate::view::present::text_of;
use crate::view::{Found, Hydrated, avatars, hydrate_within};

/// Hits looked at beyond twice those that a page still lacks.
const MORE: usize = 10;

/// A hit that shows.
pub struct Shown {
    pub thing: Thing,
    pub why: Why,
}

impl Shown {
    /// The track that it is, if it is one.
    pub fn track(&self) -> Option<&Hydrated> {
        match &self.thing {
            Thing::Track(track) => Some(track),
            Thing::List(..) | Thing::Artist(_) | Thing::Tag(..) => None,
        }
    }
}

/// What it is.
pub enum Thing {
    Track(Box<Hydrated>),
    /// An album, a playlist, or another list that was named.
    List(Box<Hydrated>, Option<Kind>),
    Artist(Box<Artist>),
    Tag(String, Option<u64>),
}

/// An actor with what they have published.
pub struct Artist {
    pub actor: Actor,
    pub totals: ActorTotals,
    pub record: Option<Hydrated>,
}

impl Thing {
    fn kind(&self) -> Option<Kind> {
        match self {
            Thing::Track(_) => Some(Kind::Track),
            Thing::List(_, kind) => *kind,
            Thing::Artist(_) => Some(Kind::Artist),
            Thing::Tag(..) => Some(Kind::Tag),
        }
    }
}

/// What kind of hit a list is by its type; none that a search finds for all others.
fn kind_of_list(record: &Ipld) -> Option<Kind> {
    match text_of(record, "listType") {
        Some("album") => Some(Kind::Album),
        Some("playlist") => Some(Kind::Playlist),
        _ => None,
    }
}

/// A page that is being filled.
pub struct Filling<'a> {
    asked: &'a Asked<'a>,
    app: &'a App,
    snapshot: &'a dyn Snapshot,
    named: Vec<Candidate>,
    found: Vec<Candidate>,
}

/// A page that was filled.
pub struct Filled {
    pub shown: Vec<Shown>,
    /// Whether there is more that wasn't looked at.
    pub has_more: bool,
}

impl<'a> Filling<'a> {
    pub fn new(
        asked: &'a Asked<'a>,
        app: &'a App,
        snapshot: &'a dyn Snapshot,
        named: Vec<Candidate>,
        hits: Vec<Hit>,
    ) -> Filling<'a> {
        Filling {
            asked,
            app,
            snapshot,
            named,
            found: hits.into_iter().filter_map(Candidate::of).collect(),
        }
    }

    /// Looks at the best of them that were not answered before, in a few passes.
    pub async fn fill(&self, answered: &mut Answered<'_>) -> Result<Filled, XrpcError> {
        let mut rest = self.rest(answered);
        let mut shown: Vec<Shown> = Vec::new();
        let mut bytes = 0;
        for pass in 0..PASSES {
            // What doesn't show is seldom, but may stand side by side.
            let room = match self.asked.limit - shown.len() {
                room if pass == 0 => room,
                room => room * 2 + MORE,
            };
            let wave: Vec<Candidate> = rest.drain(..room.min(rest.len())).collect();
            let mut fits = 0;
            for (candidate, thing) in wave.iter().zip(self.look_at(&wave).await?) {
                if shown.len() >= self.asked.limit {
                    break;
                }
                fits += 1;
                answered.add(&candidate.subject.address());
                let Some(thing) = thing else { continue };
                bytes += thing.bytes();
                shown.push(Shown {
                    thing,
                    why: candidate.why,
                });
            }
            for candidate in wave.into_iter().skip(fits).rev() {
                rest.push_front(candidate);
            }
            if rest.is_empty() || shown.len() >= self.asked.limit || bytes >= MOST_BYTES {
                break;
            }
        }
        Ok(Filled {
            shown,
            has_more: !rest.is_empty(),
        })
    }

    /// What was not answered before, each once: what is named, then what is found.
    fn rest(&self, answered: &Answered<'_>) -> VecDeque<Candidate> {
        let address = |one: &Candidate| one.subject.address();
        let named: HashSet<String> = self.named.iter().map(address).collect();
        let found = self
            .found
            .iter()
            .filter(|one| !named.contains(&address(one)));
        let all = self.named.iter().chain(found);
        let rest = all.filter(|one| !answered.has(&address(one)));
        rest.cloned().collect()
    }

    /// How many of those that are named show, on whatever page; of large records at least so many.
    pub async fn count_named(&self) -> Result<Total, XrpcError> {
        let looked = self.look_at(&self.named).await?;
        Ok(Total {
            count: looked.iter().flatten().count() as u64,
            is_exact: looked.len() == self.named.len(),
        })
    }

    /// What shows of some candidates, in one wave; shorter than these when records are large.
    async fn look_at(&self, wave: &[Candidate]) -> Result<Vec<Option<Thing>>, XrpcError> {
        let (mut uris, mut dids) = (Vec::new(), Vec::new());
        for candidate in wave {
            match &candidate.subject {
                Subject::Record(uri) => uris.push(uri.clone()),
                Subject::Artist(did) => {
                    uris.push(self.profile_of(did)?);
                    dids.push(did.clone());
                }
                Subject::Tag(..) => {}
            }
        }
        let (mut records, mut artists) = self.hydrate(&uris, &dids).await?;
        let mut looked = Vec::with_capacity(wave.len());
        for candidate in wave {
            let thing = match &candidate.subject {
                Subject::Tag(tag) => Some(Thing::Tag(tag.name.clone(), tag.tracks)),
                Subject::Record(_) => match records.next() {
                    Some(Found::Shown(hydrated)) => of_record(*hydrated),
                    Some(Found::Hidden(_) | Found::Nothing) => None,
                    None => break,
                },
                Subject::Artist(_) => {
                    let (Some(record), Some((actor, totals))) = (records.next(), artists.next())
                    else {
                        break;
                    };
                    of_artist(actor, totals, record, candidate.why)
                }
            };
            looked.push(thing.filter(|thing| self.is_asked_for(thing)));
        }
        Ok(looked)
    }

    #[allow(clippy::type_complexity)] // two lists that belong together
    async fn hydrate(
        &self,
        uris: &[RecordUri],
        dids: &[Did],
    ) -> Result<
        (
            std::vec::IntoIter<Found>,
            std::vec::IntoIter<(Actor, ActorTotals)>,
        ),
        XrpcError,
    > {
        if uris.is_empty() {
            return Ok((Vec::new().into_iter(), Vec::new().into_iter()));
        }
        let records = hydrate_within(&self.app.namespace, self.snapshot, uris, MOST_BYTES);
        let artists = async {
            if dids.is_empty() {
                return Ok(Vec::new());
            }
            let actors = self.snapshot.actors(dids);
            let totals = self.snapshot.actor_totals(dids);
            let (mut actors, totals) = tokio::try_join!(actors, totals)?;
            avatars::without_hidden(self.snapshot, &mut actors).await?;
            Ok(actors.into_iter().zip(totals).collect::<Vec<_>>())
        };
        let (records, artists) = tokio::try_join!(records, artists)?;
        Ok((records.into_iter(), artists.into_iter()))
    }

    fn profile_of(&self, did: &Did) -> Result<RecordUri, XrpcError> {
        let rkey = RecordKey::new("self".to_owned()).map_err(XrpcError::invalid)?;
        let collection = self.app.namespace.nsid(Collection::Profile);
        Ok(RecordUri::new(did.clone(), collection.clone(), rkey))
    }

    /// What it is now, which may be another thing than when it was indexed.
    fn is_asked_for(&self, thing: &Thing) -> bool {
        let kinds = &self.asked.filters.kinds;
        let is_of_kind = kinds.is_empty() || thing.kind().is_some_and(|kind| kinds.contains(&kind));
        is_of_kind && (self.asked.admits)(thing)
    }
}

fn of_record(hydrated: Hydrated) -> Option<Thing> {
    match hydrated.collection {
        Collection::Track => Some(Thing::Track(Box::new(hydrated))),
        Collection::List => {
            let kind = kind_of_list(&hydrated.value);
            Some(Thing::List(Box::new(hydrated), kind))
        }
        Collection::Like | Collection::Comment | Collection::Profile => None,
    }
}

fn of_artist(actor: Actor, totals: ActorTotals, record: Found, why: Why) -> Option<Thing> {
    if !actor.state.is_visible() {
        return None;
    }
    let record = match record {
        Found::Shown(hydrated) => Some(*hydrated),
        Found::Hidden(_) | Found::Nothing => None,
    };
    // Anybody can write down a DID that nothing is known of.
    let is_known = record.is_some()
        || actor.handle.is_some()
        || actor.display_name.is_some()
        || totals != ActorTotals::default();
    if why == Why::Named && !is_known {
        return None;
    }
    Some(Thing::Artist(Box::new(Artist {
        actor,
        totals,
        record,
    })))
}

impl Thing {
    fn bytes(&self) -> usize {
        match self {
            Thing::Track(record) | Thing::List(record, _) => record.record.bytes.len(),
            Thing::Artist(artist) => {
                let record = artist.record.as_ref();
                record.map_or(0, |record| record.record.bytes.len())
            }
            Thing::Tag(..) => 0,
        }
    }
}
