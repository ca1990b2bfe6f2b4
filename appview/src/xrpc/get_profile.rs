//! `fm.plyr.actor.getProfile`: an actor with what they have published.

use serde_json::{Value, json};

use crate::App;
use crate::actor;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::xrpc::get_profiles::profiles;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Value, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let did = actor::resolve(app, snapshot.as_ref(), &parameters.actor("actor")?).await?;
    match profiles(app, snapshot.as_ref(), &[did]).await?.pop() {
        Some(Ok(profile)) => Ok(json!({ "profile": profile })),
        Some(Err(why)) => Err(XrpcError::declared("ActorHidden", why.word())),
        None => Err(XrpcError::declared("ActorNotFound", "no such actor")),
    }
}
