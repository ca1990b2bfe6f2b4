//! `fm.plyr.feed.getLatest`: the network's tracks, newest first. What lies more than five minutes
//! in the future waits until then, so that nobody pins a track to the top.

use plyr_lexicons::generated::fm_plyr_feed_get_latest::Output;
use plyr_lexicons::typed::{Fields, List};
use plyr_lexicons::{Collection, RecordKey, RecordUri};
use plyr_schemas::{Index, Position};

use crate::App;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::media::Shelf;
use crate::parameters::Parameters;
use crate::view::page::{self, Wanted};
use crate::view::present;

/// How far in the future a track may lie, in microseconds.
const AHEAD: i64 = 300 * 1_000_000;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let list = ListName::new("fm.plyr.feed.getLatest", &[]);
    let after = match list.position(parameters.optional("cursor"))? {
        Some(position) => Some(position),
        None => beginning(app, chrono::Utc::now().timestamp_micros() + AHEAD),
    };
    let wanted = Wanted {
        list: &list,
        index: Index::LatestTracks,
        after,
        limit: parameters.limit(),
        once_an_actor: false,
    };
    let page = page::fill(&app.namespace, snapshot.as_ref(), wanted).await?;
    let shelf = Shelf::look(app, snapshot.as_ref(), page.rows.iter().collect()).await?;
    let view = |track| present::track(track, &shelf);
    Ok(Output {
        tracks: List(page.rows.into_iter().map(view).collect()),
        cursor: page.cursor,
        other: Fields::new(),
    })
}

/// A place before everything that is not later than a time.
fn beginning(app: &App, latest: i64) -> Option<Position> {
    let did = plyr_lexicons::Did::new("did:a:a".to_owned()).ok()?;
    let rkey = RecordKey::new("0".to_owned()).ok()?;
    let uri = RecordUri::new(did, app.namespace.nsid(Collection::Track).clone(), rkey);
    Some(Position {
        major: latest.saturating_neg(),
        minor: i64::MIN,
        uri,
    })
}
