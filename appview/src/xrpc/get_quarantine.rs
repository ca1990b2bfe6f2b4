//! `fm.plyr.sync.getQuarantine`: what was refused, and why; newest first.

use plyr_lexicons::generated::fm_plyr_sync_get_quarantine::{Entry, Output};
use plyr_lexicons::typed::{Fields, List};
use plyr_schemas::QuarantineEntry;

use crate::App;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::present;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let list = ListName::new("fm.plyr.sync.getQuarantine", &[]);
    let place = list.open(parameters.optional("cursor"))?;
    let after = match &place {
        Some(place) => {
            let read = place
                .split_once(' ')
                .and_then(|(at, id)| Some((at.parse().ok()?, id)));
            Some(read.ok_or_else(|| XrpcError::invalid("cursor: names no place"))?)
        }
        None => None,
    };
    let limit = parameters.limit();
    let mut entries = snapshot.quarantine(after, limit + 1).await?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let cursor = match entries.last() {
        Some(last) if more => Some(list.seal(&format!("{} {}", last.seen_at, last.id))),
        _ => None,
    };
    Ok(Output {
        entries: List(entries.into_iter().map(view).collect()),
        cursor,
        other: Fields::new(),
    })
}

fn view(entry: QuarantineEntry) -> Entry {
    Entry {
        id: entry.id,
        reason: entry.reason,
        detail: entry.detail,
        source: entry.source,
        seen_at: present::datetime(entry.seen_at),
        uri: entry.uri.map(|uri| uri.to_string()),
        did: entry.did.map(|did| did.as_str().to_owned()),
        rev: entry.rev.map(|rev| rev.to_string()),
        cid: entry.cid,
        other: Fields::new(),
    }
}
