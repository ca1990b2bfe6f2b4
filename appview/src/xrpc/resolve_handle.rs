//! `com.atproto.identity.resolveHandle`: the DID behind a handle.

use plyr_lexicons::Handle;
use plyr_lexicons::generated::com_atproto_identity_resolve_handle::Output;
use plyr_lexicons::typed::Fields;

use crate::App;
use crate::actor;
use crate::error::XrpcError;
use crate::parameters::Parameters;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let handle = Handle::new(parameters.text("handle").to_owned())
        .map_err(|problem| XrpcError::invalid(format!("handle: {problem}")))?;
    match actor::resolve_handle(app, snapshot.as_ref(), &handle).await? {
        Some(did) => Ok(Output {
            did: did.as_str().to_owned(),
            other: Fields::new(),
        }),
        None => Err(XrpcError::declared(
            "HandleNotFound",
            "the handle does not resolve to a DID",
        )),
    }
}
