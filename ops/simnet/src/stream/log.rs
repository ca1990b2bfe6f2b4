//! What one host has written down of what the network told, with whatever it got wrong.

use std::collections::{BTreeMap, HashMap, VecDeque};

use plyr_lexicons::{Rev, data};
use serde_json::json;

use super::frame::{Line, Told, Upstream};
use crate::dice::Dice;
use crate::event::{Event, Happening};
use crate::faults::StreamFaults;

/// A host's lines, the oldest first.
pub struct Log {
    seed: u64,
    faults: StreamFaults,
    lines: VecDeque<Line>,
    /// Lines kept at most.
    keep: usize,
    /// The number of the next line.
    next: u64,
    time: i64,
    /// Events heard of, which decide what goes wrong.
    heard: u64,
    /// Repos whose events wait, and until which event is heard of.
    waiting: HashMap<String, (u64, Vec<Told>)>,
    /// Events that are told once more, and when.
    again: Vec<(u64, String, Told)>,
    /// How often what went wrong, by the name that [`StreamFaults`] has for it.
    went_wrong: BTreeMap<&'static str, u64>,
}

impl Log {
    pub fn new(seed: u64, faults: StreamFaults, keep: usize) -> Log {
        Log {
            seed,
            faults,
            lines: VecDeque::new(),
            keep: keep.max(1),
            next: 1,
            time: 0,
            heard: 0,
            waiting: HashMap::new(),
            again: Vec::new(),
            went_wrong: BTreeMap::new(),
        }
    }

    /// Hears of an event; `relayed` is the relay's number of it, `now` the time.
    pub fn hear(&mut self, event: &Event, relayed: u64, now: i64) {
        let upstream = Upstream {
            seq: relayed,
            at: event.at,
        };
        match &event.what {
            Happening::Identity => self.take(&event.did, Told::Identity(upstream), now),
            Happening::Account { status } => {
                self.take(&event.did, Told::Account(upstream, *status), now);
            }
            // No real one has been seen to pass it on.
            Happening::Sync { .. } => {}
            Happening::Commit { rev, writes } => {
                for write in writes {
                    let told = Told::Commit {
                        rev: *rev,
                        action: write.action,
                        collection: write.collection.clone(),
                        rkey: write.rkey.clone(),
                        record: write.record.clone(),
                    };
                    self.take(&event.did, told, now);
                }
            }
        }
    }

    fn take(&mut self, did: &str, told: Told, now: i64) {
        self.heard += 1;
        let mut dice = Dice::new(self.seed ^ self.heard.rotate_left(40));
        let faults = self.faults.clone();
        let is_dropped = dice.once_in(faults.drops);
        let is_blind = !is_dropped && self.is_blind(&told);
        if is_dropped {
            self.goes_wrong("drops");
        } else if is_blind {
            self.goes_wrong("blind");
        } else {
            match self.waiting.get_mut(did) {
                Some((_, waiting)) => waiting.push(told.clone()),
                None if dice.once_in(faults.delays) => {
                    self.goes_wrong("delays");
                    let until = self.heard + dice.between(1, 60);
                    let waiting = vec![told.clone()];
                    self.waiting.insert(did.to_owned(), (until, waiting));
                }
                None => self.write(did, told.clone(), now),
            }
            if dice.once_in(faults.duplicates) {
                self.goes_wrong("duplicates");
                let when = self.heard + dice.below(30);
                self.again.push((when, did.to_owned(), told.clone()));
            }
        }
        if dice.once_in(faults.invents) {
            // What is no record's is told again as it was.
            if matches!(told, Told::Commit { .. }) {
                self.goes_wrong("invents");
            }
            let invented = invented(&told, &mut dice);
            self.write(did, invented, now);
        }
        self.release(self.heard, now);
    }

    fn is_blind(&self, told: &Told) -> bool {
        match (&self.faults.blind, told) {
            (Some((blind, between)), Told::Commit { collection, .. }) => {
                between.contains(&self.heard) && blind.contains(collection)
            }
            _ => false,
        }
    }

    /// What waits until an event is written.
    fn release(&mut self, heard: u64, now: i64) {
        let due = |(until, _): &(u64, Vec<Told>)| *until <= heard;
        let mut ready: Vec<String> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| due(waiting))
            .map(|(did, _)| did.clone())
            .collect();
        // The same order at every run.
        ready.sort();
        for did in ready {
            let (_, waiting) = self.waiting.remove(&did).unwrap_or_default();
            for told in waiting {
                self.write(&did, told, now);
            }
        }
        let all = std::mem::take(&mut self.again);
        let (ready, rest) = all.into_iter().partition(|(when, ..)| *when <= heard);
        self.again = rest;
        let ready: Vec<(u64, String, Told)> = ready;
        for (_, did, told) in ready {
            self.write(&did, told, now);
        }
    }

    /// From now on nothing goes wrong any more, and nothing waits.
    pub fn calm(&mut self, now: i64) {
        let skew = self.faults.skew;
        self.faults = StreamFaults {
            skew,
            ..StreamFaults::default()
        };
        self.release(u64::MAX, now);
    }

    fn write(&mut self, did: &str, told: Told, now: i64) {
        self.time = (now + self.faults.skew).max(self.time + 1);
        let line = Line {
            seq: self.next,
            time: self.time,
            did: did.to_owned(),
            told,
        };
        self.next += 1;
        self.lines.push_back(line);
        while self.lines.len() > self.keep {
            self.lines.pop_front();
        }
    }

    /// The number after the last.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The first number that is kept.
    pub fn first(&self) -> u64 {
        self.lines.front().map_or(self.next, |line| line.seq)
    }

    /// The first number at or after a time.
    pub fn since(&self, time: i64) -> u64 {
        let place = self.lines.partition_point(|line| line.time < time);
        self.lines.get(place).map_or(self.next, |line| line.seq)
    }

    /// Lines from a number on, at most so many.
    pub fn read(&self, from: u64, most: usize) -> Vec<Line> {
        let skip = from.saturating_sub(self.first()) as usize;
        self.lines.iter().skip(skip).take(most).cloned().collect()
    }

    /// What goes wrong.
    pub fn faults(&self) -> &StreamFaults {
        &self.faults
    }

    /// Counts what has gone wrong once more, by the name that [`StreamFaults`] has for it.
    pub fn goes_wrong(&mut self, fault: &'static str) {
        *self.went_wrong.entry(fault).or_default() += 1;
    }

    /// How often what went wrong until now; nothing that never did.
    pub fn went_wrong(&self) -> &BTreeMap<&'static str, u64> {
        &self.went_wrong
    }
}

/// Something that nobody wrote: a record, or the deletion of the one that was told.
fn invented(told: &Told, dice: &mut Dice) -> Told {
    let Told::Commit {
        rev,
        collection,
        rkey,
        record,
        ..
    } = told
    else {
        return told.clone();
    };
    let rev = Rev::from_u64(rev.as_u64() + 1);
    if record.is_some() && dice.once_in(2) {
        return Told::Commit {
            rev,
            action: "delete",
            collection: collection.clone(),
            rkey: rkey.clone(),
            record: None,
        };
    }
    let forged = json!({ "$type": "fm.plyr.track", "title": "nobody wrote this", "artist": "nobody",
        "fileType": "mp3", "createdAt": "2026-01-01T00:00:00.000Z" });
    let forged = forged.to_string();
    let read = data::from_json(forged.as_bytes());
    let record = read.and_then(|record| data::to_cbor(&record)).ok();
    Told::Commit {
        rev,
        action: "create",
        collection: "fm.plyr.track".to_owned(),
        rkey: format!("invented{}", dice.below(1_000_000)),
        record: record.map(|bytes| (data::cid_of(&bytes), forged.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(count: u64) -> Vec<Event> {
        let event = |number: u64| {
            let write = crate::event::Written {
                action: "delete",
                collection: "fm.plyr.like".to_owned(),
                rkey: format!("k{number}"),
                record: None,
            };
            Event {
                did: format!("did:plc:{}", number % 7),
                at: 1,
                what: Happening::Commit {
                    rev: Rev::from_micros(number as i64, 0),
                    writes: vec![write],
                },
            }
        };
        (0..count).map(event).collect()
    }

    fn log(faults: StreamFaults) -> Log {
        let mut log = Log::new(3, faults, 10_000);
        for (number, event) in events(1_000).iter().enumerate() {
            log.hear(event, number as u64, number as i64);
        }
        log.calm(5_000);
        log
    }

    fn heard(faults: StreamFaults) -> Vec<Line> {
        log(faults).read(1, 10_000)
    }

    fn rev(line: &Line) -> i64 {
        match &line.told {
            Told::Commit { rev, .. } => rev.micros(),
            _ => -1,
        }
    }

    #[test]
    fn without_faults_everything_is_told_in_order() {
        let lines = heard(StreamFaults::default());
        let revs: Vec<i64> = lines.iter().map(rev).collect();
        assert_eq!(revs, (0..1_000).collect::<Vec<_>>());
        assert!(lines.windows(2).all(|two| two[0].time < two[1].time));
        assert!(lines.windows(2).all(|two| two[0].seq + 1 == two[1].seq));
    }

    #[test]
    fn late_events_keep_the_order_of_their_repo_and_none_is_lost() {
        let lines = heard(StreamFaults {
            delays: 10,
            ..StreamFaults::default()
        });
        assert_eq!(lines.len(), 1_000);
        assert!(lines.windows(2).any(|two| rev(&two[0]) > rev(&two[1])));
        for repo in 0..7 {
            let did = format!("did:plc:{repo}");
            let own: Vec<i64> = lines
                .iter()
                .filter(|line| line.did == did)
                .map(rev)
                .collect();
            assert!(own.is_sorted(), "{did}: {own:?}");
        }
    }

    #[test]
    fn each_fault_does_what_it_says() {
        let of = |faults: StreamFaults| heard(faults).len();
        let dropped = of(StreamFaults {
            drops: 10,
            ..StreamFaults::default()
        });
        assert!((860..940).contains(&dropped), "{dropped}");
        let doubled = of(StreamFaults {
            duplicates: 10,
            ..StreamFaults::default()
        });
        assert!((1_060..1_140).contains(&doubled), "{doubled}");
        let invented = of(StreamFaults {
            invents: 10,
            ..StreamFaults::default()
        });
        assert!((1_060..1_140).contains(&invented), "{invented}");
        let blind = of(StreamFaults {
            blind: Some((vec!["fm.plyr.like".to_owned()], 100..300)),
            ..StreamFaults::default()
        });
        assert_eq!(blind, 800);
    }

    #[test]
    fn what_goes_wrong_is_counted_and_nothing_else() {
        assert!(log(StreamFaults::default()).went_wrong().is_empty());
        let log = log(StreamFaults {
            drops: 10,
            duplicates: 10,
            invents: 10,
            delays: 10,
            blind: Some((vec!["fm.plyr.like".to_owned()], 100..300)),
            ..StreamFaults::default()
        });
        let times = |fault| log.went_wrong().get(fault).copied().unwrap_or_default();
        let [drops, blind] = [times("drops"), times("blind")];
        assert!((60..140).contains(&drops), "{drops}");
        assert!((160..200).contains(&blind), "{blind}");
        assert!(times("delays") > 10);
        let lost = drops + blind;
        let more = times("duplicates") + times("invents");
        assert_eq!(log.next() - 1, 1_000 - lost + more);
    }
}
