//! `fm.plyr.media.getAudio`: the audio that a track names, checked, with ranges.

use std::time::Duration;

use warp::reply::Response;

use crate::App;
use crate::error::XrpcError;
use crate::media::{self, Audio, Original, Role};
use crate::parameters::Parameters;
use crate::server::Asking;

/// How long a first play waits for its bytes.
const PATIENCE: Duration = Duration::from_secs(25);

pub async fn answer(
    app: &App,
    parameters: &Parameters,
    asking: &Asking,
) -> Result<Response, XrpcError> {
    let place = app.asking_place()?;
    let which = media::find(app, parameters, Role::Audio).await?;
    let patience = match asking.caller.is_head() {
        true => Duration::ZERO,
        false => PATIENCE,
    };
    let named = which.named;
    let arrived = media::arrived(app, &named, Role::Audio, patience, place).await?;
    let (blobs, standing, _place) = arrived;
    let (size, facts) = match Audio::of(&standing) {
        Audio::Here { size, facts } => (size, facts),
        Audio::Refused { reason, .. } => return Err(media::refused(Role::Audio, reason)),
        _ => return Err(media::not_here_yet(Role::Audio, None)),
    };
    let disposition = parameters
        .flag("download")
        .then(|| media::attachment(which.title.as_deref(), &facts.container, &facts.codec));
    let original = Original {
        named,
        size,
        media_type: facts.media_type.clone(),
        disposition,
        redirects: parameters.flag("redirect"),
    };
    media::original(app, blobs, original, asking).await
}
