//! The best hits of one tier and field, dealt so that no artist floods a page: first every artist's
//! best [`ROUND`] hits, by merit; then everybody's next ones; and so on. Keeps no more than it
//! needs to answer the first `most` places, whatever order hits come in.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::rank::{Merit, Popularity};

/// Hits of one artist that are dealt before the artist waits for the next round.
pub const ROUND: usize = 3;
/// Hits kept beyond twice what is asked for, so that little is sorted for small pages.
const ROOM: usize = 256;

/// Hits of one tier and field.
#[derive(Debug)]
pub(crate) struct Deal<H> {
    most: usize,
    kept: usize,
    artists: HashMap<u64, Hand<H>>,
    /// What doesn't reach this merit can't come among the first `most` any more.
    bar: Option<Merit>,
}

/// One artist's hits.
#[derive(Debug)]
struct Hand<H> {
    hits: Vec<(Merit, H)>,
    /// The best hit that was given up: what is worse can't come among the first any more.
    given_up: Option<Merit>,
}

impl<H: Copy> Deal<H> {
    pub(crate) fn new(most: usize) -> Deal<H> {
        Deal {
            most,
            kept: 0,
            artists: HashMap::new(),
            bar: None,
        }
    }

    /// Whether a hit of this merit can still come among the first; cheap, to be asked first.
    pub(crate) fn reaches(&self, merit: Merit) -> bool {
        self.most > 0 && self.bar.is_none_or(|bar| merit > bar)
    }

    /// The popularity below which no hit can come among the first any more.
    pub(crate) fn least_popularity(&self) -> Popularity {
        self.bar.map(|bar| bar.popularity).unwrap_or_default()
    }

    pub(crate) fn add(&mut self, artist: u64, merit: Merit, hit: H) {
        if !self.reaches(merit) {
            return;
        }
        let hand = self.artists.entry(artist).or_insert_with(|| Hand {
            hits: Vec::new(),
            given_up: None,
        });
        if hand.given_up.is_some_and(|given_up| merit < given_up) {
            return;
        }
        hand.hits.push((merit, hit));
        self.kept += 1;
        if self.kept > self.most * 2 + ROOM {
            self.give_up_the_rest();
        }
    }

    /// Drops what can't come among the first: a new hit moves others back, never forward.
    fn give_up_the_rest(&mut self) {
        let mut order = self.order();
        let rest = order.split_off(self.most.min(order.len()));
        self.bar = order
            .last()
            .filter(|last| order.len() == self.most && last.round == 0)
            .map(|last| last.merit);
        for dealt in &rest {
            if let Some(hand) = self.artists.get_mut(&dealt.artist) {
                hand.given_up = hand.given_up.max(Some(dealt.merit));
            }
        }
        for hand in self.artists.values_mut() {
            let given_up = hand.given_up;
            hand.hits.retain(|(merit, _)| Some(*merit) > given_up);
        }
        self.artists.retain(|_, hand| !hand.hits.is_empty());
        self.kept = order.len();
    }

    fn order(&mut self) -> Vec<Dealt<H>> {
        let mut order = Vec::with_capacity(self.kept);
        for (&artist, hand) in &mut self.artists {
            hand.hits.sort_unstable_by_key(|(merit, _)| Reverse(*merit));
            for (place, &(merit, hit)) in hand.hits.iter().enumerate() {
                order.push(Dealt {
                    round: place / ROUND,
                    merit,
                    artist,
                    hit,
                });
            }
        }
        let by_round = |one: &Dealt<H>, other: &Dealt<H>| {
            (one.round.cmp(&other.round)).then(other.merit.cmp(&one.merit))
        };
        order.sort_unstable_by(by_round);
        order
    }

    /// The first hits, in order.
    pub(crate) fn into_hits(mut self) -> Vec<(Merit, H)> {
        let order = self.order();
        let first = order.into_iter().take(self.most);
        first.map(|dealt| (dealt.merit, dealt.hit)).collect()
    }
}

#[derive(Debug)]
struct Dealt<H> {
    round: usize,
    merit: Merit,
    artist: u64,
    hit: H,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn merit(popularity: u64, subject: u64) -> Merit {
        Merit {
            popularity: Popularity::of_likes(popularity),
            sort_at: 0,
            subject,
        }
    }

    fn dealt(hits: &[(u64, Merit)], most: usize) -> Vec<u64> {
        let mut deal = Deal::new(most);
        for &(artist, merit) in hits {
            deal.add(artist, merit, merit.subject);
        }
        deal.into_hits().into_iter().map(|(_, hit)| hit).collect()
    }

    /// The rule as it is stated, without any economy.
    fn by_the_book(hits: &[(u64, Merit)], most: usize) -> Vec<u64> {
        let mut hits = hits.to_vec();
        hits.sort_by_key(|(_, merit)| Reverse(*merit));
        let mut seen: HashMap<u64, usize> = HashMap::new();
        let mut rounds: Vec<(usize, u64)> = Vec::new();
        for (artist, merit) in hits {
            let before = seen.entry(artist).or_default();
            rounds.push((*before / ROUND, merit.subject));
            *before += 1;
        }
        rounds.sort_by_key(|(round, _)| *round);
        rounds
            .into_iter()
            .take(most)
            .map(|(_, subject)| subject)
            .collect()
    }

    #[test]
    fn the_fourth_of_an_artist_waits_for_everybody() {
        let hits: Vec<(u64, Merit)> = (0..5)
            .map(|place| (1, merit(1000, place)))
            .chain([(2, merit(0, 10)), (3, merit(0, 11))])
            .collect();
        assert_eq!(dealt(&hits, 10), [0, 1, 2, 10, 11, 3, 4]);
    }

    proptest! {
        #[test]
        fn economy_changes_nothing(
            hits in prop::collection::vec((0_u64..12, 0_u64..40), 0..2000),
            most in 0_usize..60,
        ) {
            let hits: Vec<(u64, Merit)> = hits
                .into_iter()
                .enumerate()
                .map(|(subject, (artist, likes))| (artist * artist / 8, merit(likes, subject as u64)))
                .collect();
            let expected = by_the_book(&hits, most);
            prop_assert_eq!(&dealt(&hits, most), &expected);
            let mut backwards = hits;
            backwards.reverse();
            prop_assert_eq!(&dealt(&backwards, most), &expected);
        }

        #[test]
        fn the_first_page_begins_the_longer_one(
            hits in prop::collection::vec((0_u64..6, 0_u64..9), 0..900),
            most in 0_usize..40,
        ) {
            let hits: Vec<(u64, Merit)> = hits
                .into_iter()
                .enumerate()
                .map(|(subject, (artist, likes))| (artist, merit(likes, subject as u64)))
                .collect();
            let longer = dealt(&hits, 100);
            let shorter = dealt(&hits, most);
            prop_assert_eq!(&longer[..most.min(longer.len())], &shorter[..]);
        }
    }
}
