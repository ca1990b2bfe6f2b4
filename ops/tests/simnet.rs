//! i01: over the simulated network the dump ends as the world is: with streams, without, and while
//! things go wrong.

mod ending;

use std::path::Path;
use std::time::{Duration, Instant};

use ending::ends_as;
use plyr_lexicons::Namespace;
use plyr_peers::{Plyr, wait_until};
use plyr_simnet::{
    Deed, Faults, HostFaults, Kind, Network, Options, Plot, Proportions, Speaks, Story,
    StreamFaults, World,
};

type Error = Box<dyn std::error::Error>;
type Tested = Result<(), Error>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");

fn namespace() -> Result<Namespace, Error> {
    Ok("fm.plyr".parse()?)
}

/// Seeds begin with the environment's `PLYR_SEED`, or always the same.
fn seed(number: u64) -> u64 {
    let told = std::env::var("PLYR_SEED").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(0) + number
}

/// A plot with short sounds, of which the machine needn't make many.
fn plot(seed: u64) -> Result<Plot, Error> {
    Ok(Plot {
        artists: 8,
        listeners: 10,
        tracks: 40,
        history: 500,
        seconds: (1, 2),
        tunes: 12,
        ..Plot::of_seed(seed, namespace()?)
    })
}

/// The network after the opening, which the streams know nothing of.
async fn opened(story: &mut Story, options: Options) -> Result<Network, Error> {
    let mut world = World::new();
    let opening = story.opening();
    for act in story.by_ref().take(opening) {
        world.apply(&act)?;
    }
    Ok(Network::start(world, options).await?)
}

async fn start(network: &Network, folder: &Path, more: &[&str]) -> Result<Plyr, Error> {
    let mut arguments = network.arguments();
    arguments.extend(more.iter().map(|text| (*text).to_owned()));
    let plyr = Plyr::command(BINARY, "serve", &folder.join("data"), &arguments).await?;
    wait_until("every stream is followed", || async {
        let streams = 0..network.streams.len();
        let followed = streams.map(|stream| network.connections(stream));
        let followed: Vec<u64> = followed.collect();
        (!followed.contains(&0))
            .then_some(())
            .ok_or(format!("{followed:?}"))
    })
    .await?;
    Ok(plyr)
}

#[tokio::test]
async fn i01_what_happens_before_and_after_is_all_there() -> Tested {
    let mut story = Story::new(plot(seed(1))?)?;
    let network = opened(&mut story, Options::default()).await?;
    let folder = tempfile::tempdir()?;
    let plyr = start(&network, folder.path(), &[]).await?;
    let began = Instant::now();
    for act in story.by_ref().take(2_000) {
        network.act(&act)?;
    }
    let acted = began.elapsed();
    let expected = network.dump(&namespace()?)?;
    assert!(
        expected.lines().count() > 900,
        "{}",
        expected.lines().count()
    );
    ends_later_as(&plyr, &expected).await?;
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
        ..plot(seed(2))?
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
    ends_later_as(&plyr, &network.dump(&namespace()?)?).await?;
    assert_eq!(plyr.stop().await?, Some(0));
    network.stop().await;
    Ok(())
}

/// Three times as patient: a repo whose host failed twice, or whose account was away when it was
/// visited, is asked again after two minutes; and what was invented above a repo's head may only be
/// early, which takes a minute to be sure of.
async fn ends_later_as(plyr: &Plyr, expected: &str) -> Tested {
    for _ in 0..2 {
        if ends_as(plyr, expected).await.is_ok() {
            return Ok(());
        }
    }
    ends_as(plyr, expected).await
}

/// The sum of a metric's rows that hold a text.
fn counted(metrics: &str, name: &str, text: &str) -> f64 {
    let name = format!("{name}{{");
    let rows = metrics.lines();
    let rows = rows.filter(|row| row.starts_with(&name) && row.contains(text));
    let numbers = rows.filter_map(|row| row.rsplit(' ').next()?.parse::<f64>().ok());
    numbers.sum()
}

#[tokio::test]
async fn i01_with_faults_everywhere_it_ends_the_same() -> Tested {
    let mut story = Story::new(Plot {
        pace: Duration::from_millis(5),
        // Everybody has two hosts to choose from, and moves once.
        proportions: Proportions::default().with(Kind::Move, 12),
        ..plot(seed(3))?
    })?;
    let hosts = HostFaults {
        fails: 30,
        busy: 40,
        cuts: 30,
        lies: 30,
        redirects: 60,
        hangs: 40,
    };
    let directory = HostFaults {
        fails: 12,
        hangs: 20,
        ..HostFaults::default()
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
            seed: seed(3),
            hosts,
            directory,
            relay: HostFaults {
                fails: 20,
                ..HostFaults::default()
            },
            streams: vec![v1, v2],
            ..Faults::default()
        },
        ..Options::default()
    };
    let network = opened(&mut story, options).await?;
    let folder = tempfile::tempdir()?;
    let more = ["--verify-every", "20s", "--stream-grace", "2s"];
    let plyr = start(&network, folder.path(), &more).await?;
    let received = "plyr_events_received_total";
    let mut moves = 0;
    // As fast as it is followed: what a merge tells first is no news of a stream's.
    for _ in 0..30 {
        let before = counted(&plyr.probe("/metrics").await?, received, "");
        // A stream isn't called blind for what is older than its following.
        story.skip_to(chrono::Utc::now().timestamp_micros());
        for act in story.by_ref().take(50) {
            moves += u64::from(matches!(act.deed, Deed::Move { .. }));
            network.act(&act)?;
        }
        wait_until("the streams are followed", || async {
            let now = counted(&plyr.probe("/metrics").await?, received, "");
            (now > before + 40.0).then_some(()).ok_or(format!("{now}"))
        })
        .await?;
    }
    wait_until("things go wrong", || async {
        let metrics = plyr.probe("/metrics").await?;
        for outcome in ["quarantined", "superseded"] {
            if counted(&metrics, "plyr_events_total", outcome) < 10.0 {
                return Err(format!("{outcome}: {metrics}"));
            }
        }
        let log = folder.path().join("data.log");
        let told = std::fs::read_to_string(log).map_err(|problem| problem.to_string())?;
        let problems = [
            "jetstream can't be followed",
            "more than is taken",
            "carries next to nothing",
        ];
        let missing = problems.iter().find(|problem| !told.contains(**problem));
        if let Some(problem) = missing {
            return Err(format!("{problem} is not in {told} {metrics}"));
        }
        let met = network.met();
        let has_hung = met
            .keys()
            .any(|name| name.starts_with("pds") && name.ends_with("hangs"));
        let is_enough = has_hung && met.contains_key("plc fails") && met.contains_key("plc hangs");
        is_enough.then_some(()).ok_or(format!("{met:?}"))
    })
    .await?;
    assert!(moves > 3, "{moves}");
    network.calm();
    let began = Instant::now();
    ends_later_as(&plyr, &network.dump(&namespace()?)?).await?;
    let (met, passed) = (network.met(), began.elapsed());
    println!("{moves} moves, {met:?}; right after {passed:?}");
    assert_eq!(plyr.stop().await?, Some(0));
    network.stop().await;
    Ok(())
}

#[tokio::test]
async fn i01_what_nobody_wrote_is_put_right() -> Tested {
    let mut story = Story::new(plot(seed(4))?)?;
    let liar = StreamFaults {
        invents: 12,
        strangers: 3,
        cuts: 300,
        ..StreamFaults::default()
    };
    let options = Options {
        faults: Faults {
            seed: seed(4),
            hosts: HostFaults {
                hangs: 200,
                ..HostFaults::default()
            },
            streams: vec![StreamFaults::default(), liar],
            ..Faults::default()
        },
        ..Options::default()
    };
    let network = opened(&mut story, options).await?;
    let folder = tempfile::tempdir()?;
    let more = ["--verify-every", "10s", "--stream-grace", "2s"];
    let plyr = start(&network, folder.path(), &more).await?;
    for act in story.by_ref().take(800) {
        network.act(&act)?;
    }
    network.calm();
    let began = Instant::now();
    let expected = network.dump(&namespace()?)?;
    ends_later_as(&plyr, &expected).await?;
    println!("put right after {:?}", began.elapsed());
    assert_eq!(plyr.stop().await?, Some(0));
    network.stop().await;
    Ok(())
}
