//! One table: NSID → handler.

use futures_util::future::BoxFuture;
use plyr_lexicons::{Ipld, MethodKind, Nsid, Typed, method};
use warp::http::{Method, StatusCode};

use crate::App;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::xrpc::{
    get_actor_likes, get_actor_lists, get_actor_tracks, get_comments, get_coverage, get_latest,
    get_likes, get_list, get_lists_with_item, get_profile, get_profiles, get_quarantine,
    get_record, get_stats, get_track, get_tracks, list_records, resolve_handle,
};

/// Answers one call.
type Handler = for<'a> fn(&'a App, &'a Parameters) -> BoxFuture<'a, Result<Ipld, XrpcError>>;

/// Every method, by NSID.
pub const TABLE: &[(&str, Handler)] = &[
    ("com.atproto.identity.resolveHandle", |app, parameters| {
        written(resolve_handle::answer(app, parameters))
    }),
    ("com.atproto.repo.getRecord", |app, parameters| {
        written(get_record::answer(app, parameters))
    }),
    ("com.atproto.repo.listRecords", |app, parameters| {
        written(list_records::answer(app, parameters))
    }),
    ("fm.plyr.actor.getProfile", |app, parameters| {
        written(get_profile::answer(app, parameters))
    }),
    ("fm.plyr.actor.getProfiles", |app, parameters| {
        written(get_profiles::answer(app, parameters))
    }),
    ("fm.plyr.feed.getActorLikes", |app, parameters| {
        written(get_actor_likes::answer(app, parameters))
    }),
    ("fm.plyr.feed.getActorTracks", |app, parameters| {
        written(get_actor_tracks::answer(app, parameters))
    }),
    ("fm.plyr.feed.getComments", |app, parameters| {
        written(get_comments::answer(app, parameters))
    }),
    ("fm.plyr.feed.getLatest", |app, parameters| {
        written(get_latest::answer(app, parameters))
    }),
    ("fm.plyr.feed.getLikes", |app, parameters| {
        written(get_likes::answer(app, parameters))
    }),
    ("fm.plyr.feed.getTrack", |app, parameters| {
        written(get_track::answer(app, parameters))
    }),
    ("fm.plyr.feed.getTracks", |app, parameters| {
        written(get_tracks::answer(app, parameters))
    }),
    ("fm.plyr.graph.getActorLists", |app, parameters| {
        written(get_actor_lists::answer(app, parameters))
    }),
    ("fm.plyr.graph.getList", |app, parameters| {
        written(get_list::answer(app, parameters))
    }),
    ("fm.plyr.graph.getListsWithItem", |app, parameters| {
        written(get_lists_with_item::answer(app, parameters))
    }),
    ("fm.plyr.stats.getStats", |app, parameters| {
        written(get_stats::answer(app, parameters))
    }),
    ("fm.plyr.sync.getCoverage", |app, parameters| {
        written(get_coverage::answer(app, parameters))
    }),
    ("fm.plyr.sync.getQuarantine", |app, parameters| {
        written(get_quarantine::answer(app, parameters))
    }),
];

/// An answer, as the value it stands for.
fn written<'a, Output: Typed>(
    answer: impl Future<Output = Result<Output, XrpcError>> + Send + 'a,
) -> BoxFuture<'a, Result<Ipld, XrpcError>> {
    Box::pin(async move { Ok(answer.await?.write()) })
}

/// Answers a call to `/xrpc/<path>`.
pub async fn dispatch(
    app: &App,
    verb: &Method,
    path: &str,
    query: &str,
) -> Result<Ipld, XrpcError> {
    if Nsid::new(path.to_owned()).is_err() {
        return Err(XrpcError::invalid("invalid xrpc path"));
    }
    let handler = TABLE.iter().find(|(nsid, _)| *nsid == path);
    let (Some((_, handler)), Some(described)) = (handler, method(path)) else {
        let message = "there is no such method here";
        return Err(XrpcError::new(
            StatusCode::NOT_IMPLEMENTED,
            "MethodNotImplemented",
            message,
        ));
    };
    let expected = match described.kind {
        MethodKind::Procedure => Method::POST,
        MethodKind::Query | MethodKind::Subscription => Method::GET,
    };
    if *verb != expected && !(*verb == Method::HEAD && expected == Method::GET) {
        let message = format!("Incorrect HTTP method ({verb}) expected {expected}");
        return Err(XrpcError::invalid(message));
    }
    let parameters = Parameters::new(described.parse_parameters(query)?);
    let answer = handler(app, &parameters).await?;
    if cfg!(debug_assertions) {
        let broken = described.check_output(&answer);
        if !broken.is_empty() {
            tracing::error!(method = path, ?broken, "an answer breaks its lexicon");
            let message = format!("the answer breaks the lexicon: {broken:?}");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return Err(XrpcError::new(status, "InternalServerError", message));
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_and_the_documents_name_the_same_methods() {
        let described: Vec<&str> = plyr_lexicons::methods()
            .iter()
            .map(|one| one.nsid)
            .collect();
        let handled: Vec<&str> = TABLE.iter().map(|(nsid, _)| *nsid).collect();
        assert_eq!(handled, described);
    }
}
