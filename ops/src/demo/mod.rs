//! `plyr demo`: a small network out of a seed, and `serve` over it, in one process and without any
//! network but this machine's own.

mod tell;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use plyr_simnet::{Act, Kind, Network, Options, Plot, Proportions, SimnetError, Story, World};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::config::{Config, Settings};
use crate::error::OpsError;
use crate::run::{self, ReadyLine, Role};

/// Different tunes at most: making one takes some milliseconds.
const TUNES: usize = 400;
/// Lines that the streams keep.
const KEEP: usize = 100_000;

/// A demo that is about to run.
pub struct Demo {
    config: Config,
    plot: Plot,
    every: Duration,
    /// The data folder where none was named; it goes with the demo.
    folder: Option<TempDir>,
}

impl Demo {
    /// Checks what was asked for. What isn't set is quieter and leaves nothing behind.
    pub fn new(
        mut config: Config,
        settings: &Settings,
        arguments: &ArgMatches,
    ) -> Result<Demo, OpsError> {
        if !config.listen.ip().is_loopback() {
            return Err(OpsError::Config(vec![format!(
                "  listen = {} with `plyr demo`: it is for this machine alone; listen on \
                 127.0.0.1, or run `plyr serve`",
                config.listen
            )]));
        }
        if !settings.is_set("log") {
            "warn".clone_into(&mut config.log);
        }
        let mut folder = None;
        if !settings.is_set("data-dir") {
            let made = TempDir::with_prefix("plyr-demo-").map_err(|problem| {
                let told = "no temporary folder can be made";
                OpsError::Start(format!("{told}: {problem}; name one by --data-dir"))
            })?;
            config.data_dir = made.path().join("data");
            folder = Some(made);
        }
        let number = |name: &str| arguments.get_one::<u64>(name).copied().unwrap_or(1);
        let (artists, tracks) = (number("artists") as usize, number("tracks") as usize);
        let plot = Plot {
            artists,
            listeners: artists * 3 / 2,
            tracks,
            history: tracks * 8,
            tunes: TUNES,
            // Whom the list of things to try names stays.
            proportions: Proportions::default()
                .with(Kind::Leave, 0)
                .with(Kind::TakeDown, 0)
                .with(Kind::Deactivate, 1),
            ..Plot::of_seed(number("seed"), config.namespace.clone())
        };
        Ok(Demo {
            config,
            plot,
            every: Duration::from_secs(number("every")),
            folder,
        })
    }

    /// What is in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Runs until SIGTERM or SIGINT.
    pub async fn run(self) -> Result<ExitCode, OpsError> {
        let Demo {
            mut config,
            plot,
            every,
            folder,
        } = self;
        let (hosts, namespace) = (plot.hosts, plot.namespace.clone());
        let telling = tokio::task::spawn_blocking(move || told(plot)).await;
        let telling = telling.map_err(|problem| start(&problem))?;
        let (opening, story) = telling.map_err(|problem| start(&problem))?;
        let options = Options {
            hosts,
            keep: KEEP,
            ..Options::default()
        };
        let network = Network::start(World::new(), options).await;
        let network = Arc::new(network.map_err(|problem| start(&problem))?);
        // The streams tell of it all: that has accounts asked about, and their handles known.
        for act in &opening {
            network.act(act).map_err(|problem| start(&problem))?;
        }
        point_at(&mut config, &network)?;
        let stopped = CancellationToken::new();
        let (living, ended) = (network.clone(), stopped.clone());
        let mut life = None;
        let ran = run::run_and(Role::Serve, config, |ready: &ReadyLine| {
            tell::what_to_try(&network, &namespace, ready, every);
            life = Some(tokio::spawn(live(living, story, every, ended)));
        });
        let ran = ran.await;
        stopped.cancel();
        if let Some(life) = life {
            life.await.map_err(|problem| start(&problem))?;
        }
        if let Ok(network) = Arc::try_unwrap(network) {
            network.stop().await;
        }
        let gone = folder.map_or(Ok(()), TempDir::close);
        if let Err(problem) = gone {
            tracing::warn!(%problem, "the demo's folder is left behind");
        }
        ran
    }
}

fn start(problem: &dyn std::fmt::Display) -> OpsError {
    OpsError::Start(format!("the demo's network can't start: {problem}"))
}

/// The story's opening, and the story as it goes on.
fn told(plot: Plot) -> Result<(Vec<Act>, Story), SimnetError> {
    let mut story = Story::new(plot)?;
    let opening = story.opening();
    let acts = story.by_ref().take(opening).collect();
    Ok((acts, story))
}

/// Has a configuration name this network and nothing else.
fn point_at(config: &mut Config, network: &Network) -> Result<(), OpsError> {
    let url = |text: &String| Url::parse(text).map_err(|problem| start(&problem));
    config.dev = true;
    config.plc_url = url(&network.plc)?;
    config.relays = vec![url(&network.relay)?];
    config.handle_resolvers = network.hosts.iter().map(url).collect::<Result<_, _>>()?;
    let streams = network.streams.iter().map(|stream| Ok(vec![url(stream)?]));
    config.jetstreams = streams.collect::<Result<_, OpsError>>()?;
    Ok(())
}

/// Something new every now and then, told on stderr.
async fn live(network: Arc<Network>, story: Story, every: Duration, stopped: CancellationToken) {
    let mut turns = tokio::time::interval(every);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // The first is at once.
    turns.tick().await;
    let mut story = Some(story);
    while let Some(mut told) = story.take() {
        tokio::select! {
            () = stopped.cancelled() => return,
            _ = turns.tick() => {}
        }
        // A track's sound takes a moment to make.
        let next = tokio::task::spawn_blocking(move || (told.next(), told)).await;
        let Ok((Some(act), rest)) = next else {
            tracing::warn!("the demo's story has come to an end");
            return;
        };
        story = Some(rest);
        match network.act(&act) {
            Ok(_) => tell::act(&network, &act),
            Err(problem) => tracing::warn!(%problem, "an act of the demo's story failed"),
        }
    }
}
