//! Presenting: hydrated records as the lexicon's view types. Fields of tolerated records are cut
//! to the lexicon's lengths; the verbatim record is not.

use chrono::{DateTime, SecondsFormat};
use plyr_lexicons::generated::com_atproto_repo_strong_ref::StrongRef;
use plyr_lexicons::generated::fm_plyr_actor_defs::{ProfileView, ProfileViewBasic};
use plyr_lexicons::generated::fm_plyr_feed_defs::{CommentView, LikeView, TrackView};
use plyr_lexicons::generated::fm_plyr_graph_defs::ListView;
use plyr_lexicons::generated::fm_plyr_media_defs::MediaView;
use plyr_lexicons::typed::{Fields, List, Typed};
use plyr_lexicons::validate::cut;
use plyr_lexicons::{Ipld, SortAt, Verdict};
use plyr_schemas::{Actor, ActorTotals};

use super::Hydrated;
use crate::media::Shelf;

/// How long a text is shown.
#[derive(Clone, Copy)]
struct Longest {
    bytes: usize,
    /// Where the document bounds them.
    graphemes: Option<usize>,
}

impl Longest {
    const fn bytes(bytes: usize) -> Longest {
        Longest {
            bytes,
            graphemes: None,
        }
    }

    const fn graphemes(graphemes: usize, bytes: usize) -> Longest {
        Longest {
            bytes,
            graphemes: Some(graphemes),
        }
    }

    fn of(self, text: &str) -> String {
        cut(text, self.bytes, self.graphemes).to_owned()
    }
}

/// A track's title.
const TITLE: Longest = Longest::bytes(256);
/// What is said about a track.
const DESCRIPTION: Longest = Longest::bytes(5_000);
/// A list's name.
const NAME: Longest = Longest::graphemes(64, 256);
/// A list's type, which its document doesn't bound.
const LIST_TYPE: Longest = Longest::bytes(256);
const COMMENT: Longest = Longest::bytes(1_000);
const BIO: Longest = Longest::graphemes(256, 2_560);
const DISPLAY_NAME: Longest = Longest::graphemes(64, 640);
const LABEL: Longest = Longest::bytes(128);
/// Labels shown of one record.
const MOST_LABELS: usize = 10;
/// Largest integer that every JSON client reads exactly (2^53 - 1).
const LARGEST_INTEGER: i64 = 9_007_199_254_740_991;

/// A field of a record; none of what is no map.
pub fn field<'a>(record: &'a Ipld, name: &str) -> Option<&'a Ipld> {
    match record {
        Ipld::Map(fields) => fields.get(name),
        _ => None,
    }
}

/// A text field, as it is.
pub fn text_of<'a>(record: &'a Ipld, name: &str) -> Option<&'a str> {
    match field(record, name) {
        Some(Ipld::String(text)) => Some(text),
        _ => None,
    }
}

/// A text field, cut.
fn text(record: &Ipld, name: &str, longest: Longest) -> Option<String> {
    text_of(record, name).map(|text| longest.of(text))
}

/// A track's title, cut.
pub fn title(record: &Ipld) -> Option<String> {
    text(record, "title", TITLE)
}

/// The name that a track is published under, cut.
pub fn artist(record: &Ipld) -> Option<String> {
    text(record, "artist", TITLE)
}

/// What a track's author says about it, cut.
pub fn description(record: &Ipld) -> Option<String> {
    text(record, "description", DESCRIPTION).filter(|about| !about.trim().is_empty())
}

/// A list's name, cut.
pub fn list_name(record: &Ipld) -> Option<String> {
    text(record, "name", NAME)
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
pub fn author(actor: &Actor) -> ProfileViewBasic {
    ProfileViewBasic {
        did: actor.did.as_str().to_owned(),
        handle: handle(actor),
        display_name: display_name(actor),
        avatar: avatar(actor),
        other: Fields::new(),
    }
}

/// Who is named in a path: by handle, if there is one.
pub fn who(actor: &Actor) -> &str {
    let handle = actor.handle.as_ref().map(|handle| handle.as_str());
    handle.unwrap_or(actor.did.as_str())
}

/// What an actor is called, if anything.
pub fn display_name(actor: &Actor) -> Option<String> {
    let name = actor.display_name.as_deref();
    name.map(|name| DISPLAY_NAME.of(name))
}

/// What stands in the place of a handle that nobody proved.
pub const NO_HANDLE: &str = "handle.invalid";

/// The handle that the register names the actor by.
fn handle(actor: &Actor) -> String {
    let shown = actor.handle.as_ref();
    shown.map_or(NO_HANDLE, |handle| handle.as_str()).to_owned()
}

/// Where an actor's picture is served.
pub fn avatar(actor: &Actor) -> Option<String> {
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

/// How long a track is: as its bytes say where they are here, else as its record says.
pub fn duration_ms(record: &Ipld, media: &MediaView) -> Option<i64> {
    let seconds = integer(record, "duration");
    let said = seconds.and_then(|seconds| seconds.checked_mul(1000));
    let said = said.filter(|millis| (0..=LARGEST_INTEGER).contains(millis));
    media.duration_ms.or(said)
}

/// `fm.plyr.feed.defs#trackView`
pub fn track(hydrated: Hydrated, shelf: &Shelf) -> TrackView {
    let (media, cover) = (shelf.media(&hydrated), shelf.cover(&hydrated));
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
    TrackView {
        uri,
        cid,
        rev,
        author,
        sort_at,
        indexed_at,
        tolerated,
        title: title(&value).unwrap_or_default(),
        duration_ms: duration_ms(&value, &media),
        media: Some(media),
        cover,
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
        match text(value, "val", LABEL) {
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
        text: text(&value, "text", COMMENT).unwrap_or_default(),
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
        name: list_name(&value),
        list_type: text(&value, "listType", LIST_TYPE),
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
        display_name: display_name(actor),
        avatar: avatar(actor),
        bio: record.as_ref().and_then(|record| text(record, "bio", BIO)),
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
