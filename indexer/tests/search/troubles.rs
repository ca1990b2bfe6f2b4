//! Nothing that goes wrong ends the follower, nor is it silent: it is told, and tried again.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use plyr_indexer::search::{ADDED, WRITTEN};
use plyr_schemas::{AccountState, CrashPoint, FaultHook};
use plyr_search::{Live, Standing};

use crate::Checked;
use crate::failing::Failing;
use crate::world::{Kept, World, account, delete, track, uri};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_is_told_of_and_asked_again() -> Checked {
    let world = World::embedded();
    let failing = Arc::new(Failing::new(world.store.clone()));
    failing.fails.store(true, Ordering::SeqCst);
    let kept = Kept::start(failing.clone(), world.folder.path(), None);
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    for times in 1..=2 {
        kept.stands("told of", |standing| {
            let problem = standing.problem.as_ref();
            problem.is_some_and(|problem| problem.contains("as the test wants it"))
        })
        .await;
        failing.fails.store(false, Ordering::SeqCst);
        kept.caught_up().await;
        assert_eq!(kept.found("night drive").len(), times);
        kept.stands("well again", |standing| standing.problem.is_none())
            .await;
        failing.fails.store(true, Ordering::SeqCst);
        let next = uri("ana", "track", &format!("next-{times}"));
        world.apply(vec![track(&next, 1, "Night Drive")]).await;
    }
    failing.fails.store(false, Ordering::SeqCst);
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_cannot_be_used_is_told_of_and_tried_again() -> Checked {
    let world = World::embedded();
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    let current = world.path().join("current");
    // It is there and can't be read.
    fs::create_dir_all(&current)?;
    let kept = world.start();
    kept.stands("told of", |standing| {
        let problem = standing.problem.as_ref();
        problem.is_some_and(|problem| problem.contains("current"))
    })
    .await;
    assert!(kept.standing().serving.is_none());
    fs::remove_dir(&current)?;
    kept.caught_up().await;
    assert_eq!(kept.found("night"), [one.to_string()]);
    kept.stands("well again", |standing| standing.problem.is_none())
        .await;
    kept.right_and_stopped().await
}

fn has_problem(standing: &Standing) -> bool {
    let problem = standing.problem.as_ref();
    problem.is_some_and(|problem| problem.contains("as the test wants it"))
}

/// The folder of the one index there is.
fn only_folder(world: &World) -> std::path::PathBuf {
    let folders = world.folders();
    assert_eq!(folders.len(), 1);
    world.path().join(&folders[0])
}

/// Takes a folder away so that what was in it is neither missing nor damaged, only unreadable.
fn put_aside(folder: &std::path::Path) {
    fs::rename(folder, folder.with_file_name("aside")).unwrap();
    std::os::unix::fs::symlink(folder, folder).unwrap();
}

fn put_back(folder: &std::path::Path) {
    fs::remove_file(folder).unwrap();
    fs::rename(folder.with_file_name("aside"), folder).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_and_cannot_be_looked_at_is_behind() -> Checked {
    let world = World::embedded();
    let failing = Arc::new(Failing::new(world.store.clone()));
    let kept = Kept::start(failing.clone(), world.folder.path(), None);
    kept.caught_up().await;
    failing.fails.store(true, Ordering::SeqCst);
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    kept.stands("behind", |standing| {
        let serving = standing.serving.as_ref();
        serving.is_some_and(|one| one.behind == 1 && one.behind_since.is_some())
    })
    .await;
    failing.fails.store(false, Ordering::SeqCst);
    kept.caught_up().await;
    kept.stands("nothing behind", |standing| {
        let serving = standing.serving.as_ref();
        serving.is_some_and(|one| one.behind == 0 && one.behind_since.is_none())
    })
    .await;
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_tells_of_no_changes_any_more_is_told_of() -> Checked {
    let world = World::embedded();
    let failing = Arc::new(Failing::new(world.store.clone()));
    let kept = Kept::start(failing.clone(), world.folder.path(), None);
    kept.caught_up().await;
    failing.tells_nothing.store(true, Ordering::SeqCst);
    // Whoever waits already isn't told of that: an entry wakes them.
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    kept.stands("told of", has_problem).await;
    failing.tells_nothing.store(false, Ordering::SeqCst);
    kept.stands("well again", |standing| standing.problem.is_none())
        .await;
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_lost_at_each_commit_is_told_of_until_one_succeeds() -> Checked {
    let world = World::embedded();
    let kept = world.start();
    kept.caught_up().await;
    kept.stop().await;
    let folder = only_folder(&world);
    // What was told before each commit.
    let told = Arc::new(Mutex::new(Vec::new()));
    let live: Arc<OnceLock<Arc<Live>>> = Arc::new(OnceLock::new());
    let (tells, lives, breaks) = (told.clone(), live.clone(), folder.clone());
    let hook: FaultHook = Arc::new(move |step: CrashPoint| {
        if step == WRITTEN
            && let Some(live) = lives.get()
        {
            let mut told = tells.lock().unwrap();
            told.push(live.standing().problem);
            if told.len() <= 2 {
                put_aside(&breaks);
            }
        }
        false
    });
    let kept = world.start_with(Some(hook));
    kept.caught_up().await;
    assert!(live.set(kept.index.live().clone()).is_ok());
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    for times in 1..=2 {
        // Each loss tells of another file: not of the one that was told before the commit.
        kept.stands("lost", |standing| {
            let told = told.lock().unwrap();
            let is_new = told
                .last()
                .is_some_and(|before| standing.problem != *before);
            told.len() == times && standing.problem.is_some() && is_new
        })
        .await;
        put_back(&folder);
    }
    kept.caught_up().await;
    kept.stands("well again", |standing| standing.problem.is_none())
        .await;
    let told = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].is_none() && told[1].is_some() && told[2].is_some());
    assert_eq!(kept.standing().builds, 0);
    assert_eq!(kept.found("night").len(), 1);
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_hidden_is_followed_where_the_index_cannot_be_written() -> Checked {
    let world = World::embedded();
    let kept = world.start();
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    kept.caught_up().await;
    kept.stop().await;
    // The library's lock of the folder can't be opened.
    let lock = only_folder(&world).join(".tantivy-writer.lock");
    let _ = fs::remove_file(&lock);
    fs::create_dir(&lock)?;
    let kept = world.start();
    kept.stands("told of", |standing| {
        standing.problem.is_some() && standing.serving.is_some()
    })
    .await;
    assert_eq!(kept.found("night").len(), 1);
    let covered = kept.standing().serving.map(|serving| serving.position);
    world
        .apply(vec![account("ana", 9, AccountState::TakenDown)])
        .await;
    kept.stands("followed", |_| kept.found("night").is_empty())
        .await;
    kept.stands("behind", |standing| {
        let serving = standing.serving.as_ref();
        serving.is_some_and(|one| one.behind > 0 && Some(&one.position) == covered.as_ref())
    })
    .await;
    fs::remove_dir(&lock)?;
    kept.caught_up().await;
    assert!(kept.found("night").is_empty());
    kept.stands("well again", |standing| standing.problem.is_none())
        .await;
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_hidden_is_followed_where_the_folder_cannot_be_read() -> Checked {
    let world = World::embedded();
    let kept = world.start();
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    kept.caught_up().await;
    kept.stop().await;
    let folder = only_folder(&world);
    let kept = world.start();
    kept.caught_up().await;
    put_aside(&folder);
    world
        .apply(vec![track(&uri("bea", "track", "one"), 1, "Night Train")])
        .await;
    kept.stands("lost", |standing| standing.problem.is_some())
        .await;
    world
        .apply(vec![account("ana", 9, AccountState::TakenDown)])
        .await;
    kept.stands("followed", |_| kept.found("night").is_empty())
        .await;
    put_back(&folder);
    kept.caught_up().await;
    assert_eq!(kept.found("night").len(), 1);
    assert_eq!(kept.standing().builds, 0);
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_hidden_is_known_when_the_old_index_was_behind_at_the_swap() -> Checked {
    let world = World::embedded();
    let failing = Arc::new(Failing::new(world.store.clone()));
    let kept = Kept::start(failing.clone(), world.folder.path(), None);
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    kept.caught_up().await;
    // The index that serves comes no further.
    failing.stick(world.store.log_head().await?);
    world
        .apply(vec![account("ana", 9, AccountState::TakenDown)])
        .await;
    let builds = kept.standing().builds;
    kept.index.rebuild();
    kept.built(builds + 1).await;
    assert!(kept.found("night").is_empty());
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_waits_while_the_store_takes_no_writes() -> Checked {
    let world = World::embedded();
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    let failing = Arc::new(Failing::new(world.store.clone()));
    failing.is_full.store(true, Ordering::SeqCst);
    let kept = Kept::start(failing.clone(), world.folder.path(), None);
    kept.stands("waiting", |standing| {
        let building = standing.building.as_ref();
        let problem = building.and_then(|building| building.problem.as_ref());
        problem.is_some_and(|problem| problem.contains("make room"))
    })
    .await;
    assert!(world.folders().is_empty());
    failing.is_full.store(false, Ordering::SeqCst);
    kept.caught_up().await;
    assert_eq!(kept.found("night").len(), 1);
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_fails_leaves_nothing_and_is_told_until_one_succeeds() -> Checked {
    let world = World::embedded();
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    let breaks = Arc::new(AtomicBool::new(true));
    let breaking = breaks.clone();
    let hook: FaultHook = Arc::new(move |step: CrashPoint| {
        let is_broken = step == ADDED && breaking.load(Ordering::SeqCst);
        assert!(!is_broken, "as the test wants it");
        false
    });
    let kept = world.start_with(Some(hook));
    kept.stands("failed, and nothing is left", |standing| {
        let is_over = standing.failed.is_some() && standing.building.is_none();
        is_over && world.folders().is_empty()
    })
    .await;
    let failed = kept.standing().failed.ok_or("not told")?;
    assert_eq!(failed.reason, "there is none");
    assert!(
        failed.problem.contains("as the test wants it"),
        "{failed:?}"
    );
    breaks.store(false, Ordering::SeqCst);
    kept.caught_up().await;
    assert_eq!(kept.standing().failed, None);
    assert_eq!(kept.found("night").len(), 1);
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_interrupted_build_left_is_removed_at_the_start() -> Checked {
    let world = World::embedded();
    let kept = world.start();
    kept.caught_up().await;
    kept.stop().await;
    let folders = world.folders();
    fs::create_dir(world.path().join("v1-99"))?;
    let kept = world.start();
    kept.caught_up().await;
    assert_eq!(world.folders(), folders);
    assert_eq!(kept.standing().builds, 0);
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_the_log_has_no_more_are_forgotten_at_a_commit() -> Checked {
    let world = World::embedded();
    let failing = Arc::new(Failing::new(world.store.clone()));
    failing.has_another.store(true, Ordering::SeqCst);
    let kept = Kept::start(failing.clone(), world.folder.path(), None);
    kept.index.caught_up(&"another.7".parse()?).await?;
    // Its rows expire. What comes then is committed without it.
    failing.has_another.store(false, Ordering::SeqCst);
    let one = uri("ana", "track", "one");
    world.apply(vec![track(&one, 1, "Night Drive")]).await;
    kept.caught_up().await;
    kept.stop().await;
    let place = plyr_search::Place::new(&world.path());
    let plyr_search::Opened::Ready(index) = place.open()? else {
        return Err("no index".into());
    };
    let head = world.store.log_head().await?.to_string();
    assert_eq!(index.position()?, Some(head));
    drop(index);
    world.apply(vec![delete(&one, 2)]).await;
    let kept = world.start();
    kept.caught_up().await;
    assert_eq!(kept.standing().builds, 0);
    kept.right_and_stopped().await
}
