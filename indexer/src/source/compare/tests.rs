use super::*;
use crate::suspicion::{Suspected, Suspicion};

const NOW: i64 = 1_800_000_000_000_000;
const SECOND: i64 = 1_000_000;
const REPOS: [&str; 2] = [
    "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
    "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb",
];

struct Bench {
    comparison: Comparison,
    suspected: Suspected,
}

fn bench(hosts: usize) -> Bench {
    let (suspicions, suspected) = crate::suspicion::channel();
    let names = (0..hosts).map(|number| Arc::from(format!("ws://host-{number}")));
    let namespace = "fm.plyr".parse().unwrap();
    let options = ComparisonOptions::default();
    let comparison = Comparison::new(names, namespace, options, suspicions);
    for host in 0..hosts {
        comparison.connected(host, NOW - 1_000 * SECOND);
        comparison.carried(host, at(NOW - 1_000 * SECOND), None, NOW - 1_000 * SECOND);
    }
    Bench {
        comparison,
        suspected,
    }
}

fn at(time: i64) -> Option<At> {
    Some(At {
        cursor: 1,
        time: Some(time),
    })
}

fn commit(repo: usize, rkey: &str, rev_at: i64, operation: Operation) -> Commit<'_> {
    let cid = (operation != Operation::Delete).then_some("bafy".into());
    Commit {
        did: REPOS[repo].into(),
        at: At {
            cursor: 1,
            time: None,
        },
        rev: Rev::from_micros(rev_at, 1).to_string().into(),
        operation,
        collection: "fm.plyr.track".into(),
        rkey: rkey.into(),
        cid,
        record: None,
    }
}

impl Bench {
    /// A host carries a create at a time; it is applied if it is new.
    fn carries(&self, host: usize, repo: usize, rkey: &str, time: i64) -> Option<u64> {
        self.carries_of(host, repo, rkey, time, time, true)
    }

    fn carries_of(
        &self,
        host: usize,
        repo: usize,
        rkey: &str,
        time: i64,
        rev_at: i64,
        is_news: bool,
    ) -> Option<u64> {
        let commit = commit(repo, rkey, rev_at, Operation::Create);
        let key = self
            .comparison
            .carried(host, at(time), Some(&commit), time)?;
        if is_news {
            self.comparison.applied(key);
        }
        Some(key)
    }

    /// A host is at a time of its stream.
    fn passes(&self, host: usize, time: i64) {
        self.comparison.carried(host, at(time), None, time);
    }

    fn suspicions(&self, now: i64) -> Vec<Suspicion> {
        self.comparison.look(now);
        self.suspected.drain()
    }
}

fn doubted(suspicions: &[Suspicion]) -> Vec<&str> {
    let doubted = suspicions.iter().filter_map(|one| match one {
        Suspicion::Doubt(doubt) => Some(doubt.uri.rkey.as_str()),
        _ => None,
    });
    doubted.collect()
}

#[test]
fn a_host_within_its_grace_casts_no_doubt_and_one_beyond_does_once() {
    let bench = bench(2);
    bench.carries(0, 0, "one", NOW);
    for (time, expected) in [(NOW, 0), (NOW + 19 * SECOND, 0), (NOW + 20 * SECOND, 1)] {
        bench.passes(1, time);
        assert_eq!(doubted(&bench.suspicions(time)).len(), expected, "{time}");
    }
    bench.passes(1, NOW + 30 * SECOND);
    assert_eq!(bench.suspicions(NOW + 30 * SECOND), []);
}

#[test]
fn what_two_of_three_carried_is_no_doubt_but_the_third_missed_it() {
    let bench = bench(3);
    bench.carries(0, 0, "one", NOW);
    bench.carries_of(1, 0, "one", NOW + SECOND, NOW, false);
    bench.passes(2, NOW + 60 * SECOND);
    assert_eq!(bench.suspicions(NOW + 60 * SECOND), []);
    let missed = |host: &HostStanding| host.windows.values().count();
    assert_eq!(bench.comparison.describe(missed), [1, 1, 1]);
}

#[test]
fn the_same_place_with_other_content_is_another_event() {
    let bench = bench(2);
    let rev_at = NOW;
    for (host, operation) in [(0, Operation::Create), (1, Operation::Delete)] {
        let commit = commit(0, "one", rev_at, operation);
        let carried = bench.comparison.carried(host, at(NOW), Some(&commit), NOW);
        bench.comparison.applied(carried.unwrap());
    }
    bench.passes(0, NOW + 60 * SECOND);
    bench.passes(1, NOW + 60 * SECOND);
    let suspicions = bench.suspicions(NOW + 60 * SECOND);
    assert_eq!(doubted(&suspicions), ["one", "one"]);
    // The delete comes first.
    assert!(matches!(&suspicions[0], Suspicion::Doubt(doubt) if doubt.is_delete));
}

#[test]
fn what_changed_nothing_or_had_no_second_host_is_not_doubted() {
    let bench = bench(2);
    bench.carries_of(0, 0, "superseded", NOW, NOW, false);
    bench.passes(1, NOW + 60 * SECOND);
    assert_eq!(bench.suspicions(NOW + 60 * SECOND), []);

    bench.comparison.disconnected(1);
    bench.carries(0, 0, "alone", NOW + 70 * SECOND);
    assert_eq!(bench.suspicions(NOW + 600 * SECOND), []);
    // It comes back and reads on from where it stopped: it had its chance.
    bench.comparison.connected(1, NOW + 700 * SECOND);
    let read = at(NOW + 65 * SECOND);
    bench.comparison.carried(1, read, None, NOW + 700 * SECOND);
    assert_eq!(bench.suspicions(NOW + 701 * SECOND), []);
    bench.passes(1, NOW + 701 * SECOND);
    assert_eq!(doubted(&bench.suspicions(NOW + 701 * SECOND)), ["alone"]);
}

#[test]
fn a_gap_is_told_and_what_lies_in_it_was_no_chance() {
    let bench = bench(2);
    bench.carries(0, 0, "in-the-gap", NOW);
    bench.comparison.disconnected(1);
    bench.comparison.connected(1, NOW + 10 * SECOND);
    let after = at(NOW + 10 * SECOND);
    bench.comparison.gap(1, after, NOW + 10 * SECOND);
    bench.passes(1, NOW + 60 * SECOND);
    let source = "ws://host-1".into();
    let gap = Suspicion::Host(Distrust::Gap { source });
    assert_eq!(bench.suspicions(NOW + 60 * SECOND), [gap]);
    bench.carries(0, 0, "later", NOW + 100 * SECOND);
    bench.passes(1, NOW + 200 * SECOND);
    assert_eq!(doubted(&bench.suspicions(NOW + 200 * SECOND)), ["later"]);
}

#[test]
fn a_lagging_host_is_waited_for_and_a_silent_one_is_not() {
    let bench = bench(2);
    let seen = NOW + 5_000 * SECOND;
    bench.carries(0, 0, "one", seen);
    // It reads old frames, steadily.
    for step in 0..100 {
        let commit = None;
        let read = at(NOW + step * SECOND);
        bench
            .comparison
            .carried(1, read, commit, seen + step * SECOND);
        assert_eq!(bench.suspicions(seen + step * SECOND), []);
    }
    assert_eq!(bench.suspicions(seen + 99 * SECOND + 39 * SECOND), []);
    assert_eq!(
        doubted(&bench.suspicions(seen + 99 * SECOND + 40 * SECOND)),
        ["one"]
    );
}

#[test]
fn a_host_that_misses_what_others_carry_is_blind_and_sees_again() {
    let bench = bench(2);
    let mut told = Vec::new();
    for number in 0..8 {
        let time = NOW + number * SECOND;
        let repo = (number % 2) as usize;
        bench.carries(0, repo, &format!("r{number}"), time);
        bench.passes(1, time + 20 * SECOND);
        told.extend(bench.suspicions(time + 20 * SECOND));
    }
    assert_eq!(doubted(&told).len(), 8);
    let hosts = |told: &[Suspicion]| -> Vec<Distrust> {
        let hosts = told.iter().filter_map(|one| match one {
            Suspicion::Host(distrust) => Some(distrust.clone()),
            _ => None,
        });
        hosts.collect()
    };
    let (source, collection): (Arc<str>, _) = ("ws://host-1".into(), "fm.plyr.track".to_owned());
    let blind = Distrust::Blind {
        source: source.clone(),
        collection: collection.clone(),
        since: NOW,
    };
    assert_eq!(hosts(&told), [blind]);
    assert_eq!(bench.comparison.problems()[1].len(), 1);
    let mut told = Vec::new();
    for number in 100..103 {
        let time = NOW + number * SECOND;
        bench.carries(0, 0, &format!("r{number}"), time);
        bench.carries(1, 0, &format!("r{number}"), time);
        told.extend(bench.suspicions(time));
    }
    assert_eq!(
        told,
        [Suspicion::Host(Distrust::Recovered { source, collection })]
    );
    assert_eq!(bench.comparison.problems()[1].len(), 0);
}

/// A host that begins by filling in the past says nothing about who was not there then.
#[test]
fn rows_of_an_older_state_blind_nobody() {
    let bench = bench(2);
    let mut told = Vec::new();
    for number in 0..50 {
        let time = NOW + number * SECOND;
        let repo = (number % 2) as usize;
        let rev_at = NOW - 86_400 * SECOND;
        bench.carries_of(0, repo, &format!("r{number}"), time, rev_at, true);
    }
    bench.passes(1, NOW + 100 * SECOND);
    told.extend(bench.suspicions(NOW + 100 * SECOND));
    assert_eq!(doubted(&told).len(), 50);
    assert_eq!(told.len(), 50);
}

#[test]
fn an_invented_event_blinds_nobody_and_its_host_is_counted() {
    let bench = bench(2);
    for number in 0..50 {
        let time = NOW + number * SECOND;
        bench.carries(0, (number % 2) as usize, &format!("r{number}"), time);
        bench.passes(1, time + 20 * SECOND);
        for suspicion in bench.suspicions(time + 20 * SECOND) {
            let Suspicion::Doubt(doubt) = suspicion else {
                panic!("{suspicion:?}");
            };
            bench.comparison.disproved(&doubt);
        }
    }
    assert_eq!(bench.comparison.describe(|host| host.invented), [50, 0]);
}

#[test]
fn i11_no_more_is_remembered_than_there_is_room_for_and_nothing_is_lost() {
    let bench = bench(2);
    for number in 0..CAPACITY + 10 {
        let repo = number % 2;
        bench.carries(0, repo, &format!("r{number}"), NOW);
    }
    assert_eq!(bench.comparison.state().events.len(), CAPACITY);
    assert_eq!(bench.comparison.state().order.len(), CAPACITY);
    let endless = "r".repeat(LONGEST_RKEY + 1);
    assert_eq!(bench.carries(0, 0, &endless, NOW), None);
    let suspicions = bench.suspicions(NOW);
    let repos = REPOS.map(|did| Suspicion::Repo(did.parse().unwrap()));
    assert_eq!(suspicions, repos);
    // Long after, nothing is remembered.
    bench.comparison.disconnected(1);
    assert_eq!(bench.suspicions(NOW + KEEP + SECOND), []);
    assert!(bench.comparison.state().events.is_empty());
}

#[test]
fn one_host_alone_is_compared_with_nobody() {
    let bench = bench(1);
    assert_eq!(bench.carries(0, 0, "one", NOW), None);
    assert!(bench.comparison.state().events.is_empty());
}

#[test]
fn a_canary_is_awaited_by_the_hosts_own_time() {
    let canary = Canary {
        uri: format!("at://{}/fm.plyr.track/canary", REPOS[0])
            .parse()
            .unwrap(),
        every: Duration::from_secs(60),
    };
    let mut bench = bench(2);
    bench.comparison.options.canary = Some(canary);
    for host in 0..2 {
        bench.carries(host, 0, "canary", NOW);
    }
    assert_eq!(bench.suspicions(NOW + 60 * SECOND), []);
    bench.carries(0, 0, "canary", NOW + 61 * SECOND);
    let source = "ws://host-1".into();
    let late = Suspicion::Host(Distrust::Canary { source });
    assert_eq!(bench.suspicions(NOW + 61 * SECOND), [late]);
    assert_eq!(bench.suspicions(NOW + 62 * SECOND), []);
    assert!(bench.comparison.problems()[1][0].contains("no canary since"));
    // An old one, told late, is no sign of life.
    bench.carries_of(1, 0, "canary", NOW + SECOND, NOW, false);
    assert_eq!(bench.suspicions(NOW + 63 * SECOND), []);
    assert_eq!(bench.comparison.problems()[1].len(), 1);
    bench.carries(1, 0, "canary", NOW + 61 * SECOND);
    assert_eq!(bench.suspicions(NOW + 64 * SECOND), []);
    assert_eq!(bench.comparison.problems()[1].len(), 0);
}
