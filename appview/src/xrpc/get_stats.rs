//! `fm.plyr.stats.getStats`: what this instance holds of the network.

use plyr_lexicons::generated::fm_plyr_stats_get_stats::Output;
use plyr_lexicons::typed::Fields;

use crate::App;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::present::count;

pub async fn answer(app: &App, _parameters: &Parameters) -> Result<Output, XrpcError> {
    let totals = app.store.snapshot().await?.totals().await?;
    let sums = totals.sums;
    Ok(Output {
        track_count: count(sums.tracks),
        artist_count: count(totals.artists),
        like_count: count(sums.likes),
        comment_count: count(sums.comments),
        list_count: count(sums.lists),
        duration_seconds: count(sums.duration_seconds),
        other: Fields::new(),
    })
}
