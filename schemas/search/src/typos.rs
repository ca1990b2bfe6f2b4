//! Words within a typo or two: a missing, an added, a wrong letter, or two neighbours swapped.

use std::sync::LazyLock;

use levenshtein_automata::{DFA, Distance, LevenshteinAutomatonBuilder, SINK_STATE};
use tantivy_fst::Automaton;

use crate::budget::Purse;

/// Letters from which a word may have one typo.
pub const LETTERS_FOR_ONE: usize = 4;
/// Letters from which a word may have two.
pub const LETTERS_FOR_TWO: usize = 8;
/// Letters from which the last word of a query may begin a word with one typo.
pub const LETTERS_FOR_START: usize = 6;

static ONE: LazyLock<LevenshteinAutomatonBuilder> =
    LazyLock::new(|| LevenshteinAutomatonBuilder::new(1, true));
static TWO: LazyLock<LevenshteinAutomatonBuilder> =
    LazyLock::new(|| LevenshteinAutomatonBuilder::new(2, true));

/// Typos that a word may have. None where it has digits: another number is another thing.
pub(crate) fn typos_in(word: &str) -> u8 {
    let letters = word.chars().count();
    if word.chars().any(char::is_numeric) {
        return 0;
    }
    match letters {
        LETTERS_FOR_TWO.. => 2,
        LETTERS_FOR_ONE.. => 1,
        _ => 0,
    }
}

#[cfg(test)]
thread_local! {
    static MADE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Automata of whole words that this thread has made.
#[cfg(test)]
pub(crate) fn made() -> u64 {
    MADE.get()
}

/// Tells how far another word is.
pub(crate) struct Near {
    dfa: DFA,
}

impl Near {
    /// Of a word, with its number of typos (1 or 2).
    pub(crate) fn whole(word: &str, typos: u8) -> Near {
        #[cfg(test)]
        MADE.set(MADE.get() + 1);
        let builder = if typos < 2 { &*ONE } else { &*TWO };
        let dfa = builder.build_dfa(word);
        Near { dfa }
    }

    /// Of the beginning of a word, with one typo.
    pub(crate) fn start(word: &str) -> Near {
        let dfa = ONE.build_prefix_dfa(word);
        Near { dfa }
    }

    /// Typos between the two; none if there are more than allowed.
    pub(crate) fn typos(&self, word: &str) -> Option<u8> {
        match self.dfa.eval(word) {
            Distance::Exact(typos) => Some(typos),
            Distance::AtLeast(_) => None,
        }
    }
}

/// Walks over a dictionary of terms (a word, a zero byte, the byte of its class) and stops at those
/// whose word is near. Gives up when it can't pay for another byte.
pub(crate) struct NearTerms<'a> {
    near: &'a Near,
    purse: &'a Purse,
}

impl<'a> NearTerms<'a> {
    pub(crate) fn new(near: &'a Near, purse: &'a Purse) -> NearTerms<'a> {
        NearTerms { near, purse }
    }
}

#[derive(Clone, Copy)]
pub(crate) enum NearState {
    Word(u32),
    Zero,
    Class,
    Out,
}

impl Automaton for NearTerms<'_> {
    type State = NearState;

    fn start(&self) -> NearState {
        NearState::Word(self.near.dfa.initial_state())
    }

    fn is_match(&self, state: &NearState) -> bool {
        matches!(state, NearState::Class)
    }

    fn can_match(&self, state: &NearState) -> bool {
        if self.purse.is_empty() {
            return false;
        }
        match state {
            NearState::Word(state) => *state != SINK_STATE,
            NearState::Zero | NearState::Class => true,
            NearState::Out => false,
        }
    }

    fn accept(&self, state: &NearState, byte: u8) -> NearState {
        if self.purse.pay(1).is_err() {
            return NearState::Out;
        }
        match (state, byte) {
            (NearState::Word(state), 0) => match self.near.dfa.distance(*state) {
                Distance::Exact(_) => NearState::Zero,
                Distance::AtLeast(_) => NearState::Out,
            },
            (NearState::Word(state), byte) => {
                NearState::Word(self.near.dfa.transition(*state, byte))
            }
            (NearState::Zero, _) => NearState::Class,
            (NearState::Class | NearState::Out, _) => NearState::Out,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::budget::Budget;

    #[test]
    fn one_typo_from_four_letters_and_two_from_eight() {
        let words = [
            "abc",
            "abcd",
            "abcdefg",
            "abcdefgh",
            "日本語歌",
            "2004",
            "mp3mp3mp3",
        ];
        let allowed: Vec<u8> = words.iter().map(|word| typos_in(word)).collect();
        assert_eq!(allowed, [0, 1, 1, 2, 1, 0, 0]);
    }

    #[test]
    fn a_walk_looks_at_the_clock() {
        let no_time = Budget {
            steps: u64::MAX,
            time: Duration::ZERO,
        };
        let (near, purse) = (Near::whole("night", 1), Purse::of(no_time));
        let walk = NearTerms::new(&near, &purse);
        let start = walk.start();
        let steps = (0..100_000).take_while(|_| walk.can_match(&start));
        let taken = steps.inspect(|_| {
            walk.accept(&start, b'n');
        });
        assert!(taken.count() < 100_000);
        assert!(purse.is_empty());
    }

    #[test]
    fn a_swap_of_neighbours_is_one_typo() {
        let near = Near::whole("night", 1);
        assert_eq!(near.typos("nigth"), Some(1));
        assert_eq!(near.typos("nigt"), Some(1));
        assert_eq!(near.typos("knight"), Some(1));
        assert_eq!(near.typos("might"), Some(1));
        assert_eq!(near.typos("nihtg"), None);
        assert_eq!(Near::whole("radiohead", 2).typos("raidohaed"), Some(2));
        assert_eq!(Near::start("raidoh").typos("radiohead"), Some(1));
    }
}
