//! `fm.plyr.feed.getLikes`: who likes a track, newest first; each actor once.

use plyr_lexicons::generated::fm_plyr_feed_get_likes::Output;
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
    let list = ListName::new("fm.plyr.feed.getLikes", &[&subject]);
    let wanted = Wanted {
        list: &list,
        index: Index::SubjectLikes(subject.clone()),
        after: list.position(parameters.optional("cursor"))?,
        limit: parameters.limit(),
        once_an_actor: true,
    };
    let page = page::fill(&app.namespace, snapshot.as_ref(), wanted).await?;
    Ok(Output {
        likes: List(page.rows.into_iter().filter_map(present::like).collect()),
        cursor: page.cursor,
        uri: subject,
        other: Fields::new(),
    })
}
