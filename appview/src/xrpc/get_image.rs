//! `fm.plyr.media.getImage`: a cover or avatar, made small.

use std::time::Duration;

use plyr_blobstore::Standing;
use plyr_blobstore::objects::ImageSize;
use plyr_blobstore::probe::Fact;
use warp::reply::Response;

use crate::App;
use crate::error::XrpcError;
use crate::media::{self, Role};
use crate::parameters::Parameters;
use crate::server::Asking;

/// How long the first look waits for its bytes.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn answer(
    app: &App,
    parameters: &Parameters,
    asking: &Asking,
) -> Result<Response, XrpcError> {
    let place = app.asking_place()?;
    let size = ImageSize::ALL
        .into_iter()
        .find(|size| size.name() == parameters.text("size"))
        .unwrap_or(ImageSize::Card);
    let which = media::find(app, parameters, Role::Image).await?;
    let patience = match asking.caller.is_head() {
        true => Duration::ZERO,
        false => PATIENCE,
    };
    let arrived = media::arrived(app, &which.named, Role::Image, patience, place).await?;
    let (blobs, standing, _place) = arrived;
    match standing {
        Standing::Kept {
            fact: Fact::Image(_),
            ..
        } => media::image(app, blobs, which.named, size, asking).await,
        Standing::Kept {
            fact: Fact::Refused(refusal),
            ..
        } => Err(media::refused(Role::Image, &refusal.reason)),
        Standing::Refused { reason, .. } => Err(media::refused(Role::Image, &reason)),
        _ => Err(media::refused(Role::Image, "they are no image")),
    }
}
