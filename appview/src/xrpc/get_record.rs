//! `com.atproto.repo.getRecord`: one record, verbatim; also one that breaks its lexicon.

use plyr_lexicons::generated::com_atproto_repo_get_record::Output;
use plyr_lexicons::typed::Fields;
use plyr_lexicons::{Nsid, RecordKey, RecordUri, data};

use crate::App;
use crate::actor;
use crate::error::XrpcError;
use crate::parameters::Parameters;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let not_found = || XrpcError::declared("RecordNotFound", "no such record is held");
    let did = match actor::resolve(app, snapshot.as_ref(), &parameters.actor("repo")?).await {
        Err(problem) if problem.name == "ActorNotFound" => return Err(not_found()),
        resolved => resolved?,
    };
    let collection = Nsid::new(parameters.text("collection").to_owned());
    let rkey = RecordKey::new(parameters.text("rkey").to_owned());
    let (Ok(collection), Ok(rkey)) = (collection, rkey) else {
        return Err(not_found());
    };
    let uri = RecordUri::new(did.clone(), collection, rkey);
    let (uris, dids) = ([uri], [did]);
    let (mut records, actors) = tokio::try_join!(snapshot.records(&uris), snapshot.actors(&dids))?;
    let record = records.pop().flatten().ok_or_else(not_found)?;
    if record.hidden || actors.iter().any(|actor| !actor.state.is_visible()) {
        return Err(not_found());
    }
    let cid = record.cid.to_string();
    if parameters
        .optional("cid")
        .is_some_and(|wanted| wanted != cid)
    {
        return Err(not_found());
    }
    let value = data::from_cbor(&record.bytes).map_err(|_| not_found())?;
    Ok(Output {
        uri: record.uri.to_string(),
        cid: Some(cid),
        value,
        other: Fields::new(),
    })
}
