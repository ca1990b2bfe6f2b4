//! One table: NSID → handler.

use futures_util::future::BoxFuture;
use plyr_lexicons::{Ipld, MethodKind, Nsid, Typed, method};
use warp::http::{Method, StatusCode};
use warp::reply::Response;

use crate::App;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::server::Asking;
use crate::xrpc::{
    get_actor_likes, get_actor_lists, get_actor_tracks, get_audio, get_comments, get_coverage,
    get_image, get_latest, get_likes, get_list, get_lists_with_item, get_playback, get_profile,
    get_profiles, get_quarantine, get_record, get_stats, get_subject_status, get_track, get_tracks,
    list_records, mention_search, query, resolve_handle, search_actors, typeahead,
    update_subject_status,
};

/// Answers one call.
type Handler = for<'a> fn(&'a App, &'a Parameters) -> BoxFuture<'a, Result<Ipld, XrpcError>>;

/// Answers one call with bytes, however they are to be sent.
type BytesHandler =
    for<'a> fn(&'a App, &'a Parameters, &'a Asking) -> BoxFuture<'a, Result<Response, XrpcError>>;

/// What a call is answered with.
pub enum Answer {
    Value(Ipld),
    Bytes(Box<Response>),
}

/// Every method that answers with bytes, by NSID.
pub const BYTES: &[(&str, BytesHandler)] = &[
    ("fm.plyr.media.getAudio", |app, parameters, asking| {
        Box::pin(get_audio::answer(app, parameters, asking))
    }),
    ("fm.plyr.media.getImage", |app, parameters, asking| {
        Box::pin(get_image::answer(app, parameters, asking))
    }),
];

/// Every other method, by NSID.
pub const TABLE: &[(&str, Handler)] = &[
    ("com.atproto.admin.getSubjectStatus", |app, parameters| {
        written(get_subject_status::answer(app, parameters))
    }),
    (
        "com.atproto.admin.updateSubjectStatus",
        |app, parameters| written(update_subject_status::answer(app, parameters)),
    ),
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
    ("fm.plyr.actor.searchActors", |app, parameters| {
        written(search_actors::answer(app, parameters))
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
    ("fm.plyr.media.getPlayback", |app, parameters| {
        written(get_playback::answer(app, parameters))
    }),
    ("fm.plyr.search.query", |app, parameters| {
        written(query::answer(app, parameters))
    }),
    ("fm.plyr.search.typeahead", |app, parameters| {
        written(typeahead::answer(app, parameters))
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
    ("parts.page.mention.search", |app, parameters| {
        written(mention_search::answer(app, parameters))
    }),
];

/// An answer, as the value it stands for.
fn written<'a, Output: Typed>(
    answer: impl Future<Output = Result<Output, XrpcError>> + Send + 'a,
) -> BoxFuture<'a, Result<Ipld, XrpcError>> {
    Box::pin(async move { Ok(answer.await?.write()) })
}

/// Whether a method answers with bytes.
pub fn answers_bytes(path: &str) -> bool {
    BYTES.iter().any(|(nsid, _)| *nsid == path)
}

/// Answers a call to `/xrpc/<path>`; `input` is the body of a procedure.
pub async fn dispatch(
    app: &App,
    path: &str,
    query: &str,
    asking: &Asking,
    input: Option<Ipld>,
) -> Result<Answer, XrpcError> {
    let verb = &asking.verb;
    if Nsid::new(path.to_owned()).is_err() {
        return Err(XrpcError::invalid("invalid xrpc path"));
    }
    let of_bytes = BYTES.iter().find(|(nsid, _)| *nsid == path);
    let handler = TABLE.iter().find(|(nsid, _)| *nsid == path);
    let is_handled = of_bytes.is_some() || handler.is_some();
    let Some(described) = method(path).filter(|_| is_handled) else {
        return Err(no_such_method());
    };
    let expected = match described.kind {
        MethodKind::Procedure => Method::POST,
        MethodKind::Query | MethodKind::Subscription => Method::GET,
    };
    if *verb != expected && !(*verb == Method::HEAD && expected == Method::GET) {
        let message = format!("Incorrect HTTP method ({verb}) expected {expected}");
        return Err(XrpcError::invalid(message));
    }
    let parameters = Parameters::new(described.parse_parameters(query)?).with_input(input);
    if let Some((_, handler)) = of_bytes {
        let response = handler(app, &parameters, asking).await?;
        return Ok(Answer::Bytes(Box::new(response)));
    }
    let Some((_, handler)) = handler else {
        return Err(no_such_method());
    };
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
    Ok(Answer::Value(answer))
}

fn no_such_method() -> XrpcError {
    let message = "there is no such method here";
    XrpcError::new(StatusCode::NOT_IMPLEMENTED, "MethodNotImplemented", message)
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
        let with_bytes = BYTES.iter().map(|(nsid, _)| *nsid);
        let with_values = TABLE.iter().map(|(nsid, _)| *nsid);
        let mut handled: Vec<&str> = with_values.chain(with_bytes).collect();
        handled.sort_unstable();
        assert_eq!(handled, described);
    }
}
