//! `fm.plyr.feed.getTrack`: one track.

use plyr_lexicons::Collection;
use plyr_lexicons::generated::fm_plyr_feed_get_track::Output;
use plyr_lexicons::typed::Fields;

use crate::App;
use crate::actor::resolve_uri;
use crate::error::XrpcError;
use crate::media::Shelf;
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
    match hydrate(&app.namespace, snapshot.as_ref(), &[uri])
        .await?
        .pop()
    {
        Some(Found::Shown(hydrated)) => {
            let shelf = Shelf::look(app, snapshot.as_ref(), vec![hydrated.as_ref()]).await?;
            Ok(Output {
                track: present::track(*hydrated, &shelf),
                other: Fields::new(),
            })
        }
        Some(Found::Hidden(why)) => Err(XrpcError::declared("TrackHidden", why.word())),
        Some(Found::Nothing) | None => Err(not_found()),
    }
}
