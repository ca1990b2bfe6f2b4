//! Where a hit stands: in which tier, by which field, and how loved and how new it is. Nothing here
//! depends on what else an index holds, so that two indexes of the same documents agree.

use std::cmp::Ordering;

use serde::Serialize;

/// How well a document matches, best first. A hit of a better tier always stands above one of a
/// worse tier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Tier {
    /// A title or name is the query.
    Exact = 0,
    /// A title or name begins with the query.
    Prefix = 1,
    /// Every word of the query is a word of the document.
    Word = 2,
    /// Every word of the query is a word of the document, or begins one, or (of a script without
    /// spaces) is there in pairs that stand apart.
    Start = 3,
    /// At least one word matches only with one typo.
    OneTypo = 4,
    /// At least one word matches only with two typos, or (the last one) begins a word with one.
    TwoTypos = 5,
}

impl Tier {
    /// All of them, best first.
    pub const ALL: [Tier; 6] = [
        Tier::Exact,
        Tier::Prefix,
        Tier::Word,
        Tier::Start,
        Tier::OneTypo,
        Tier::TwoTypos,
    ];
}

/// What a word was found in, the heaviest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Field {
    /// The title of a track, the name of a list, an artist's name or handle, a tag.
    Name = 0,
    /// The artist as a track's record names them, or the names of the account that published it.
    Artist = 1,
    /// The album a track's record names.
    Album = 2,
    /// Who is featured.
    Feature = 3,
    /// Tags and genres.
    Tag = 4,
    /// A description or a bio.
    Description = 5,
}

impl Field {
    /// All of them, the heaviest first.
    pub const ALL: [Field; 6] = [
        Field::Name,
        Field::Artist,
        Field::Album,
        Field::Feature,
        Field::Tag,
        Field::Description,
    ];
}

/// How many like something, on a logarithmic scale with four steps to a doubling: a document is
/// written anew only when its step changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
pub struct Popularity(u8);

impl Popularity {
    /// The step of a number of likes (of the accounts that use it, for a tag).
    pub fn of_likes(likes: u64) -> Popularity {
        let more = likes.saturating_add(1);
        let doublings = more.ilog2();
        // The two bits below the highest one: quarters of a doubling.
        let quarters = match doublings {
            0 => 0,
            1 => (more & 1) << 1,
            _ => (more >> (doublings - 2)) & 3,
        };
        let step = u64::from(doublings) * 4 + quarters;
        Popularity(u8::try_from(step).unwrap_or(u8::MAX))
    }

    /// The step, 0 (nobody) to 255.
    pub fn step(self) -> u8 {
        self.0
    }

    pub(crate) fn from_step(step: u64) -> Popularity {
        Popularity(u8::try_from(step).unwrap_or(u8::MAX))
    }
}

/// The order within a tier and a field: the more popular, then the newer, then by the key of the
/// address (see [`crate::Key`]). The better one is the greater one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Merit {
    pub popularity: Popularity,
    pub sort_at: i64,
    pub subject: u64,
}

impl Ord for Merit {
    fn cmp(&self, other: &Merit) -> Ordering {
        (self.popularity.cmp(&other.popularity))
            .then(self.sort_at.cmp(&other.sort_at))
            .then(other.subject.cmp(&self.subject))
    }
}

impl PartialOrd for Merit {
    fn partial_cmp(&self, other: &Merit) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn popularity_has_four_steps_to_a_doubling() {
        let steps: Vec<u8> = (0..=8)
            .map(|likes| Popularity::of_likes(likes).step())
            .collect();
        assert_eq!(steps, [0, 4, 6, 8, 9, 10, 11, 12, 12]);
        assert_eq!(Popularity::of_likes(u64::MAX).step(), 255);
    }

    proptest! {
        #[test]
        fn more_likes_are_never_less_popular(likes in any::<u64>(), more in any::<u64>()) {
            let (few, many) = (likes.min(more), likes.max(more));
            prop_assert!(Popularity::of_likes(few) <= Popularity::of_likes(many));
        }
    }
}
