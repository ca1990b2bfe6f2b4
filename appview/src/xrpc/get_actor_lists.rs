//! `fm.plyr.graph.getActorLists`: an actor's lists, newest first.

use plyr_lexicons::generated::fm_plyr_graph_get_actor_lists::Output;
use plyr_lexicons::typed::{Fields, List};
use plyr_schemas::Index;

use crate::App;
use crate::actor;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::page::{self, Wanted};
use crate::view::present;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let did = actor::resolve(app, snapshot.as_ref(), &parameters.actor("actor")?).await?;
    let list_type = parameters.optional("listType");
    let parts = [did.as_str(), list_type.unwrap_or("*")];
    let list = ListName::new("fm.plyr.graph.getActorLists", &parts);
    let index = match list_type {
        Some(list_type) => Index::ActorListsOfType(did, list_type.to_owned()),
        None => Index::ActorLists(did),
    };
    let wanted = Wanted {
        list: &list,
        index,
        after: list.position(parameters.optional("cursor"))?,
        limit: parameters.limit(),
        once_an_actor: false,
    };
    let page = page::fill(&app.namespace, snapshot.as_ref(), wanted).await?;
    Ok(Output {
        lists: List(page.rows.into_iter().map(present::list).collect()),
        cursor: page.cursor,
        other: Fields::new(),
    })
}
