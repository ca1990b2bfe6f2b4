//! How far the blobs have come that a page's records name: looked up once for the whole page.

use std::collections::{HashMap, HashSet};

use plyr_blobstore::Standing;
use plyr_blobstore::probe::{AudioFacts, Fact};
use plyr_lexicons::generated::fm_plyr_media_defs::{CoverView, MediaView};
use plyr_lexicons::typed::Fields;
use plyr_lexicons::{Cid, Collection, Did, RecordUri};
use plyr_schemas::Snapshot;
use url::Url;

use super::named::{Role, blob_of, is_gated};
use super::{links, seen};
use crate::App;
use crate::error::XrpcError;
use crate::view::Hydrated;
use crate::view::present::{count, text_of};

/// What is known of a page's blobs.
pub struct Shelf {
    public_url: Url,
    origins: Vec<Url>,
    /// Whether what isn't here is fetched when it is asked for.
    fetches: bool,
    standings: HashMap<Cid, Standing>,
    /// Tracks that name no audio any more.
    dropped: HashSet<RecordUri>,
    /// Blobs that were taken down here.
    hidden: HashSet<(Did, Cid)>,
}

impl Shelf {
    /// Without any records.
    pub fn empty(app: &App) -> Shelf {
        Shelf {
            public_url: app.public_url.clone(),
            origins: app.media_origins.clone(),
            fetches: app.fetches(),
            standings: HashMap::new(),
            dropped: HashSet::new(),
            hidden: HashSet::new(),
        }
    }

    /// Looks up what those records name: one round, however many they are.
    pub async fn look(
        app: &App,
        snapshot: &dyn Snapshot,
        records: Vec<&Hydrated>,
    ) -> Result<Shelf, XrpcError> {
        let (mut cids, mut without, mut owned) = (Vec::new(), Vec::new(), Vec::new());
        for hydrated in records {
            let audio = blob_of(hydrated, Role::Audio);
            if audio.is_none() && hydrated.collection == Collection::Track {
                without.push(hydrated.record.uri.clone());
            }
            for cid in audio.into_iter().chain(blob_of(hydrated, Role::Image)) {
                cids.push(cid);
                owned.push((hydrated.record.uri.did.clone(), cid));
            }
        }
        let (standings, dropped, hidden) = tokio::try_join!(
            standings(app, &cids),
            seen::dropped(app, &without),
            seen::hidden(snapshot, &owned)
        )?;
        Ok(Shelf {
            standings: cids.into_iter().zip(standings).collect(),
            dropped: dropped.into_iter().collect(),
            hidden: hidden.into_iter().collect(),
            ..Shelf::empty(app)
        })
    }

    /// How far a blob has come.
    pub fn standing(&self, cid: &Cid) -> &Standing {
        self.standings.get(cid).unwrap_or(&Standing::NotWanted)
    }

    /// How far a track's audio has come, as one word of a view's.
    pub fn audio(&self, track: &Hydrated) -> Audio<'_> {
        let uri = &track.record.uri;
        let cid = blob_of(track, Role::Audio);
        if is_gated(&track.value) {
            return Audio::Gated;
        }
        let Some(cid) = cid else {
            return match self.dropped.contains(uri) {
                true => Audio::Dropped,
                false => Audio::Unnamed,
            };
        };
        if self.hidden.contains(&(uri.did.clone(), cid)) {
            return Audio::Hidden;
        }
        Audio::of(self.standing(&cid))
    }

    /// `fm.plyr.media.defs#mediaView`
    pub fn media(&self, track: &Hydrated) -> MediaView {
        view(blob_of(track, Role::Audio), &self.audio(track))
    }

    /// `fm.plyr.media.defs#coverView`; none where there is nothing to show.
    pub fn cover(&self, hydrated: &Hydrated) -> Option<CoverView> {
        let uri = &hydrated.record.uri;
        let named = blob_of(hydrated, Role::Image);
        // Its link is most likely to the same picture.
        if named.is_some_and(|cid| self.hidden.contains(&(uri.did.clone(), cid))) {
            return None;
        }
        if let Some(cid) = named.filter(|cid| self.may_show(cid)) {
            let url = |size| links::image(&self.public_url, uri, &cid, size).into();
            return Some(CoverView {
                url: url("card"),
                thumb: Some(url("thumb")),
                full: Some(url("full")),
                verified: true,
                other: Fields::new(),
            });
        }
        let url = links::known_origin(&self.origins, text_of(&hydrated.value, "imageUrl"))?;
        Some(CoverView {
            url: url.into(),
            thumb: None,
            full: None,
            verified: false,
            other: Fields::new(),
        })
    }

    /// Whether an image is here, or will be once it is asked for.
    fn may_show(&self, cid: &Cid) -> bool {
        match self.standing(cid) {
            Standing::Kept { fact, .. } => matches!(fact, Fact::Image(_)),
            Standing::Refused { .. } => false,
            Standing::NotWanted | Standing::Wanted { .. } => self.fetches,
        }
    }

    /// Links of a record to origins that are known here.
    pub fn audio_url(&self, track: &Hydrated) -> Option<Url> {
        links::known_origin(&self.origins, text_of(&track.value, "audioUrl"))
    }
}

async fn standings(app: &App, cids: &[Cid]) -> Result<Vec<Standing>, XrpcError> {
    match &app.blobs {
        Some(blobs) if !cids.is_empty() => Ok(blobs.standings(cids).await?),
        _ => Ok(vec![Standing::NotWanted; cids.len()]),
    }
}

/// How far a track's audio has come.
#[derive(Clone, PartialEq, Debug)]
pub enum Audio<'s> {
    Here {
        size: u64,
        facts: &'s AudioFacts,
    },
    Pending {
        reason: Option<&'s str>,
        /// Whether its author's host hands out other bytes.
        wrong_bytes: bool,
    },
    NotFetched,
    Refused {
        word: &'s str,
        reason: &'s str,
    },
    Gated,
    Dropped,
    Unnamed,
    Hidden,
}

impl<'s> Audio<'s> {
    /// Of a blob that a record names as its audio.
    pub fn of(standing: &'s Standing) -> Audio<'s> {
        match standing {
            Standing::NotWanted => Audio::NotFetched,
            Standing::Wanted {
                reason,
                wrong_bytes,
            } => Audio::Pending {
                reason: reason.as_deref(),
                wrong_bytes: *wrong_bytes,
            },
            Standing::Kept {
                size,
                fact: Fact::Audio(facts),
            } => Audio::Here { size: *size, facts },
            Standing::Kept {
                fact: Fact::Image(_),
                ..
            } => Audio::Refused {
                word: "notAudio",
                reason: "the bytes are a picture",
            },
            Standing::Kept {
                fact: Fact::Refused(refusal),
                ..
            } => Audio::Refused {
                word: &refusal.word,
                reason: &refusal.reason,
            },
            Standing::Refused { word, reason } => Audio::Refused { word, reason },
        }
    }

    /// The word of `media.state`.
    pub fn word(&self) -> &'static str {
        match self {
            Audio::Here { .. } => "available",
            Audio::Pending { .. } => "pending",
            Audio::NotFetched => "notFetched",
            Audio::Refused { .. } => "refused",
            Audio::Gated => "gated",
            Audio::Dropped => "dropped",
            Audio::Unnamed => "none",
            Audio::Hidden => "hidden",
        }
    }
}

/// `fm.plyr.media.defs#mediaView`
pub fn view(cid: Option<Cid>, audio: &Audio<'_>) -> MediaView {
    let mut view = MediaView {
        state: audio.word().to_owned(),
        refusal: None,
        reason: None,
        cid: cid.map(|cid| cid.to_string()),
        size: None,
        media_type: None,
        container: None,
        codec: None,
        bitrate: None,
        sample_rate: None,
        channels: None,
        bit_depth: None,
        duration_ms: None,
        other: Fields::new(),
    };
    match audio {
        Audio::Here { size, facts } => {
            view.size = Some(count(*size));
            view.media_type = Some(facts.media_type.clone());
            view.container = Some(facts.container.clone());
            view.codec = Some(facts.codec.clone());
            view.bitrate = Some(count(facts.bit_rate));
            view.sample_rate = Some(facts.sample_rate.into());
            view.channels = Some(facts.channels.into());
            view.bit_depth = facts.bit_depth.map(i64::from);
            view.duration_ms = Some(count(facts.duration_ms));
        }
        Audio::Pending { reason, .. } => view.reason = reason.map(str::to_owned),
        Audio::Refused { word, reason } => {
            view.refusal = Some((*word).to_owned());
            view.reason = Some((*reason).to_owned()).filter(|reason| !reason.is_empty());
        }
        Audio::NotFetched | Audio::Gated | Audio::Dropped | Audio::Unnamed | Audio::Hidden => {}
    }
    view
}
