//! Presenting hits: the lexicon's views, each with why it was found.

use plyr_lexicons::generated::fm_plyr_actor_defs::{ProfileView, ProfileViewBasic};
use plyr_lexicons::generated::fm_plyr_search_defs as defs;
use plyr_lexicons::generated::{fm_plyr_search_query, fm_plyr_search_typeahead};
use plyr_lexicons::typed::Fields;
use plyr_search::{Field, Tier};

use super::candidate::Why;
use super::fill::{Artist, Shown, Thing};
use super::highlights::{Highlighter, of_track};
use crate::media::Shelf;
use crate::view::present::{self, NO_HANDLE, count, text_of};

/// A hit of `fm.plyr.search.query`.
pub fn hit(
    shown: Shown,
    shelf: &Shelf,
    highlighter: &mut Highlighter<'_>,
) -> fm_plyr_search_query::OutputHitsItem {
    use fm_plyr_search_query::OutputHitsItem as Item;
    let r#match = why(shown.why);
    let other = Fields::new();
    match shown.thing {
        Thing::Track(hydrated) => {
            let track = present::track(*hydrated, shelf);
            let mut texts = of_track("/track/record", &track.record);
            texts.extend(names("/track/author", &track.author));
            Item::TrackHit(defs::TrackHit {
                highlights: highlighter.of(texts),
                r#match,
                track,
                other,
            })
        }
        Thing::List(hydrated, _) => {
            let list = present::list(*hydrated);
            let mut texts = names("/list/author", &list.author);
            for name in ["name", "description"] {
                let text = text_of(&list.record, name);
                texts.extend(text.map(|text| (format!("/list/record/{name}"), text)));
            }
            Item::ListHit(defs::ListHit {
                highlights: highlighter.of(texts),
                r#match,
                list,
                other,
            })
        }
        Thing::Artist(artist) => {
            let profile = profile_view(*artist);
            let texts = [
                ("displayName", profile.display_name.as_deref()),
                (
                    "handle",
                    Some(profile.handle.as_str()).filter(|handle| *handle != NO_HANDLE),
                ),
                ("bio", profile.bio.as_deref()),
            ];
            let texts = texts
                .into_iter()
                .filter_map(|(name, text)| Some((format!("/profile/{name}"), text?)));
            Item::ProfileHit(defs::ProfileHit {
                highlights: highlighter.of(texts),
                r#match,
                profile,
                other,
            })
        }
        Thing::Tag(tag, tracks) => Item::TagHit(defs::TagHit {
            highlights: highlighter.of([("/tag".to_owned(), tag.as_str())]),
            r#match,
            tag,
            track_count: tracks.map(count),
            other,
        }),
    }
}

/// A hit of `fm.plyr.search.typeahead`.
pub fn suggestion(
    shown: Shown,
    shelf: &Shelf,
    highlighter: &mut Highlighter<'_>,
) -> fm_plyr_search_typeahead::OutputHitsItem {
    use fm_plyr_search_typeahead::OutputHitsItem as Item;
    let r#match = why(shown.why);
    let other = Fields::new();
    match shown.thing {
        Thing::Track(hydrated) => {
            let track = present::track(*hydrated, shelf);
            let mut texts = vec![("/title".to_owned(), track.title.as_str())];
            texts.extend(names("/author", &track.author));
            Item::TrackSuggestion(defs::TrackSuggestion {
                highlights: highlighter.of(texts),
                uri: track.uri,
                title: track.title,
                author: track.author,
                duration_ms: track.duration_ms,
                r#match,
                other,
            })
        }
        Thing::List(hydrated, _) => {
            let list = present::list(*hydrated);
            let name = list.name.unwrap_or_default();
            let mut texts = vec![("/name".to_owned(), name.as_str())];
            texts.extend(names("/author", &list.author));
            Item::ListSuggestion(defs::ListSuggestion {
                highlights: highlighter.of(texts),
                uri: list.uri,
                name,
                list_type: list.list_type,
                author: list.author,
                item_count: list.item_count,
                r#match,
                other,
            })
        }
        Thing::Artist(artist) => {
            let profile = present::author(&artist.actor);
            Item::ProfileSuggestion(defs::ProfileSuggestion {
                highlights: highlighter.of(names("/profile", &profile)),
                profile,
                r#match,
                other,
            })
        }
        Thing::Tag(tag, tracks) => Item::TagSuggestion(defs::TagSuggestion {
            highlights: highlighter.of([("/tag".to_owned(), tag.as_str())]),
            tag,
            track_count: tracks.map(count),
            r#match,
            other,
        }),
    }
}

/// The profile of an artist; none for all else.
pub fn profile(shown: Shown) -> Option<ProfileView> {
    match shown.thing {
        Thing::Artist(artist) => Some(profile_view(*artist)),
        Thing::Track(_) | Thing::List(..) | Thing::Tag(..) => None,
    }
}

fn profile_view(artist: Artist) -> ProfileView {
    present::profile(&artist.actor, &artist.totals, artist.record)
}

/// The names of an actor, with pointers that begin with `base`.
fn names<'p>(base: &str, actor: &'p ProfileViewBasic) -> Vec<(String, &'p str)> {
    let mut names = Vec::new();
    let name = actor.display_name.as_deref();
    names.extend(name.map(|name| (format!("{base}/displayName"), name)));
    if actor.handle != NO_HANDLE {
        names.push((format!("{base}/handle"), actor.handle.as_str()));
    }
    names
}

fn why(why: Why) -> defs::Match {
    let (tier, field, whole) = match why {
        Why::Named => ("named", None, None),
        Why::Matches {
            tier,
            field,
            is_whole,
        } => (tier_word(tier), Some(field_word(field)), Some(is_whole)),
    };
    defs::Match {
        tier: tier.to_owned(),
        field: field.map(str::to_owned),
        whole,
        other: Fields::new(),
    }
}

fn tier_word(tier: Tier) -> &'static str {
    match tier {
        Tier::Exact => "exact",
        Tier::Prefix => "prefix",
        Tier::Word => "word",
        Tier::Start => "start",
        Tier::OneTypo => "oneTypo",
        Tier::TwoTypos => "twoTypos",
    }
}

fn field_word(field: Field) -> &'static str {
    match field {
        Field::Name => "name",
        Field::Artist => "artist",
        Field::Album => "album",
        Field::Feature => "feature",
        Field::Tag => "tag",
        Field::Description => "description",
    }
}
