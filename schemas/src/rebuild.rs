//! Passes over everything that is held, while it is served: derived rows and counts made again from
//! the records, and records judged again by new rules. A pass goes in pieces; how far it has come
//! is durable with each, so that it goes on where it was cut off, in whichever process.

use serde::{Deserialize, Serialize};

use crate::model::Micros;

/// What is made again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pass {
    /// The index rows, from the records. Counts stay as they are but for the sets that changed.
    Indexes,
    /// Counts and totals, from the sets and the records.
    Counts,
    /// Both, rows first: counts are the sizes of sets of rows.
    All,
    /// The index rows that an older program did not derive. Once done there is nothing to do until
    /// records derive more ([`crate::index::DERIVATIONS`]).
    Derivations,
    /// The verdict of every record that older rules judged, and what follows from it. Once done
    /// there is nothing to do until there are newer rules.
    Rules,
}

impl Pass {
    /// Its name, as people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Pass::Indexes => "indexes",
            Pass::Counts => "counts",
            Pass::All => "all",
            Pass::Derivations => "derivations",
            Pass::Rules => "rules",
        }
    }

    /// The pass of a name that people may ask for.
    pub fn asked(name: &str) -> Option<Pass> {
        let passes = [Pass::Indexes, Pass::Counts, Pass::All];
        passes.into_iter().find(|pass| pass.name() == name)
    }

    const fn stages(self) -> &'static [Stage] {
        use Stage::{Actors, Counts, Done, Hidden, Members, Records, Rows, Rules, Sets, Totals};
        match self {
            Pass::Indexes => &[Records, Rows, Members, Hidden, Done],
            Pass::Counts => &[Hidden, Counts, Sets, Actors, Totals, Done],
            Pass::All => &[
                Records, Rows, Members, Hidden, Counts, Sets, Actors, Totals, Done,
            ],
            Pass::Derivations => &[Records, Done],
            Pass::Rules => &[Rules, Done],
        }
    }
}

/// A stage of a pass. An engine that has nothing to do in one leaves it at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Every record is judged by the newest rules.
    Rules,
    /// Every record has its rows.
    Records,
    /// Every row has a record that derives it.
    Rows,
    /// The same of the rows of sets, where those are rows of their own.
    Members,
    /// The directory of hidden accounts says what the accounts do.
    Hidden,
    /// Every count is its set's size.
    Counts,
    /// Every set has its count.
    Sets,
    /// What each actor has published.
    Actors,
    /// What the network holds.
    Totals,
    /// Nothing more.
    Done,
}

impl Stage {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Rules => "rules",
            Stage::Records => "records",
            Stage::Rows => "index rows",
            Stage::Members => "rows of sets",
            Stage::Hidden => "hidden accounts",
            Stage::Counts => "counts",
            Stage::Sets => "sets",
            Stage::Actors => "actors",
            Stage::Totals => "totals",
            Stage::Done => "done",
        }
    }
}

/// How far a pass has come: everything up to here is durable.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Passing {
    /// When it began: names this one among the passes of its kind.
    pub began: Micros,
    /// The stage it is in.
    pub stage: Stage,
    /// The engine's own place in the stage; none at its beginning.
    pub after: Option<String>,
    /// Things looked at, over all stages.
    pub seen: u64,
    /// Of those, what was wrong and is right now.
    pub mended: u64,
    /// What could not be read, and so derives nothing.
    pub unreadable: u64,
    /// Another process is at it: this one only looks on.
    #[serde(default)]
    pub elsewhere: bool,
}

impl Passing {
    /// The beginning.
    pub fn begin(pass: Pass, began: Micros) -> Passing {
        Passing {
            began,
            stage: pass.stages()[0],
            after: None,
            seen: 0,
            mended: 0,
            unreadable: 0,
            elsewhere: false,
        }
    }

    /// Whether it has come to the end.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Goes on in the same stage, or leaves it where there is no place to go on from.
    pub fn go_on(&mut self, pass: Pass, after: Option<String>) {
        if after.is_none() {
            let stages = pass.stages().iter();
            let mut later = stages.skip_while(|stage| **stage != self.stage).skip(1);
            self.stage = later.next().copied().unwrap_or(Stage::Done);
        }
        self.after = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_goes_through_its_stages_and_ends() {
        use Pass::{All, Counts, Derivations, Indexes, Rules};
        for pass in [Indexes, Counts, All, Derivations, Rules] {
            let mut passing = Passing::begin(pass, 1);
            let mut stages = vec![passing.stage];
            while !passing.is_done() {
                passing.go_on(pass, Some("here".to_owned()));
                assert_eq!(passing.stage, *stages.last().unwrap());
                passing.go_on(pass, None);
                stages.push(passing.stage);
            }
            assert_eq!(stages, pass.stages());
            passing.go_on(pass, None);
            assert!(passing.is_done());
        }
    }
}
