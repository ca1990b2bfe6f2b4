//! The follower's loop: opens what there is, keeps it, has a new one built where it must, and goes on
//! after whatever goes wrong.

use std::sync::Arc;
use std::time::{Duration, Instant};

use plyr_schemas::LogPosition;
use plyr_search::{Index, Opened, Serving};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::KeepError;
use super::build::{Built, build, catch_up};
use super::held::Held;
use super::keep::Keeping;
use super::parts::{Advanced, Parts};
use super::{blocking, steps};

/// Actors read in one go for who is hidden.
const ACTORS: usize = 2_000;
const LEAST_WAIT: Duration = Duration::from_millis(100);
const MOST_WAIT: Duration = Duration::from_secs(5);

/// The loop.
pub(super) struct Follower {
    parts: Arc<Parts>,
    asked: Arc<Notify>,
    keeping: Option<Keeping>,
    /// Whether what serves is only there until a new one is built.
    is_outdated: bool,
    building: Option<JoinHandle<Result<Built, KeepError>>>,
    /// A build to begin, and when.
    wanted: Option<(String, Instant)>,
    /// When the place is to be opened.
    opens_at: Option<Instant>,
    /// Nothing is read before.
    rests_until: Instant,
    /// The head of the log when it was asked for last.
    head: LogPosition,
    failures: u32,
    failed_builds: u32,
    _held: Held,
}

/// What the loop woke for.
enum Woke {
    Cancelled,
    Built(Box<Result<Built, KeepError>>),
    Asked,
    Open,
    Build,
    Step,
}

impl Follower {
    pub(super) fn new(parts: Arc<Parts>, asked: Arc<Notify>, held: Held) -> Follower {
        let now = Instant::now();
        Follower {
            parts,
            asked,
            keeping: None,
            is_outdated: false,
            building: None,
            wanted: None,
            opens_at: Some(now),
            rests_until: now,
            head: LogPosition::default(),
            failures: 0,
            failed_builds: 0,
            _held: held,
        }
    }

    /// Runs until cancelled, and commits then what was written.
    pub(super) async fn run(mut self) {
        loop {
            let done = match self.wait().await {
                Woke::Cancelled => break,
                Woke::Built(built) => self.take(*built).await,
                Woke::Asked => {
                    self.want("it was asked for");
                    continue;
                }
                Woke::Open => self.open().await,
                Woke::Build => self.begin().await,
                Woke::Step => self.step().await,
            };
            match done {
                Ok(()) => {
                    self.failures = 0;
                    self.parts.told.problem(None);
                }
                Err(KeepError::Ended) if !self.parts.cancel.is_cancelled() => return,
                Err(KeepError::Ended) => break,
                Err(problem) => self.rest(&problem),
            }
        }
        if let Err(problem) = self.parts.commit(&mut self.keeping).await {
            tracing::warn!(%problem, "the search index was not committed; its log is read again");
        }
        if let Some(building) = self.building.take() {
            // It ends by itself; what it has begun is removed by the next one.
            let _ = building.await;
        }
    }

    async fn wait(&mut self) -> Woke {
        let wanted = self.wanted.as_ref().filter(|_| self.building.is_none());
        let wanted = wanted.map(|wanted| wanted.1.max(self.rests_until));
        let cancel = self.parts.cancel.clone();
        tokio::select! {
            biased;
            () = cancel.cancelled() => Woke::Cancelled,
            built = ended(&mut self.building) => Woke::Built(Box::new(built)),
            () = self.asked.notified() => Woke::Asked,
            () = at(self.opens_at) => Woke::Open,
            () = at(wanted) => Woke::Build,
            () = ready(&self.parts, self.keeping.as_ref(), self.rests_until) => Woke::Step,
        }
    }

    fn want(&mut self, reason: &str) {
        if self.building.is_none() {
            let wanted = (reason.to_owned(), Instant::now());
            self.wanted.get_or_insert(wanted);
        }
    }

    /// After an error: tells it and waits. An index that is lost is opened again.
    fn rest(&mut self, problem: &KeepError) {
        let wait = crate::backoff(self.failures, LEAST_WAIT, MOST_WAIT);
        self.failures += 1;
        self.rests_until = Instant::now() + wait;
        if self.keeping.is_none() {
            self.opens_at = Some(self.rests_until);
        }
        self.parts.told.problem(Some(problem.to_string()));
    }

    /// Opens what there is. It serves as far as it can, and a new one is wanted where it must be.
    async fn open(&mut self) -> Result<(), KeepError> {
        self.opens_at = Some(Instant::now() + MOST_WAIT);
        let place = self.parts.place.clone();
        let opened = blocking(move || place.open()).await?;
        let (index, reason) = match opened {
            Opened::Ready(index) => (Some(index), None),
            Opened::Missing => (None, Some("there is none".to_owned())),
            Opened::Corrupt { reason } => (None, Some(format!("it is damaged: {reason}"))),
            Opened::OtherVersion { found, serving } => {
                (serving, Some(format!("it has version {found}")))
            }
        };
        // Taken before accounts are read: what happens to them later is in the log behind it.
        let head = self.parts.ask(self.parts.store.log_head()).await?;
        if index.is_some() || self.building.is_some() {
            self.parts.ask(self.parts.looker.hide_all(ACTORS)).await?;
        }
        let position = match &index {
            Some(index) => self.continued(index).await?,
            None => None,
        };
        let lost = "the change log doesn't go on from where it is".to_owned();
        let reason = reason.or_else(|| position.is_none().then_some(lost));
        self.is_outdated = reason.is_some();
        self.keeping = match (index, position) {
            (Some(index), Some(position)) => Some(Keeping::open(index, position).await?),
            (Some(index), None) => Some(Keeping::unwritten(index, head)),
            (None, _) => None,
        };
        match &self.keeping {
            Some(keeping) => self
                .parts
                .told
                .serves(keeping.index.clone(), self.serving(keeping)),
            None => self.parts.told.serves_nothing(),
        }
        if let Some(reason) = reason {
            self.want(&reason);
        }
        self.opens_at = None;
        Ok(())
    }

    /// The position of an index's last commit, if the log goes on from there.
    async fn continued(&self, index: &Index) -> Result<Option<LogPosition>, KeepError> {
        let Some(position) = index.position()? else {
            return Ok(None);
        };
        let Ok(position) = position.parse::<LogPosition>() else {
            return Ok(None);
        };
        let goes_on = self.parts.goes_on(&position).await?;
        Ok(goes_on.then_some(position))
    }

    /// Begins the build that is wanted.
    async fn begin(&mut self) -> Result<(), KeepError> {
        let head = self.parts.ask(self.parts.store.log_head()).await?;
        if self.keeping.is_none() {
            // Nobody follows the log for who is hidden: the build's own following begins at the head.
            self.parts.ask(self.parts.looker.hide_all(ACTORS)).await?;
        }
        let Some((reason, _)) = self.wanted.take() else {
            return Ok(());
        };
        self.parts.told.begins(&reason);
        self.building = Some(tokio::spawn(build(self.parts.clone(), head)));
        Ok(())
    }

    /// Puts what was built in the place of what served.
    async fn take(&mut self, built: Result<Built, KeepError>) -> Result<(), KeepError> {
        self.building = None;
        let built = match built {
            Ok(built) => self.swap(built).await,
            Err(problem) => Err(problem),
        };
        let Err(problem) = built else {
            self.failed_builds = 0;
            return Ok(());
        };
        self.parts.told.has_ended(None);
        let wait = crate::backoff(self.failed_builds, LEAST_WAIT, MOST_WAIT);
        self.failed_builds += 1;
        self.wanted = Some(("one before failed".to_owned(), Instant::now() + wait));
        Err(problem)
    }

    async fn swap(&mut self, mut built: Built) -> Result<(), KeepError> {
        if let Some(before) = &self.keeping {
            // Nobody who found something in the old one shall miss it in the new one.
            let covered = before.answers().clone();
            while let Some(keeping) = &built.keeping
                && before.is_written()
                && !keeping.answers().covers(&covered)
                && catch_up(&self.parts, &mut built).await? > 0
            {}
        }
        let before = self.keeping.take();
        blocking(move || {
            drop(before);
            Ok(())
        })
        .await?;
        let (index, keeping) = built.serve().await?;
        self.parts.pass(steps::SWAPPED)?;
        self.is_outdated = false;
        self.opens_at = None;
        self.keeping = keeping;
        if let Some(keeping) = &self.keeping {
            let serving = self.serving(keeping);
            self.parts.told.has_ended(Some((index, serving)));
        }
        Ok(())
    }

    /// Takes in the next entries of the log, and commits when it is time.
    async fn step(&mut self) -> Result<(), KeepError> {
        if !self.is_due() {
            match self.parts.advance(&mut self.keeping).await? {
                Advanced::Gone => {
                    self.keeping = None;
                    self.opens_at = Some(Instant::now());
                    return Ok(());
                }
                Advanced::By(_, head) => self.head = head.unwrap_or_default(),
            }
        }
        if self.is_due() {
            self.parts.commit(&mut self.keeping).await?;
        }
        if let Some(keeping) = &self.keeping {
            self.parts.told.stands(self.serving(keeping));
        }
        Ok(())
    }

    fn is_due(&self) -> bool {
        let commit_at = self.keeping.as_ref().and_then(Keeping::commit_at);
        commit_at.is_some_and(|at| at <= Instant::now())
    }

    fn serving(&self, keeping: &Keeping) -> Serving {
        let (uncovered, since) = keeping.behind();
        Serving {
            position: keeping.answers().to_string(),
            documents: keeping.index.searcher().size(),
            behind: uncovered + keeping.unread(&self.head),
            behind_since: since,
            is_outdated: self.is_outdated,
        }
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

async fn ended(
    building: &mut Option<JoinHandle<Result<Built, KeepError>>>,
) -> Result<Built, KeepError> {
    let built = match building {
        Some(building) => building.await,
        None => std::future::pending().await,
    };
    built.map_err(|problem| KeepError::Broken(problem.to_string()))?
}

/// Waits until there is something to do for an index: entries to read, or a commit.
async fn ready(parts: &Parts, keeping: Option<&Keeping>, rests_until: Instant) {
    let Some(keeping) = keeping else {
        return std::future::pending().await;
    };
    tokio::time::sleep_until(rests_until.into()).await;
    tokio::select! {
        // What went wrong is answered again to who reads then.
        _ = parts.store.log_changed(&keeping.position) => {}
        () = at(keeping.commit_at()) => {}
    }
}
