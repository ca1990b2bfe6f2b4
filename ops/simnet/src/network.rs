//! The network as a whole: a world, its servers on loopback, and what each act makes them say.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use plyr_lexicons::Namespace;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::SimnetError;
use crate::event::Event;
use crate::faults::{Faults, HostFaults, LabelFaults};
use crate::servers::{Answering, Directory, Labeler, Met, Pds, Relay, serve};
use crate::story::Act;
use crate::stream::{Line, Speaks, Stream};
use crate::world::World;

/// How a network is laid out.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its servers listen, each on a free port; on loopback alone.
    pub listen: IpAddr,
    /// Hosts of repos: those of the plot.
    pub hosts: usize,
    /// Streams, each a host of its own.
    pub streams: Vec<Speaks>,
    /// Lines that each stream keeps, and labels that the labeler's does.
    pub keep: usize,
    /// What goes wrong.
    pub faults: Faults,
}

impl Default for Options {
    /// Two hosts, a stream of either protocol, nothing that goes wrong.
    fn default() -> Options {
        Options {
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            hosts: 2,
            streams: vec![Speaks::V1, Speaks::V2],
            keep: 1_000_000,
            faults: Faults::default(),
        }
    }
}

/// What the servers share.
pub struct Shared {
    world: Mutex<World>,
    /// Addresses of the hosts, known once all listen.
    hosts: OnceLock<Vec<String>>,
    /// The labeler's address.
    labeler: OnceLock<String>,
}

impl Shared {
    /// The world. Nothing may be waited for while it is held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address of a host; empty for one that isn't there.
    pub fn host(&self, number: usize) -> &str {
        let hosts = self.hosts.get().map(Vec::as_slice).unwrap_or_default();
        hosts.get(number).map_or("", String::as_str)
    }

    /// The labeler's address; empty until it listens.
    pub fn labeler(&self) -> &str {
        self.labeler.get().map_or("", String::as_str)
    }
}

/// A network that is up. Dropping it ends it.
pub struct Network {
    /// The PLC directory's URL.
    pub plc: String,
    /// The hosts' URLs.
    pub hosts: Vec<String>,
    /// The relay's URL.
    pub relay: String,
    /// The streams' URLs (`ws://…`).
    pub streams: Vec<String>,
    /// The labeler's URL. What it says is nothing until an account offers labels
    /// ([`Network::labeler_did`]).
    pub labeler: String,
    shared: Arc<Shared>,
    logs: Vec<Arc<Stream>>,
    /// Events that the relay has passed on.
    relayed: Mutex<u64>,
    labels: Arc<Labeler>,
    faults: [watch::Sender<HostFaults>; 4],
    label_faults: watch::Sender<LabelFaults>,
    met: Met,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

/// Free ports are found by listening on them.
struct Starting {
    options: Options,
    met: Met,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Network {
    /// Starts a network around a world, which streams know nothing of yet.
    pub async fn start(world: World, options: Options) -> Result<Network, SimnetError> {
        if !options.listen.is_loopback() {
            let address = SocketAddr::new(options.listen, 0);
            return Err(SimnetError::NotLoopback(address));
        }
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            hosts: OnceLock::new(),
            labeler: OnceLock::new(),
        });
        let starting = Starting {
            cancel: CancellationToken::new(),
            tasks: TaskTracker::new(),
            met: Met::default(),
            options,
        };
        let Faults {
            seed,
            hosts,
            directory,
            relay,
            streams: stream_faults,
            labeler,
            labels,
        } = starting.options.faults.clone();
        let faults = [hosts, directory, relay, labeler].map(watch::Sender::new);
        let [of_hosts, of_directory, of_relay, of_labeler] = &faults;
        let label_faults = watch::Sender::new(labels);
        let mut host_urls = Vec::new();
        for host in 0..starting.options.hosts.max(1) {
            let shared = shared.clone();
            let name = format!("pds {host}");
            let pds = Arc::new(Pds { shared, host });
            let url = starting.http(pds, name, of_hosts).await?;
            host_urls.push(url);
        }
        shared.hosts.get_or_init(|| host_urls.clone());
        let directory = Arc::new(Directory(shared.clone()));
        let plc = starting
            .http(directory, "plc".to_owned(), of_directory)
            .await?;
        let relay = Arc::new(Relay(shared.clone()));
        let relay = starting.http(relay, "relay".to_owned(), of_relay).await?;
        let labels = Arc::new(Labeler {
            shared: shared.clone(),
            seed,
            keep: starting.options.keep,
            faults: label_faults.subscribe(),
            grown: watch::Sender::new(0),
            subscriptions: AtomicU64::new(0),
        });
        let name = "labeler".to_owned();
        let labeler = starting.http(labels.clone(), name, of_labeler).await?;
        shared.labeler.get_or_init(|| labeler.clone());
        let (mut urls, mut logs) = (Vec::new(), Vec::new());
        for (place, speaks) in starting.options.streams.iter().enumerate() {
            let faults = stream_faults.get(place).cloned().unwrap_or_default();
            let seed = seed ^ (place as u64 + 1).rotate_left(56);
            let stream = Stream::new(*speaks, seed, faults, starting.options.keep);
            let (listener, address) = starting.listen().await?;
            let serving = stream.clone().serve(listener, starting.cancel.clone());
            starting.tasks.spawn(serving);
            urls.push(format!("ws://{address}"));
            logs.push(stream);
        }
        Ok(Network {
            plc,
            hosts: host_urls,
            relay,
            streams: urls,
            labeler,
            shared,
            logs,
            relayed: Mutex::new(0),
            labels,
            faults,
            label_faults,
            met: starting.met,
            cancel: starting.cancel,
            tasks: starting.tasks,
        })
    }

    /// Does what an act says, and has the streams tell of it. Acts must come in the order of their
    /// story.
    pub fn act(&self, act: &Act) -> Result<Vec<Event>, SimnetError> {
        let mut world = self.shared.world();
        let events = world.apply(act)?;
        let said = world.labeler().map_or(0, |labeler| labeler.last());
        self.labels.grown.send_replace(said);
        let mut relayed = self.relayed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = chrono::Utc::now().timestamp_micros();
        for event in &events {
            *relayed += 1;
            for log in &self.logs {
                log.hear(event, *relayed, now);
            }
        }
        Ok(events)
    }

    /// From now on nothing goes wrong any more, and what was late comes.
    pub fn calm(&self) {
        for faults in &self.faults {
            faults.send_replace(HostFaults::default());
        }
        self.label_faults.send_replace(LabelFaults::default());
        let now = chrono::Utc::now().timestamp_micros();
        for log in &self.logs {
            log.calm(now);
        }
    }

    /// The world, to be looked at. Nothing may be waited for while it is held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// What an index of this network must dump.
    pub fn dump(&self, namespace: &Namespace) -> Result<String, SimnetError> {
        self.world().dump(namespace)
    }

    /// What a stream has written down and still keeps; nothing for one that isn't there.
    pub fn lines(&self, stream: usize) -> Vec<Line> {
        self.logs
            .get(stream)
            .map_or_else(Vec::new, |log| log.lines())
    }

    /// How many connections a stream has had.
    pub fn connections(&self, stream: usize) -> u64 {
        self.logs.get(stream).map_or(0, |log| log.connections())
    }

    /// Who offers labels; none in a story that has none.
    pub fn labeler_did(&self) -> Option<String> {
        self.world().labeler().map(|labeler| labeler.did.clone())
    }

    /// How many subscriptions to labels there have been.
    pub fn subscriptions(&self) -> u64 {
        self.labels.subscriptions.load(Ordering::Relaxed)
    }

    /// How often what befell those who asked, by the server (`plc`, `pds 0`, `relay`, `labeler`)
    /// and the fault's name: `pds 0 hangs`.
    pub fn met(&self) -> BTreeMap<String, u64> {
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.clone()
    }

    /// How often what went wrong in the streams, by the name that [`crate::StreamFaults`] has for
    /// it: of all streams together.
    pub fn streams_went_wrong(&self) -> BTreeMap<&'static str, u64> {
        let mut all = BTreeMap::new();
        for (fault, times) in self.logs.iter().flat_map(|log| log.went_wrong()) {
            *all.entry(fault).or_default() += times;
        }
        all
    }

    /// The options that point `plyr` at this network.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--dev".to_owned()];
        let mut option = |name: &str, value: &str| {
            arguments.push(format!("--{name}"));
            arguments.push(value.to_owned());
        };
        option("plc-url", &self.plc);
        option("relay-url", &self.relay);
        for stream in &self.streams {
            option("jetstream", stream);
        }
        for host in &self.hosts {
            option("handle-resolver", host);
        }
        arguments
    }

    /// Closes every connection and listener.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Starting {
    async fn listen(&self) -> Result<(TcpListener, SocketAddr), SimnetError> {
        let address = SocketAddr::new(self.options.listen, 0);
        let failed = |detail| SimnetError::Listen { address, detail };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok((listener, address))
    }

    async fn http<A: Answering>(
        &self,
        answering: Arc<A>,
        name: String,
        faults: &watch::Sender<HostFaults>,
    ) -> Result<String, SimnetError> {
        let (listener, address) = self.listen().await?;
        let (seed, faults) = (self.options.faults.seed, faults.subscribe());
        let (met, cancel) = (self.met.clone(), self.cancel.clone());
        self.tasks
            .spawn(serve(listener, answering, name, seed, faults, met, cancel));
        Ok(format!("http://{address}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_listens_on_this_machine_alone() {
        for address in ["0.0.0.0", "192.168.1.7", "::"] {
            let options = Options {
                listen: address.parse().unwrap(),
                ..Options::default()
            };
            let refused = Network::start(World::new(), options).await;
            let told = refused.err().map(|problem| problem.to_string());
            assert!(
                told.is_some_and(|told| told.contains("not on loopback")),
                "{address}"
            );
        }
    }
}
