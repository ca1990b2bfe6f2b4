//! `fm.plyr.graph.getListsWithItem`: lists that hold a track, newest first.

use plyr_lexicons::generated::fm_plyr_graph_get_lists_with_item::Output;
use plyr_lexicons::typed::{Fields, List};
use plyr_schemas::Index;

use crate::App;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::page::{self, Wanted};
use crate::view::present;
use crate::xrpc::subject::subject;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let subject = subject(app, snapshot.as_ref(), parameters.at_uri("uri")?).await?;
    let list = ListName::new("fm.plyr.graph.getListsWithItem", &[&subject]);
    let wanted = Wanted {
        list: &list,
        index: Index::ListsWithItem(subject),
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
