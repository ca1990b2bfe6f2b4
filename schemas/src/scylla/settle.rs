//! What follows behind the writes: sets that were touched are counted again, once more after the
//! clocks may be apart, and then what is older than the current versions is swept. A stream's
//! `settled` number says how far that has come; what a dead process left undone others take over.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use plyr_lexicons::{Collection, Did, Nsid, RecordUri};
use tokio::sync::Notify;

use super::Inner;
use super::cql::{all, write};
use super::log::{self, Stream};
use super::options::ScyllaOptions;
use crate::model::{LogSubject, Micros};
use crate::store::StoreError;

/// Sets counted at once.
const AT_ONCE: usize = 32;
/// Of those, counted once more at least, where so many are due.
const SECONDS: usize = 8;
/// A set whose counting took longer than this rests ten times as long.
const QUICK: Duration = Duration::from_millis(20);
/// How often settled numbers are written, and streams of dead processes looked for.
const ROUND: Duration = Duration::from_secs(2);
/// Entries taken over in one round.
const TAKEN: usize = 500;

/// Which set of a subject.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Distinct actors.
    Likes = 0,
    /// Comments.
    Comments = 1,
    /// Lists that hold it.
    Lists = 2,
}

impl Kind {
    /// The records whose rows it holds.
    pub fn collection(self) -> Collection {
        match self {
            Kind::Likes => Collection::Like,
            Kind::Comments => Collection::Comment,
            Kind::Lists => Collection::List,
        }
    }

    /// Of its number; none for another.
    pub fn of(number: i32) -> Option<Kind> {
        let kinds = [Kind::Likes, Kind::Comments, Kind::Lists];
        kinds.into_iter().find(|kind| *kind as i32 == number)
    }
}

/// Something that is counted.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Touch {
    /// A shard of a subject's set.
    Set {
        subject: String,
        kind: Kind,
        shard: i32,
    },
    /// What an actor has published in a collection.
    Published { did: Did, collection: Nsid },
    /// The sums of an actor shard.
    Sums(i32),
}

impl Touch {
    /// Whose likes it counts, if it does.
    fn liked(&self) -> Option<&str> {
        match self {
            Touch::Set { subject, kind, .. } if *kind == Kind::Likes => Some(subject),
            _ => None,
        }
    }
}

#[derive(Default)]
struct State {
    /// Rises with every call that touches something.
    call: u64,
    /// To be counted: the earliest call that wants it, and when.
    first: HashMap<Touch, (u64, Instant)>,
    running: HashMap<Touch, u64>,
    /// To be counted once more.
    again: HashMap<Touch, (u64, Instant)>,
    /// What was counted since, and waits for that: to be counted once more after it. With one time
    /// for both, what is touched again and again would put it off for ever.
    later: HashMap<Touch, (u64, Instant)>,
    resting: HashMap<Touch, Instant>,
    sweeps: VecDeque<(u64, Instant, RecordUri)>,
    /// (call, stream, number): settled up to the number when the call is done with.
    marks: VecDeque<(u64, String, u64)>,
    /// Calls up to here don't wait for more touches.
    hurry: u64,
}

impl State {
    /// After a count that began at a time and went well.
    fn counted_once(
        &mut self,
        touch: Touch,
        call: u64,
        is_first: bool,
        began: Instant,
        due: Instant,
    ) {
        // A first count does for another's second.
        if self.again.get(&touch).is_none_or(|(_, due)| *due <= began) {
            self.again.remove(&touch);
            if let Some(later) = self.later.remove(&touch) {
                self.again.insert(touch.clone(), later);
            }
        }
        if !is_first {
            return;
        }
        let waiting = match self.again.contains_key(&touch) {
            true => &mut self.later,
            false => &mut self.again,
        };
        let earliest = waiting
            .get(&touch)
            .map_or(call, |(other, _)| call.min(*other));
        waiting.insert(touch, (earliest, due));
    }
}

/// The queue.
pub struct Settler {
    state: Mutex<State>,
    changed: Notify,
    most_waiting: usize,
    after: Duration,
    again: Duration,
    /// How long a process may be silent before others do what it left.
    pub left_behind: Micros,
}

impl Settler {
    pub fn new(options: &ScyllaOptions) -> Settler {
        Settler {
            state: Mutex::new(State::default()),
            changed: Notify::new(),
            most_waiting: options.most_waiting,
            after: options.settle_after,
            again: options.settle_again,
            left_behind: i64::try_from(options.left_behind.as_micros()).unwrap_or(i64::MAX / 2),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the queue has room.
    pub async fn room(&self, alive: impl Fn() -> Result<(), StoreError>) -> Result<(), StoreError> {
        loop {
            alive()?;
            let changed = self.changed.notified();
            let waiting = {
                let state = self.state();
                state.first.len() + state.again.len() + state.sweeps.len()
            };
            if waiting < self.most_waiting {
                return Ok(());
            }
            let look_again = Duration::from_millis(50);
            let _ = tokio::time::timeout(look_again, changed).await;
        }
    }

    /// Wants sets counted, and keys swept afterwards.
    pub fn touch(&self, touched: Vec<Touch>, written: Vec<RecordUri>) -> u64 {
        let mut state = self.state();
        state.call += 1;
        let (call, now) = (state.call, Instant::now());
        for touch in touched {
            let rested = state.resting.get(&touch).copied().unwrap_or(now);
            let due = (now + self.after).max(rested);
            state.first.entry(touch).or_insert((call, due));
        }
        let sweep_at = now + self.again;
        let sweeps = written.into_iter().map(|uri| (call, sweep_at, uri));
        state.sweeps.extend(sweeps);
        metrics::gauge!("plyr_queue_depth", "queue" => "counts").set(state.first.len() as f64);
        drop(state);
        self.changed.notify_waiters();
        call
    }

    /// Marks a stream as settled up to a number once everything touched so far is done with.
    fn mark(&self, stream: &str, number: u64) {
        let mut state = self.state();
        let call = state.call;
        state.marks.push_back((call, stream.to_owned(), number));
    }

    /// Waits until everything touched so far was counted once.
    pub async fn settled(
        &self,
        alive: impl Fn() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mine = {
            let mut state = self.state();
            state.hurry = state.call;
            state.call
        };
        self.changed.notify_waiters();
        loop {
            alive()?;
            let changed = self.changed.notified();
            let open = {
                let state = self.state();
                let waiting = state.first.values().any(|(call, _)| *call <= mine);
                waiting || state.running.values().any(|call| *call <= mine)
            };
            if !open {
                return Ok(());
            }
            // A notification may have come between looking and waiting.
            let look_again = Duration::from_millis(20);
            let _ = tokio::time::timeout(look_again, changed).await;
        }
    }

    /// Takes what is due, what was wanted earliest first. Each with its call and whether it is the
    /// first count.
    fn take(&self) -> Vec<(Touch, u64, bool)> {
        let mut state = self.state();
        let now = Instant::now();
        let State {
            first,
            running,
            again,
            resting,
            hurry,
            ..
        } = &mut *state;
        let firsts = first.iter().filter(|(touch, (call, due))| {
            (*due <= now || *call <= *hurry) && !running.contains_key(*touch)
        });
        let firsts: Vec<(&Touch, u64)> = firsts.map(|(touch, (call, _))| (touch, *call)).collect();
        let seconds = again.iter().filter(|(touch, (_, due))| {
            *due <= now && !running.contains_key(*touch) && !first.contains_key(*touch)
        });
        let seconds: Vec<(&Touch, u64)> =
            seconds.map(|(touch, (call, _))| (touch, *call)).collect();
        // Nothing is settled before its second count: those have a share of every round.
        let share = SECONDS.max(AT_ONCE.saturating_sub(firsts.len()));
        let mut taken = earliest(seconds, share, false);
        taken.extend(earliest(firsts, AT_ONCE - taken.len(), true));
        for (touch, call, is_first) in &taken {
            running.insert(touch.clone(), *call);
            if *is_first {
                first.remove(touch);
            } else {
                again.remove(touch);
            }
        }
        resting.retain(|_, until| *until > now);
        taken
    }

    fn counted(&self, touch: Touch, call: u64, is_first: bool, took: Duration, well: bool) {
        let mut state = self.state();
        state.running.remove(&touch);
        let now = Instant::now();
        if took > QUICK {
            state.resting.insert(touch.clone(), now + took * 10);
        }
        if !well {
            let retry = now + Duration::from_secs(1);
            state.first.entry(touch).or_insert((call, retry));
        } else {
            if let Touch::Published { did, .. } = &touch {
                let sums = Touch::Sums(super::placing::actor_shard(did));
                state.first.entry(sums).or_insert((call, now + self.after));
            }
            let began = now.checked_sub(took).unwrap_or(now);
            state.counted_once(touch, call, is_first, began, now + self.again);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    fn take_sweeps(&self) -> Vec<(u64, RecordUri)> {
        let mut state = self.state();
        let mut taken = Vec::new();
        while taken.len() < AT_ONCE * 4
            && state
                .sweeps
                .front()
                .is_some_and(|(_, due, _)| *due <= Instant::now())
            && let Some((call, _, uri)) = state.sweeps.pop_front()
        {
            taken.push((call, uri));
        }
        taken
    }

    fn sweep_later(&self, call: u64, uri: RecordUri) {
        let later = Instant::now() + Duration::from_secs(1);
        self.state().sweeps.push_front((call, later, uri));
    }

    /// Marks whose calls are done with.
    fn take_marks(&self) -> HashMap<String, u64> {
        let mut state = self.state();
        let open = [
            state.first.values().map(|(call, _)| *call).min(),
            state.running.values().copied().min(),
            state.again.values().map(|(call, _)| *call).min(),
            state.later.values().map(|(call, _)| *call).min(),
            state.sweeps.iter().map(|(call, ..)| *call).min(),
        ];
        let open = open.into_iter().flatten().min().unwrap_or(u64::MAX);
        let mut done = HashMap::new();
        while state.marks.front().is_some_and(|(call, ..)| *call < open)
            && let Some((_, stream, number)) = state.marks.pop_front()
        {
            done.insert(stream, number);
        }
        done
    }
}

/// What was wanted earliest, no more than so many.
fn earliest(mut due: Vec<(&Touch, u64)>, most: usize, is_first: bool) -> Vec<(Touch, u64, bool)> {
    if due.len() > most {
        due.select_nth_unstable_by_key(most, |(_, call)| *call);
        due.truncate(most);
    }
    let due = due.into_iter();
    due.map(|(touch, call)| (touch.clone(), call, is_first))
        .collect()
}

/// What was counted.
struct Counted {
    touch: Touch,
    call: u64,
    is_first: bool,
    took: Duration,
    well: bool,
}

/// Runs until the store is closed or dropped.
pub async fn run(inner: Weak<Inner>) {
    let mut rounds = tokio::time::interval(ROUND);
    let mut taken_over = HashMap::new();
    let mut unnamed = Vec::new();
    loop {
        let Some(inner) = inner.upgrade() else { return };
        if inner.alive().is_err() {
            return;
        }
        let changed = inner.settler.changed.notified();
        let due = inner.settler.take();
        let is_idle = due.is_empty() && unnamed.is_empty();
        // The next are counted while the log takes the last.
        let named = name(&inner, std::mem::take(&mut unnamed));
        (unnamed, (), ()) = tokio::join!(count(&inner, due), named, sweep(&inner));
        if let Err(problem) = round(&inner, &mut rounds, &mut taken_over).await {
            tracing::warn!(%problem, "settling fell behind; it goes on by itself");
        }
        if is_idle {
            let look_again = Duration::from_millis(50);
            let _ = tokio::time::timeout(look_again, changed).await;
        }
    }
}

async fn count(inner: &Arc<Inner>, due: Vec<(Touch, u64, bool)>) -> Vec<Counted> {
    let counts = due.into_iter().map(|(touch, call, is_first)| async move {
        let began = Instant::now();
        let counted = inner.count(&touch).await;
        if let Err(problem) = &counted {
            tracing::warn!(%problem, ?touch, "a count failed; it is tried again");
        }
        Ok(Counted {
            touch,
            call,
            is_first,
            took: began.elapsed(),
            well: counted.is_ok(),
        })
    });
    all(counts).await.unwrap_or_else(|problem| {
        tracing::warn!(%problem, "counting stopped");
        Vec::new()
    })
}

/// Names whose likes were counted, all in one append. What was counted is there: whoever looks
/// finds it. Both times, however equal the counts: in between another process, with its clock
/// ahead, may have written one that was older, and be gone.
async fn name(inner: &Arc<Inner>, counted: Vec<Counted>) {
    let liked = counted.iter().filter(|counted| counted.well);
    let liked: BTreeSet<&str> = liked.filter_map(|counted| counted.touch.liked()).collect();
    let liked: Vec<LogSubject> = liked.into_iter().filter_map(LogSubject::liked).collect();
    let mut is_named = true;
    if !liked.is_empty()
        && let Err(problem) = inner.log.append(&inner.cql, &liked).await
    {
        tracing::warn!(%problem, "counts could not be logged; they are counted again");
        is_named = false;
    }
    for Counted {
        touch,
        call,
        is_first,
        took,
        well,
    } in counted
    {
        let well = well && (is_named || touch.liked().is_none());
        inner.settler.counted(touch, call, is_first, took, well);
    }
}

async fn sweep(inner: &Arc<Inner>) {
    let sweeps = inner.settler.take_sweeps();
    let mut once = HashSet::new();
    let sweeps = sweeps
        .into_iter()
        .filter(|(_, uri)| once.insert(uri.clone()));
    let sweeps: Vec<_> = sweeps.collect();
    let swept = sweeps.into_iter().map(|(call, uri)| async move {
        match inner.sweep(&uri).await {
            Ok(touched) if touched.is_empty() => {}
            Ok(touched) => {
                inner.settler.touch(touched, Vec::new());
            }
            Err(problem) => {
                tracing::warn!(%problem, %uri, "a sweep failed; it is tried again");
                inner.settler.sweep_later(call, uri);
            }
        }
        Ok(())
    });
    if let Err(problem) = all(swept).await {
        tracing::warn!(%problem, "sweeping stopped");
    }
}

/// Every few seconds: says how far this process has come, and takes over what others left.
async fn round(
    inner: &Arc<Inner>,
    rounds: &mut tokio::time::Interval,
    taken_over: &mut HashMap<String, u64>,
) -> Result<(), StoreError> {
    let ready = tokio::time::timeout(Duration::ZERO, rounds.tick()).await;
    if ready.is_err() {
        return Ok(());
    }
    inner.cql.report();
    inner.log.write_left(&inner.cql).await?;
    let own = inner.log.stream.as_str();
    inner.settler.mark(own, inner.log.head());
    let done = inner.settler.take_marks().into_iter();
    let done = done
        .filter(|(_, number)| *number > 0)
        .map(|(stream, number)| {
            let number = number as i64;
            write!(WriteSettled; 0i32, stream, number, number)
        });
    let told = done.chain(inner.log.named_again());
    inner.cql.write(told.collect()).await?;
    for stream in log::streams(&inner.cql).await? {
        if stream.name != own {
            take_over(inner, &stream, taken_over).await?;
        }
    }
    Ok(())
}

async fn take_over(
    inner: &Arc<Inner>,
    stream: &Stream,
    taken_over: &mut HashMap<String, u64>,
) -> Result<(), StoreError> {
    let from = taken_over.get(&stream.name).copied().unwrap_or(0);
    let from = from.max(stream.settled);
    if stream.head <= from {
        return Ok(());
    }
    let entries = log::entries(&inner.cql, stream, from, TAKEN).await?;
    let old = super::now() - inner.settler.left_behind;
    let left: Vec<_> = entries
        .into_iter()
        .take_while(|entry| entry.written_at < old)
        .collect();
    let Some(last) = left.last().map(|entry| entry.number) else {
        return Ok(());
    };
    tracing::info!(stream = %stream.name, entries = left.len(), "taking over what was left");
    let (mut uris, mut touched) = (Vec::new(), Vec::new());
    for entry in left {
        match entry.subject {
            LogSubject::Record(uri) => uris.push(uri),
            LogSubject::Actor(did) => touched.extend(inner.touches_of(&did).await?),
        }
    }
    uris.sort();
    uris.dedup();
    touched.extend(inner.derive(&uris, false).await?.0);
    inner.settler.touch(touched, uris);
    inner.settler.mark(&stream.name, last);
    taken_over.insert(stream.name.clone(), last);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settler() -> Result<Settler, StoreError> {
        let namespace = "fm.plyr".parse();
        let namespace = namespace.map_err(|problem| super::super::cql::failed("parse", problem))?;
        let mut options = ScyllaOptions::parse("scylla://one/plyr", namespace)?;
        options.settle_after = Duration::ZERO;
        options.settle_again = Duration::ZERO;
        Ok(Settler::new(&options))
    }

    #[test]
    fn what_is_touched_again_and_again_holds_nothing_else_up() -> Result<(), StoreError> {
        let settler = settler()?;
        settler.touch(vec![Touch::Sums(-1)], Vec::new());
        settler.mark("stream", 1);
        let mut told = None;
        for _ in 0..200 {
            settler.touch((-1..100).map(Touch::Sums).collect(), Vec::new());
            for (touch, call, is_first) in settler.take() {
                settler.counted(touch, call, is_first, Duration::ZERO, true);
            }
            told = told.or(settler.take_marks().get("stream").copied());
        }
        assert_eq!(told, Some(1));
        Ok(())
    }
}
