//! `fm.plyr.search.query`: what a listener's words find, the best first.

use plyr_lexicons::generated::fm_plyr_search_query::Output;
use plyr_lexicons::typed::{Fields, List};
use plyr_search::{Filters, Key, Kind};

use crate::App;
use crate::actor;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::search::{Asked, Speed, find, hit};
use crate::view::present::count;

const METHOD: &str = "fm.plyr.search.query";

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    app.search.expect_index()?;
    let author = match parameters.optional_actor("author")? {
        Some(author) => {
            // Of its own: an answer from outside may take seconds.
            let snapshot = app.store.snapshot().await?;
            Some(actor::resolve(app, snapshot.as_ref(), &author).await?)
        }
        None => None,
    };
    let filters = Filters {
        kinds: kinds(parameters),
        author: author.as_ref().map(|did| Key::of(did.as_str())),
        min_duration: parameters.number("minDuration"),
        max_duration: parameters.number("maxDuration"),
        after: parameters.time("since")?,
        before: parameters.time("until")?,
    };
    let words = parameters.text("q");
    // The words stand last: they alone may hold anything.
    let chosen = format!("{filters:?}");
    let hits = find(
        app,
        Asked {
            method: METHOD,
            parameter: "q",
            words,
            filters,
            list: ListName::new(METHOD, &[&chosen, words]),
            cursor: parameters.optional("cursor"),
            limit: parameters.limit(),
            count: true,
            speed: Speed::Page,
            admits: |_| true,
        },
    );
    let hits = hits.await?;
    let (total, partial, cursor) = (hits.total, hits.is_partial, hits.cursor.clone());
    Ok(Output {
        hits: List(hits.write(app, hit).await?),
        cursor,
        hits_total: count(total.count),
        total_exact: total.is_exact,
        partial,
        other: Fields::new(),
    })
}

/// The kinds of hits that are asked for, each once; empty for all.
pub fn kinds(parameters: &Parameters) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = parameters
        .texts("type")
        .into_iter()
        .filter_map(|name| match name {
            "track" => Some(Kind::Track),
            "artist" => Some(Kind::Artist),
            "album" => Some(Kind::Album),
            "playlist" => Some(Kind::Playlist),
            "tag" => Some(Kind::Tag),
            _ => None, // the document lets no other through
        })
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
