//! A model of the write path: two writers, a sweeper and one who judges by newer rules, over cells
//! of which the greatest (stamp, bytes) stays, every step on its own, in seeded interleavings, each
//! process dying anywhere. What is decided is decided by the engine's own functions.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use plyr_lexicons::{Collection, Ipld, Judgement, Namespace, RecordUri, Rev, Verdict, data};

use super::cells::{self, is_live};
use super::derived::{FeedRow, Rows};
use super::writer::{Judged, Versions, derive_key, judge};
use crate::held::{Content, HeldVersion, current, derived_of, removable, settled};
use crate::index::Position;
use crate::model::Standing;

/// Numbers that look random and come again.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: usize) -> usize {
        let (times, plus) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
        self.0 = self.0.wrapping_mul(times).wrapping_add(plus);
        ((self.0 >> 33) as usize) % limit
    }
}

/// A cell: stamp, whether it is a delete (which wins a tie), bytes.
type Cell = (i64, bool, Vec<u8>);

fn put(cell: &mut Cell, new: Cell) {
    if new > *cell {
        *cell = new;
    }
}

fn nothing((): ()) -> Cell {
    (i64::MIN, false, Vec::new())
}

/// What a cluster keeps of one key, and the log of it.
#[derive(Default)]
struct Model {
    versions: BTreeMap<(Rev, Vec<u8>), [Cell; 3]>,
    rows: HashMap<String, Cell>,
    /// Steps so far, and at which the current version last changed and the last entry was written.
    steps: usize,
    changed: usize,
    logged: usize,
}

struct World {
    namespace: Namespace,
    uri: RecordUri,
}

impl World {
    fn read(&self, model: &Model) -> Versions {
        let mut versions = Vec::new();
        for ((rev, rank), [said, judged, swept]) in model.versions.iter().rev() {
            if said.1 || said.2.is_empty() {
                continue;
            }
            let held = cells::version(rank, &said.2, &judged.2, !swept.2.is_empty()).unwrap();
            versions.push((*rev, held));
        }
        versions
    }

    fn rows(&self, versions: &Versions, rejudged: bool) -> Vec<FeedRow> {
        let mut rows = Rows::default();
        derive_key(&self.namespace, &self.uri, versions, rejudged, &mut rows).unwrap();
        rows.into_feeds()
    }

    fn write_truth(&self, model: &mut Model, rev: Rev, held: &HeldVersion) {
        let before = current(&self.read(model)).cloned();
        let stamp = rev.micros();
        let key = (rev, cells::rank(held));
        let [said, judged, _] = model
            .versions
            .entry(key)
            .or_insert_with(|| [(); 3].map(nothing));
        put(said, (stamp, false, cells::said(held)));
        put(judged, (stamp, false, cells::judged(held).unwrap()));
        if current(&self.read(model)).cloned() != before {
            model.changed = model.steps;
        }
    }

    fn write_judged(&self, model: &mut Model, rev: Rev, held: &HeldVersion) {
        let before = current(&self.read(model)).cloned();
        let cells = model.versions.entry((rev, cells::rank(held)));
        let [_, judged, _] = cells.or_insert_with(|| [(); 3].map(nothing));
        put(judged, (rev.micros(), false, cells::judged(held).unwrap()));
        if current(&self.read(model)).cloned() != before {
            model.changed = model.steps;
        }
    }

    /// A version of a like of one of two subjects, or a delete.
    fn version(&self, content: usize, standing: Standing) -> HeldVersion {
        let subject = [
            "at://did:plc:x/fm.plyr.track/one",
            "at://did:plc:x/fm.plyr.track/two",
        ];
        let record = |subject: &str| {
            let json =
                format!(r#"{{"$type":"fm.plyr.like","subject":{{"uri":"{subject}","cid":"c"}}}}"#);
            let value: Ipld = data::from_json(json.as_bytes()).unwrap();
            let bytes = data::to_cbor(&value).unwrap();
            Content {
                cid: data::cid_of(&bytes),
                bytes,
                judgement: Judgement {
                    verdict: match subject.ends_with("/one") {
                        true => Verdict::Valid,
                        false => Verdict::Invalid,
                    },
                    reasons: Vec::new(),
                },
                rules: plyr_lexicons::RULES_VERSION,
            }
        };
        HeldVersion {
            standing,
            seen_at: 5,
            content: subject.get(content).map(|subject| record(subject)),
            swept: false,
        }
    }
}

/// Rev and rank.
type VersionKey = (Rev, Vec<u8>);

/// Where a process stands in its work.
enum At {
    Start,
    Judged(Rev, HeldVersion, Judged),
    Written,
    ReadBack(Vec<FeedRow>),
    Derived,
    Marking(Vec<VersionKey>),
    Marked,
    /// Versions that newer rules have yet to judge.
    Judging(Vec<(Rev, HeldVersion)>),
    Sweeping(Vec<FeedRow>, Vec<(VersionKey, bool)>),
    Erasing(Vec<(VersionKey, bool)>),
}

struct Process {
    inbox: VecDeque<(Rev, HeldVersion)>,
    at: At,
    /// What it has brought to the log; lost when it dies.
    logged: HashSet<VersionKey>,
    sweeps: usize,
    rejudges: usize,
}

/// Newer rules find invalid what older ones let pass, and let pass what those found invalid.
fn judged_anew(held: &HeldVersion) -> Option<HeldVersion> {
    let mut held = held.clone();
    let content = held.content.as_mut().filter(|_| !held.swept)?;
    if content.rules > plyr_lexicons::RULES_VERSION {
        return None;
    }
    content.rules = plyr_lexicons::RULES_VERSION + 1;
    content.judgement.verdict = match content.judgement.verdict {
        Verdict::Invalid => Verdict::Valid,
        _ => Verdict::Invalid,
    };
    Some(held)
}

fn key_of((rev, held): &(Rev, HeldVersion)) -> VersionKey {
    (*rev, cells::rank(held))
}

fn row_key(row: &FeedRow) -> String {
    format!("{} {:?}", row.feed.name, row.position)
}

impl Process {
    fn is_done(&self) -> bool {
        self.inbox.is_empty() && self.sweeps + self.rejudges == 0 && matches!(self.at, At::Start)
    }

    /// Everything it knew is gone; what it was handed is handed in again.
    fn die(&mut self) {
        self.at = At::Start;
        self.logged.clear();
    }

    fn step(&mut self, world: &World, model: &mut Model) {
        model.steps += 1;
        self.at = match std::mem::replace(&mut self.at, At::Start) {
            At::Start => match self.inbox.front() {
                Some((rev, held)) => {
                    let judged = judge(&world.read(model), Rev::MIN, *rev, held);
                    let logged = self.logged.contains(&(*rev, cells::rank(held)));
                    if judged == Judged::Superseded || (judged == Judged::AlreadyThere && logged) {
                        self.inbox.pop_front();
                        At::Start
                    } else {
                        At::Judged(*rev, held.clone(), judged)
                    }
                }
                None if self.sweeps > 0 => {
                    let versions = world.read(model);
                    let marks = settled(&versions).into_iter();
                    let marks = marks.filter(|(_, held)| held.content.is_some());
                    At::Marking(marks.map(key_of).collect())
                }
                None if self.rejudges > 0 => {
                    let versions = world.read(model).into_iter();
                    let anew = versions
                        .filter_map(|(rev, held)| judged_anew(&held).map(|held| (rev, held)));
                    At::Judging(anew.collect())
                }
                None => At::Start,
            },
            At::Judging(mut anew) => match anew.pop() {
                Some((rev, held)) => {
                    world.write_judged(model, rev, &held);
                    At::Judging(anew)
                }
                None => At::Written,
            },
            At::Judged(rev, held, judged) => {
                if judged == Judged::Applied {
                    world.write_truth(model, rev, &held);
                }
                At::Written
            }
            At::Written => At::ReadBack(world.rows(&world.read(model), self.rejudges > 0)),
            At::ReadBack(mut rows) => match rows.pop() {
                Some(row) => {
                    let cell = model
                        .rows
                        .entry(row_key(&row))
                        .or_insert_with(|| nothing(()));
                    put(cell, (row.stamp, false, row.cell));
                    At::ReadBack(rows)
                }
                None => At::Derived,
            },
            At::Derived => {
                model.logged = model.steps;
                if let Some((rev, held)) = self.inbox.pop_front() {
                    self.logged.insert((rev, cells::rank(&held)));
                }
                self.rejudges = self.rejudges.saturating_sub(1);
                At::Start
            }
            At::Marking(mut marks) => match marks.pop() {
                Some(key) => {
                    let stamp = key.0.micros();
                    let cells = model.versions.entry(key);
                    let cells = cells.or_insert_with(|| [(); 3].map(nothing));
                    put(&mut cells[2], (stamp, false, vec![1]));
                    At::Marking(marks)
                }
                None => At::Marked,
            },
            At::Marked => {
                let versions = world.read(model);
                let open = versions
                    .iter()
                    .filter(|(_, held)| held.swept && held.content.is_some());
                let mut old: Vec<_> = open.map(|version| (key_of(version), false)).collect();
                let gone = removable(&versions).into_iter();
                old.extend(gone.map(|version| (key_of(version), true)));
                At::Sweeping(world.rows(&versions, false), old)
            }
            At::Sweeping(mut rows, old) => match rows.pop() {
                Some(row) => {
                    let cell = model
                        .rows
                        .entry(row_key(&row))
                        .or_insert_with(|| nothing(()));
                    put(cell, (row.stamp, false, row.cell));
                    At::Sweeping(rows, old)
                }
                None => At::Erasing(old),
            },
            At::Erasing(mut old) => match old.pop() {
                Some((key, is_gone)) => {
                    let stamp = key.0.micros();
                    let cells = model.versions.entry(key);
                    let [said, judged, swept] = cells.or_insert_with(|| [(); 3].map(nothing));
                    let new = if is_gone {
                        Vec::new()
                    } else {
                        cells::ERASED.to_vec()
                    };
                    put(said, (stamp, is_gone, new.clone()));
                    put(judged, (stamp, is_gone, new));
                    if is_gone {
                        put(swept, (stamp, true, Vec::new()));
                    }
                    At::Erasing(old)
                }
                None => {
                    self.sweeps -= 1;
                    At::Start
                }
            },
        };
    }
}

fn history(world: &World, random: &mut Seeded) -> Vec<(Rev, HeldVersion)> {
    let standings = [
        Standing::Event,
        Standing::Event,
        Standing::Void,
        Standing::Proven,
    ];
    let count = 2 + random.below(4);
    let versions = (0..count).map(|_| {
        // Some revs are a microsecond apart, some of one microsecond.
        let micros = 1_700_000_000_000_000 + random.below(3) as i64;
        let rev = Rev::from_micros(micros, random.below(2) as u16);
        let standing = standings[random.below(standings.len())];
        let content = match standing {
            Standing::Void => 2,
            _ => random.below(3),
        };
        (rev, world.version(content, standing))
    });
    versions.collect()
}

/// The version that must win; none where that depends on the order: a version that was only told
/// need not be kept beneath a newer one that turns out void.
fn certain(history: &[(Rev, HeldVersion)]) -> Option<(Rev, HeldVersion)> {
    let mut greatest: BTreeMap<Rev, &HeldVersion> = BTreeMap::new();
    for (rev, held) in history {
        let best = greatest.entry(*rev).or_insert(held);
        if held.rank() > best.rank() {
            *best = held;
        }
    }
    let newest = greatest.iter().rev();
    let (rev, held) = newest
        .clone()
        .find(|(_, held)| held.standing != Standing::Void)?;
    let top = *newest.clone().next()?.0;
    (top == *rev || held.standing == Standing::Proven).then(|| (*rev, (*held).clone()))
}

fn run(world: &World, seed: u64) -> Result<(), String> {
    let mut random = Seeded(seed);
    let history = history(world, &mut random);
    let mut processes: Vec<Process> = (0..4)
        .map(|number| {
            let mut inbox = history.clone();
            for at in (1..inbox.len()).rev() {
                inbox.swap(at, random.below(at + 1));
            }
            let (is_sweeper, is_judge) = (number == 2, number == 3);
            Process {
                inbox: if is_sweeper || is_judge {
                    VecDeque::new()
                } else {
                    inbox.into()
                },
                at: At::Start,
                logged: HashSet::new(),
                sweeps: usize::from(is_sweeper) * 2,
                rejudges: usize::from(is_judge) * 2,
            }
        })
        .collect();
    let mut model = Model::default();
    let mut deaths = random.below(4);
    while processes.iter().any(|process| !process.is_done()) {
        let at = random.below(processes.len());
        if processes[at].is_done() {
            continue;
        }
        if deaths > 0 && random.below(8) == 0 {
            processes[at].die();
            deaths -= 1;
        } else {
            processes[at].step(world, &mut model);
        }
    }
    check(world, &model, &history)
}

fn check(world: &World, model: &Model, history: &[(Rev, HeldVersion)]) -> Result<(), String> {
    let versions = world.read(model);
    let now = current(&versions);
    if let Some(certain) = certain(history)
        && now.map(|(rev, held)| (*rev, held.rank())) != Some((certain.0, certain.1.rank()))
    {
        return Err(format!("current is {now:?}, not {certain:?}"));
    }
    let shown = now.filter(|(_, held)| !held.swept);
    let wanted = shown.map_or(Vec::new(), |(_, held)| {
        derived_of(&world.namespace, &world.uri, held).unwrap().rows
    });
    let wanted = wanted
        .iter()
        .filter_map(|row| super::placing::Feed::of(&row.index).map(|feed| (feed, row)));
    let key = |feed: &super::placing::Feed, position: &Position| {
        let (major, minor, did, collection, rkey) = super::placing::columns(position);
        format!("{} {:?}", feed.name, (major, minor, did, collection, rkey))
    };
    let mut wanted: HashSet<String> = wanted
        .map(|(feed, row)| key(&feed, &row.position))
        .collect();
    let verdict = |held: &HeldVersion| held.content.as_ref().map(|it| it.judgement.verdict);
    if let Some((_, held)) = shown
        && verdict(held) == Some(Verdict::Invalid)
    {
        let (major, uri) = (-held.seen_at, world.uri.clone());
        let position = Position {
            major,
            minor: 0,
            uri,
        };
        wanted.insert(key(&super::placing::Feed::invalid(), &position));
    }
    let live = model.rows.iter().filter(|(_, cell)| is_live(&cell.2));
    let live: HashSet<String> = live.map(|(key, _)| key.clone()).collect();
    // In the list of what is invalid a row too much is read over until a rebuild takes it away: a
    // version that newer rules let pass no longer says that it was listed.
    let is_listed = |row: &String| row.starts_with("invalid ");
    let strays = live.difference(&wanted).filter(|row| !is_listed(row));
    if strays.count() > 0 || !live.is_superset(&wanted) {
        return Err(format!("live rows {live:?}, wanted {wanted:?}"));
    }
    if model.changed > model.logged {
        return Err("the last change has no log entry after it".to_owned());
    }
    Ok(())
}

#[test]
fn i02_two_writers_a_sweeper_and_a_judge_end_as_one_in_any_interleaving() {
    let namespace: Namespace = "fm.plyr".parse().unwrap();
    let like = namespace.nsid(Collection::Like).as_str();
    let uri = format!("at://did:plc:a/{like}/x").parse().unwrap();
    let world = World { namespace, uri };
    for seed in 0..20_000 {
        if let Err(problem) = run(&world, seed) {
            let history = history(&world, &mut Seeded(seed));
            panic!("seed {seed}: {problem}\nof {history:?}");
        }
    }
}
