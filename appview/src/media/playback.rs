//! What a player is told of a track, having asked for it to be here.

use plyr_blobstore::probe::plays_in_browsers;
use plyr_lexicons::generated::fm_plyr_media_defs::{CoverView, MediaView, Source};
use plyr_schemas::Snapshot;
use url::Url;

use super::fetched::asked_for;
use super::links;
use super::named::{Role, blob_of};
use super::shelf::{Audio, Shelf, view};
use super::sources::{Wishes, sources};
use super::which::{Named, NamedBy};
use crate::App;
use crate::error::XrpcError;
use crate::view::Hydrated;

/// What a player is told.
pub struct Playback {
    pub media: MediaView,
    pub sources: Vec<Source>,
    pub cover: Option<CoverView>,
    /// Where it will be heard from here, while it is being fetched.
    pub own: Option<Url>,
    /// What it is, where browsers play no such thing by themselves.
    pub for_players: Option<String>,
}

/// Tells where a track can be heard. Being played, it is asked for, and so fetched if it isn't
/// here.
pub async fn playback(
    app: &App,
    snapshot: &dyn Snapshot,
    track: &Hydrated,
    wishes: &Wishes,
    is_played: bool,
) -> Result<Playback, XrpcError> {
    let shelf = Shelf::look(app, snapshot, vec![track]).await?;
    let cid = blob_of(track, Role::Audio);
    let known = shelf.audio(track);
    let wanted = match (cid, &known) {
        // What others' hosts said of its size is no proof.
        (
            Some(cid),
            Audio::NotFetched
            | Audio::Pending { .. }
            | Audio::Refused {
                word: "tooLarge", ..
            },
        ) if is_played => {
            let named = Named {
                by: NamedBy::Record(track.record.uri.clone()),
                cid,
                role: Role::Audio,
            };
            Some(asked_for(app, &named).await?)
        }
        _ => None,
    };
    let audio = match &wanted {
        Some(standing) => Audio::of(standing),
        None => known,
    };
    Ok(Playback {
        own: cid
            .filter(|_| matches!(audio, Audio::NotFetched | Audio::Pending { .. }))
            .filter(|_| app.fetches())
            .map(|cid| links::audio(&app.public_url, &track.record.uri, &cid)),
        for_players: for_players(&audio),
        media: view(cid, &audio),
        sources: sources(app, &shelf, track, &audio, wishes),
        cover: shelf.cover(track),
    })
}

/// The name of a format that no browser plays.
fn for_players(audio: &Audio<'_>) -> Option<String> {
    let Audio::Here { facts, .. } = audio else {
        return None;
    };
    (!plays_in_browsers(facts)).then(|| match facts.codec.as_str() {
        "pcm" => facts.container.to_uppercase(),
        codec => codec.to_uppercase(),
    })
}
