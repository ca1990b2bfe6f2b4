//! `fm.plyr.actor.searchActors`: artists by display name, handle and bio.

use plyr_lexicons::generated::fm_plyr_actor_search_actors::Output;
use plyr_lexicons::typed::{Fields, List};
use plyr_search::{Filters, Kind};

use crate::App;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::search::{Asked, Speed, find, profile};

const METHOD: &str = "fm.plyr.actor.searchActors";

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let words = parameters.text("q");
    let hits = find(
        app,
        Asked {
            method: METHOD,
            parameter: "q",
            words,
            filters: Filters {
                kinds: vec![Kind::Artist],
                ..Filters::default()
            },
            list: ListName::new(METHOD, &[words]),
            cursor: parameters.optional("cursor"),
            limit: parameters.limit(),
            count: false,
            speed: Speed::Page,
            admits: |_| true,
        },
    );
    let hits = hits.await?;
    let (partial, cursor) = (hits.is_partial, hits.cursor.clone());
    let profiles = hits.into_shown().0.into_iter().filter_map(profile);
    Ok(Output {
        profiles: List(profiles.collect()),
        cursor,
        partial,
        other: Fields::new(),
    })
}
