//! What may be a hit: what the index found, or what was pasted.

use plyr_lexicons::{Did, RecordUri};
use plyr_search::{Field, Hit, Key, Kind, Tier};

/// Where to look for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    Record(RecordUri),
    Artist(Did),
    Tag(Tag),
}

/// A tag, as the index has it: it is no record that the store could be asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag {
    /// The same for all ways to write it.
    pub key: Key,
    /// As it is written.
    pub name: String,
    /// How many tracks carry it.
    pub tracks: Option<u64>,
}

impl Subject {
    /// What it is known by in cursors, the same as long as it is there.
    pub fn address(&self) -> String {
        match self {
            Subject::Record(uri) => uri.to_string(),
            Subject::Artist(did) => did.as_str().to_owned(),
            Subject::Tag(tag) => format!("#{:x}", tag.key.0),
        }
    }
}

/// Why it may be a hit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// The query holds its address.
    Named,
    /// Its words are in it.
    Matches {
        tier: Tier,
        field: Field,
        is_whole: bool,
    },
}

/// What may be a hit, if it shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    pub subject: Subject,
    pub why: Why,
}

impl Candidate {
    /// What the index found; none where it holds what is no address.
    pub fn of(hit: Hit) -> Option<Candidate> {
        let subject = match hit.kind {
            Kind::Tag => Some(Subject::Tag(Tag {
                key: hit.key,
                name: hit.subject.clone(),
                tracks: hit.tracks,
            })),
            Kind::Artist => hit.subject.parse().ok().map(Subject::Artist),
            Kind::Track | Kind::Album | Kind::Playlist => {
                hit.subject.parse().ok().map(Subject::Record)
            }
        };
        if subject.is_none() {
            tracing::error!(subject = hit.subject, "the search index holds no address");
        }
        let why = Why::Matches {
            tier: hit.tier,
            field: hit.field,
            is_whole: hit.is_whole,
        };
        subject.map(|subject| Candidate { subject, why })
    }

    pub fn named(subject: Subject) -> Candidate {
        Candidate {
            subject,
            why: Why::Named,
        }
    }
}
