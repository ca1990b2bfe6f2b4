//! Presenting: hydrated records as the lexicon's view types. Fields of tolerated records are cut
//! to the lexicon's lengths; the verbatim record is not.

use chrono::{DateTime, SecondsFormat};
use plyr_lexicons::{Ipld, SortAt, Verdict, data};
use plyr_schemas::{Actor, ActorTotals};
use serde_json::{Map, Value, json};

use super::Hydrated;

/// Longest title, name or artist shown, in bytes.
const LONGEST_NAME: usize = 256;
const LONGEST_COMMENT: usize = 1_000;
const LONGEST_BIO: usize = 2_560;
/// Labels shown of one record, and the longest, in bytes.
const MOST_LABELS: usize = 10;
const LONGEST_LABEL: usize = 128;

fn field<'a>(record: &'a Ipld, name: &str) -> Option<&'a Ipld> {
    match record {
        Ipld::Map(fields) => fields.get(name),
        _ => None,
    }
}

/// A text field, cut to so many bytes at a character's border.
pub fn text<'a>(record: &'a Ipld, name: &str, longest: usize) -> Option<&'a str> {
    match field(record, name) {
        Some(Ipld::String(text)) => Some(cut(text, longest)),
        _ => None,
    }
}

fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

fn time(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// `fm.plyr.actor.defs#profileViewBasic`
pub fn author(actor: &Actor) -> Map<String, Value> {
    let mut view = Map::new();
    let handle = actor
        .handle
        .as_ref()
        .map_or("handle.invalid", |handle| handle.as_str());
    view.insert("did".to_owned(), actor.did.as_str().into());
    view.insert("handle".to_owned(), handle.into());
    if let Some(name) = &actor.display_name {
        view.insert("displayName".to_owned(), name.as_str().into());
    }
    if let Some(avatar) = &actor.avatar {
        let did = actor.did.as_str();
        let url = format!("https://cdn.bsky.app/img/avatar/plain/{did}/{avatar}@jpeg");
        view.insert("avatar".to_owned(), url.into());
    }
    view
}

/// What every record view has.
fn common(hydrated: &Hydrated) -> Map<String, Value> {
    let record = &hydrated.record;
    let mut view = Map::new();
    let mut put = |name: &str, value: Value| {
        view.insert(name.to_owned(), value);
    };
    put("uri", record.uri.to_string().into());
    put("cid", record.cid.to_string().into());
    put("rev", record.rev.to_string().into());
    put("author", author(&hydrated.author).into());
    put("record", data::to_json(&hydrated.value));
    let sort_at = SortAt::of(&hydrated.value, record.uri.rkey.as_str());
    put("sortAt", sort_at.to_string().into());
    put("indexedAt", time(record.seen_at).into());
    if record.judgement.verdict == Verdict::Tolerated {
        put("tolerated", true.into());
    }
    view
}

fn put(view: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    view.insert(name.to_owned(), value.into());
}

/// `fm.plyr.feed.defs#trackView`
pub fn track(hydrated: &Hydrated) -> Map<String, Value> {
    let value = &hydrated.value;
    let mut view = common(hydrated);
    put(
        &mut view,
        "title",
        text(value, "title", LONGEST_NAME).unwrap_or_default(),
    );
    if let Some(Ipld::Integer(seconds)) = field(value, "duration")
        && let Some(millis) = i64::try_from(*seconds)
            .ok()
            .and_then(|s| s.checked_mul(1000))
    {
        put(&mut view, "durationMs", millis);
    }
    put(&mut view, "likeCount", hydrated.counts.likes);
    put(&mut view, "commentCount", hydrated.counts.comments);
    put(&mut view, "listCount", hydrated.counts.lists);
    let labels = self_labels(value);
    if !labels.is_empty() {
        put(&mut view, "labels", labels);
    }
    view
}

/// Distinct labels the author gave, in order; none from a union member we don't know.
fn self_labels(record: &Ipld) -> Vec<String> {
    let labels = field(record, "labels");
    let known = labels.and_then(|labels| field(labels, "$type"))
        == Some(&Ipld::String(
            "com.atproto.label.defs#selfLabels".to_owned(),
        ));
    let Some(Ipld::List(values)) = labels.and_then(|labels| field(labels, "values")) else {
        return Vec::new();
    };
    let mut found: Vec<String> = Vec::new();
    for value in values.iter().take(MOST_LABELS).filter(|_| known) {
        match text(value, "val", LONGEST_LABEL) {
            Some(label) if !label.is_empty() && !found.iter().any(|seen| seen == label) => {
                found.push(label.to_owned());
            }
            _ => {}
        }
    }
    found
}

fn subject(record: &Ipld) -> Value {
    field(record, "subject").map_or(Value::Null, data::to_json)
}

/// `fm.plyr.feed.defs#likeView`
pub fn like(hydrated: &Hydrated) -> Map<String, Value> {
    let mut view = common(hydrated);
    put(&mut view, "subject", subject(&hydrated.value));
    view
}

/// `fm.plyr.feed.defs#commentView`
pub fn comment(hydrated: &Hydrated) -> Map<String, Value> {
    let value = &hydrated.value;
    let mut view = common(hydrated);
    put(&mut view, "subject", subject(value));
    put(
        &mut view,
        "text",
        text(value, "text", LONGEST_COMMENT).unwrap_or_default(),
    );
    let place = match field(value, "timestampMs") {
        Some(Ipld::Integer(place)) => i64::try_from(*place).unwrap_or(i64::MAX),
        _ => 0,
    };
    put(&mut view, "timestampMs", place);
    view
}

/// `fm.plyr.graph.defs#listView`
pub fn list(hydrated: &Hydrated) -> Map<String, Value> {
    let value = &hydrated.value;
    let mut view = common(hydrated);
    for name in ["name", "listType"] {
        if let Some(shown) = text(value, name, LONGEST_NAME) {
            put(&mut view, name, shown);
        }
    }
    put(&mut view, "itemCount", items(value).len());
    view
}

/// A list's items, in order.
pub fn items(record: &Ipld) -> &[Ipld] {
    match field(record, "items") {
        Some(Ipld::List(items)) => items,
        _ => &[],
    }
}

/// `fm.plyr.actor.defs#profileView`
pub fn profile(actor: &Actor, totals: &ActorTotals, record: Option<&Hydrated>) -> Value {
    let mut view = author(actor);
    if let Some(hydrated) = record {
        if let Some(bio) = text(&hydrated.value, "bio", LONGEST_BIO) {
            put(&mut view, "bio", bio);
        }
        put(&mut view, "record", data::to_json(&hydrated.value));
    }
    put(&mut view, "trackCount", totals.tracks);
    put(&mut view, "albumCount", totals.albums);
    put(&mut view, "playlistCount", totals.playlists);
    put(&mut view, "likeCount", totals.likes);
    put(&mut view, "commentCount", totals.comments);
    put(&mut view, "durationSeconds", totals.duration_seconds);
    view.into()
}

/// An answer with a list and, where there is more, a cursor.
pub fn answer(name: &str, views: Vec<Value>, cursor: Option<String>) -> Value {
    let mut answer = json!({});
    answer[name] = views.into();
    if let Some(cursor) = cursor {
        answer["cursor"] = cursor.into();
    }
    answer
}

/// A time as views write it.
pub fn datetime(micros: i64) -> String {
    time(micros)
}
