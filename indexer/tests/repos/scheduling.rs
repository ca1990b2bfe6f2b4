//! What is due is done: the urgent first, politely, however often it is stopped.

use std::time::{Duration, Instant};

use plyr_lexicons::Did;
use plyr_schemas::{RepoState, Urgency};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fake::{Ill, did, rev, track, uri};
use super::{Checked, World, embedded, pace};

/// How long a condition may take to come true on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// The part at work.
struct Running {
    tasks: TaskTracker,
    cancel: CancellationToken,
}

impl Running {
    fn start(world: &World) -> Running {
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        world.repos.start(&tasks, &cancel);
        tasks.close();
        Running { tasks, cancel }
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.tasks.wait().await;
    }
}

async fn until(what: &str, mut question: impl AsyncFnMut() -> bool) -> Checked {
    let began = Instant::now();
    let mut look = tokio::time::interval(Duration::from_millis(20));
    loop {
        look.tick().await;
        if question().await {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("still not so: {what}").into());
        }
    }
}

/// Repos with some records each, at a host.
fn fill(world: &World, host: &str, count: usize) -> Vec<Did> {
    let made = (0..count).map(|number| {
        let repo = did(&format!("{host}{number}"));
        for record in 0..4 {
            let rkey = format!("r{record}");
            world
                .fake
                .put(&repo, "track", &rkey, record + 1, &track(&rkey));
        }
        world
            .fake
            .change(&repo, |repo| repo.host = format!("https://{host}.example"));
        repo
    });
    made.collect()
}

async fn are(world: &World, repos: &[Did], state: RepoState) -> bool {
    let snapshot = world.store.snapshot().await.unwrap();
    let held = snapshot.repos(repos).await.unwrap();
    held.iter()
        .flatten()
        .filter(|repo| repo.state == state)
        .count()
        == repos.len()
}

#[tokio::test]
async fn one_hosts_failures_hurt_no_other_and_it_is_asked_again() -> Checked {
    let world = embedded(pace());
    let (good, dead) = (fill(&world, "good", 40), fill(&world, "dead", 40));
    let hanging = fill(&world, "hanging", 20);
    for repo in &dead {
        world
            .fake
            .change(repo, |repo| repo.ill = Some(Ill::Unreachable));
    }
    for repo in &hanging {
        world.fake.change(repo, |repo| repo.ill = Some(Ill::Hangs));
    }
    let all: Vec<Did> = [&dead[..], &hanging[..], &good[..]].concat();
    world.repos.want(&all).await?;
    let running = Running::start(&world);
    until("the good ones are verified", async || {
        are(&world, &good, RepoState::Verified).await
    })
    .await?;
    for repo in &good {
        assert_eq!(world.shown(repo).await, world.true_of(repo));
    }
    assert!(world.fake.most_at_once("https://good.example") <= pace().at_once_per_host);
    let progress = world.repos.progress().await?;
    assert!(progress.visits >= 40 && progress.failed > 0, "{progress:?}");
    assert!(
        progress
            .failures
            .iter()
            .any(|one| one.why.contains("refused"))
    );
    assert!(
        progress.states.contains(&(RepoState::Verified, 40)),
        "{:?}",
        progress.states
    );
    let stuck = progress
        .under_way
        .iter()
        .filter(|one| one.host.is_some())
        .count();
    assert!(stuck <= pace().at_once_per_host, "{:?}", progress.under_way);
    running.stop().await;
    Ok(())
}

#[tokio::test]
async fn i03_a_backfill_goes_on_wherever_it_was_stopped() -> Checked {
    let world = embedded(pace());
    let repos = fill(&world, "one", 60);
    world.repos.want(&repos).await?;
    let mut stops = 0;
    while !are(&world, &repos, RepoState::Verified).await {
        let running = Running::start(&world);
        // Longer and longer: a slow machine comes to its first visit, too.
        tokio::time::sleep(Duration::from_millis(5 + stops % 7 + stops / 50)).await;
        running.stop().await;
        stops += 1;
        assert!(stops < 3_000);
    }
    for repo in &repos {
        assert_eq!(world.shown(repo).await, world.true_of(repo));
    }
    assert!(stops > 2, "it was never stopped");
    Ok(())
}

#[tokio::test]
async fn a_backfill_is_paused_resumed_and_cancelled() -> Checked {
    let world = embedded(pace());
    let repos = fill(&world, "one", 30);
    world.repos.pause();
    world.repos.want(&repos).await?;
    let running = Running::start(&world);
    until("it is seen to be due", async || {
        world.repos.progress().await.unwrap().waiting == 30
    })
    .await?;
    assert_eq!(world.fake.asked().fetches, 0);
    // Taken back: left to the steady pass, a day from now.
    assert_eq!(world.repos.cancel().await?, 30);
    let snapshot = world.store.snapshot().await?;
    let due = snapshot.due_of(&repos).await?;
    assert!(
        due.iter()
            .flatten()
            .all(|due| due.urgency == Urgency::Steady)
    );
    assert_eq!(world.repos.progress().await?.waiting, 0);
    world.repos.want(&repos[..5]).await?;
    world.repos.resume();
    until("those wanted are verified", async || {
        are(&world, &repos[..5], RepoState::Verified).await
    })
    .await?;
    assert!(are(&world, &repos[5..], RepoState::Unknown).await);
    running.stop().await;
    Ok(())
}

/// Events that no stream told are found: at once where a gap is known, by the steady pass where
/// nobody knows of it.
#[tokio::test]
async fn what_no_stream_told_is_found() -> Checked {
    let mut brisk = pace();
    brisk.verify_every = Duration::from_secs(3600);
    let world = embedded(brisk);
    let repos = fill(&world, "one", 12);
    world.repos.want(&repos).await?;
    let running = Running::start(&world);
    until("all are verified", async || {
        are(&world, &repos, RepoState::Verified).await
    })
    .await?;
    for (number, repo) in repos.iter().enumerate() {
        world.fake.put(
            repo,
            "track",
            "missed",
            50 + number as i64,
            &track("missed"),
        );
        world.fake.delete(repo, "track", "r0", 100 + number as i64);
    }
    assert_eq!(world.repos.suspect_all("gap").await?, 12);
    until("the gap is closed", async || {
        for repo in &repos {
            if world.shown(repo).await != world.true_of(repo) {
                return false;
            }
        }
        true
    })
    .await?;
    running.stop().await;

    let mut brisk = pace();
    brisk.verify_every = Duration::from_millis(200);
    let world = embedded(brisk);
    let repos = fill(&world, "one", 5);
    world.repos.want(&repos).await?;
    let running = Running::start(&world);
    until("all are verified", async || {
        are(&world, &repos, RepoState::Verified).await
    })
    .await?;
    world.fake.delete(&repos[3], "track", "r1", 70);
    world
        .tell(&uri(&repos[4], "track", "never"), 3, Some(&track("never")))
        .await;
    until("the steady pass finds them", async || {
        world.shown(&repos[3]).await == world.true_of(&repos[3])
            && world.shown(&repos[4]).await == world.true_of(&repos[4])
    })
    .await?;
    until("it is verified there", async || {
        let head = world.repo(&repos[3]).await.head;
        head.map(|head| head.rev) == Some(rev(70))
    })
    .await?;
    running.stop().await;
    Ok(())
}
