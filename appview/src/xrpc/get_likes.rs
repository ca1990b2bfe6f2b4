//! `fm.plyr.feed.getLikes`: who likes a track, newest first; each actor once.

use plyr_schemas::Index;
use serde_json::Value;

use crate::App;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::page::{self, Wanted};
use crate::view::present;
use crate::xrpc::subject::subject;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Value, XrpcError> {
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
    let views = page
        .rows
        .iter()
        .map(|(_, row)| present::like(row).into())
        .collect();
    let mut answer = present::answer("likes", views, page.cursor);
    answer["uri"] = subject.into();
    Ok(answer)
}
