//! `com.atproto.admin.getSubjectStatus`: whether the operator took a subject down. A record of
//! which no version is held is answered with `NotFound`, as a PDS does: a strong reference can't
//! be made without its CID. The message says all the same whether it is taken down.

use plyr_lexicons::generated::com_atproto_admin_defs::{RepoBlobRef, RepoRef, StatusAttr};
use plyr_lexicons::generated::com_atproto_admin_get_subject_status::{Output, OutputSubject};
use plyr_lexicons::generated::com_atproto_repo_strong_ref::StrongRef;
use plyr_lexicons::typed::Fields;
use plyr_schemas::own::Action;
use plyr_schemas::{HiddenSubject, Own};

use crate::App;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::xrpc::update_subject_status::{cid, did, record_of};

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let named = |name| parameters.optional(name);
    let (whose, uri, blob) = (named("did"), named("uri"), named("blob"));
    let other = Fields::new();
    let (subject, answered) = match (whose, uri, blob) {
        (Some(whose), None, Some(blob)) => {
            let subject = HiddenSubject::Blob {
                did: Some(did(whose)?),
                cid: cid(blob)?,
            };
            let answered = OutputSubject::RepoBlobRef(RepoBlobRef {
                did: whose.to_owned(),
                cid: blob.to_owned(),
                record_uri: None,
                other,
            });
            (subject, answered)
        }
        (None, Some(uri), None) => {
            let subject = record_of(app, uri).await?;
            let Some(cid) = cid_of(app, &subject).await? else {
                return Err(not_held(in_force(app, &subject).await?));
            };
            let uri = subject.to_string();
            let answered = OutputSubject::StrongRef(StrongRef { cid, uri, other });
            (subject, answered)
        }
        (Some(whose), None, None) => {
            let subject = HiddenSubject::Actor(did(whose)?);
            let did = whose.to_owned();
            let answered = OutputSubject::RepoRef(RepoRef { did, other });
            (subject, answered)
        }
        _ => {
            let message = "name did (an account), uri (a record), or did and blob";
            return Err(XrpcError::invalid(message));
        }
    };
    let takedown = in_force(app, &subject).await?;
    Ok(Output {
        subject: answered,
        takedown: Some(takedown),
        deactivated: None,
        other: Fields::new(),
    })
}

/// What holds of a subject: of a blob also what holds for whoever names it.
pub async fn in_force(app: &App, subject: &HiddenSubject) -> Result<StatusAttr, XrpcError> {
    let own = app.own()?;
    let theirs = status_of(own, subject).await?;
    match subject {
        HiddenSubject::Blob { did: Some(_), cid } if !theirs.applied => {
            let (did, cid) = (None, *cid);
            status_of(own, &HiddenSubject::Blob { did, cid }).await
        }
        _ => Ok(theirs),
    }
}

async fn status_of(own: &Own, subject: &HiddenSubject) -> Result<StatusAttr, XrpcError> {
    let mut status = status(own.standing(subject).await?.as_ref());
    // A journal that was lost says nothing; what the store hides is hidden all the same.
    status.applied = status.applied || own.is_hidden_unnoted(subject).await?;
    Ok(status)
}

/// An action, in the protocol's words.
fn status(held: Option<&Action>) -> StatusAttr {
    let hides = held.is_some_and(|action| action.action.hides());
    StatusAttr {
        applied: hides,
        r#ref: held
            .filter(|_| hides)
            .and_then(|action| action.reference.clone()),
        other: Fields::new(),
    }
}

/// The version of a record that is held: a strong reference names one.
async fn cid_of(app: &App, subject: &HiddenSubject) -> Result<Option<String>, XrpcError> {
    let HiddenSubject::Record(uri) = subject else {
        return Err(XrpcError::invalid("uri: names no record"));
    };
    let uris = [uri.clone()];
    let records = app.store.snapshot().await?.records(&uris).await?;
    let record = records.into_iter().next().flatten();
    Ok(record.map(|record| record.cid.to_string()))
}

fn not_held(status: StatusAttr) -> XrpcError {
    let holds = match (status.applied, status.r#ref) {
        (true, Some(reference)) => format!("it is taken down ({reference}), and stays so"),
        (true, None) => "it is taken down, and stays so".to_owned(),
        (false, _) => "it isn't taken down".to_owned(),
    };
    let message = format!("no version of this record is held, so none can be named; {holds}");
    XrpcError::declared("NotFound", message)
}
