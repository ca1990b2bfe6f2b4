//! `fm.plyr.feed.getTracks`: several tracks, in the order asked.

use plyr_lexicons::generated::fm_plyr_feed_get_tracks::Output;
use plyr_lexicons::typed::{Fields, List};
use plyr_lexicons::{AtUri, Collection, RecordUri};

use crate::App;
use crate::actor::Few;
use crate::error::XrpcError;
use crate::media::Shelf;
use crate::parameters::Parameters;
use crate::view::{Found, hydrate_within, present, shown};

/// Bytes of records in one answer at most. A track has a few thousand; one may have a megabyte.
const MOST_BYTES: usize = 16 << 20;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let mut uris = Vec::new();
    let mut few = Few::new(app, snapshot.as_ref());
    for text in parameters.texts("uris") {
        let uri: AtUri = text
            .parse()
            .map_err(|problem| XrpcError::invalid(format!("uris: {problem}")))?;
        let (Some(collection), Some(rkey)) = (uri.collection, uri.rkey) else {
            continue;
        };
        if let Some(did) = few.resolve(&uri.authority).await? {
            uris.push(RecordUri::new(did, collection, rkey));
        }
    }
    let is_track = |uri: &RecordUri| {
        app.namespace.collection(uri.collection.as_str()) == Some(Collection::Track)
    };
    uris.retain(is_track);
    let found = hydrate_within(&app.namespace, snapshot.as_ref(), &uris, MOST_BYTES).await?;
    if found.len() < uris.len() {
        let message = "uris: these tracks are too large for one answer; ask for fewer at once";
        return Err(XrpcError::invalid(message));
    }
    let shelf = Shelf::look(app, snapshot.as_ref(), shown(&found)).await?;
    let tracks = found.into_iter().filter_map(|found| match found {
        Found::Shown(hydrated) => Some(present::track(*hydrated, &shelf)),
        Found::Hidden(_) | Found::Nothing => None,
    });
    Ok(Output {
        tracks: List(tracks.collect()),
        other: Fields::new(),
    })
}
