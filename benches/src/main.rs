//! Measuring it, and trying to break it: one file a campaign. Each figure stands beside what it is
//! compared with in the same run, where that can be; `cargo run --release -p plyr-benches -- all`
//! prints the table of docs/performance.md. What tries to break it is in `proof`.

mod apply;
mod binary;
mod cluster;
mod corpus;
mod decode;
mod disk;
mod fill;
mod hosted;
mod idle;
mod ingest;
mod live;
mod load;
mod memory;
mod merge;
mod network;
mod pages;
mod proof;
mod read;
mod replay;
mod report;
mod repos;
mod served;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use report::Report;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[derive(Parser)]
#[command(about = "Measures plyr on this machine; trust the ratios, not the absolutes")]
struct Arguments {
    /// What to measure.
    #[arg(required = true, value_enum)]
    campaigns: Vec<Campaign>,
    /// Seed of the corpus, or of the first history.
    #[arg(long, default_value_t = 1, value_parser = number(0, LARGEST_SEED))]
    seed: u64,
    /// Records in the corpus.
    #[arg(long, default_value_t = 100_000)]
    records: usize,
    /// Tracks of each store that lists are asked of.
    #[arg(long, value_delimiter = ',', default_values_t = [12_000, 100_000])]
    sizes: Vec<usize>,
    /// Records written to a real PDS, to be replayed.
    #[arg(long, default_value_t = 12_800)]
    replay_records: usize,
    /// Records written to a real PDS one by one, to be seen live.
    #[arg(long, default_value_t = 1_200)]
    live_records: usize,
    /// Records a second written to be seen live.
    #[arg(long, default_value_t = 20)]
    live_rate: u32,
    /// Tracks at which both engines are asked, one size after another.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000])]
    cluster_sizes: Vec<usize>,
    /// Records of each simulated network whose stream is replayed.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    replay_sizes: Vec<usize>,
    /// Nodes of the cluster: 1 or 3.
    #[arg(long, default_value_t = 1)]
    nodes: u8,
    /// Seconds that each kind of request is asked over and over.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Runs of a proof: interleavings, or histories.
    #[arg(long, default_value_t = 10, value_parser = number(1, MOST_RUNS))]
    runs: u64,
    /// Acts of a history.
    #[arg(long, default_value_t = 400)]
    acts: usize,
    /// How a history is told: of `permute` the first interleaving.
    #[arg(long, default_value_t = 1, value_parser = number(0, LARGEST_SEED))]
    order: u64,
    /// Minutes of `soak`.
    #[arg(long, default_value_t = 30, value_parser = number(1, 7 * 24 * 60))]
    minutes: u64,
    /// Kills of one history.
    #[arg(long, default_value_t = 20, value_parser = number(1, 10_000))]
    kills: u64,
    /// Where histories of `permute` and `kill` end.
    #[arg(long, value_enum, default_value_t)]
    over: proof::over::Over,
    /// The `plyr` binary to measure; without it, this workspace's is built, in this profile.
    #[arg(long)]
    binary: Option<PathBuf>,
    #[command(flatten)]
    mutants: proof::mutants::Options,
}

/// Runs of a proof at most.
const MOST_RUNS: u64 = 1_000_000;
/// Room is left for as many seeds after it.
const LARGEST_SEED: u64 = u64::MAX - MOST_RUNS;

fn number(least: u64, most: u64) -> clap::builder::RangedU64ValueParser {
    clap::builder::RangedU64ValueParser::new().range(least..=most)
}

impl Arguments {
    fn run(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Campaign {
    /// Frames decoded, routed, checked and judged, in memory.
    Decode,
    /// Records applied durably, beside the bare engine writing the same rows.
    Apply,
    /// getTrack and a page of 50 over HTTP, beside a plain handler with the same bytes.
    Read,
    /// Repos proven from memory and over loopback; what a check costs in bytes.
    Repos,
    /// Repos merged into an empty store by the binary, and asked again when nothing has changed.
    Merge,
    /// Lists of the binary, on page 1 and far down, in stores of several sizes.
    Pages,
    /// What the disk does when most records are deleted.
    Disk,
    /// Memory of the binary that has nothing to do.
    Idle,
    /// From a write on a real PDS to a record that can be read (needs Node and Go).
    Live,
    /// Everything a real Jetstream has, into an empty store (needs Node and Go).
    Replay,
    /// A simulated network's stream into an empty store, in sizes ten times apart.
    Ingest,
    /// The embedded store beside a real CQL cluster, growing (needs Java and Maven).
    Cluster,
    /// Proof: one history in `--runs` interleavings ends in one dump.
    Permute,
    /// Proof: killed at random points of `--runs` histories, nothing is lost or comes back.
    Kill,
    /// Proof: cut from power at random points of `--runs` histories, what was synced is enough.
    Power,
    /// Proof: everything goes wrong at once, then it is calm and all is as it must be.
    Faults,
    /// Proof: as much goes as comes for `--minutes`; memory, open files and disk stay.
    Soak,
    /// Proof: deliberate bugs, each of which the tests must notice.
    Mutants,
    /// All that measure.
    All,
}

/// In this order.
const MEASURES: [Campaign; 12] = [
    Campaign::Decode,
    Campaign::Repos,
    Campaign::Merge,
    Campaign::Apply,
    Campaign::Read,
    Campaign::Pages,
    Campaign::Disk,
    Campaign::Idle,
    Campaign::Live,
    Campaign::Replay,
    Campaign::Ingest,
    Campaign::Cluster,
];
/// Then those that prove: they are run when named alone.
const PROOFS: [Campaign; 6] = [
    Campaign::Permute,
    Campaign::Kill,
    Campaign::Power,
    Campaign::Faults,
    Campaign::Soak,
    Campaign::Mutants,
];

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .thread_stack_size(4 << 20)
        .enable_all()
        .build()?;
    let mut report = Report::default();
    let mut code = ExitCode::SUCCESS;
    let named = |campaign: &Campaign| arguments.campaigns.contains(campaign);
    let measures = MEASURES
        .into_iter()
        .filter(|campaign| named(campaign) || named(&Campaign::All));
    for campaign in measures.chain(PROOFS.into_iter().filter(named)) {
        let began = Instant::now();
        let outcome = runtime.block_on(run(campaign, &arguments, &mut report));
        // What was measured before is still worth its table.
        if let Err(problem) = outcome {
            report.add(&format!("{campaign:?}"), format!("failed: {problem}"), "");
            code = ExitCode::FAILURE;
        }
        let seconds = began.elapsed().as_secs();
        writeln!(std::io::stderr(), "{campaign:?} took {seconds} s")?;
    }
    report.print()?;
    Ok(code)
}

async fn run(campaign: Campaign, arguments: &Arguments, report: &mut Report) -> Outcome {
    match campaign {
        Campaign::Decode => decode::run(arguments, report),
        Campaign::Repos => repos::run(arguments, report).await,
        Campaign::Merge => merge::run(arguments, report).await,
        Campaign::Apply => apply::run(arguments, report).await,
        Campaign::Read => read::run(arguments, report).await,
        Campaign::Pages => pages::run(arguments, report).await,
        Campaign::Disk => disk::run(arguments, report).await,
        Campaign::Idle => idle::run(arguments, report).await,
        Campaign::Live => live::run(arguments, report).await,
        Campaign::Replay => replay::run(arguments, report).await,
        Campaign::Ingest => ingest::run(arguments, report).await,
        Campaign::Cluster => cluster::run(arguments, report).await,
        Campaign::Permute => proof::permute::run(arguments, report).await,
        Campaign::Kill => proof::kill::run(arguments, report).await,
        Campaign::Power => proof::power::run(arguments, report).await,
        Campaign::Faults => proof::faults::run(arguments, report).await,
        Campaign::Soak => proof::soak::run(arguments, report).await,
        Campaign::Mutants => proof::mutants::run(&arguments.mutants, report).await,
        Campaign::All => Ok(()),
    }
}
