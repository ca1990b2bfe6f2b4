//! `fm.plyr.search.typeahead`: a few hits of all types, for a search box at every key.

use plyr_lexicons::generated::fm_plyr_search_typeahead::Output;
use plyr_lexicons::typed::{Fields, List};
use plyr_search::Filters;

use crate::App;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::search::{Asked, Speed, find, suggestion};
use crate::xrpc::query::kinds;

const METHOD: &str = "fm.plyr.search.typeahead";

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let filters = Filters {
        kinds: kinds(parameters),
        ..Filters::default()
    };
    let words = parameters.text("q");
    let hits = find(
        app,
        Asked {
            method: METHOD,
            parameter: "q",
            words,
            filters,
            list: ListName::new(METHOD, &[words]),
            cursor: None,
            limit: parameters.limit(),
            count: false,
            speed: Speed::Key,
            admits: |_| true,
        },
    );
    let hits = hits.await?;
    let partial = hits.is_partial;
    Ok(Output {
        hits: List(hits.write(app, suggestion).await?),
        partial,
        other: Fields::new(),
    })
}
