//! Asking for what isn't here yet, and waiting for it.

use std::time::Duration;

use plyr_blobstore::{Blobstore, MediaPolicy, Standing};

use super::Role;
use super::error;
use super::open::Place;
use super::still::{Remembered, still_named};
use super::which::Named;
use crate::App;
use crate::error::XrpcError;

/// Notes that somebody wants to hear or see it: it is fetched if it isn't here. Answers how far it
/// has come.
pub async fn asked_for(app: &App, named: &Named) -> Result<Standing, XrpcError> {
    match &app.blobs {
        Some(blobs) => Ok(blobs.want(&named.cid, named.did()).await?),
        None => Ok(Standing::NotWanted),
    }
}

/// Asks for a blob and waits until it is here or refused, that long at most. Errors when it isn't
/// here then. The place of who asks is given up for one of those who wait, where that is needed.
pub async fn arrived<'a>(
    app: &'a App,
    named: &Named,
    role: Role,
    patience: Duration,
    mut place: Place,
) -> Result<(&'a Blobstore, Standing, Place), XrpcError> {
    let Some(blobs) = &app.blobs else {
        return Err(error::never_here(role));
    };
    let mut standing = asked_for(app, named).await?;
    let is_here = !matches!(standing, Standing::NotWanted | Standing::Wanted { .. });
    if is_here {
        return Ok((blobs, standing, place));
    }
    let is_off = blobs.policy() == MediaPolicy::Off;
    // What is here and not looked at yet is waited for.
    if is_off && standing == Standing::NotWanted {
        return Err(error::never_here(role));
    }
    if !patience.is_zero() {
        place = app.open.waiting_place(role, named.did())?;
        standing = blobs.wait(&named.cid, patience).await?;
        // Meanwhile it may have been deleted or hidden.
        let one = std::slice::from_ref(named);
        if still_named(app, one, &mut Remembered::default()).await? != [true] {
            return Err(error::blob_not_found(role));
        }
    }
    match standing {
        Standing::NotWanted if is_off => Err(error::never_here(role)),
        Standing::NotWanted => Err(error::not_here_yet(role, None)),
        Standing::Wanted { reason, .. } => Err(error::not_here_yet(role, reason.as_deref())),
        standing => Ok((blobs, standing, place)),
    }
}
