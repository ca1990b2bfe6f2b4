//! `fm.plyr.media.getPlayback`: where a track can be heard. Asking counts as its first play.

use plyr_lexicons::Collection;
use plyr_lexicons::generated::fm_plyr_media_get_playback::Output;
use plyr_lexicons::typed::{Fields, List};

use crate::App;
use crate::actor::resolve_uri;
use crate::error::XrpcError;
use crate::media::{self, Wishes};
use crate::parameters::Parameters;
use crate::view::{Found, hydrate, present};

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let not_found = || XrpcError::declared("TrackNotFound", "no track is held under this address");
    let uri = resolve_uri(app, snapshot.as_ref(), parameters.at_uri("uri")?).await?;
    let uri = uri.ok_or_else(not_found)?;
    if app.namespace.collection(uri.collection.as_str()) != Some(Collection::Track) {
        return Err(not_found());
    }
    let found = hydrate(&app.namespace, snapshot.as_ref(), &[uri]).await?;
    let track = match found.into_iter().next() {
        Some(Found::Shown(hydrated)) => hydrated,
        Some(Found::Hidden(why)) => return Err(XrpcError::declared("TrackHidden", why.word())),
        Some(Found::Nothing) | None => return Err(not_found()),
    };
    let wishes = Wishes {
        accept: parameters
            .texts("accept")
            .into_iter()
            .map(str::to_owned)
            .collect(),
        max_bitrate: parameters.number("maxBitrate"),
    };
    let playback = media::playback(app, snapshot.as_ref(), &track, &wishes, true).await?;
    Ok(Output {
        uri: track.record.uri.to_string(),
        cid: track.record.cid.to_string(),
        duration_ms: present::duration_ms(&track.value, &playback.media),
        media: playback.media,
        sources: List(playback.sources),
        other: Fields::new(),
    })
}
