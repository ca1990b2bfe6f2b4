//! `fm.plyr.feed.getActorTracks`: an actor's tracks, newest first.

use plyr_lexicons::generated::fm_plyr_feed_get_actor_tracks::Output;
use plyr_lexicons::typed::{Fields, List};
use plyr_schemas::Index;

use crate::App;
use crate::actor;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::media::Shelf;
use crate::parameters::Parameters;
use crate::view::page::{self, Wanted};
use crate::view::present;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
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
    let shelf = Shelf::look(app, snapshot.as_ref(), page.rows.iter().collect()).await?;
    let view = |track| present::track(track, &shelf);
    Ok(Output {
        tracks: List(page.rows.into_iter().map(view).collect()),
        cursor: page.cursor,
        other: Fields::new(),
    })
}
