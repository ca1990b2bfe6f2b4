//! Faults, each by seed and rate. A rate is "once in so many times"; 0 is never. What is decided
//! about one thing is decided by the seed and that thing alone: about an answer, by the question
//! and how often that very question was asked before.

use std::ops::Range;

use crate::dice::Dice;

/// What may go wrong in a network.
#[derive(Clone, Default, Debug)]
pub struct Faults {
    /// Decides when.
    pub seed: u64,
    /// Of every PDS.
    pub hosts: HostFaults,
    /// Of the PLC directory.
    pub directory: HostFaults,
    /// Of the relay's lists.
    pub relay: HostFaults,
    /// Of each stream, by its place; none for those beyond.
    pub streams: Vec<StreamFaults>,
    /// Of the labeler's answers, and of the handshake of its stream.
    pub labeler: HostFaults,
    /// Of the labeler's stream.
    pub labels: LabelFaults,
}

/// What a host does instead of answering.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct HostFaults {
    /// Answers 500, 502 or 503.
    pub fails: u64,
    /// Answers 429, to come again after a second.
    pub busy: u64,
    /// Doesn't answer at all.
    pub hangs: u64,
    /// Breaks off within the answer.
    pub cuts: u64,
    /// Sends other bytes than it should, where hashes tell.
    pub lies: u64,
    /// Sends whoever asks to an address inside.
    pub redirects: u64,
}

/// What one request meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostFault {
    /// This status.
    Fails(u16),
    /// 429.
    Busy,
    /// Nothing.
    Hangs,
    /// The answer up to a part of it, in 256ths.
    Cuts(u8),
    /// The answer with a byte changed, at a part of it, in 256ths.
    Lies(u8),
    /// A redirect inside.
    Redirects,
}

impl HostFault {
    /// As [`HostFaults`] calls it.
    pub const fn name(self) -> &'static str {
        match self {
            HostFault::Fails(_) => "fails",
            HostFault::Busy => "busy",
            HostFault::Hangs => "hangs",
            HostFault::Cuts(_) => "cuts",
            HostFault::Lies(_) => "lies",
            HostFault::Redirects => "redirects",
        }
    }
}

impl HostFaults {
    /// What a question meets at a named server that was asked it so many times before.
    pub fn roll(&self, seed: u64, server: &str, question: &str, before: u64) -> Option<HostFault> {
        let name = format!("{server} {question}");
        let mut dice = Dice::named(seed ^ before.rotate_left(32), &name);
        let part = dice.below(256) as u8;
        let status = dice.one(&[500, 502, 503]);
        [
            (self.fails, HostFault::Fails(status)),
            (self.busy, HostFault::Busy),
            (self.hangs, HostFault::Hangs),
            (self.cuts, HostFault::Cuts(part)),
            (self.lies, HostFault::Lies(part)),
            (self.redirects, HostFault::Redirects),
        ]
        .into_iter()
        .find_map(|(rate, fault)| dice.once_in(rate).then_some(fault))
    }
}

/// What a stream does wrong. The first group is in what the host has on its disk and is the same
/// for everybody who asks; the second belongs to each connection.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct StreamFaults {
    /// Events it never hears of.
    pub drops: u64,
    /// Events it tells twice.
    pub duplicates: u64,
    /// Events it hears of late: a repo's wait while others go on; each repo stays in order.
    pub delays: u64,
    /// Events that nobody wrote: a record that isn't, or the deletion of one that is.
    pub invents: u64,
    /// Collections it is blind for, and between which of its events.
    pub blind: Option<(Vec<String>, Range<u64>)>,
    /// How far its clock is ahead, in microseconds.
    pub skew: i64,

    /// Frames until a connection breaks within a frame.
    pub cuts: u64,
    /// Frames that are none: no JSON, or not what it should be.
    pub garbage: u64,
    /// Frames larger than anybody takes.
    pub giants: u64,
    /// Frames after which it goes some way back and tells everything again.
    pub rewinds: u64,
    /// Connections that another instance answers, with numbers and a clock of its own.
    pub strangers: u64,
}

/// What the labeler's stream does wrong. The first group is the same for everybody who subscribes;
/// the second belongs to each connection.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LabelFaults {
    /// Labels that are never told; asked for, they are there.
    pub drops: u64,
    /// Labels beside which stands one, in the same frame, that somebody else has signed.
    pub forges: u64,

    /// Frames that come twice.
    pub duplicates: u64,
    /// Frames until a connection breaks within a frame.
    pub cuts: u64,
    /// Frames that are none: no CBOR, or not what it should be.
    pub garbage: u64,
    /// Frames larger than anybody takes.
    pub giants: u64,
    /// Frames after which it goes some way back and tells everything again.
    pub rewinds: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_at_their_rate_and_again_at_the_same_places() {
        let faults = HostFaults {
            fails: 10,
            hangs: 20,
            ..HostFaults::default()
        };
        let roll = |seed| -> Vec<Option<HostFault>> {
            (0..2_000)
                .map(|before| faults.roll(seed, "pds 0", "/xrpc/_health", before))
                .collect()
        };
        assert_eq!(roll(1), roll(1));
        assert_ne!(roll(1), roll(2));
        let is_failure = |fault: &&Option<HostFault>| matches!(fault, Some(HostFault::Fails(_)));
        let failures = roll(1).iter().filter(is_failure).count();
        assert!((150..250).contains(&failures), "{failures} of 2000");
        let none = HostFaults::default();
        let meets_nothing = |before| none.roll(1, "pds 0", "/xrpc/_health", before).is_none();
        assert!((0..2_000).all(meets_nothing));
    }
}
