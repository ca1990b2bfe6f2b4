//! How complete we are, and how we know: the sources, and how many repos are in which state.

use std::sync::Arc;
use std::time::{Duration, Instant};

use plyr_schemas::{Micros, RepoState, Snapshot, Store, StoreError};
use tokio::sync::Mutex;

/// How old the numbers of repos may be: counting them walks them all.
const FRESH: Duration = Duration::from_secs(30);

/// What the process that follows a stream knows of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceReport {
    /// Its address, as its cursor is named.
    pub source: String,
    /// What it speaks, once it was asked.
    pub protocol: Option<String>,
    /// Whether it is followed.
    pub connected: bool,
    /// Why not, when it last failed.
    pub problem: Option<String>,
    /// The time of the last event it told of, by its own clock.
    pub time: Option<Micros>,
    /// Times it did not go on where it had stopped.
    pub gaps: u64,
    /// Events it told of that their repos know nothing of.
    pub invented: u64,
    /// NSIDs of the collections that others carry and it doesn't.
    pub blind: Vec<String>,
}

/// Asks the indexer of this process, where there is one.
pub type AskSources = Arc<dyn Fn() -> Vec<SourceReport> + Send + Sync>;

/// One stream: what is durable of it, and what this process knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// Its address.
    pub name: String,
    /// The time of the last event that is durable, by the stream's clock; none where a stream is
    /// counted by numbers and another process follows it.
    pub last_event_at: Option<Micros>,
    /// What the process that follows it says; none in another process.
    pub report: Option<SourceReport>,
}

/// How many repos are in each state.
pub type States = Vec<(RepoState, u64)>;

/// What is remembered from one request to the next.
#[derive(Default)]
pub struct Coverage {
    sources: Option<AskSources>,
    states: Mutex<Option<(Instant, States)>>,
}

impl Coverage {
    /// `sources`: the indexer of this process.
    pub fn new(sources: Option<AskSources>) -> Coverage {
        Coverage {
            sources,
            states: Mutex::default(),
        }
    }

    /// Every stream that is or was followed, by address.
    pub async fn sources(&self, store: &dyn Store) -> Result<Vec<Source>, StoreError> {
        let mut reports = self.sources.as_ref().map_or_else(Vec::new, |ask| ask());
        let mut sources: Vec<Source> = Vec::new();
        for cursor in store.whole().await?.all_cursors().await? {
            // Cursors of streams are named by their address; other rows keep other things.
            if !cursor.source.starts_with("ws") {
                continue;
            }
            let place = reports.iter().position(|one| one.source == cursor.source);
            let report = place.map(|place| reports.swap_remove(place));
            let told = report.as_ref().and_then(|report| report.time);
            sources.push(Source {
                name: cursor.source,
                last_event_at: time_of(cursor.position).or(told),
                report,
            });
        }
        let unheard = reports.into_iter().map(|report| Source {
            name: report.source.clone(),
            last_event_at: report.time,
            report: Some(report),
        });
        sources.extend(unheard);
        sources.sort_by(|one, two| one.name.cmp(&two.name));
        Ok(sources)
    }

    /// How many repos are in each state, at most 30 seconds ago. Of many who ask at once one
    /// counts.
    pub async fn states(&self, snapshot: &dyn Snapshot) -> Result<States, StoreError> {
        let mut held = self.states.lock().await;
        if let Some((counted, states)) = &*held
            && counted.elapsed() < FRESH
        {
            return Ok(states.clone());
        }
        let states = snapshot.repo_states().await?;
        *held = Some((Instant::now(), states.clone()));
        Ok(states)
    }
}

/// The time that a cursor stands for; none where it is a number of the stream's own.
fn time_of(position: u64) -> Option<Micros> {
    /// 2020: the protocol is younger.
    const PROTOCOL: Micros = 1_577_836_800_000_000;
    let time = Micros::try_from(position).ok()?;
    (time >= PROTOCOL).then_some(time)
}
