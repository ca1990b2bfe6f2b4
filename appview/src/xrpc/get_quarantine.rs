//! `fm.plyr.sync.getQuarantine`: what was refused, and why; newest first.

use plyr_schemas::QuarantineEntry;
use serde_json::{Value, json};

use crate::App;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::present;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Value, XrpcError> {
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
    Ok(present::answer(
        "entries",
        entries.iter().map(view).collect(),
        cursor,
    ))
}

fn view(entry: &QuarantineEntry) -> Value {
    let mut view = json!({
        "id": entry.id,
        "reason": entry.reason,
        "detail": entry.detail,
        "source": entry.source,
        "seenAt": present::datetime(entry.seen_at),
    });
    let known = [
        ("uri", entry.uri.as_ref().map(ToString::to_string)),
        ("did", entry.did.as_ref().map(|did| did.as_str().to_owned())),
        ("rev", entry.rev.map(|rev| rev.to_string())),
        ("cid", entry.cid.clone()),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            view[name] = value.into();
        }
    }
    view
}
