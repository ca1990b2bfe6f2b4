//! `fm.plyr.feed.getActorTracks`: an actor's tracks, newest first.

use plyr_schemas::Index;
use serde_json::Value;

use crate::App;
use crate::actor;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::page::{self, Wanted};
use crate::view::present;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Value, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let did = actor::resolve(app, snapshot.as_ref(), &parameters.actor("actor")?).await?;
    let list = ListName::new("fm.plyr.feed.getActorTracks", &[did.as_str()]);
    let wanted = Wanted {
        list: &list,
        index: Index::ActorTracks(did),
        after: list.position(parameters.optional("cursor"))?,
        limit: parameters.limit(),
        once_an_actor: false,
    };
    let page = page::fill(&app.namespace, snapshot.as_ref(), wanted).await?;
    let views = page
        .rows
        .iter()
        .map(|(_, row)| present::track(row).into())
        .collect();
    Ok(present::answer("tracks", views, page.cursor))
}
