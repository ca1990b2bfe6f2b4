//! Presenting: hydrated records as the lexicon's view types. Fields of tolerated records are cut
//! to the lexicon's lengths; the verbatim record is not.

use chrono::{DateTime, SecondsFormat};
use plyr_lexicons::generated::com_atproto_repo_strong_ref::StrongRef;
use plyr_lexicons::generated::fm_plyr_actor_defs::{ProfileView, ProfileViewBasic};
use plyr_lexicons::generated::fm_plyr_feed_defs::{CommentView, LikeView, TrackView};
use plyr_lexicons::generated::fm_plyr_graph_defs::ListView;
use plyr_lexicons::typed::{Fields, List, Typed};
use plyr_lexicons::{Ipld, SortAt, Verdict};
use plyr_schemas::{Actor, ActorTotals};

use super::Hydrated;

/// Longest title, name or artist shown, in bytes.
const LONGEST_NAME: usize = 256;
const LONGEST_COMMENT: usize = 1_000;
const LONGEST_BIO: usize = 2_560;
/// Labels shown of one record, and the longest, in bytes.
const MOST_LABELS: usize = 10;
const LONGEST_LABEL: usize = 128;
/// Largest integer that every JSON client reads exactly (2^53 - 1).
const LARGEST_INTEGER: i64 = 9_007_199_254_740_991;

fn field<'a>(record: &'a Ipld, name: &str) -> Option<&'a Ipld> {
    match record {
        Ipld::Map(fields) => fields.get(name),
        _ => None,
    }
}

/// A text field, cut to so many bytes at a character's border.
fn text(record: &Ipld, name: &str, longest: usize) -> Option<String> {
    match field(record, name) {
        Some(Ipld::String(text)) => Some(text[..text.floor_char_boundary(longest)].to_owned()),
        _ => None,
    }
}

fn integer(record: &Ipld, name: &str) -> Option<i64> {
    match field(record, name) {
        Some(Ipld::Integer(number)) => i64::try_from(*number).ok(),
        _ => None,
    }
}

/// A time as views write it.
pub fn datetime(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A count as the language writes it.
pub fn count(size: u64) -> i64 {
    i64::try_from(size).map_or(LARGEST_INTEGER, |size| size.min(LARGEST_INTEGER))
}

/// `fm.plyr.actor.defs#profileViewBasic`
fn author(actor: &Actor) -> ProfileViewBasic {
    ProfileViewBasic {
        did: actor.did.as_str().to_owned(),
        handle: handle(actor),
        display_name: actor.display_name.clone(),
        avatar: avatar(actor),
        other: Fields::new(),
    }
}

/// The handle that the register names the actor by.
fn handle(actor: &Actor) -> String {
    let shown = actor.handle.as_ref();
    shown
        .map_or("handle.invalid", |handle| handle.as_str())
        .to_owned()
}

fn avatar(actor: &Actor) -> Option<String> {
    let (did, cid) = (actor.did.as_str(), actor.avatar.as_ref()?);
    Some(format!(
        "https://cdn.bsky.app/img/avatar/plain/{did}/{cid}@jpeg"
    ))
}

/// What every record view has.
struct Common {
    uri: String,
    cid: String,
    rev: String,
    author: ProfileViewBasic,
    sort_at: String,
    indexed_at: String,
    tolerated: Option<bool>,
}

fn common(hydrated: &Hydrated) -> Common {
    let record = &hydrated.record;
    Common {
        uri: record.uri.to_string(),
        cid: record.cid.to_string(),
        rev: record.rev.to_string(),
        author: author(&hydrated.author),
        sort_at: SortAt::of(&hydrated.value, record.uri.rkey.as_str()).to_string(),
        indexed_at: datetime(record.seen_at),
        tolerated: (record.judgement.verdict == Verdict::Tolerated).then_some(true),
    }
}

/// `fm.plyr.feed.defs#trackView`
pub fn track(hydrated: Hydrated) -> TrackView {
    let Common {
        uri,
        cid,
        rev,
        author,
        sort_at,
        indexed_at,
        tolerated,
    } = common(&hydrated);
    let Hydrated { value, counts, .. } = hydrated;
    let duration_ms = integer(&value, "duration").and_then(|seconds| seconds.checked_mul(1000));
    TrackView {
        uri,
        cid,
        rev,
        author,
        sort_at,
        indexed_at,
        tolerated,
        title: text(&value, "title", LONGEST_NAME).unwrap_or_default(),
        duration_ms: duration_ms.filter(|millis| (0..=LARGEST_INTEGER).contains(millis)),
        like_count: count(counts.likes),
        comment_count: count(counts.comments),
        list_count: count(counts.lists),
        labels: self_labels(&value),
        record: value,
        other: Fields::new(),
    }
}

/// Distinct labels the author gave, in order; none from a union member we don't know.
fn self_labels(record: &Ipld) -> Option<List<String>> {
    let labels = field(record, "labels")?;
    let known = "com.atproto.label.defs#selfLabels";
    if plyr_lexicons::typed::type_of(labels) != Some(known) {
        return None;
    }
    let Some(Ipld::List(values)) = field(labels, "values") else {
        return None;
    };
    let mut found: Vec<String> = Vec::new();
    for value in values.iter().take(MOST_LABELS) {
        match text(value, "val", LONGEST_LABEL) {
            Some(label) if !label.is_empty() && !found.contains(&label) => found.push(label),
            _ => {}
        }
    }
    (!found.is_empty()).then_some(List(found))
}

/// What a like, a comment or a list item is about; none for a record that names nothing.
pub fn subject(record: &Ipld) -> Option<StrongRef> {
    StrongRef::read(field(record, "subject")?.clone()).ok()
}

/// `fm.plyr.feed.defs#likeView`
pub fn like(hydrated: Hydrated) -> Option<LikeView> {
    let Common {
        uri,
        cid,
        rev,
        author,
        sort_at,
        indexed_at,
        tolerated,
    } = common(&hydrated);
    Some(LikeView {
        uri,
        cid,
        rev,
        author,
        sort_at,
        indexed_at,
        tolerated,
        subject: subject(&hydrated.value)?,
        record: hydrated.value,
        other: Fields::new(),
    })
}

/// `fm.plyr.feed.defs#commentView`
pub fn comment(hydrated: Hydrated) -> Option<CommentView> {
    let Common {
        uri,
        cid,
        rev,
        author,
        sort_at,
        indexed_at,
        tolerated,
    } = common(&hydrated);
    let value = hydrated.value;
    Some(CommentView {
        uri,
        cid,
        rev,
        author,
        sort_at,
        indexed_at,
        tolerated,
        subject: subject(&value)?,
        text: text(&value, "text", LONGEST_COMMENT).unwrap_or_default(),
        timestamp_ms: integer(&value, "timestampMs").unwrap_or_default().max(0),
        record: value,
        other: Fields::new(),
    })
}

/// `fm.plyr.graph.defs#listView`
pub fn list(hydrated: Hydrated) -> ListView {
    let Common {
        uri,
        cid,
        rev,
        author,
        sort_at,
        indexed_at,
        tolerated,
    } = common(&hydrated);
    let value = hydrated.value;
    ListView {
        uri,
        cid,
        rev,
        author,
        sort_at,
        indexed_at,
        tolerated,
        name: text(&value, "name", LONGEST_NAME),
        list_type: text(&value, "listType", LONGEST_NAME),
        item_count: count(items(&value).len() as u64),
        record: value,
        other: Fields::new(),
    }
}

/// A list's items, in order.
pub fn items(record: &Ipld) -> &[Ipld] {
    match field(record, "items") {
        Some(Ipld::List(items)) => items,
        _ => &[],
    }
}

/// `fm.plyr.actor.defs#profileView`
pub fn profile(actor: &Actor, totals: &ActorTotals, record: Option<Hydrated>) -> ProfileView {
    let record = record.map(|hydrated| hydrated.value);
    ProfileView {
        did: actor.did.as_str().to_owned(),
        handle: handle(actor),
        display_name: actor.display_name.clone(),
        avatar: avatar(actor),
        bio: record
            .as_ref()
            .and_then(|record| text(record, "bio", LONGEST_BIO)),
        record,
        track_count: count(totals.tracks),
        album_count: count(totals.albums),
        playlist_count: count(totals.playlists),
        like_count: count(totals.likes),
        comment_count: count(totals.comments),
        duration_seconds: count(totals.duration_seconds),
        other: Fields::new(),
    }
}
