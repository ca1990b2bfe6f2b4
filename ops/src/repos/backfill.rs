//! `plyr backfill [REPO…]`: repos visited as soon as can be, each one's outcome told; paused,
//! resumed, cancelled.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use clap::ArgMatches;
use plyr_indexer::repos::{LEASE, Progress};
use plyr_lexicons::Did;
use plyr_schemas::{Micros, Repo, RepoState, Urgency};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{PAGE, Stand, Told, Work, ask, here, named};
use crate::config::{Config, StoreChoice};
use crate::control::Request;
use crate::error::OpsError;
use crate::store::progress::Shown;

/// How often the repos are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// What is due later than this was put off.
const PUT_OFF: Duration = Duration::from_secs(10);

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Visit repos.
    #[default]
    Run,
    /// Take up nothing more.
    Pause,
    /// Go on.
    Resume,
    /// Leave what was asked for to the steady pass.
    Cancel,
    /// Tell how it goes.
    Status,
}

/// What to do, and with which repos.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ask {
    /// What.
    #[serde(default)]
    pub action: Action,
    /// DIDs and handles; none for every repo that was met and isn't verified.
    #[serde(default)]
    pub repos: Vec<String>,
}

/// Runs the command: exit code 1 where a repo could not be fetched.
pub async fn backfill(config: &Config, arguments: &ArgMatches) -> Result<ExitCode, OpsError> {
    let action = match arguments.subcommand_name() {
        Some("pause") => Action::Pause,
        Some("resume") => Action::Resume,
        Some("cancel") => Action::Cancel,
        Some("status") => Action::Status,
        _ => Action::Run,
    };
    let asked = Ask {
        action,
        repos: match action {
            Action::Run => named(arguments),
            _ => Vec::new(),
        },
    };
    let mut shown = Shown::new("fetching", "not verified");
    let request = Request::Backfill(asked.clone());
    let stand = match ask(config, &request, &mut |stand| shown.show(stand)).await? {
        Some(stand) => stand,
        None if matches!(action, Action::Pause | Action::Resume) => {
            return Err(OpsError::Usage(match config.store {
                StoreChoice::Embedded => "no server holds the data folder: nothing is under way",
                StoreChoice::Cluster(_) => {
                    "over a cluster every indexer fetches by itself: stop the indexers, or leave \
                     them; what is due is kept"
                }
            }
            .to_owned()));
        }
        None => {
            let mut show = |stand: &Stand| shown.show(stand);
            here(config, &mut show, async |work, told| {
                alone(work, &asked, told).await
            })
            .await?
        }
    };
    if action != Action::Run {
        return Ok(ExitCode::SUCCESS);
    }
    shown.end(&format!(
        "{} of {} repos fetched, {} records; {} to be asked again, {} failed",
        stand.done - stand.failed,
        stand.of,
        stand.records,
        stand.found,
        stand.failed
    ));
    Ok(ExitCode::from(u8::from(stand.failed > 0)))
}

/// Does it where nobody else visits repos meanwhile.
async fn alone(work: &Work, asked: &Ask, told: &mut Told<'_>) -> Result<(), OpsError> {
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    if asked.action == Action::Run {
        work.repos.start(&tasks, &cancel);
    }
    let ran = run(work, asked, told).await;
    cancel.cancel();
    tasks.close();
    tasks.wait().await;
    ran
}

/// Does it. Of each repo `{"repo", "state"}`, and `records`, or `error` where it isn't verified;
/// `again` says that it is asked again by itself.
pub async fn run(work: &Work, asked: &Ask, told: &mut Told<'_>) -> Result<(), OpsError> {
    match asked.action {
        Action::Run => fetch(work, &asked.repos, told).await,
        Action::Pause => {
            work.repos.pause();
            told.line(&json!({ "paused": true }))
        }
        Action::Resume => {
            work.repos.resume();
            told.line(&json!({ "paused": false }))
        }
        Action::Cancel => {
            let cancelled = work.repos.cancel().await?;
            told.line(&json!({ "cancelled": cancelled }))
        }
        Action::Status => status(&work.repos.progress().await?, told),
    }
}

fn status(progress: &Progress, told: &mut Told<'_>) -> Result<(), OpsError> {
    told.line(&json!({ "paused": progress.is_paused, "waiting": progress.waiting }))?;
    for (state, count) in &progress.states {
        told.line(&json!({ "state": state.as_str(), "repos": count }))?;
    }
    for repo in &progress.under_way {
        let (did, host, cause) = (repo.did.as_str(), &repo.host, &repo.cause);
        told.line(&json!({ "underWay": did, "host": host, "cause": cause }))?;
    }
    for failure in &progress.failures {
        told.line(&json!({ "repo": failure.did.as_str(), "error": failure.why }))?;
    }
    Ok(())
}

/// A repo that is waited for.
struct Waited {
    did: Did,
    /// When it had been asked last before it was wanted.
    asked_at: Micros,
}

/// The repos to come, and those that are waited for: a bounded number at a time.
struct Window<'a> {
    work: &'a Work,
    /// Named ones; none for every repo that was met and isn't verified.
    named: Option<VecDeque<Did>>,
    after: Option<Did>,
    open: Vec<Waited>,
    began: Micros,
}

async fn fetch(work: &Work, repos: &[String], told: &mut Told<'_>) -> Result<(), OpsError> {
    let began = chrono::Utc::now().timestamp_micros();
    let mut stand = Stand::default();
    let named = match repos {
        [] => None,
        named => Some(VecDeque::from(work.dids(named, &mut stand, told).await?)),
    };
    stand.of = match &named {
        Some(named) => stand.done + named.len() as u64,
        None => unverified(work).await?,
    };
    let cancels = work.repos.cancels();
    let mut window = Window {
        work,
        named,
        after: None,
        open: Vec::new(),
        began,
    };
    loop {
        // Told at every look: who asked and is gone ends it.
        (told.tell)(&stand)?;
        // Who cancels means what was still to come, too.
        if work.repos.cancels() == cancels {
            window.fill().await?;
        }
        stand.of = stand.of.max(stand.done + window.open.len() as u64);
        if window.open.is_empty() {
            return (told.tell)(&stand);
        }
        stand.waits = window.look(&mut stand, told).await?;
        if !window.open.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// How many repos were met and aren't verified.
async fn unverified(work: &Work) -> Result<u64, OpsError> {
    let states = work.store.snapshot().await?.repo_states().await?;
    let open = states.iter().filter(|(state, _)| is_open(*state));
    Ok(open.map(|(_, count)| count).sum())
}

/// Whether a repo that nobody named is fetched. What is gone is left to the steady pass.
fn is_open(state: RepoState) -> bool {
    !matches!(
        state,
        RepoState::Verified | RepoState::RolledBack | RepoState::Gone
    )
}

fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

impl Window<'_> {
    /// How late something is due that was put off. With several writers what is taken up is due
    /// when its lease ends.
    fn put_off(&self) -> Duration {
        match self.work.store.has_several_writers() {
            true => LEASE + PUT_OFF,
            false => PUT_OFF,
        }
    }

    /// Wants the next ones, as many as there is room for.
    async fn fill(&mut self) -> Result<(), OpsError> {
        while self.open.len() < PAGE {
            let room = PAGE - self.open.len();
            let dids: Vec<Did> = match &mut self.named {
                Some(named) => named.drain(..room.min(named.len())).collect(),
                None => {
                    let met = self.work.met(self.after.as_ref()).await?;
                    let Some(last) = met.last() else {
                        return Ok(());
                    };
                    self.after = Some(last.did.clone());
                    let open = met.into_iter().filter(|repo| is_open(repo.state));
                    open.map(|repo| repo.did).collect()
                }
            };
            if dids.is_empty() && self.named.is_some() {
                return Ok(());
            }
            for dids in dids.chunks(PAGE) {
                let held = self.work.store.snapshot().await?.repos(dids).await?;
                self.work.repos.want(dids).await?;
                let waited = dids.iter().zip(held).map(|(did, held)| Waited {
                    did: did.clone(),
                    asked_at: held.map_or(0, |repo| repo.asked_at),
                });
                self.open.extend(waited);
            }
        }
        Ok(())
    }

    /// Tells of those that were asked meanwhile, or that nobody will ask so soon. Answers why the
    /// others wait.
    async fn look(
        &mut self,
        stand: &mut Stand,
        told: &mut Told<'_>,
    ) -> Result<Option<String>, OpsError> {
        let dids: Vec<Did> = self.open.iter().map(|waited| waited.did.clone()).collect();
        let snapshot = self.work.store.snapshot().await?;
        // In this order: what is no longer wanted has been answered, and that can be read.
        let due = snapshot.due_of(&dids).await?;
        let held = snapshot.repos(&dids).await?;
        let now = chrono::Utc::now().timestamp_micros();
        let (mut put_off, mut first) = (0u64, Micros::MAX);
        let mut still = Vec::with_capacity(self.open.len());
        let open = std::mem::take(&mut self.open);
        for ((waited, due), repo) in open.into_iter().zip(due).zip(held) {
            let is_wanted = due.as_ref().is_some_and(|due| due.urgency == Urgency::Now);
            let is_steady = due
                .as_ref()
                .is_none_or(|due| due.urgency == Urgency::Steady);
            let is_asked = |repo: &Repo| {
                let changed = repo.asked_at > 1 && repo.asked_at != waited.asked_at;
                changed && (repo.asked_at >= self.began || !is_wanted)
            };
            if let Some(repo) = repo.filter(is_asked) {
                visited(&repo, self.began, stand, told)?;
                continue;
            }
            if is_steady {
                stand.done += 1;
                stand.found += 1;
                told.line(&json!({ "repo": waited.did.as_str(), "cancelled": true }))?;
                continue;
            }
            let due_at = due.map_or(now, |due| due.due_at);
            let is_put_off = due_at > now + micros(self.put_off());
            if is_put_off && self.named.is_none() && !self.work.is_alone {
                // Of all of them nobody waits for a host that rests: the server asks by itself.
                stand.done += 1;
                stand.found += 1;
                let until = time(due_at);
                told.line(&json!({ "repo": waited.did.as_str(), "restsUntil": until }))?;
                continue;
            }
            put_off += u64::from(is_put_off);
            first = first.min(due_at);
            still.push(waited);
        }
        self.open = still;
        if self.work.repos.is_paused() {
            return Ok(Some("paused; `plyr backfill resume` goes on".to_owned()));
        }
        let rests = put_off > 0 && put_off == self.open.len() as u64;
        Ok(rests.then(|| format!("their hosts rest until {}", time(first))))
    }
}

fn time(micros: Micros) -> String {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn visited(
    repo: &Repo,
    began: Micros,
    stand: &mut Stand,
    told: &mut Told<'_>,
) -> Result<(), OpsError> {
    stand.done += 1;
    let (state, did) = (repo.state.as_str(), repo.did.as_str());
    let was_merged = repo.merged_at >= began || repo.verified_at >= began;
    if repo.failures == 0 && was_merged {
        stand.records += repo.records;
    }
    match &repo.last_error {
        Some(why) if repo.failures > 0 => {
            stand.failed += 1;
            told.line(&json!({ "repo": did, "state": state, "error": why }))
        }
        Some(why) => {
            stand.found += 1;
            told.line(&json!({ "repo": did, "state": state, "error": why, "again": true }))
        }
        None => {
            stand.found += u64::from(repo.verified_at < began);
            told.line(&json!({ "repo": did, "state": state, "records": repo.records }))
        }
    }
}
