//! i01: over the simulated network the dump ends as the world is: with streams, without, and while
//! things go wrong.

mod ending;

use std::path::Path;
use std::time::Instant;

use ending::ends_as;
use plyr_lexicons::Namespace;
use plyr_peers::Plyr;
use plyr_simnet::{
    Faults, HostFaults, Kind, Network, Options, Plot, Proportions, Speaks, Story, StreamFaults,
    World,
};

type Tested = Result<(), Box<dyn std::error::Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");

fn namespace() -> Namespace {
    "fm.plyr".parse().unwrap()
}

/// A plot with short sounds, of which the machine needn't make many.
fn plot(seed: u64) -> Plot {
    Plot {
        artists: 8,
        listeners: 10,
        tracks: 40,
        history: 500,
        seconds: (1, 2),
        tunes: 12,
        ..Plot::of_seed(seed, namespace())
    }
}

/// The network after the opening, which the streams know nothing of.
async fn opened(
    story: &mut Story,
    options: Options,
) -> Result<Network, Box<dyn std::error::Error>> {
    let mut world = World::new();
    let opening = story.opening();
    for act in story.by_ref().take(opening) {
        world.apply(&act)?;
    }
    Ok(Network::start(world, options).await?)
}

async fn start(
    network: &Network,
    folder: &Path,
    more: &[&str],
) -> Result<Plyr, Box<dyn std::error::Error>> {
    let mut arguments = network.arguments();
    arguments.extend(more.iter().map(|text| (*text).to_owned()));
    Ok(Plyr::command(BINARY, "serve", &folder.join("data"), &arguments).await?)
}

#[tokio::test]
async fn i01_what_happens_before_and_after_is_all_there() -> Tested {
    let mut story = Story::new(plot(1))?;
    let network = opened(&mut story, Options::default()).await?;
    let folder = tempfile::tempdir()?;
    let plyr = start(&network, folder.path(), &[]).await?;
    let began = Instant::now();
    for act in story.by_ref().take(2_000) {
        network.act(&act)?;
    }
    let acted = began.elapsed();
    let expected = network.dump(&namespace())?;
    assert!(
        expected.lines().count() > 900,
        "{}",
        expected.lines().count()
    );
    ends_as(&plyr, &expected).await?;
    println!(
        "2,000 acts in {acted:?}, all there after {:?}; {} lines",
        began.elapsed(),
        expected.lines().count()
    );
    assert_eq!(plyr.stop().await?, Some(0));
    network.stop().await;
    Ok(())
}

#[tokio::test]
async fn i01_without_streams_the_repos_alone_tell_everything() -> Tested {
    // Nobody is told of what happens; what becomes of accounts isn't asked again without an event.
    let accounts = [
        Kind::Join,
        Kind::Rename,
        Kind::Deactivate,
        Kind::TakeDown,
        Kind::Leave,
        Kind::Move,
    ];
    let writes = |proportions: Proportions, kind| proportions.with(kind, 0);
    let proportions = accounts.into_iter().fold(Proportions::default(), writes);
    let mut story = Story::new(Plot {
        proportions,
        ..plot(2)
    })?;
    let options = Options {
        streams: Vec::new(),
        ..Options::default()
    };
    let network = opened(&mut story, options).await?;
    let folder = tempfile::tempdir()?;
    let none = ["--jetstream", "ws://127.0.0.1:1", "--verify-every", "2s"];
    let plyr = start(&network, folder.path(), &none).await?;
    for act in story.by_ref().take(600) {
        network.act(&act)?;
    }
    ends_as(&plyr, &network.dump(&namespace())?).await?;
    assert_eq!(plyr.stop().await?, Some(0));
    network.stop().await;
    Ok(())
}

#[tokio::test]
async fn i01_with_faults_everywhere_it_ends_the_same() -> Tested {
    let mut story = Story::new(plot(3))?;
    let hosts = HostFaults {
        fails: 30,
        busy: 40,
        cuts: 30,
        lies: 30,
        redirects: 60,
        hangs: 0,
    };
    let v1 = StreamFaults {
        drops: 20,
        duplicates: 15,
        delays: 25,
        skew: 2_000_000,
        cuts: 400,
        garbage: 150,
        rewinds: 200,
        ..StreamFaults::default()
    };
    let v2 = StreamFaults {
        duplicates: 30,
        delays: 30,
        blind: Some((vec!["fm.plyr.comment".to_owned()], 200..500)),
        giants: 500,
        cuts: 300,
        ..StreamFaults::default()
    };
    let options = Options {
        streams: vec![Speaks::V1, Speaks::V2],
        faults: Faults {
            seed: 3,
            hosts,
            directory: HostFaults {
                fails: 40,
                ..HostFaults::default()
            },
            relay: HostFaults {
                fails: 20,
                ..HostFaults::default()
            },
            streams: vec![v1, v2],
        },
        ..Options::default()
    };
    let network = opened(&mut story, options).await?;
    let folder = tempfile::tempdir()?;
    let more = ["--verify-every", "5s", "--stream-grace", "2s"];
    let plyr = start(&network, folder.path(), &more).await?;
    for act in story.by_ref().take(1_500) {
        network.act(&act)?;
    }
    network.calm();
    ends_as(&plyr, &network.dump(&namespace())?).await?;
    let metrics = plyr.probe("/metrics").await?;
    for named in ["outcome=\"quarantined\"", "outcome=\"superseded\""] {
        assert!(metrics.contains(named), "{named}: {metrics}");
    }
    assert_eq!(plyr.stop().await?, Some(0));
    network.stop().await;
    Ok(())
}
