//! `/track/…` and `/at://…`: a page to play a track. It needs no script: a title, a cover, the
//! browser's own player, and what others show of a link to it.

mod head;

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, html};
use plyr_lexicons::generated::fm_plyr_media_defs::{CoverView, Source};
use plyr_lexicons::{Collection, RecordUri};
use plyr_schemas::Actor;
use sha2::{Digest, Sha256};
use url::Url;
use warp::http::StatusCode;
use warp::reply::Response;

use super::address;
use crate::App;
use crate::actor::resolve_uri;
use crate::error::XrpcError;
use crate::media::{self, Playback, Wishes};
use crate::server::{Asking, respond};
use crate::view::{Found, Hydrated, hydrate, present};

const STYLE: &str = "
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 38rem; }
body { margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1.5rem 0 0; overflow-wrap: anywhere; }
p { margin: .5rem 0; overflow-wrap: anywhere; }
img { display: block; width: 100%; max-width: 20rem; height: auto; aspect-ratio: 1; }
img { object-fit: cover; border-radius: .5rem; }
audio { width: 100%; margin: 1rem 0; }
.about { white-space: pre-wrap; margin-top: 1.5rem; }
.quiet { opacity: .75; font-size: .9rem; }
code { font-size: .9em; overflow-wrap: anywhere; }
";

/// What the page may load: its own style, pictures and sound. A redirection to where the bytes are
/// kept counts as well, so these may come from anywhere on the web.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src 'self' https: http:; \
         media-src 'self' https: http:; base-uri 'none'; form-action 'none'"
    )
});

/// Whether a path is for this page.
pub fn is_of(path: &str) -> bool {
    let is_at = path
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("/at:"));
    let is_encoded = path
        .get(..6)
        .is_some_and(|start| start.eq_ignore_ascii_case("/at%3a"));
    path.starts_with("/track/") || is_at || is_encoded
}

/// The page, or why there is none.
pub async fn answer(app: &App, path: &str, asking: &Asking) -> Result<Response, XrpcError> {
    let (status, page) = match look_up(app, path).await? {
        Page::Track(track) => {
            let snapshot = app.store.snapshot().await?;
            let is_played = !asking.caller.is_head();
            let wishes = Wishes::default();
            let playback =
                media::playback(app, snapshot.as_ref(), &track, &wishes, is_played).await?;
            (StatusCode::OK, track_page(app, &track, &playback))
        }
        Page::Missing { status, why } => (status, missing_page(why)),
    };
    Ok(respond::page(
        page.into_string(),
        status,
        &POLICY,
        &asking.caller,
    ))
}

enum Page {
    Track(Box<Hydrated>),
    Missing {
        status: StatusCode,
        why: &'static str,
    },
}

async fn look_up(app: &App, path: &str) -> Result<Page, XrpcError> {
    let missing = |status, why| Ok(Page::Missing { status, why });
    let collection = app.namespace.nsid(Collection::Track);
    let Some(uri) = address::of(path, collection.as_str()) else {
        return missing(StatusCode::NOT_FOUND, "This is no address of a track.");
    };
    let snapshot = app.store.snapshot().await?;
    let uri = match resolve_uri(app, snapshot.as_ref(), uri).await {
        Err(problem) if problem.name == "ActorNotFound" => None,
        resolved => resolved?,
    };
    let Some(uri) = uri else {
        let why = "Nobody is known by the name in this address.";
        return missing(StatusCode::NOT_FOUND, why);
    };
    if app.namespace.collection(uri.collection.as_str()) != Some(Collection::Track) {
        let why = "There are only pages of tracks here so far.";
        return missing(StatusCode::NOT_FOUND, why);
    }
    let found = hydrate(&app.namespace, snapshot.as_ref(), &[uri]).await?;
    match found.into_iter().next() {
        Some(Found::Shown(track)) => Ok(Page::Track(track)),
        Some(Found::Hidden(why)) => {
            let (status, why) = hidden(why.word());
            missing(status, why)
        }
        Some(Found::Nothing) | None => {
            let why = "No track is held here under this address. It may have been deleted.";
            missing(StatusCode::NOT_FOUND, why)
        }
    }
}

/// What is said of a track that doesn't show; gone is what isn't expected to come back.
fn hidden(word: &str) -> (StatusCode, &'static str) {
    match word {
        "accountDeleted" => (
            StatusCode::GONE,
            "The account of this track's author was deleted.",
        ),
        "accountDeactivated" => (
            StatusCode::NOT_FOUND,
            "The account of this track's author is deactivated.",
        ),
        "accountSuspended" => (
            StatusCode::NOT_FOUND,
            "The account of this track's author is suspended.",
        ),
        "accountTakenDown" => (
            StatusCode::GONE,
            "The account of this track's author was taken down.",
        ),
        "invalid" => (
            StatusCode::NOT_FOUND,
            "This track's record can't be read as its lexicon says.",
        ),
        _ => (StatusCode::GONE, "This track was taken down here."),
    }
}

fn missing_page(why: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head::of_every_page("No track", STYLE))
                meta name="robots" content="noindex";
            }
            body { main {
                h1 { "No track" }
                p { (why) }
                p { a href="/" { "What this is" } }
            } }
        }
    }
}

/// Where a track's page is.
fn address_of(public_url: &Url, author: &Actor, uri: &RecordUri) -> String {
    let mut url = public_url.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty()
            .extend(["track", present::who(author), uri.rkey.as_str()]);
    }
    url.into()
}

fn track_page(app: &App, track: &Hydrated, playback: &Playback) -> Markup {
    let title = present::title(&track.value).unwrap_or_default();
    let artist = present::artist(&track.value).unwrap_or_default();
    let about = present::description(&track.value);
    let name = format!("{title} by {artist}");
    let told = head::Told {
        title: &title,
        artist: &artist,
        about: about.as_deref(),
        url: address_of(&app.public_url, &track.author, &track.record.uri),
        uri: track.record.uri.to_string(),
        duration_ms: present::duration_ms(&track.value, &playback.media),
        cover: playback.cover.as_ref(),
        audio: playback.sources.first(),
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head::of_every_page(&name, STYLE))
                (head::of_track(&told))
            }
            body { main {
                @if let Some(cover) = &playback.cover { (picture(cover, &name)) }
                h1 { (title) }
                p {
                    (artist)
                    span.quiet {
                        " · " (present::who(&track.author))
                        @if let Some(millis) = told.duration_ms { " · " (length(millis)) }
                    }
                }
                (player(app, playback, &name))
                @if let Some(about) = &about { p.about { (about) } }
                p.quiet { code { (told.uri) } }
            } }
        }
    }
}

fn picture(cover: &CoverView, name: &str) -> Markup {
    let src = link(cover.verified, &cover.url);
    html! { img src=(src) alt={ "Cover of " (name) } width="320" height="320"; }
}

/// What is ours is named without an origin: the page may be read under another name.
fn link(is_ours: bool, url: &str) -> String {
    match url.parse::<Url>() {
        Ok(parsed) if is_ours => media::here(&parsed),
        _ => url.to_owned(),
    }
}

/// The browser's player, or what is to be said in its place.
fn player(app: &App, playback: &Playback, name: &str) -> Markup {
    let state = playback.media.state.as_str();
    let note = note(app, playback);
    if let Some(format) = &playback.for_players {
        return for_players(app, playback, format);
    }
    // What will be checked here is heard here, or not yet: a browser that is kept waiting would go
    // on to what nobody checked, and say nothing of it. Where fetching it has failed the note says
    // so, and who doesn't mind hears it from elsewhere.
    let others = match playback.own {
        Some(_) if playback.media.reason.is_none() => &[],
        _ => playback.sources.as_slice(),
    };
    html! {
        @if !others.is_empty() || playback.own.is_some() {
            audio controls preload="metadata" aria-label=(name) {
                @for source in others {
                    source src=(heard_at(app, source))
                        type=[source.media_type.as_deref()];
                }
                @if let Some(own) = &playback.own {
                    source src=(media::here(&media::streamed(own)));
                }
                "This browser plays no audio by itself. "
            }
        }
        @if let Some(note) = note { p role="status" data-state=(state) { (note) } }
    }
}

/// What is said of audio that is here and that no browser plays: a player of one's own may.
fn for_players(app: &App, playback: &Playback, format: &str) -> Markup {
    let own = playback.sources.iter().find(|source| is_ours(app, source));
    let own = own.map(|source| to_keep(&source.url));
    html! {
        p role="status" data-state="unplayable" {
            "This is " (format) ", which browsers don't play. "
            @if let Some(file) = &own {
                a href=(file) { "Take the file" }
                " to a player of your own."
            }
        }
    }
}

/// A link to the same bytes under the track's title: a browser would try to play them.
fn to_keep(url: &str) -> String {
    match url.parse::<Url>() {
        Ok(mut url) => {
            url.query_pairs_mut().append_pair("download", "true");
            media::here(&url)
        }
        Err(_) => url.to_owned(),
    }
}

/// A source for the browser's player, which seeks in it for as long as the page is open.
fn heard_at(app: &App, source: &Source) -> String {
    match source.url.parse::<Url>() {
        Ok(url) if is_ours(app, source) => media::here(&media::streamed(&url)),
        _ => source.url.clone(),
    }
}

fn is_ours(app: &App, source: &Source) -> bool {
    let url: Option<Url> = source.url.parse().ok();
    url.is_some_and(|url| url.origin() == app.public_url.origin())
}

/// What a listener is told besides: why it doesn't sound, or doesn't at once.
fn note(app: &App, playback: &Playback) -> Option<String> {
    let media = &playback.media;
    let reason = media.reason.as_deref().unwrap_or("its bytes can't be used");
    let has_sources = !playback.sources.is_empty();
    let unchecked = "What you hear comes from where its author says, and was not checked here.";
    match media.state.as_str() {
        "available" => None,
        "pending" | "notFetched" if app.fetches() && media.reason.is_some() => {
            let what = format!("This is not here yet: {reason}. It is tried again");
            Some(match has_sources {
                true => format!("{what}. {unchecked}"),
                false => format!("{what}: open this page later."),
            })
        }
        "pending" | "notFetched" if app.fetches() => Some(
            "This is being fetched from its author's server. It begins to play when it is here, \
             and has been checked; where that takes longer than half a minute, open this page \
             again."
                .to_owned(),
        ),
        "refused" => Some(format!("This can't be played here: {reason}.")),
        "gated" => Some(
            "Its author asks listeners for support first. That can't be checked here, so it \
             isn't played here."
                .to_owned(),
        ),
        "hidden" => Some("The audio of this track was taken down here.".to_owned()),
        "dropped" => Some(match has_sources {
            true => unchecked.to_owned(),
            false => "The track's author has taken its audio out of it.".to_owned(),
        }),
        _ if has_sources => Some(unchecked.to_owned()),
        "none" => Some("This track's record names no audio that could be played.".to_owned()),
        _ => Some("The audio of this track is not kept here.".to_owned()),
    }
}

/// Minutes and seconds.
fn length(millis: i64) -> String {
    let seconds = (millis.max(0) + 500) / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_people_do() {
        for (millis, told) in [
            (-1, "0:00"),
            (499, "0:00"),
            (59_500, "1:00"),
            (214_000, "3:34"),
            (3_600_000, "1:00:00"),
            (36_061_000, "10:01:01"),
        ] {
            assert_eq!(length(millis), told);
        }
    }

    #[test]
    fn paths_of_this_page_are_told_apart() {
        for path in ["/track/a/b", "/at://a", "/AT:/a", "/at%3A%2F%2Fa"] {
            assert!(is_of(path), "{path}");
        }
        for path in ["/", "/track", "/tracks/a", "/attic", "/a"] {
            assert!(!is_of(path), "{path}");
        }
    }
}
