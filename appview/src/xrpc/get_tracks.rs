//! `fm.plyr.feed.getTracks`: several tracks, in the order asked.

use plyr_lexicons::generated::fm_plyr_feed_get_tracks::Output;
use plyr_lexicons::typed::{Fields, List};
use plyr_lexicons::{AtUri, Collection};

use crate::App;
use crate::actor::resolve_uri;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::{Found, hydrate, present};

/// Handles asked for outside in one request at most; the others are taken as not found.
const MOST_HANDLES: usize = 10;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let mut uris = Vec::new();
    let mut handles = 0;
    for text in parameters.texts("uris") {
        let uri: AtUri = text
            .parse()
            .map_err(|problem| XrpcError::invalid(format!("uris: {problem}")))?;
        if matches!(uri.authority, plyr_lexicons::AtIdentifier::Handle(_)) {
            handles += 1;
            if handles > MOST_HANDLES {
                continue;
            }
        }
        match resolve_uri(app, snapshot.as_ref(), uri).await {
            Ok(Some(uri)) => uris.push(uri),
            Ok(None) => {}
            Err(problem) if problem.name == "ActorNotFound" => {}
            Err(problem) => return Err(problem),
        }
    }
    let is_track = |uri: &plyr_lexicons::RecordUri| {
        app.namespace.collection(uri.collection.as_str()) == Some(Collection::Track)
    };
    uris.retain(is_track);
    let found = hydrate(&app.namespace, snapshot.as_ref(), &uris).await?;
    let tracks = found.into_iter().filter_map(|found| match found {
        Found::Shown(hydrated) => Some(present::track(*hydrated)),
        Found::Hidden(_) | Found::Nothing => None,
    });
    Ok(Output {
        tracks: List(tracks.collect()),
        other: Fields::new(),
    })
}
