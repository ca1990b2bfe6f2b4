//! Short forms of the campaigns in `benches`: seeded histories of a simulated network, broken,
//! and an oracle that says what the dump, every list and every count must be.

mod scene;

use std::time::{Duration, Instant};

use plyr_simnet::{Faults, Kind, Plot, StreamFaults};
use scene::churn::{Churn, FILES, LOOKS, line};
use scene::disk::Disk;
use scene::held::Witness;
use scene::power::{self, Cut, Power};
use scene::{HOSTS, RunError, Scene, TROUBLED, interleaved};

type Tested = Result<(), RunError>;

/// What a busy machine may take to answer a hundred records.
const LONGEST: Duration = Duration::from_secs(300);
const BINARY: &str = env!("CARGO_BIN_EXE_plyr");

fn folder() -> Result<tempfile::TempDir, RunError> {
    tempfile::tempdir().map_err(RunError::broken)
}

async fn ends(scene: Scene, plyr: plyr_peers::Plyr) -> Tested {
    let (lines, questions) = scene.ends(plyr).await?;
    assert!(lines > 100 && questions > 500, "{lines}, {questions}");
    Ok(())
}

#[tokio::test]
async fn i02_interleavings_of_one_history_end_alike() -> Tested {
    for order in 0..3 {
        let mut scene = Scene::open(1, interleaved(order)).await?;
        let folder = folder()?;
        let more = ["--stream-grace", "2s"];
        let data = folder.path().join("data");
        let plyr = scene.serve(BINARY, &data, &more).await?;
        scene.go_on(100)?;
        // From then on what one host alone carries is doubted.
        scene.until_judged().await;
        scene.go_on(100)?;
        ends(scene, plyr).await?;
    }
    Ok(())
}

#[tokio::test]
async fn i03_killed_under_three_hosts_the_oracle_agrees() -> Tested {
    // Handles change often, so that old ones are asked for.
    let often = |plot: Plot| Plot {
        proportions: plot.proportions.clone().with(Kind::Rename, 80),
        ..plot
    };
    let mut scene = Scene::open_as(2, Faults::default(), often).await?;
    let folder = folder()?;
    let data = folder.path().join("data");
    let mut witness = Witness::of(&data, &scene.namespace);
    for life in 0..5 {
        let plyr = scene.serve(BINARY, &data, &[]).await?;
        scene.go_on(30)?;
        // The point of the kill lies in the midst of it, so there is no condition to wait for.
        tokio::time::sleep(Duration::from_millis(life * 60)).await;
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        let began = Instant::now();
        // The last life goes on until enough is answered, however slow the machine is.
        while witness.ask().await <= 100 && life == 4 && began.elapsed() < LONGEST {
            looks.tick().await;
        }
        plyr.kill().await.map_err(RunError::broken)?;
        witness.look().await?;
    }
    assert!(witness.looked_for > 100, "{}", witness.looked_for);
    let plyr = scene.serve(BINARY, &data, &[]).await?;
    ends(scene, plyr).await
}

#[tokio::test]
async fn i03_cut_from_power_the_disk_holds_what_was_answered_and_the_oracle_agrees() -> Tested {
    let Some(tool) = power::tool().await? else {
        println!("skipped: power is cut on Linux alone");
        return Ok(());
    };
    let mut scene = Scene::open(4, Faults::default()).await?;
    let mut power = Power::new(&tool, BINARY)?;
    // In the making of the store, in its recovery, and in the midst of the story.
    let cuts = [
        (16, "everything"),
        (120, "nothing"),
        (1_400, "nothing"),
        (20, "prefix"),
        (450, "nothing"),
        (520, "pages"),
        (300, "prefix"),
    ];
    for (seed, (at, way)) in (1..).zip(cuts) {
        let cut = Cut { at, way, seed };
        power.life(&mut scene, cut, 30).await?;
        // The first two lives end before there is one.
        assert_eq!(power.has_store(), seed > 2, "{cut:?}");
    }
    // Where none of these lives was asked in time: one that is cut when nothing happens any more.
    if power.seen.answered == 0 || power.seen.frames == 0 {
        let cut = Cut {
            at: u64::MAX,
            way: "nothing",
            seed: 8,
        };
        power.life(&mut scene, cut, 30).await?;
    }
    let (lines, questions) = power.ends(scene).await?;
    println!("{}", power.seen);
    assert!(lines > 100 && questions > 500, "{lines}, {questions}");
    assert!(power.seen.unsynced > 0, "{:?}", power.seen);
    Ok(())
}

#[tokio::test]
async fn i03_on_a_full_and_slow_disk_it_ends_starts_again_and_the_oracle_agrees() -> Tested {
    let Some(tool) = power::tool().await? else {
        println!("skipped: a disk in trouble is made on Linux alone");
        return Ok(());
    };
    let mut scene = Scene::open(5, Faults::default()).await?;
    let mut disk = Disk::new(&tool, BINARY)?;
    // In the making of the store, right after it, and in the midst of the story.
    for full in [(7, 1), (60, 2), (200, 4), (25, 2), (150, 3)] {
        disk.life(&mut scene, &[], full, 30).await?;
    }
    let plyr = disk.last(&scene, &[]).await?;
    ends(scene, plyr).await?;
    let seen = disk.count()?;
    println!("{seen:?}");
    assert!(seen.early > 0 && seen.early < seen.ended, "{seen:?}");
    assert!(seen.refused > 0, "{seen:?}");
    Ok(())
}

#[tokio::test]
async fn i05_where_everything_goes_wrong_the_oracle_agrees_in_the_end() -> Tested {
    let stream = |place: u64| StreamFaults {
        drops: 20 + place,
        duplicates: 15,
        delays: 20,
        cuts: 300,
        garbage: 150,
        giants: 400,
        ..StreamFaults::default()
    };
    let faults = Faults {
        seed: 3,
        hosts: TROUBLED,
        streams: (0..HOSTS.len() as u64).map(stream).collect(),
        ..Faults::default()
    };
    let mut scene = Scene::open(3, faults).await?;
    let folder = folder()?;
    let more = ["--stream-grace", "2s", "--verify-every", "5s"];
    let data = folder.path().join("data");
    let plyr = scene.serve(BINARY, &data, &more).await?;
    scene.skip_to_now();
    scene.go_on(300)?;
    let went_wrong = scene.network.streams_went_wrong();
    for fault in ["drops", "duplicates", "delays"] {
        assert!(went_wrong.contains_key(fault), "{fault}: {went_wrong:?}");
    }
    for fault in ["invents", "blind", "rewinds", "strangers"] {
        assert!(!went_wrong.contains_key(fault), "{fault}: {went_wrong:?}");
    }
    ends(scene, plyr).await
}

/// Memory and disk level off too late for a minute to tell.
#[tokio::test]
async fn i11_while_as_much_goes_as_comes_every_question_is_answered_and_open_files_stay() -> Tested
{
    // Twenty seconds, with a look twice a second.
    const BEATS: usize = 400;
    const BEATS_OF_A_LOOK: usize = 10;
    let folder = folder()?;
    let data = folder.path().join("data");
    let mut churn = Churn::open(BINARY, &data, 7).await?;
    let mut seen = Vec::new();
    // A machine that stands still may open a few more at once; what leaks grows at every time.
    for _ in 0..3 {
        let mut looks = Vec::new();
        for beat in 0..BEATS {
            churn.goes_on().await?;
            if beat % BEATS_OF_A_LOOK == 0 {
                looks.push((beat as f64, churn.open_files()?));
            }
        }
        assert!(looks.len() >= 2 * LOOKS, "{}", looks.len());
        let (begins, grows) = line(&looks).unwrap();
        let is_flat = grows <= FILES.most(begins);
        seen.push((is_flat, begins, grows, looks));
        if is_flat {
            break;
        }
    }
    assert!(seen.iter().any(|(is_flat, ..)| *is_flat), "{seen:?}");
    assert!(churn.acts > churn.questions && churn.questions > BEATS);
    ends(churn.scene, churn.plyr).await
}

/// In this history somebody was gone before anything was told, and nothing names them.
#[tokio::test]
async fn i08_who_was_gone_before_anything_was_told_is_not_asked_about() -> Tested {
    let mut scene = Scene::open(100, Faults::default()).await?;
    let folder = folder()?;
    let data = folder.path().join("data");
    let plyr = scene.serve(BINARY, &data, &[]).await?;
    scene.go_on(20)?;
    ends(scene, plyr).await
}
