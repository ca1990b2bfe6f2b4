//! Checks of accounts over a network that fails in ways a real one can't be made to.

#![allow(clippy::unwrap_used)] // helpers of tests

mod network;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use network::{Server, document, outbound, status, tombstone, unregistered};
use plyr_indexer::accounts::{Checks, Hosts};
use plyr_indexer::{AccountPace, RepoChange};
use plyr_lexicons::Did;
use plyr_schemas::conformance;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::{AccountState, Change, DueCheck, Observed, Repo, RepoState, Store};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// How long a condition may take to come true on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
const KEY: &str = "zQ3shMkeStrqJEvy95xb3CyBcuMKafpTfqRD8eeqLzhVXnHVb";
const OTHER_KEY: &str = "zQ3shszez9bgVeQngHsEZQeZXLnCCbWUk3GHt3UbhmmUFxLsp";

fn did(number: usize) -> Did {
    Did::new(format!("did:plc:account{number:04}")).unwrap()
}

/// The usual times, a thousandth of them.
fn hurried() -> AccountPace {
    let usual = AccountPace::default();
    let all = |of: &[Duration]| of.iter().map(|time| *time / 1_000).collect();
    AccountPace {
        repeats: all(&usual.repeats),
        retries: all(&usual.retries),
        between: usual.between / 1_000,
        directory: usual.directory / 1_000,
        confirm: usual.confirm / 1_000,
        grace_check: Duration::from_millis(500),
        grace: Duration::from_secs(8),
    }
}

type Told = Arc<Mutex<Vec<(Did, RepoChange)>>>;

/// Checks that run over a store of their own.
struct Running {
    store: Arc<EmbeddedStore>,
    hosts: Arc<Hosts>,
    told: Told,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    due: Arc<tokio::sync::Notify>,
    _folder: tempfile::TempDir,
}

impl Running {
    fn start(plc: &Server, pace: AccountPace) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let namespace: plyr_lexicons::Namespace = "fm.plyr".parse().unwrap();
        let options = EmbeddedOptions::new(folder.path().to_owned(), namespace.clone());
        let store = Arc::new(EmbeddedStore::open(options).unwrap());
        let (hosts, due) = (Arc::new(Hosts::default()), Arc::default());
        let checks = Checks::new(
            store.clone(),
            namespace,
            outbound(plc),
            hosts.clone(),
            Arc::clone(&due),
        );
        let told = Told::default();
        let telling = told.clone();
        let checks = checks.with_pace(pace).on_repo_change(Arc::new(
            move |did: &Did, change: RepoChange, now| {
                telling.lock().unwrap().push((did.clone(), change));
                // Something durable to look for: a check in a far time.
                let mark = Did::new(format!("did:web:{}.example", change.as_str())).unwrap();
                let mut mark = DueCheck::triggered(mark, now);
                mark.due_at += 1_000_000_000_000;
                vec![Change::Due(mark)]
            },
        ));
        let cancel = CancellationToken::new();
        let task = tokio::spawn(checks.run(cancel.clone()));
        Running {
            store,
            hosts,
            told,
            cancel,
            task,
            due,
            _folder: folder,
        }
    }

    async fn trigger(&self, dids: &[Did]) {
        let now = chrono::Utc::now().timestamp_micros();
        let due = dids.iter().map(|did| DueCheck::triggered(did.clone(), now));
        self.store
            .apply(due.map(Change::Due).collect())
            .await
            .unwrap();
        self.due.notify_one();
    }

    async fn observed(&self, did: &Did) -> Observed {
        let snapshot = self.store.snapshot().await.unwrap();
        snapshot
            .observed(std::slice::from_ref(did))
            .await
            .unwrap()
            .remove(0)
    }

    async fn state(&self, did: &Did) -> Option<AccountState> {
        self.observed(did)
            .await
            .account
            .map(|account| account.state)
    }

    async fn due(&self) -> Vec<DueCheck> {
        let snapshot = self.store.snapshot().await.unwrap();
        snapshot.due_checks(i64::MAX, 10_000).await.unwrap()
    }

    async fn until(&self, what: &str, mut is_so: impl AsyncFnMut(&Running) -> bool) {
        let mut look = tokio::time::interval(Duration::from_millis(10));
        let waiting = async {
            while !is_so(self).await {
                look.tick().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(
            waited.is_ok(),
            "not so in time: {what}; due: {:?}",
            self.due().await
        );
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap();
        self.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn i02_an_outage_of_the_directory_changes_nothing_and_is_told() {
    let (plc, pds) = (Server::start().await, Server::start().await);
    let all: Vec<Did> = (0..20).map(did).collect();
    for did in &all {
        plc.answers(did, document(did, &pds, KEY));
        pds.answers(did, status("active"));
    }
    let running = Running::start(&plc, hurried());
    running.trigger(&all).await;
    running
        .until("all are active", async |running| {
            for did in &all {
                if running.state(did).await != Some(AccountState::Active) {
                    return false;
                }
            }
            running.due().await.is_empty()
        })
        .await;

    plc.outage(Some(Some((502, json!({ "message": "bad gateway" })))));
    all.iter()
        .for_each(|did| pds.answers(did, status("takendown")));
    let before = plc.asked(None);
    running.trigger(&all).await;
    running
        .until("it is told", async |running| {
            running
                .hosts
                .missing()
                .is_some_and(|told| told.contains("502"))
        })
        .await;
    // It is tried again, by one at a time.
    running
        .until("it is tried again", async |_| plc.asked(None) > before + 40)
        .await;
    for did in &all {
        assert_eq!(running.state(did).await, Some(AccountState::Active));
    }
    assert_eq!(running.due().await.len(), all.len());

    plc.outage(None);
    running
        .until("the answers of before are made up for", async |running| {
            for did in &all {
                if running.state(did).await != Some(AccountState::TakenDown) {
                    return false;
                }
            }
            running.hosts.missing().is_none()
        })
        .await;
    running.stop().await;
}

/// An address that is no directory's says nothing about anybody.
#[tokio::test]
async fn i02_a_wrong_directory_hides_nobody() {
    let (plc, pds) = (Server::start().await, Server::start().await);
    let who = did(1);
    plc.answers(&who, document(&who, &pds, KEY));
    pds.answers(&who, status("active"));
    let running = Running::start(&plc, hurried());
    running.trigger(std::slice::from_ref(&who)).await;
    running
        .until("it is active", async |running| {
            running.state(&who).await == Some(AccountState::Active)
                && running.due().await.is_empty()
        })
        .await;
    plc.outage(Some(Some((404, json!({ "message": "Not Found" })))));
    running.trigger(std::slice::from_ref(&who)).await;
    let before = plc.asked(None);
    running
        .until("it is asked often", async |_| plc.asked(None) > before + 5)
        .await;
    assert_eq!(running.state(&who).await, Some(AccountState::Active));
    running.stop().await;
}

#[tokio::test]
async fn a_pds_that_hangs_holds_up_no_other() {
    let (plc, hanging, good) = (
        Server::start().await,
        Server::start().await,
        Server::start().await,
    );
    let many: Vec<Did> = (0..150).map(did).collect();
    for did in &many {
        plc.answers(did, document(did, &hanging, KEY));
    }
    hanging.outage(Some(None));
    let last = did(1_000);
    plc.answers(&last, document(&last, &good, KEY));
    good.answers(&last, status("active"));
    let pace = AccountPace::default();
    let running = Running::start(&plc, pace);
    let began = Instant::now();
    running.trigger(&many).await;
    running.trigger(std::slice::from_ref(&last)).await;
    running
        .until("the last one is active", async |running| {
            running.state(&last).await == Some(AccountState::Active)
        })
        .await;
    // Each of them had its turn before; the host was asked by few and left alone in between.
    let asked = hanging.asked(None);
    let most = 4 * (began.elapsed().as_secs() as usize / 10 + 2);
    assert!(
        (1..=most).contains(&asked),
        "{asked} questions, {most} at most"
    );
    let failed = running.due().await;
    let failed = failed.iter().filter(|check| check.failures > 0).count();
    assert!(failed > 100, "only {failed} of {} were tried", many.len());
    running.stop().await;
}

#[tokio::test]
async fn triggers_without_end_are_not_questions_without_end() {
    let (plc, pds) = (Server::start().await, Server::start().await);
    let who = did(1);
    plc.answers(&who, document(&who, &pds, KEY));
    pds.answers(&who, status("active"));
    let pace = AccountPace {
        between: Duration::from_millis(200),
        ..hurried()
    };
    let running = Running::start(&plc, pace);
    let began = Instant::now();
    for _ in 0..300 {
        running.trigger(std::slice::from_ref(&who)).await;
    }
    running
        .until("they are answered", async |running| {
            running.due().await.is_empty()
        })
        .await;
    let most = 2 + began.elapsed().as_millis() / 200;
    let asked = plc.asked(Some(&who)) as u128;
    assert!(
        (1..=most).contains(&asked),
        "{asked} questions, {most} at most"
    );
    running.stop().await;
}

#[tokio::test]
async fn a_move_and_a_new_key_are_told_with_what_was_observed() {
    let (plc, old, new) = (
        Server::start().await,
        Server::start().await,
        Server::start().await,
    );
    let who = did(1);
    plc.answers(&who, document(&who, &old, KEY));
    old.answers(&who, status("active"));
    let running = Running::start(&plc, hurried());
    running.trigger(std::slice::from_ref(&who)).await;
    running
        .until("it is known", async |running| {
            running.state(&who).await == Some(AccountState::Active)
                && running.due().await.is_empty()
        })
        .await;
    assert_eq!(*running.told.lock().unwrap(), []);
    // The old host's last word comes after the new one's, and nobody asks it.
    old.answers(&who, status("deactivated"));
    new.answers(&who, status("active"));
    plc.answers(&who, document(&who, &new, OTHER_KEY));
    running.trigger(std::slice::from_ref(&who)).await;
    running
        .until("it has moved", async |running| {
            let identity = running.observed(&who).await.identity.unwrap();
            identity.pds == Some(new.url.clone())
                && identity.signing_key.as_deref() == Some(OTHER_KEY)
                && running.due().await.len() == 2
        })
        .await;
    assert_eq!(running.state(&who).await, Some(AccountState::Active));
    let told = running.told.lock().unwrap().clone();
    let expected = [
        (who.clone(), RepoChange::Moved),
        (who.clone(), RepoChange::Rekeyed),
    ];
    assert_eq!(told, expected);
    let marks = running.due().await.into_iter().map(|check| check.did);
    let mut marks: Vec<String> = marks.map(|did| did.as_str().to_owned()).collect();
    marks.sort();
    assert_eq!(marks, ["did:web:moved.example", "did:web:rekeyed.example"]);
    // It goes and returns.
    new.answers(&who, status("suspended"));
    running.trigger(std::slice::from_ref(&who)).await;
    running
        .until("it is hidden", async |running| {
            running.state(&who).await == Some(AccountState::Suspended)
        })
        .await;
    new.answers(&who, status("active"));
    running.trigger(std::slice::from_ref(&who)).await;
    running
        .until("it is back", async |running| {
            running.state(&who).await == Some(AccountState::Active)
        })
        .await;
    let told = running.told.lock().unwrap().clone();
    assert_eq!(told[2..], [(who, RepoChange::Activated)]);
    running.stop().await;
}

/// A repo is asked for while its account is away, and the account is back before any check.
#[tokio::test]
async fn i01_a_repo_that_was_gone_is_asked_for_when_its_account_is_active() {
    let (plc, pds) = (Server::start().await, Server::start().await);
    let who = did(1);
    plc.answers(&who, document(&who, &pds, KEY));
    pds.answers(&who, status("active"));
    let running = Running::start(&plc, hurried());
    let gone = Repo {
        state: RepoState::Gone,
        asked_at: 1,
        ..Repo::met(who.clone(), 1)
    };
    running.store.apply(vec![Change::Repo(gone)]).await.unwrap();
    running.trigger(std::slice::from_ref(&who)).await;
    running
        .until("its return is told", async |running| {
            running.told.lock().unwrap().first() == Some(&(who.clone(), RepoChange::Activated))
        })
        .await;
    running.stop().await;
}

#[tokio::test]
async fn i08_a_tombstone_hides_at_once_and_erases_after_the_grace_time() {
    let (plc, pds) = (Server::start().await, Server::start().await);
    let (gone, never) = (Did::new("did:plc:b".to_owned()).unwrap(), did(2));
    plc.answers(&gone, document(&gone, &pds, KEY));
    plc.answers(&never, unregistered(&never));
    pds.answers(&gone, status("active"));
    let running = Running::start(&plc, hurried());
    let (subject, like) = conformance::a_like().unwrap();
    running.store.apply(vec![like]).await.unwrap();
    running.trigger(&[gone.clone(), never.clone()]).await;
    running
        .until("one is active", async |running| {
            running.state(&gone).await == Some(AccountState::Active)
        })
        .await;
    plc.answers(&gone, tombstone(&gone));
    running.trigger(std::slice::from_ref(&gone)).await;
    running
        .until("both are hidden", async |running| {
            running.state(&gone).await == Some(AccountState::Deleted)
                && running.state(&never).await == Some(AccountState::Deleted)
        })
        .await;
    let held = async |running: &Running| {
        let snapshot = running.store.snapshot().await.unwrap();
        let likes = snapshot.repo_records(&gone, "fm.plyr.like", None, false, 9);
        likes.await.unwrap().len()
    };
    // Nothing is taken away before the grace time, however late this looks.
    let since = running.observed(&gone).await.account.unwrap().since;
    let is_held = held(&running).await == 1;
    let now = || chrono::Utc::now().timestamp_micros();
    assert!(is_held || now() - since >= 8_000_000, "erased too early");
    let snapshot = running.store.snapshot().await.unwrap();
    let counts = snapshot
        .counts(std::slice::from_ref(&subject))
        .await
        .unwrap();
    assert_eq!(counts[0].likes, 0);
    running
        .until(
            "both are erased and nobody asks any more",
            async |running| {
                let told = running.told.lock().unwrap().clone();
                told.contains(&(gone.clone(), RepoChange::Erased))
                    && told.contains(&(never.clone(), RepoChange::Erased))
                    && running
                        .due()
                        .await
                        .iter()
                        .all(|check| check.did.as_str().contains("example"))
            },
        )
        .await;
    assert_eq!(held(&running).await, 0);
    let observed = running.observed(&gone).await;
    let account = observed.account.unwrap();
    assert_eq!(account.state, AccountState::Deleted);
    assert!(now() - account.since >= 8_000_000, "{account:?}");
    assert_eq!(observed.identity.and_then(|identity| identity.pds), None);
    // Told again it is gone, it is not erased again.
    running.trigger(std::slice::from_ref(&gone)).await;
    let asked = plc.asked(Some(&gone));
    running
        .until("it was asked again", async |running| {
            plc.asked(Some(&gone)) > asked
                && running.due().await.iter().all(|check| check.did != gone)
        })
        .await;
    let told = running.told.lock().unwrap().clone();
    let erased = told.iter().filter(|(did, _)| *did == gone).count();
    // A check that begins before the end of that time and is answered after it is followed by one
    // more.
    let most = match account.asked_at - account.since < 8_000_000 {
        true => 2,
        false => 1,
    };
    assert!((1..=most).contains(&erased), "{told:?}");
    running.stop().await;
}
