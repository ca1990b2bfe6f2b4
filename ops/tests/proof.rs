//! Short forms of the campaigns in `benches`: seeded histories of a simulated network, broken,
//! and an oracle that says what the dump, every list and every count must be.

mod scene;

use std::time::Duration;

use plyr_simnet::{Faults, HostFaults, Speaks, StreamFaults};
use scene::{RunError, Scene};

type Tested = Result<(), RunError>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const HOSTS: [Speaks; 3] = [Speaks::V1, Speaks::V2, Speaks::V1];

fn folder() -> Result<tempfile::TempDir, RunError> {
    tempfile::tempdir().map_err(RunError::broken)
}

async fn agrees(scene: Scene, plyr: plyr_peers::Plyr) -> Tested {
    let (lines, questions) = scene.agrees(&plyr).await?;
    assert!(lines > 100 && questions > 500, "{lines}, {questions}");
    let code = plyr.stop().await.map_err(RunError::broken)?;
    assert_eq!(code, Some(0));
    scene.network.stop().await;
    Ok(())
}

#[tokio::test]
async fn i02_interleavings_of_one_history_end_alike() -> Tested {
    for order in 0..3 {
        let lossy = |place| StreamFaults {
            drops: if place == order { 0 } else { 4 },
            duplicates: 3,
            delays: 3,
            rewinds: 60,
            cuts: 120,
            ..StreamFaults::default()
        };
        let faults = Faults {
            seed: order,
            streams: (0..3).map(lossy).collect(),
            ..Faults::default()
        };
        let mut scene = Scene::open(1, &HOSTS, faults).await?;
        let folder = folder()?;
        let more = ["--stream-grace", "2s"];
        let data = folder.path().join("data");
        let plyr = scene.serve(BINARY, &data, &more).await?;
        scene.go_on(200)?;
        scene.network.calm();
        agrees(scene, plyr).await?;
    }
    Ok(())
}

#[tokio::test]
async fn i03_killed_under_three_hosts_the_oracle_agrees() -> Tested {
    let mut scene = Scene::open(2, &HOSTS, Faults::default()).await?;
    let folder = folder()?;
    let data = folder.path().join("data");
    for life in 0..5 {
        let plyr = scene.serve(BINARY, &data, &[]).await?;
        scene.go_on(30)?;
        // The point of the kill lies in the midst of it, so there is no condition to wait for.
        tokio::time::sleep(Duration::from_millis(life * 60)).await;
        plyr.kill().await.map_err(RunError::broken)?;
    }
    let plyr = scene.serve(BINARY, &data, &[]).await?;
    agrees(scene, plyr).await
}

#[tokio::test]
async fn i05_where_everything_goes_wrong_the_oracle_agrees_in_the_end() -> Tested {
    let hosts = HostFaults {
        fails: 30,
        busy: 60,
        cuts: 40,
        lies: 40,
        redirects: 80,
        hangs: 0,
    };
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
        hosts,
        streams: (0..3).map(stream).collect(),
        ..Faults::default()
    };
    let mut scene = Scene::open(3, &HOSTS, faults).await?;
    let folder = folder()?;
    let more = ["--stream-grace", "2s", "--verify-every", "5s"];
    let data = folder.path().join("data");
    let plyr = scene.serve(BINARY, &data, &more).await?;
    scene.go_on(300)?;
    scene.network.calm();
    agrees(scene, plyr).await
}
