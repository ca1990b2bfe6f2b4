//! `parts.page.mention.search`: what can be mentioned in a document, as Leaflet asks for it.

use plyr_lexicons::generated::parts_page_mention_search::{
    Embed, Label, Mention, Output, Subscope,
};
use plyr_lexicons::typed::{Fields, List};
use plyr_lexicons::validate::is_format;
use plyr_schemas::Actor;
use plyr_search::{Filters, Kind};
use url::Url;

use crate::App;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::media::Shelf;
use crate::parameters::Parameters;
use crate::search::{Asked, Shown, Speed, Thing, find};
use crate::view::Hydrated;
use crate::view::present::{self, who};

const METHOD: &str = "parts.page.mention.search";

/// Characters below which nothing is looked for.
const LEAST: usize = 2;
/// Sizes of players, in pixels.
const WIDTH: i64 = 600;
const HEIGHT_OF_TRACK: i64 = 160;
const HEIGHT: i64 = 400;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let words = parameters.text("search");
    if words.chars().count() < LEAST {
        return Ok(Output {
            results: List(Vec::new()),
            other: Fields::new(),
        });
    }
    let scope = parameters.optional("scope").and_then(Scope::named);
    let filters = Filters {
        kinds: scope.into_iter().map(Scope::kind).collect(),
        ..Filters::default()
    };
    let hits = find(
        app,
        Asked {
            method: METHOD,
            parameter: "search",
            words,
            filters,
            list: ListName::new(METHOD, &[words]),
            cursor: None,
            limit: parameters.limit(),
            count: false,
            speed: Speed::Key,
            admits: has_a_page,
        },
    );
    let (shown, shelf) = hits.await?.into_shown();
    let results = shown
        .into_iter()
        .filter_map(|one| mention(&app.public_url, &shelf, one));
    Ok(Output {
        results: List(results.collect()),
        other: Fields::new(),
    })
}

/// What can be mentioned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scope {
    Tracks,
    Artists,
    Albums,
    Playlists,
    Tags,
}

impl Scope {
    const ALL: [Scope; 5] = [
        Scope::Tracks,
        Scope::Artists,
        Scope::Albums,
        Scope::Playlists,
        Scope::Tags,
    ];

    fn named(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Scope::Tracks => "tracks",
            Scope::Artists => "artists",
            Scope::Albums => "albums",
            Scope::Playlists => "playlists",
            Scope::Tags => "tags",
        }
    }

    /// What people call it.
    fn label(self) -> &'static str {
        match self {
            Scope::Tracks => "Tracks",
            Scope::Artists => "Artists",
            Scope::Albums => "Albums",
            Scope::Playlists => "Playlists",
            Scope::Tags => "Tags",
        }
    }

    /// The word for one of them.
    fn word(self) -> &'static str {
        match self {
            Scope::Tracks => "track",
            Scope::Artists => "artist",
            Scope::Albums => "album",
            Scope::Playlists => "playlist",
            Scope::Tags => "tag",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Scope::Tracks => Kind::Track,
            Scope::Artists => Kind::Artist,
            Scope::Albums => Kind::Album,
            Scope::Playlists => Kind::Playlist,
            Scope::Tags => Kind::Tag,
        }
    }

    fn embed(self, public_url: &Url, path: &[&str]) -> Option<Embed> {
        let height = match self {
            Scope::Tags => return None,
            Scope::Tracks => HEIGHT_OF_TRACK,
            Scope::Artists | Scope::Albums | Scope::Playlists => HEIGHT,
        };
        let path = [&["embed"], path].concat();
        Some(Embed {
            src: page(public_url, &path)?,
            width: Some(WIDTH),
            height: Some(height),
            other: Fields::new(),
        })
    }
}

/// A page of ours; none below a public URL that has no paths.
fn page(public_url: &Url, path: &[&str]) -> Option<String> {
    let mut url = public_url.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(path);
    Some(url.into())
}

/// What an actor is called.
fn called(actor: &Actor) -> String {
    present::display_name(actor).unwrap_or_else(|| who(actor).to_owned())
}

/// Whether there is a page for it: of lists those that are albums or playlists, of tags those that
/// can stand in a path.
fn has_a_page(thing: &Thing) -> bool {
    match thing {
        Thing::Track(_) | Thing::Artist(_) => true,
        Thing::List(_, kind) => matches!(kind, Some(Kind::Album | Kind::Playlist)),
        Thing::Tag(tag, _) => {
            !matches!(tag.as_str(), "." | "..") && !tag.contains(char::is_control)
        }
    }
}

fn mention(public_url: &Url, shelf: &Shelf, shown: Shown) -> Option<Mention> {
    let (scope, path, name, description, icon) = match &shown.thing {
        Thing::Track(track) => {
            let by = format!("by {}", called(&track.author));
            let (path, name) = (path_of("track", track), present::title(&track.value));
            (Scope::Tracks, path, name, by, image(shelf, track))
        }
        Thing::List(list, kind) => {
            let (name, by) = (present::list_name(&list.value), called(&list.author));
            match kind {
                Some(Kind::Album) => {
                    let by = format!("by {by}");
                    (Scope::Albums, path_of("album", list), name, by, None)
                }
                Some(Kind::Playlist) => {
                    let tracks = tracks(present::items(&list.value).len() as u64);
                    let by = format!("by {by} · {tracks}");
                    (Scope::Playlists, path_of("playlist", list), name, by, None)
                }
                _ => return None,
            }
        }
        Thing::Artist(artist) => {
            let actor = &artist.actor;
            let about = match &actor.handle {
                Some(handle) => format!("@{}", handle.as_str()),
                None => actor.did.as_str().to_owned(),
            };
            let (path, icon) = (vec!["u", who(actor)], present::avatar(actor));
            (Scope::Artists, path, Some(called(actor)), about, icon)
        }
        Thing::Tag(tag, count) => {
            let about = tracks(count.unwrap_or_default());
            let path = vec!["tag", tag];
            (Scope::Tags, path, Some(tag.clone()), about, None)
        }
    };
    let uri = page(public_url, &path)?;
    Some(Mention {
        href: Some(uri.clone()),
        uri,
        // Who names a list by its address gets it without a name, too.
        name: name.unwrap_or_else(|| scope.word().to_owned()),
        description: Some(description),
        icon: icon.filter(|icon| is_format("uri", icon)),
        labels: Some(List(vec![Label {
            text: scope.word().to_owned(),
            other: Fields::new(),
        }])),
        embed: scope.embed(public_url, &path),
        subscope: Some(Subscope {
            scope: scope.name().to_owned(),
            label: scope.label().to_owned(),
            other: Fields::new(),
        }),
        other: Fields::new(),
    })
}

fn path_of<'h>(kind: &'h str, record: &'h Hydrated) -> Vec<&'h str> {
    vec![kind, who(&record.author), record.record.uri.rkey.as_str()]
}

fn tracks(count: u64) -> String {
    match count {
        1 => "1 track".to_owned(),
        count => format!("{count} tracks"),
    }
}

/// A track's cover, as small as there is.
fn image(shelf: &Shelf, track: &Hydrated) -> Option<String> {
    let cover = shelf.cover(track)?;
    Some(cover.thumb.unwrap_or(cover.url))
}
