//! How often each question was asked, so that what goes wrong is decided by the question and not by
//! the order in which questions of many threads arrive.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::http::Question;
use crate::dice::Dice;

/// Different questions that are told apart, some 2 MB. One more, and all are counted anew: then a
/// replay isn't exact any more.
const MOST: usize = 100_000;

/// A server's count.
pub struct Asked {
    /// By a hash of the question.
    times: Mutex<HashMap<u64, u64>>,
    most: usize,
}

impl Asked {
    /// Nothing was asked yet.
    pub fn nothing() -> Asked {
        Asked::up_to(MOST)
    }

    fn up_to(most: usize) -> Asked {
        Asked {
            times: Mutex::new(HashMap::new()),
            most,
        }
    }

    /// Counts a question, of the text that [`text_of`] gives; answers how often that very question
    /// was asked before.
    pub fn before(&self, text: &str) -> u64 {
        let hash = Dice::named(0, text).next();
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() >= self.most && !times.contains_key(&hash) {
            times.clear();
        }
        let asked = times.entry(hash).or_default();
        *asked += 1;
        *asked - 1
    }
}

/// A question's path and its parameters, sorted: the same for whoever asks the same.
pub fn text_of(question: &Question) -> String {
    let parameters = question.parameters.iter();
    let mut parameters: Vec<String> = parameters
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parameters.sort();
    format!("{}?{}", question.path, parameters.join("&"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::faults::{HostFault, HostFaults};

    const FAULTS: HostFaults = HostFaults {
        fails: 4,
        busy: 5,
        hangs: 6,
        cuts: 7,
        lies: 8,
        redirects: 9,
    };

    fn question(number: usize, is_turned: bool) -> Question {
        let mut parameters = vec![
            ("did".to_owned(), format!("did:plc:{number}")),
            ("collection".to_owned(), "fm.plyr.track".to_owned()),
        ];
        if is_turned {
            parameters.reverse();
        }
        Question {
            path: "/xrpc/com.atproto.sync.getRecord".to_owned(),
            parameters,
        }
    }

    /// What each question met, one time after the other.
    fn met(order: impl Iterator<Item = Question>) -> BTreeMap<String, Vec<Option<HostFault>>> {
        let asked = Asked::nothing();
        let mut met: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for question in order {
            let text = text_of(&question);
            let fault = FAULTS.roll(7, "pds 0", &text, asked.before(&text));
            met.entry(text).or_default().push(fault);
        }
        met
    }

    #[test]
    fn the_same_questions_meet_the_same_faults_in_whatever_order() {
        let by_turns = (0..30).flat_map(|_| (0..20).map(|number| question(number, false)));
        let one_by_one = (0..20).rev();
        let one_by_one = one_by_one.flat_map(|number| (0..30).map(move |_| question(number, true)));
        let met_by_turns = met(by_turns);
        assert_eq!(met_by_turns, met(one_by_one));
        assert_eq!(met_by_turns.len(), 20);
        for (text, faults) in met_by_turns {
            let gone_wrong = faults.iter().flatten().count();
            assert!((5..30).contains(&gone_wrong), "{text}: {faults:?}");
        }
    }

    #[test]
    fn no_more_questions_are_remembered_than_there_is_room_for() {
        let asked = Asked::up_to(10);
        for number in 0..1_000 {
            assert_eq!(asked.before(&text_of(&question(number, false))), 0);
            assert!(asked.times.lock().unwrap().len() <= 10, "{number}");
        }
        let last = text_of(&question(999, false));
        assert_eq!((asked.before(&last), asked.before(&last)), (1, 2));
    }
}
