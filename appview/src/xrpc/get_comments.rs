//! `fm.plyr.feed.getComments`: a track's comments.

use plyr_lexicons::generated::fm_plyr_feed_get_comments::Output;
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
    let sort = parameters.text("sort");
    let list = ListName::new("fm.plyr.feed.getComments", &[sort, &subject]);
    let wanted = Wanted {
        list: &list,
        index: match sort {
            "time" => Index::SubjectCommentsByTime(subject.clone()),
            _ => Index::SubjectCommentsByPosition(subject.clone()),
        },
        after: list.position(parameters.optional("cursor"))?,
        limit: parameters.limit(),
        once_an_actor: false,
    };
    let page = page::fill(&app.namespace, snapshot.as_ref(), wanted).await?;
    Ok(Output {
        comments: List(page.rows.into_iter().filter_map(present::comment).collect()),
        cursor: page.cursor,
        uri: subject,
        other: Fields::new(),
    })
}
