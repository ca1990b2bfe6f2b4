//! `fm.plyr.actor.getProfile`: an actor with what they have published.

use plyr_lexicons::generated::fm_plyr_actor_get_profile::Output;
use plyr_lexicons::typed::Fields;

use crate::App;
use crate::actor;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::xrpc::get_profiles::profiles;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let did = actor::resolve(app, snapshot.as_ref(), &parameters.actor("actor")?).await?;
    match profiles(app, snapshot.as_ref(), &[did]).await?.pop() {
        Some(Ok(profile)) => Ok(Output {
            profile,
            other: Fields::new(),
        }),
        Some(Err(why)) => Err(XrpcError::declared("ActorHidden", why.word())),
        None => Err(XrpcError::declared("ActorNotFound", "no such actor")),
    }
}
