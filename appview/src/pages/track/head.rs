//! What others read of the page: search engines, and whoever shows a link to it.

use maud::{Markup, PreEscaped, html};
use plyr_lexicons::generated::fm_plyr_media_defs::{CoverView, Source};

/// Characters of the description that a link is shown with.
const LONGEST_ABOUT: usize = 300;

/// What is told of a track.
pub struct Told<'a> {
    pub title: &'a str,
    pub artist: &'a str,
    pub about: Option<&'a str>,
    /// Where the page is.
    pub url: String,
    /// The record.
    pub uri: String,
    pub duration_ms: Option<i64>,
    pub cover: Option<&'a CoverView>,
    pub audio: Option<&'a Source>,
}

pub fn of_every_page(title: &str, style: &'static str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        title { (title) }
        style { (PreEscaped(style)) }
    }
}

/// OpenGraph (<https://ogp.me>), Twitter's card, and the record that the page is of.
pub fn of_track(told: &Told<'_>) -> Markup {
    let about = match told.about.map(shortened) {
        Some(about) if !about.is_empty() => about,
        _ => format!("A track by {}", told.artist),
    };
    let name = format!("{} by {}", told.title, told.artist);
    let cover = told
        .cover
        .map(|cover| cover.full.as_deref().unwrap_or(&cover.url));
    // What nobody checked is not told on.
    let audio = told.audio.filter(|audio| audio.verified);
    html! {
        link rel="canonical" href=(told.url);
        meta name="at:canonical" content=(told.uri);
        meta name="description" content=(about);
        meta property="og:site_name" content="plyr";
        meta property="og:type" content="music.song";
        meta property="og:title" content=(name);
        meta property="og:description" content=(about);
        meta property="og:url" content=(told.url);
        @if let Some(millis) = told.duration_ms {
            meta property="music:duration" content=((millis.max(0) + 500) / 1000);
        }
        @if let Some(cover) = cover {
            meta property="og:image" content=(cover);
            meta property="og:image:alt" content={ "Cover of " (name) };
        }
        @if let Some(audio) = audio {
            meta property="og:audio" content=(audio.url);
            @if let Some(kind) = &audio.media_type {
                meta property="og:audio:type" content=(kind);
            }
        }
        meta name="twitter:card" content="summary";
        meta name="twitter:title" content=(name);
        meta name="twitter:description" content=(about);
        @if let Some(cover) = cover { meta name="twitter:image" content=(cover); }
    }
}

/// In one line, and not much of it.
fn shortened(about: &str) -> String {
    let words: Vec<&str> = about.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST_ABOUT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
