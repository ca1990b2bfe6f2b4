//! The follower's loop: opens what there is, keeps it, has a new one built where it must, and goes
//! on after whatever goes wrong.

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
use super::{blocking, let_go, steps};

/// Actors read in one go for who is hidden.
const ACTORS: usize = 2_000;
const LEAST_WAIT: Duration = Duration::from_millis(100);
const MOST_WAIT: Duration = Duration::from_secs(5);
/// Between two builds of which the first failed.
const LEAST_BETWEEN_BUILDS: Duration = Duration::from_secs(1);
const MOST_BETWEEN_BUILDS: Duration = Duration::from_secs(300);

/// The loop.
pub(super) struct Follower {
    parts: Arc<Parts>,
    asked: Arc<Notify>,
    keeping: Option<Keeping>,
    /// Whether what serves is only there until a new one is built.
    is_outdated: bool,
    building: Option<JoinHandle<Result<Built, KeepError>>>,
    /// Why the last build was begun.
    built_for: String,
    /// A build to begin, and when.
    wanted: Option<(String, Instant)>,
    /// When the place is to be opened. Until then, and while it can't be, the log is followed for
    /// who is hidden in the index that serves.
    opens_at: Option<Instant>,
    /// Nothing is read before.
    rests_until: Instant,
    /// When it is taken for well again that the log could not be waited for: it may stay quiet
    /// long.
    well_at: Option<Instant>,
    /// The head of the log when it was asked for last.
    head: LogPosition,
    /// Failures since something went well.
    failures: u32,
    /// Indexes that were lost while they were written, since the last commit: opening one again
    /// goes well even where writing never does.
    lost: u32,
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
    Failed(KeepError),
    Well,
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
            built_for: String::new(),
            wanted: None,
            opens_at: Some(now),
            rests_until: now,
            well_at: None,
            head: LogPosition::default(),
            failures: 0,
            lost: 0,
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
                    self.is_asked();
                    continue;
                }
                Woke::Open => self.open().await,
                Woke::Build => self.begin().await,
                Woke::Step => self.step().await,
                Woke::Failed(problem) => Err(problem),
                Woke::Well => Ok(()),
            };
            self.well_at = None;
            match done {
                Ok(()) => {
                    self.failures = 0;
                    // Else what was told before still holds.
                    if self.lost == 0 && self.opens_at.is_none() {
                        self.parts.told.problem(None);
                    }
                }
                Err(KeepError::Ended) if !self.parts.cancel.is_cancelled() => {
                    // As a process that is killed takes its build with it.
                    if let Some(building) = &self.building {
                        building.abort();
                    }
                    return;
                }
                Err(KeepError::Ended) => break,
                Err(problem) => {
                    self.rest(&problem);
                    self.well_at = Some(self.rests_until + MOST_WAIT);
                }
            }
        }
        if let Err(problem) = self.parts.commit(&mut self.keeping).await {
            tracing::warn!(%problem, "the search index was not committed; its log is read again");
        }
        if let Some(building) = self.building.take() {
            // It ends by itself; what it has begun is removed when the place is opened next.
            let built = building.await;
            self.end(built).await;
        }
        let keeping = self.keeping.take();
        self.end(keeping).await;
    }

    async fn end(&self, held: impl Send + 'static) {
        if let Err(problem) = let_go(held).await {
            tracing::warn!(%problem, "a search index broke while it was let go of");
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
            ready = ready(&self.parts, self.keeping.as_ref(), self.rests_until) => match ready {
                Ok(()) => Woke::Step,
                Err(problem) => Woke::Failed(problem),
            },
            () = at(self.well_at) => Woke::Well,
        }
    }

    fn want(&mut self, reason: &str) {
        if self.building.is_none() {
            let wanted = (reason.to_owned(), Instant::now());
            self.wanted.get_or_insert(wanted);
        }
    }

    /// Somebody wants a build: it doesn't wait as one does that failed.
    fn is_asked(&mut self) {
        if self.building.is_none() {
            self.wanted = Some(("it was asked for".to_owned(), Instant::now()));
        }
    }

    /// After an error: tells it and waits. An index that is lost is opened again.
    fn rest(&mut self, problem: &KeepError) {
        // One that was just lost is counted already.
        let failures = self.failures.max(self.lost.saturating_sub(1));
        let wait = crate::backoff(failures, LEAST_WAIT, MOST_WAIT);
        self.failures += 1;
        self.rests_until = Instant::now() + wait;
        match &self.keeping {
            Some(keeping) => self.parts.told.stands(self.serving(keeping)),
            None => self.opens_at = Some(self.rests_until),
        }
        self.parts.told.problem(Some(problem.to_string()));
    }

    /// Opens what there is. It serves as far as it can, and a new one is wanted where it must be.
    /// Whatever of it fails, who is hidden is followed in the index that serves.
    async fn open(&mut self) -> Result<(), KeepError> {
        self.opens_at = Some(Instant::now() + MOST_WAIT);
        if let (None, Some(index)) = (&self.keeping, self.parts.told.live.serving()) {
            let covered = self.covered();
            let head = self.hide_all().await?;
            self.keeping = Some(Keeping::unwritten(index, covered, head));
        }
        let (index, reason) = match self.opened().await? {
            Opened::Ready(index) => (Some(index), None),
            Opened::Missing => (None, Some("there is none".to_owned())),
            Opened::Corrupt { reason } => (None, Some(format!("it is damaged: {reason}"))),
            Opened::OtherVersion { found, serving } => {
                (serving, Some(format!("it has version {found}")))
            }
        };
        let Some(index) = index else {
            self.keeping = None;
            self.parts.told.serves_nothing();
            self.want(&reason.unwrap_or_default());
            self.opens_at = None;
            return Ok(());
        };
        let hidden_at = match &self.keeping {
            Some(keeping) => keeping.position.clone(),
            None => self.hide_all().await?,
        };
        let covered = position_of(&index)?;
        let goes_on = match &covered {
            Some(position) => self.parts.goes_on(position).await?,
            None => false,
        };
        let lost = "the change log doesn't go on from where it is".to_owned();
        let reason = reason.or_else(|| (!goes_on).then_some(lost));
        self.is_outdated = reason.is_some();
        let is_kept = goes_on && index.can_be_written();
        let (keeping, problem) = match covered.clone().filter(|_| is_kept) {
            Some(position) => match Keeping::open(index.clone(), position).await {
                Ok(keeping) => (Some(keeping), None),
                Err(problem) => (None, Some(problem)),
            },
            None => (None, None),
        };
        let keeping =
            keeping.unwrap_or_else(|| Keeping::unwritten(index.clone(), covered, hidden_at));
        self.parts.told.serves(index, self.serving(&keeping));
        self.keeping = Some(keeping);
        if let Some(reason) = reason {
            self.want(&reason);
        }
        if let Some(problem) = problem {
            return Err(problem);
        }
        self.opens_at = None;
        Ok(())
    }

    /// What there is on disk. What an interrupted build left is removed, unless there is a build.
    async fn opened(&self) -> Result<Opened, KeepError> {
        let (place, is_building) = (self.parts.place.clone(), self.building.is_some());
        let (opened, swept) = blocking(move || {
            let opened = place.open()?;
            let swept = if is_building { Ok(()) } else { place.sweep() };
            Ok((opened, swept))
        })
        .await?;
        if let Err(problem) = swept {
            tracing::warn!(%problem, "an older search index stays on disk");
        }
        Ok(opened)
    }

    /// Reads anew who is hidden; answers a position of the log from which that is to be followed.
    /// It is taken before: what happens to accounts later is in the log behind it.
    async fn hide_all(&self) -> Result<LogPosition, KeepError> {
        let head = self.parts.ask(self.parts.store.log_head()).await?;
        self.parts.ask(self.parts.looker.hide_all(ACTORS)).await?;
        Ok(head)
    }

    /// What the answers of the index that serves cover, as it was told last.
    fn covered(&self) -> Option<LogPosition> {
        let serving = self.parts.told.live.standing().serving?;
        serving.position.parse().ok()
    }

    /// Begins the build that is wanted. Its own following begins at the head of the log, and the
    /// index that serves may be behind that when the new one takes its place: who is hidden is read
    /// anew in any case.
    async fn begin(&mut self) -> Result<(), KeepError> {
        let head = self.hide_all().await?;
        let Some((reason, _)) = self.wanted.take() else {
            return Ok(());
        };
        self.parts.told.begins(&reason);
        self.built_for = reason;
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
        if !matches!(problem, KeepError::Ended) {
            self.parts.told.has_failed(problem.to_string());
        }
        let failed = self.failed_builds;
        let wait = crate::backoff(failed, LEAST_BETWEEN_BUILDS, MOST_BETWEEN_BUILDS);
        self.failed_builds += 1;
        self.wanted = Some((self.built_for.clone(), Instant::now() + wait));
        Err(problem)
    }

    async fn swap(&mut self, mut built: Built) -> Result<(), KeepError> {
        match self.cover(&mut built).await {
            Ok(()) => {}
            Err(KeepError::Ended) => {
                let_go(built).await?;
                return Err(KeepError::Ended);
            }
            Err(problem) => {
                built.discard().await;
                return Err(problem);
            }
        }
        let_go(self.keeping.take()).await?;
        let (index, keeping) = built.serve().await?;
        self.parts.pass(steps::SWAPPED)?;
        self.is_outdated = false;
        self.opens_at = None;
        self.lost = 0;
        self.keeping = keeping;
        if let Some(keeping) = &self.keeping {
            let serving = self.serving(keeping);
            self.parts.told.has_taken_place(index, serving);
        }
        Ok(())
    }

    /// Follows the log with what was built as far as the answers of the index that serves cover:
    /// nobody who found something in the old one shall miss it in the new one.
    async fn cover(&self, built: &mut Built) -> Result<(), KeepError> {
        let Some(before) = self.keeping.as_ref().filter(|one| one.is_written()) else {
            return Ok(());
        };
        while let Some(keeping) = &built.keeping
            && !keeping.answers().covers(before.answers())
            && catch_up(&self.parts, built).await? > 0
        {}
        Ok(())
    }

    /// Takes in the next entries of the log, and commits when it is time.
    async fn step(&mut self) -> Result<(), KeepError> {
        let stepped = self.advance().await;
        if stepped.is_err() && self.keeping.is_none() {
            self.lost += 1;
        }
        stepped
    }

    async fn advance(&mut self) -> Result<(), KeepError> {
        if !self.is_due() {
            match self.parts.advance(&mut self.keeping).await? {
                Advanced::Gone => {
                    let_go(self.keeping.take()).await?;
                    self.opens_at = Some(Instant::now());
                    return Ok(());
                }
                Advanced::By(_, head) => self.head = head.unwrap_or_default(),
            }
        }
        if self.is_due() {
            self.parts.forget(&mut self.keeping).await?;
            self.parts.commit(&mut self.keeping).await?;
            self.lost = 0;
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
        let (behind, behind_since) = keeping.behind(&self.head);
        Serving {
            position: keeping.answers().to_string(),
            documents: keeping.index.searcher().size(),
            behind,
            behind_since,
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

/// The position of an index's last commit; none where it has none that can be read.
fn position_of(index: &Index) -> Result<Option<LogPosition>, KeepError> {
    let position = index.position()?;
    Ok(position.and_then(|position| position.parse().ok()))
}

/// Waits until there is something to do for an index: entries to read, or a commit. A commit goes
/// first, as the log may fail.
async fn ready(
    parts: &Parts,
    keeping: Option<&Keeping>,
    rests_until: Instant,
) -> Result<(), KeepError> {
    let Some(keeping) = keeping else {
        return std::future::pending().await;
    };
    tokio::time::sleep_until(rests_until.into()).await;
    tokio::select! {
        biased;
        () = at(keeping.commit_at()) => Ok(()),
        changed = parts.store.log_changed(&keeping.position) => Ok(changed?),
    }
}
