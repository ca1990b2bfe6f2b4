//! `com.atproto.admin.updateSubjectStatus`: takes an account, a record or a blob down, or restores
//! it.

use plyr_lexicons::generated::com_atproto_admin_defs::StatusAttr;
use plyr_lexicons::generated::com_atproto_admin_update_subject_status::{
    Input, InputSubject, Output, OutputSubject,
};
use plyr_lexicons::typed::Fields;
use plyr_lexicons::{AtUri, Cid, Did, Typed};
use plyr_schemas::HiddenSubject;
use plyr_schemas::own::{Asked, OwnError, Verb};
use warp::http::StatusCode;

use crate::App;
use crate::actor::resolve_uri;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::xrpc::get_subject_status::in_force;

/// Who acts: there is one password.
const BY: &str = "admin";

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let input = parameters.input().cloned();
    let input = input.ok_or_else(|| XrpcError::invalid("the request has no body"))?;
    let input = Input::read(input).map_err(|misfit| XrpcError::invalid(misfit.to_string()))?;
    if input.deactivated.is_some() {
        return Err(XrpcError::invalid(
            "deactivated: whether an account is active is its own host's to say, not this \
             service's; leave it out",
        ));
    }
    let subject = subject_of(app, &input.subject).await?;
    let own = app.own()?;
    if let Some(takedown) = input.takedown {
        let asked = asked(subject.clone(), takedown);
        own.act(asked).await.map_err(refusal)?;
    }
    let takedown = in_force(app, &subject).await?;
    let subject = match input.subject {
        InputSubject::RepoRef(repo) => OutputSubject::RepoRef(repo),
        InputSubject::StrongRef(record) => OutputSubject::StrongRef(record),
        InputSubject::RepoBlobRef(blob) => OutputSubject::RepoBlobRef(blob),
        InputSubject::Other(other) => OutputSubject::Other(other),
    };
    Ok(Output {
        subject,
        takedown: Some(takedown),
        other: Fields::new(),
    })
}

fn asked(subject: HiddenSubject, takedown: StatusAttr) -> Asked {
    Asked {
        action: match takedown.applied {
            true => Verb::Takedown,
            false => Verb::Restore,
        },
        subject,
        by: BY.to_owned(),
        reason: None,
        reference: takedown.r#ref,
        force: false,
    }
}

/// What is meant. A record is meant whichever version of it the reference names.
async fn subject_of(app: &App, subject: &InputSubject) -> Result<HiddenSubject, XrpcError> {
    match subject {
        InputSubject::RepoRef(repo) => Ok(HiddenSubject::Actor(did(&repo.did)?)),
        InputSubject::RepoBlobRef(blob) => Ok(HiddenSubject::Blob {
            did: Some(did(&blob.did)?),
            cid: cid(&blob.cid)?,
        }),
        InputSubject::StrongRef(record) => record_of(app, &record.uri).await,
        InputSubject::Other(_) => Err(XrpcError::invalid(
            "subject: is neither a repoRef, a strongRef nor a repoBlobRef; its $type says which",
        )),
    }
}

/// The record of an at-uri.
pub async fn record_of(app: &App, uri: &str) -> Result<HiddenSubject, XrpcError> {
    let uri: AtUri = uri
        .parse()
        .map_err(|problem| XrpcError::invalid(format!("uri: {problem}")))?;
    let snapshot = app.store.snapshot().await?;
    let record = resolve_uri(app, snapshot.as_ref(), uri).await?;
    let record = record.ok_or_else(|| {
        XrpcError::invalid("uri: names no record; a repoRef (or did) names an account")
    })?;
    Ok(HiddenSubject::Record(record))
}

pub fn did(text: &str) -> Result<Did, XrpcError> {
    Did::new(text.to_owned()).map_err(|_| XrpcError::invalid(format!("{text}: is no DID")))
}

pub fn cid(text: &str) -> Result<Cid, XrpcError> {
    text.parse()
        .map_err(|_| XrpcError::invalid(format!("{text}: is no CID")))
}

fn refusal(problem: OwnError) -> XrpcError {
    match problem {
        OwnError::Store(problem) => problem.into(),
        OwnError::NotTold(problem) => {
            tracing::error!(%problem, "an action is noted, but the store was not told");
            let message = "it is noted, but does not hold yet: the store can't take it now, and is \
                           told as soon as it can, or when the server is started again";
            XrpcError::new(StatusCode::SERVICE_UNAVAILABLE, "Overloaded", message)
        }
        OwnError::Refused(_) => XrpcError::invalid(problem.to_string()),
        OwnError::Deleted { .. } => XrpcError::invalid(
            "the track was deleted for good; only `plyr admin restore --force` restores it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plyr_schemas::StoreError;

    #[test]
    fn i16_what_is_noted_and_not_yet_told_is_said_to_be() {
        let detail = "a queue".to_owned();
        let engine = "embedded";
        let refused = refusal(OwnError::NotTold(StoreError::Overloaded { engine, detail }));
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.message.contains("it is noted"), "{refused:?}");
        assert!(refused.message.contains("is told as soon"), "{refused:?}");
    }
}
