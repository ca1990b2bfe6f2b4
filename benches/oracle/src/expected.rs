//! What a network must lead to: the dump and every list, from plain maps, recomputed from nothing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat};
use plyr_lexicons::Rev;
use serde_json::{Value, json};

use crate::network::{Held, Network};
use crate::verdict::{Verdict, judge};

pub(crate) const TRACK: &str = "fm.plyr.track";
pub(crate) const LIKE: &str = "fm.plyr.like";
pub(crate) const COMMENT: &str = "fm.plyr.comment";
pub(crate) const LIST: &str = "fm.plyr.list";
const PROFILE: &str = "fm.plyr.actor.profile";
/// The five collections.
pub const COLLECTIONS: [&str; 5] = [TRACK, LIKE, COMMENT, LIST, PROFILE];
/// The longest that a track counts in a sum, in seconds.
const DAY: u64 = 86_400;
/// The times that the protocol can write, years 0 to 9999, in microseconds since 1970.
const FIRST_TIME: i64 = -62_167_219_200_000_000;
const LAST_TIME: i64 = 253_402_300_799_999_999;

/// Newest first; of the same time by author, then by key.
type Order = (Reverse<i64>, String, String);

/// A record of an active account.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its address.
    pub uri: String,
    /// Whose.
    pub did: String,
    /// `sortAt`, in microseconds since 1970.
    pub sort_at: i64,
    /// The record.
    pub held: Held,
    /// What is said of it.
    pub verdict: Verdict,
    pub(crate) collection: String,
    rkey: String,
}

impl Shown {
    fn order(&self) -> Order {
        (Reverse(self.sort_at), self.did.clone(), self.rkey.clone())
    }

    fn subject(&self) -> Option<&str> {
        self.held.value["subject"]["uri"].as_str()
    }

    fn number(&self, field: &str) -> u64 {
        self.held.value[field].as_u64().unwrap_or(0)
    }
}

/// Numbers of an actor or of the whole.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sums {
    /// Tracks.
    pub tracks: u64,
    /// Lists of all kinds, albums, playlists.
    pub lists: [u64; 3],
    /// Likes: of an actor distinct subjects, of the whole one for each actor and subject.
    pub likes: u64,
    /// Comments.
    pub comments: u64,
    /// Sum of the tracks' seconds, each at most a day.
    pub seconds: u64,
    /// Actors who have tracks.
    pub artists: u64,
}

/// The answers that a network must get.
pub struct Expected {
    /// The canonical dump.
    pub dump: String,
    /// Every record that shows, by address.
    pub shown: BTreeMap<String, Shown>,
    /// Every record of active accounts, invalid ones too, by address.
    pub held: BTreeMap<String, Shown>,
}

fn sort_at(rkey: &str, value: &Value) -> i64 {
    let created = value["createdAt"].as_str();
    let created = created.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let created = created.map(|time| time.timestamp_micros());
    let keyed = Rev::parse(rkey).map(Rev::micros);
    let earliest = created.into_iter().chain(keyed).min();
    earliest.unwrap_or(0).clamp(FIRST_TIME, LAST_TIME)
}

/// A time as views and the dump write it.
pub fn time(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

impl Expected {
    /// Reckons it.
    pub fn of(network: &Network) -> Expected {
        let mut held = BTreeMap::new();
        for account in network
            .accounts
            .values()
            .filter(|account| account.is_active)
        {
            for (path, record) in &account.records {
                let Some((collection, rkey)) = path.split_once('/') else {
                    continue;
                };
                if !COLLECTIONS.contains(&collection) {
                    continue;
                }
                let uri = format!("at://{}/{path}", account.did);
                let shown = Shown {
                    uri: uri.clone(),
                    did: account.did.clone(),
                    sort_at: sort_at(rkey, &record.value),
                    collection: collection.to_owned(),
                    rkey: rkey.to_owned(),
                    verdict: judge(collection, &record.value),
                    held: record.clone(),
                };
                held.insert(uri, shown);
            }
        }
        let is_right = |(_, one): &(&String, &Shown)| one.verdict != Verdict::Invalid;
        let shown: BTreeMap<String, Shown> = held
            .iter()
            .filter(is_right)
            .map(|(uri, one)| (uri.clone(), one.clone()))
            .collect();
        let mut expected = Expected {
            dump: String::new(),
            shown,
            held,
        };
        expected.dump = expected.lines();
        expected
    }

    fn lines(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for one in self.held.values() {
            let line = json!({ "cid": one.held.cid, "sortAt": time(one.sort_at),
                "uri": one.uri, "value": one.held.value, "verdict": one.verdict.as_str() });
            lines.push(line.to_string());
        }
        for subject in self.subjects() {
            let (likes, comments) = (self.likers(&subject).len(), self.comments(&subject).len());
            if likes + comments > 0 {
                let line = json!({ "commentCount": comments, "likeCount": likes,
                    "subject": subject });
                lines.push(line.to_string());
            }
        }
        lines.sort_unstable();
        lines.into_iter().map(|line| line + "\n").collect()
    }

    fn of_collection(&self, collection: &str) -> impl Iterator<Item = &Shown> {
        self.shown
            .values()
            .filter(move |one| one.collection == collection)
    }

    fn newest_first<'a>(&self, some: impl Iterator<Item = &'a Shown>) -> Vec<&'a Shown> {
        let mut some: Vec<&Shown> = some.collect();
        some.sort_by_key(|one| one.order());
        some
    }

    /// Whatever a like or a comment is about.
    pub fn subjects(&self) -> BTreeSet<String> {
        let about = self.of_collection(LIKE).chain(self.of_collection(COMMENT));
        about
            .filter_map(Shown::subject)
            .map(str::to_owned)
            .collect()
    }

    /// What lists hold.
    pub fn items(&self) -> BTreeSet<String> {
        let items = self.of_collection(LIST).flat_map(items_of);
        items.filter_map(uri_of).map(str::to_owned).collect()
    }

    /// The network's tracks, newest first, without those later than a time.
    pub fn latest(&self, until: i64) -> Vec<&Shown> {
        let tracks = self.of_collection(TRACK);
        self.newest_first(tracks.filter(|one| one.sort_at <= until))
    }

    /// An actor's records of a kind, newest first.
    pub fn of_actor(&self, did: &str, kind: Kind) -> Vec<&Shown> {
        let of = self.of_collection(kind.collection());
        self.newest_first(of.filter(|one| one.did == did && kind.is(one)))
    }

    /// Who likes a subject, newest first: each actor once, by the like of the least record key.
    pub fn likers(&self, subject: &str) -> Vec<&Shown> {
        let likes = self.of_collection(LIKE);
        let likes = likes.filter(|one| one.subject() == Some(subject));
        self.newest_first(least_of(likes, |one| one.did.clone()))
    }

    /// What an actor likes that is a track that shows, newest like first: each once, by the like of
    /// the least record key.
    pub fn liked(&self, did: &str) -> Vec<(&Shown, &Shown)> {
        let likes = self.of_actor(did, Kind::Likes).into_iter();
        let subject = |one: &Shown| one.subject().unwrap_or_default().to_owned();
        let likes = self.newest_first(least_of(likes, subject));
        let pairs = likes.into_iter().filter_map(|like| {
            let track = self.shown.get(like.subject()?)?;
            (track.collection == TRACK).then_some((like, track))
        });
        pairs.collect()
    }

    /// A subject's comments in the order of the track.
    pub fn comments(&self, subject: &str) -> Vec<&Shown> {
        let comments = self.of_collection(COMMENT);
        let comments = comments.filter(|one| one.subject() == Some(subject));
        let mut comments: Vec<&Shown> = comments.collect();
        comments.sort_by_key(|one| {
            let place = one.number("timestampMs");
            (place, one.sort_at, one.did.clone(), one.rkey.clone())
        });
        comments
    }

    /// The same, newest first.
    pub fn comments_by_time(&self, subject: &str) -> Vec<&Shown> {
        self.newest_first(self.comments(subject).into_iter())
    }

    /// Lists that hold a subject.
    pub fn lists_with(&self, subject: &str) -> Vec<&Shown> {
        let lists = self.of_collection(LIST);
        let holds = |one: &&Shown| items_of(one).any(|item| uri_of(item) == Some(subject));
        self.newest_first(lists.filter(holds))
    }

    /// The tracks that show, each with its likes, its comments and the lists that hold it.
    pub fn track_counts(&self) -> BTreeMap<String, [usize; 3]> {
        let tracks = self.of_collection(TRACK).map(|one| &one.uri);
        let counted = tracks.map(|uri| {
            let (likes, comments) = (self.likers(uri).len(), self.comments(uri).len());
            (uri.clone(), [likes, comments, self.lists_with(uri).len()])
        });
        counted.collect()
    }

    /// The subjects of a list's items, and what stands for each.
    pub fn items_in(&self, list: &str, network: &Network) -> Vec<(Value, Item)> {
        let Some(list) = self.shown.get(list) else {
            return Vec::new();
        };
        let state_of = |uri: &str| match self.shown.get(uri) {
            Some(one) if one.collection == TRACK => Item::Track,
            Some(_) => Item::NotFound,
            None if network.is_gone(uri) => Item::OfGone,
            None => match network.at(uri) {
                Some((_, path, _)) if is_ours(path) => Item::Hidden,
                _ => Item::NotFound,
            },
        };
        let state = |subject: &Value| state_of(subject["uri"].as_str().unwrap_or_default());
        let items = items_of(list).map(|item| reference(&item["subject"]));
        items
            .map(|subject| (subject.clone(), state(&subject)))
            .collect()
    }

    /// An actor's numbers.
    pub fn sums_of(&self, did: &str) -> Sums {
        let count = |kind| self.of_actor(did, kind).len() as u64;
        let likes = self.of_actor(did, Kind::Likes);
        let subjects: BTreeSet<_> = likes.iter().filter_map(|like| like.subject()).collect();
        let tracks = self.of_actor(did, Kind::Tracks);
        Sums {
            tracks: tracks.len() as u64,
            lists: [
                count(Kind::Lists),
                count(Kind::Albums),
                count(Kind::Playlists),
            ],
            likes: subjects.len() as u64,
            comments: count(Kind::Comments),
            seconds: tracks
                .iter()
                .map(|one| one.number("duration").min(DAY))
                .sum(),
            artists: u64::from(!tracks.is_empty()),
        }
    }

    /// The numbers of the whole.
    pub fn sums(&self) -> Sums {
        let actors: BTreeSet<&str> = self.shown.values().map(|one| one.did.as_str()).collect();
        actors.into_iter().fold(Sums::default(), |mut all, did| {
            let one = self.sums_of(did);
            all.tracks += one.tracks;
            all.lists = std::array::from_fn(|kind| all.lists[kind] + one.lists[kind]);
            all.likes += one.likes;
            all.comments += one.comments;
            all.seconds += one.seconds;
            all.artists += one.artists;
            all
        })
    }

    /// The profile record that shows, if there is one.
    pub fn profile(&self, did: &str) -> Option<&Shown> {
        self.shown.get(&format!("at://{did}/{PROFILE}/self"))
    }

    /// An actor's records of a collection, by record key, newest key first; invalid ones too.
    pub fn listed(&self, did: &str, collection: &str) -> Vec<&Shown> {
        let of = |one: &&Shown| one.did == did && one.collection == collection;
        let mut listed: Vec<&Shown> = self.held.values().filter(of).collect();
        listed.sort_by(|one, two| two.rkey.cmp(&one.rkey));
        listed
    }
}

/// Of those that have something in common the one of the least record key.
fn least_of<'a>(
    some: impl Iterator<Item = &'a Shown>,
    common: impl Fn(&Shown) -> String,
) -> impl Iterator<Item = &'a Shown> {
    let mut least: BTreeMap<String, &Shown> = BTreeMap::new();
    for one in some {
        let kept = least.entry(common(one)).or_insert(one);
        if one.rkey < kept.rkey {
            *kept = one;
        }
    }
    least.into_values()
}

fn is_ours(path: &str) -> bool {
    let collection = path.split('/').next().unwrap_or_default();
    COLLECTIONS.contains(&collection)
}

fn items_of(list: &Shown) -> impl Iterator<Item = &Value> {
    list.held.value["items"].as_array().into_iter().flatten()
}

fn uri_of(item: &Value) -> Option<&str> {
    item["subject"]["uri"].as_str()
}

/// What a `com.atproto.repo.strongRef` leads to.
pub(crate) fn reference(value: &Value) -> Value {
    json!({ "uri": value["uri"], "cid": value["cid"] })
}

/// What stands in a list for an item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item {
    /// The track.
    Track,
    /// Something that is held and doesn't show.
    Hidden,
    /// Of an account that isn't active, and whose host gives nothing away: what is held of it
    /// depends on when it was heard of. It doesn't show, either way.
    OfGone,
    /// Nothing.
    NotFound,
}

/// Records of an actor, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Tracks.
    Tracks,
    /// Likes.
    Likes,
    /// Comments.
    Comments,
    /// Lists of every type.
    Lists,
    /// Albums alone.
    Albums,
    /// Playlists alone.
    Playlists,
}

impl Kind {
    fn collection(self) -> &'static str {
        match self {
            Kind::Tracks => TRACK,
            Kind::Likes => LIKE,
            Kind::Comments => COMMENT,
            Kind::Lists | Kind::Albums | Kind::Playlists => LIST,
        }
    }

    fn is(self, one: &Shown) -> bool {
        let list_type = one.held.value["listType"].as_str();
        match self {
            Kind::Albums => list_type == Some("album"),
            Kind::Playlists => list_type == Some("playlist"),
            _ => true,
        }
    }
}
