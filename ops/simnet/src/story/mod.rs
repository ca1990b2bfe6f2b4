//! The story: who does what, and when, out of a seed and nothing else. The same plot gives the same
//! acts, byte for byte, on every machine; the clock in it is its own.

mod cast;
mod finding;
mod hostile;
mod kind;
mod labels;
mod life;
mod music;
mod opening;
mod records;
mod social;

use std::collections::VecDeque;
use std::time::Duration;

use plyr_lexicons::{Cid, Ipld, Namespace};

use crate::SimnetError;
use crate::blob::Blob;
use crate::dice::Dice;
use cast::{Cast, Standing};
pub use kind::{Kind, Proportions};
use opening::Step;

/// When a story begins unless told otherwise, in microseconds since 1970: 2026-01-01. A constant,
/// so that a seed gives the same at-uris for ever.
pub const BEGINNING: i64 = 1_767_225_600_000_000;

/// What a story is told from.
#[derive(Clone, PartialEq, Debug)]
pub struct Plot {
    /// Decides everything that is left open here.
    pub seed: u64,
    /// When it begins, in microseconds since 1970. Not in the future of those who follow it: revs
    /// more than 5 minutes ahead are refused.
    pub start: i64,
    /// Whose records.
    pub namespace: Namespace,
    /// Hosts that accounts live on; 1 at least.
    pub hosts: usize,
    /// Artists at the opening; 1 at least.
    pub artists: usize,
    /// People who only listen, at the opening.
    pub listeners: usize,
    /// Tracks at the opening, at least one for each artist.
    pub tracks: usize,
    /// Acts of life that belong to the opening, after everybody has joined and published.
    pub history: usize,
    /// Length of a tune, in seconds: the shortest and the longest.
    pub seconds: (u32, u32),
    /// Different tunes at most; after that tracks share them, as re-uploads do.
    pub tunes: usize,
    /// Longest time between two acts of life, by the story's clock. (In the opening hours may
    /// pass.)
    pub pace: Duration,
    /// How often what is done.
    pub proportions: Proportions,
}

impl Plot {
    /// A small scene: artists, three listeners for two of them, some tracks each, and what they
    /// made of it.
    pub fn of_seed(seed: u64, namespace: Namespace) -> Plot {
        Plot {
            seed,
            start: BEGINNING,
            namespace,
            hosts: 2,
            artists: 12,
            listeners: 18,
            tracks: 48,
            history: 400,
            seconds: (8, 20),
            tunes: usize::MAX,
            pace: Duration::from_secs(600),
            proportions: Proportions::default(),
        }
    }
}

/// Which curve an account's key is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Curve {
    /// secp256k1, as most are.
    K256,
    /// NIST P-256.
    P256,
}

/// One act.
#[derive(Clone, PartialEq, Debug)]
pub struct Act {
    /// When, in microseconds since 1970; later than every act before it.
    pub at: i64,
    /// Whose account.
    pub did: String,
    /// What is done.
    pub deed: Deed,
}

/// What somebody does.
#[derive(Clone, PartialEq, Debug)]
pub enum Deed {
    /// Opens an account.
    Join {
        /// Its handle, of `.test`.
        handle: String,
        /// The name of who it is.
        name: String,
        /// On which host.
        host: usize,
        /// The curve of its key.
        curve: Curve,
        /// Whether its DID document has the older shape.
        legacy: bool,
    },
    /// Writes in the repo, in one commit.
    Write {
        /// What changes; each key once.
        ops: Vec<Op>,
        /// Blobs that are uploaded for it.
        blobs: Vec<Blob>,
    },
    /// Takes another handle.
    Rename {
        /// Which.
        handle: String,
    },
    /// Leaves for a while.
    Deactivate,
    /// Comes back.
    Reactivate,
    /// Is taken down by the host.
    TakeDown,
    /// Is restored by the host.
    Restore,
    /// Is deleted for good.
    Delete,
    /// Moves, with everything, to another host, and has another key there.
    Move {
        /// Where to.
        host: usize,
        /// The handle there.
        handle: String,
    },
    /// Offers labels from now on; one account of a network may.
    OfferLabels,
    /// Says something, as the labeler, of an account or a record.
    Label {
        /// A record's at-uri, or an account's DID.
        uri: String,
        /// Of that version of a record alone.
        cid: Option<Cid>,
        /// What is said.
        val: String,
        /// Whether it is taken back.
        neg: bool,
        /// Until when it holds, in microseconds since 1970.
        exp: Option<i64>,
    },
}

/// A change of one record.
#[derive(Clone, PartialEq, Debug)]
pub struct Op {
    /// The collection's NSID.
    pub collection: String,
    /// The record key.
    pub rkey: String,
    /// The record from now on; none deletes it.
    pub record: Option<Ipld>,
}

/// A story as it goes on: an iterator without an end.
pub struct Story {
    plot: Plot,
    cast: Cast,
    dice: Dice,
    now: i64,
    told: u64,
    script: VecDeque<Step>,
    opening: usize,
    /// What has to follow, and after which act.
    later: Vec<(u64, Later)>,
    tunes: Vec<Blob>,
}

/// What follows something.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Later {
    /// The finished version of a track that was published in haste.
    Finished { person: usize, rkey: String },
    /// Who was away comes back.
    Back { person: usize },
}

impl Story {
    /// The story of a plot.
    pub fn new(plot: Plot) -> Result<Story, SimnetError> {
        let problem = match &plot {
            Plot { artists: 0, .. } => "a story needs an artist: artists must be 1 at least",
            Plot { hosts: 0, .. } => "a story needs a host: hosts must be 1 at least",
            Plot { seconds, .. } if seconds.0 == 0 || seconds.0 > seconds.1 => {
                "a tune needs a second, and its shortest length comes first"
            }
            Plot { tunes: 0, .. } => "a story needs a tune: tunes must be 1 at least",
            _ => "",
        };
        if !problem.is_empty() {
            return Err(SimnetError::Plot(problem.to_owned()));
        }
        let mut dice = Dice::named(plot.seed, "story");
        let script = opening::script(&plot, &mut dice.fork());
        Ok(Story {
            opening: script.len() + plot.history,
            script,
            cast: Cast::default(),
            dice,
            now: plot.start,
            told: 0,
            later: Vec::new(),
            tunes: Vec::new(),
            plot,
        })
    }

    /// How many acts the opening has: take so many, and everybody has joined and published.
    pub fn opening(&self) -> usize {
        self.opening
    }

    /// Has the clock go on at a later time, in microseconds since 1970; an earlier one changes
    /// nothing. Who compares streams looks at nothing that is older than when they began to listen.
    pub fn skip_to(&mut self, at: i64) {
        self.now = self.now.max(at);
    }

    /// What is due now of what had to follow.
    fn due(&mut self) -> Option<Later> {
        let place = self
            .later
            .iter()
            .position(|(after, _)| *after <= self.told)?;
        Some(self.later.swap_remove(place).1)
    }

    fn follow(&mut self, after: u64, later: Later) {
        self.later.push((self.told + after, later));
    }

    /// The next act's deed and whose; what can't be done now is tried as something else.
    fn deed(&mut self) -> (usize, Deed) {
        if let Some(step) = self.script.pop_front() {
            return self.step(step);
        }
        if let Some(later) = self.due()
            && let Some(done) = self.later(later)
        {
            return done;
        }
        for _ in 0..8 {
            let kind = self.plot.proportions.roll(&mut self.dice);
            if let Some(done) = self.live(kind) {
                return done;
            }
        }
        self.join(true)
    }
}

impl Iterator for Story {
    type Item = Act;

    fn next(&mut self) -> Option<Act> {
        // The opening takes days; what follows, minutes.
        let longest = match self.script.is_empty() {
            true => self.plot.pace.as_micros() as u64,
            false => 7_200_000_000,
        };
        self.now += self.dice.between(1_000, longest.max(1_001)) as i64;
        self.told += 1;
        let (person, deed) = self.deed();
        let did = self.cast.people[person].did.clone();
        debug_assert!(self.cast.people[person].standing != Standing::Gone || deed == Deed::Delete);
        Some(Act {
            at: self.now,
            did,
            deed,
        })
    }
}

#[cfg(test)]
mod tests;
