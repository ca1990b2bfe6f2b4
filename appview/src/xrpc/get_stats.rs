//! `fm.plyr.stats.getStats`: what this instance holds of the network.

use serde_json::{Value, json};

use crate::App;
use crate::error::XrpcError;
use crate::parameters::Parameters;

pub async fn answer(app: &App, _parameters: &Parameters) -> Result<Value, XrpcError> {
    let totals = app.store.snapshot().await?.totals().await?;
    let sums = totals.sums;
    Ok(json!({
        "trackCount": sums.tracks,
        "artistCount": totals.artists,
        "likeCount": sums.likes,
        "commentCount": sums.comments,
        "listCount": sums.lists,
        "durationSeconds": sums.duration_seconds,
    }))
}
