//! The scheduler: takes up what is due, the most urgent first, finds out which host it is at, and
//! visits as many repos at once as each host and this machine bear. What is due is durable: it goes
//! on wherever it was stopped.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use plyr_lexicons::Did;
use plyr_schemas::{Change, DueRepo, StoreError};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::hosts::{Hosts, Taken};
use super::network::{Fault, Trouble};
use super::pace::micros;
use super::progress::Shared;
use super::visit::{Visit, Visitor};

/// Repos taken up at one time, from the table to the end of their visits.
const MOST_TAKEN_UP: usize = 512;
/// Hosts looked up at once.
const LOOKED_UP: usize = 16;
/// Of a store with several writers: how long what one took up is left alone by the others.
pub const LEASE: Duration = Duration::from_secs(180);
/// One visit.
const PATIENCE: Duration = Duration::from_secs(1_800);
const LEAST_WAIT: Duration = Duration::from_millis(200);
const MOST_WAIT: Duration = Duration::from_secs(10);

/// What a task ended with.
enum Done {
    Host(Result<(String, bool), Trouble>),
    Visited(String, Result<Box<Visit>, StoreError>),
}

/// The scheduler.
pub struct Scheduler {
    visitor: Visitor,
    shared: Arc<Shared>,
    hosts: Hosts,
    tasks: JoinSet<Done>,
    /// What each task is about.
    under_way: HashMap<Id, (DueRepo, Option<String>)>,
    /// What was taken up and has not ended.
    taken_up: HashSet<Did>,
    looking_up: usize,
    /// Nothing more was due; nobody looks before this.
    nothing_until: Option<Instant>,
}

impl Scheduler {
    pub fn new(visitor: Visitor, shared: Arc<Shared>) -> Scheduler {
        Scheduler {
            visitor,
            shared,
            hosts: Hosts::default(),
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
            taken_up: HashSet::new(),
            looking_up: 0,
            nothing_until: None,
        }
    }

    /// Runs until cancelled. What is under way then is dropped; it is still due.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut failures = 0;
        loop {
            let step = tokio::select! {
                () = cancel.cancelled() => break,
                step = self.step() => step,
            };
            let Err(problem) = step else {
                failures = 0;
                continue;
            };
            let wait = crate::backoff(failures, LEAST_WAIT, MOST_WAIT);
            failures += 1;
            tracing::warn!(
                %problem, wait_seconds = wait.as_secs_f64(), "the repos wait for the store"
            );
            tokio::select! {
                () = cancel.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        // A batch under way is whole or not at all.
        self.tasks.shutdown().await;
    }

    async fn step(&mut self) -> Result<(), StoreError> {
        self.take_up().await?;
        self.start();
        self.shared.under_way(self.under_way.values());
        let look = self.visitor.pace.look;
        tokio::select! {
            Some(done) = self.tasks.join_next_with_id() => self.ended(done).await,
            () = self.shared.woken.notified() => {
                self.nothing_until = None;
                Ok(())
            }
            () = tokio::time::sleep(look) => Ok(()),
        }
    }

    /// Takes up what is due, as much as there is room for.
    async fn take_up(&mut self) -> Result<(), StoreError> {
        let room = MOST_TAKEN_UP.saturating_sub(self.taken_up.len());
        let room = room.min(LOOKED_UP.saturating_sub(self.looking_up));
        let rests = self
            .nothing_until
            .is_some_and(|until| until > Instant::now());
        if room == 0 || rests || self.shared.is_paused() {
            return Ok(());
        }
        let store = &self.visitor.store;
        // Nobody is asked while the answer could not be kept.
        store.writable()?;
        let (now, several) = (crate::now(), store.has_several_writers());
        let snapshot = store.snapshot().await?;
        // What is taken up stays due, except where others must be kept off it.
        let most = room + if several { 0 } else { self.taken_up.len() };
        let due = snapshot.due_repos(now, most).await?;
        let due = due
            .into_iter()
            .filter(|due| !self.taken_up.contains(&due.did));
        let mut due: Vec<DueRepo> = due.take(room).collect();
        self.nothing_until = (due.len() < room).then(|| Instant::now() + self.visitor.pace.look);
        if several && !due.is_empty() {
            for due in &mut due {
                due.tries = due.tries.saturating_add(1);
                due.due_at = now + micros(LEASE);
            }
            let leases = due.iter().cloned().map(Change::RepoDue);
            store.apply(leases.collect()).await?;
        }
        for due in due {
            self.taken_up.insert(due.did.clone());
            self.looking_up += 1;
            let (visitor, did) = (self.visitor.clone(), due.did.clone());
            let task = self.tasks.spawn(async move {
                let asked = async {
                    let host = visitor.network.host(&did).await?;
                    let snapshot = visitor.store.snapshot().await;
                    let met = match snapshot {
                        Ok(snapshot) => snapshot.repos(std::slice::from_ref(&did)).await,
                        Err(problem) => Err(problem),
                    };
                    let met = met.ok().and_then(|met| met.into_iter().next().flatten());
                    Ok((host, met.is_none_or(|met| met.merged_at == 0)))
                };
                Done::Host(asked.await)
            });
            self.under_way.insert(task.id(), (due, None));
        }
        Ok(())
    }

    /// Starts visits, as many as hosts and places allow.
    fn start(&mut self) {
        let visiting = self.under_way.len() - self.looking_up;
        let places = self.visitor.pace.at_once.saturating_sub(visiting);
        for (host, due) in self.hosts.start(places, &self.visitor.pace) {
            let visitor = self.visitor.clone();
            let (did, name) = (due.did.clone(), host.clone());
            let by_force = due.cause == super::BY_HAND;
            let task = self.tasks.spawn(async move {
                let visit = visitor.visit(&did, by_force);
                let visited = match tokio::time::timeout(PATIENCE, visit).await {
                    Ok(visited) => visited,
                    Err(_) => visitor.gave_up(&did).await,
                };
                Done::Visited(name, visited.map(Box::new))
            });
            self.under_way.insert(task.id(), (due, Some(host)));
        }
    }

    async fn ended(&mut self, done: Result<(Id, Done), JoinError>) -> Result<(), StoreError> {
        let (id, done) = match done {
            Ok(done) => done,
            Err(problem) => {
                tracing::error!(%problem, "a visit to a repo broke off");
                let Some((due, host)) = self.under_way.remove(&problem.id()) else {
                    return Ok(());
                };
                match host {
                    Some(host) => drop(self.hosts.ended(&host, false)),
                    None => self.looking_up = self.looking_up.saturating_sub(1),
                }
                let wait = self.visitor.pace.retry;
                return self.put_off(vec![due], wait).await;
            }
        };
        let Some((due, _)) = self.under_way.remove(&id) else {
            return Ok(());
        };
        match done {
            Done::Host(Ok((host, is_new))) => {
                self.looking_up = self.looking_up.saturating_sub(1);
                let pace = self.visitor.pace;
                match self.hosts.take(&host, due.clone(), is_new, &pace) {
                    Taken::Waits => Ok(()),
                    Taken::Later(wait) => self.put_off(vec![due], wait).await,
                }
            }
            Done::Host(Err(trouble)) => {
                self.looking_up = self.looking_up.saturating_sub(1);
                let visit = self.visitor.not_found(&due.did, trouble).await;
                self.keep(due, visit.map(Box::new)).await
            }
            Done::Visited(host, visit) => {
                let trouble = visit.as_ref().ok().and_then(|visit| visit.trouble.as_ref());
                let failed = trouble.is_some_and(|trouble| trouble.fault == Fault::Host);
                let (resting, rest) = self.hosts.ended(&host, failed);
                self.put_off(resting, rest).await?;
                self.keep(due, visit).await
            }
        }
    }

    /// Writes what came of a visit.
    async fn keep(
        &mut self,
        due: DueRepo,
        visit: Result<Box<Visit>, StoreError>,
    ) -> Result<(), StoreError> {
        let visit = match visit {
            Ok(visit) => visit,
            Err(problem) => {
                self.taken_up.remove(&due.did);
                return Err(problem);
            }
        };
        let kept = self.visitor.keep(&due, &visit).await;
        self.taken_up.remove(&due.did);
        // What was not kept is still due, and is told when it is.
        kept?;
        self.shared.ended(&visit);
        Ok(())
    }

    /// Puts repos off: they come again after a wait.
    async fn put_off(&mut self, repos: Vec<DueRepo>, wait: Duration) -> Result<(), StoreError> {
        if repos.is_empty() {
            return Ok(());
        }
        let now = crate::now();
        let later = repos.into_iter().map(|mut due| {
            self.taken_up.remove(&due.did);
            due.tries = due.tries.saturating_add(1);
            due.due_at = now + micros(wait);
            Change::RepoDue(due)
        });
        let later = later.collect();
        self.visitor.store.apply(later).await.map(drop)
    }
}
