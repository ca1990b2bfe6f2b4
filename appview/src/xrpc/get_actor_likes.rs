//! `fm.plyr.feed.getActorLikes`: the tracks an actor likes, newest like first; each track once.

use std::collections::HashSet;

use plyr_lexicons::{Collection, RecordUri};
use plyr_schemas::Index;
use serde_json::{Value, json};

use crate::App;
use crate::actor;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::page::{self, Wanted};
use crate::view::{present, shown};

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Value, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let did = actor::resolve(app, snapshot.as_ref(), &parameters.actor("actor")?).await?;
    let list = ListName::new("fm.plyr.feed.getActorLikes", &[did.as_str()]);
    let wanted = Wanted {
        list: &list,
        index: Index::ActorLikes(did.clone()),
        after: list.position(parameters.optional("cursor"))?,
        limit: parameters.limit(),
        once_an_actor: false,
    };
    let page = page::fill(&app.namespace, snapshot.as_ref(), wanted).await?;
    let subject_of = |row: &crate::view::Hydrated| -> Option<RecordUri> {
        let uri: RecordUri = plyr_schemas::index::subject_of(&row.value)?.parse().ok()?;
        let collection = app.namespace.collection(uri.collection.as_str());
        (collection == Some(Collection::Track)).then_some(uri)
    };
    let likes: Vec<_> = page
        .rows
        .iter()
        .filter_map(|(_, row)| Some((subject_of(row)?, row)))
        .collect();
    let subjects: Vec<RecordUri> = likes.iter().map(|(subject, _)| subject.clone()).collect();
    let pairs: Vec<_> = subjects
        .iter()
        .map(|uri| (uri.to_string(), did.clone()))
        .collect();
    let tracks = shown(&app.namespace, snapshot.as_ref(), &subjects);
    let firsts = async { Ok(snapshot.first_likes(&pairs).await?) };
    let (tracks, firsts) = tokio::try_join!(tracks, firsts)?;
    let mut seen = HashSet::new();
    let mut views: Vec<Value> = Vec::new();
    for ((subject, like), first) in likes.iter().zip(firsts) {
        let is_first = first.as_ref() == Some(&like.record.uri) && seen.insert(subject);
        if let (true, Some(track)) = (is_first, tracks.get(subject)) {
            views.push(json!({ "like": present::like(like), "track": present::track(track) }));
        }
    }
    Ok(present::answer("likes", views, page.cursor))
}
