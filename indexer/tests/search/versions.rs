//! What is missing, damaged, of another version or behind the log is built anew, while what can
//! serve serves.

use std::fs;
use std::sync::{Arc, Mutex, mpsc};

use plyr_indexer::search::{BUILT, SearchIndex, SearchOptions};
use plyr_schemas::{AccountState, Change, CrashPoint, FaultHook};
use tokio_util::sync::CancellationToken;

use crate::Checked;
use crate::world::{PATIENCE, World, account, namespace, track, uri};

fn tracks(actor: &str, at: i64, count: usize, title: &str) -> Vec<Change> {
    (0..count)
        .map(|number| track(&uri(actor, "track", &format!("t{number}")), at, title))
        .collect()
}

/// A world whose index holds tracks and is not kept now.
async fn with_tracks() -> World {
    let world = World::embedded();
    let kept = world.start();
    world.apply(tracks("ana", 1, 20, "Night Drive")).await;
    kept.caught_up().await;
    assert_eq!(kept.found("night").len(), 20);
    kept.stop().await;
    world
}

fn serving_folder(world: &World) -> std::path::PathBuf {
    let name = fs::read_to_string(world.path().join("current")).unwrap();
    world.path().join(name.trim())
}

/// Makes a build wait before it is caught up, until the sender is dropped.
fn held_back() -> (FaultHook, mpsc::Sender<()>) {
    let (sender, receiver) = mpsc::channel();
    let receiver = Mutex::new(receiver);
    let hook = move |step: CrashPoint| {
        if step == BUILT {
            let waits = receiver.lock().unwrap();
            while waits.recv().is_ok() {}
        }
        false
    };
    (Arc::new(hook), sender)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn i03_an_index_of_an_earlier_version_serves_and_is_kept_until_a_new_one_does() -> Checked {
    let world = with_tracks().await;
    fs::write(serving_folder(&world).join("version"), "0\n")?;
    let before = world.folders();
    let (hook, go_on) = held_back();
    let kept = world.start_with(Some(hook));
    let is_building = |standing: &plyr_search::Standing| {
        let serving = standing.serving.as_ref();
        let all = standing
            .building
            .as_ref()
            .filter(|build| build.documents >= 20);
        serving.is_some_and(|serving| serving.is_outdated) && all.is_some()
    };
    kept.stands("building beside", is_building).await;
    assert_eq!(kept.found("night").len(), 20);
    // What happens meanwhile is found in the old one, and in the new one afterwards.
    world.apply(tracks("bea", 1, 1, "Night Train")).await;
    world
        .apply(vec![account("ana", 9, AccountState::TakenDown)])
        .await;
    let head = world.store.log_head().await?.to_string();
    kept.stands("followed meanwhile", |standing| {
        let serving = standing.serving.as_ref();
        serving.is_some_and(|serving| serving.position == head)
    })
    .await;
    assert_eq!(kept.found("night").len(), 1);
    assert_eq!(kept.standing().builds, 0);
    drop(go_on);
    kept.built(1).await;
    kept.caught_up().await;
    assert_eq!(kept.found("night").len(), 1);
    assert_ne!(world.folders(), before);
    assert_eq!(world.folders().len(), 1);
    kept.right_and_stopped().await
}

/// Makes an index one of an earlier schema: of its columns two stand in another order, and one has
/// another name.
fn with_another_schema(folder: &std::path::Path) -> Checked {
    let path = folder.join("meta.json");
    let mut meta: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
    let fields = meta["schema"].as_array_mut().ok_or("no fields")?;
    let place = |name: &str| fields.iter().position(|field| field["name"] == name);
    let moved = place("duration").zip(place("popularity"));
    let (one, other) = moved.ok_or("no columns")?;
    let renamed = place("name_words").ok_or("no column")?;
    fields.swap(one, other);
    fields[renamed]["name"] = "plays".into();
    fs::write(&path, meta.to_string())?;
    fs::write(folder.join("version"), "0\n")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn i03_an_index_of_an_earlier_schema_serves_until_a_new_one_does() -> Checked {
    let world = with_tracks().await;
    with_another_schema(&serving_folder(&world))?;
    let before = world.folders();
    let (hook, go_on) = held_back();
    let kept = world.start_with(Some(hook));
    kept.stands("building beside", |standing| {
        let serving = standing.serving.as_ref();
        let all = standing.building.as_ref();
        let all = all.filter(|build| build.documents >= 20);
        serving.is_some_and(|serving| serving.is_outdated) && all.is_some()
    })
    .await;
    assert_eq!(kept.standing().problem, None);
    assert_eq!(kept.found("night").len(), 20);
    // It isn't written, but nobody who is hidden is found in it.
    world.apply(tracks("bea", 1, 1, "Night Train")).await;
    world
        .apply(vec![account("ana", 9, AccountState::TakenDown)])
        .await;
    kept.stands("hidden meanwhile", |_| kept.found("night").is_empty())
        .await;
    assert_eq!(kept.standing().builds, 0);
    assert_eq!(kept.standing().problem, None);
    drop(go_on);
    kept.built(1).await;
    kept.caught_up().await;
    assert_eq!(kept.found("night").len(), 1);
    assert_ne!(world.folders(), before);
    assert_eq!(world.folders().len(), 1);
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i03_a_damaged_index_is_built_anew() -> Checked {
    let world = with_tracks().await;
    let folder = serving_folder(&world);
    let segment = fs::read_dir(&folder)?
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "term"))
        .ok_or("no segment")?;
    let mut bytes = fs::read(&segment)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(&segment, bytes)?;
    let kept = world.start();
    kept.built(1).await;
    kept.caught_up().await;
    assert_eq!(kept.found("night").len(), 20);
    assert!(!folder.exists());
    kept.stop().await;
    // Nothing at all is left of it.
    fs::remove_dir_all(world.path())?;
    let kept = world.start();
    kept.built(1).await;
    assert_eq!(kept.found("night").len(), 20);
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn i03_an_index_that_the_log_has_left_behind_is_built_anew() -> Checked {
    let (world, engine) = World::embedded_too();
    let kept = world.start();
    world.apply(tracks("ana", 1, 5, "Night Drive")).await;
    kept.caught_up().await;
    kept.stop().await;
    world.apply(tracks("bea", 1, 5, "Night Train")).await;
    world
        .apply(vec![account("ana", 9, AccountState::Deleted)])
        .await;
    assert!(engine.trim_log(i64::MAX).await? > 5);
    let (hook, go_on) = held_back();
    let kept = world.start_with(Some(hook));
    kept.stands("serving meanwhile", |standing| {
        standing.serving.is_some() && standing.building.is_some()
    })
    .await;
    // It isn't written, but nobody who is hidden is found in it.
    assert!(kept.found("night").is_empty());
    world
        .apply(vec![account("ana", 10, AccountState::Active)])
        .await;
    let head = world.store.log_head().await?.to_string();
    kept.stands("shown meanwhile", |_| kept.found("night").len() == 5)
        .await;
    // What it answers covers no more than it did, and that is told.
    kept.stands("behind meanwhile", |standing| {
        let serving = standing.serving.as_ref().filter(|one| one.is_outdated);
        serving.is_some_and(|serving| serving.position != head && serving.behind > 0)
    })
    .await;
    drop(go_on);
    kept.built(1).await;
    kept.caught_up().await;
    assert_eq!(kept.found("night").len(), 10);
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i03_an_index_of_another_store_is_built_anew() -> Checked {
    // Of one whose log is shorter, and of one whose log is longer.
    for count in [3, 30] {
        let world = with_tracks().await;
        let other = World::embedded();
        other.apply(tracks("bea", 1, count, "Evening Walk")).await;
        fs::rename(world.path(), other.path())?;
        let kept = other.start();
        kept.built(1).await;
        kept.caught_up().await;
        assert!(kept.found("night").is_empty());
        assert_eq!(kept.found("evening").len(), count);
        kept.right_and_stopped().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_is_built_anew_when_asked() -> Checked {
    let world = with_tracks().await;
    let kept = world.start();
    kept.caught_up().await;
    let before = world.folders();
    kept.index.rebuild();
    kept.built(1).await;
    assert_ne!(world.folders(), before);
    assert_eq!(kept.found("night").len(), 20);
    world.apply(tracks("bea", 1, 1, "Night Train")).await;
    kept.caught_up().await;
    assert_eq!(kept.found("night").len(), 21);
    kept.right_and_stopped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_keeps_a_folder() -> Checked {
    let world = with_tracks().await;
    let kept = world.start();
    let options = SearchOptions {
        store: world.store.clone(),
        folder: world.path(),
        namespace: namespace(),
        reserve_bytes: 0,
        fault: None,
    };
    let again = SearchIndex::start(options.clone(), CancellationToken::new());
    let refused = again.err().ok_or("taken twice")?.to_string();
    assert!(refused.contains("stop that process"), "{refused}");
    // Whoever waits says so, and takes it over.
    let cancel = CancellationToken::new();
    let waiting = SearchIndex::start_when_free(options, cancel.clone())?;
    let mut standing = waiting.standing();
    let is_told = |standing: &plyr_search::Standing| {
        let problem = standing.problem.as_deref();
        problem.is_some_and(|problem| problem.contains("stop that process"))
    };
    tokio::time::timeout(PATIENCE, standing.wait_for(is_told)).await??;
    assert!(waiting.live().serving().is_none());
    kept.right_and_stopped().await?;
    let serves =
        |standing: &plyr_search::Standing| standing.serving.is_some() && standing.problem.is_none();
    tokio::time::timeout(PATIENCE, standing.wait_for(serves)).await??;
    assert_eq!(standing.borrow().builds, 0);
    cancel.cancel();
    waiting.stopped().await;
    world.start().right_and_stopped().await
}
