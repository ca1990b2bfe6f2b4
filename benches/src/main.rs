//! Measuring it: one command a campaign, each figure beside what it is compared with in the same
//! run. `cargo run --release -p plyr-benches -- all` prints the table of docs/performance.md.

mod apply;
mod corpus;
mod decode;
mod disk;
mod read;
mod report;

use clap::{Parser, Subcommand};
use report::Report;

#[derive(Parser)]
#[command(about = "Measures plyr on this machine; trust the ratios, not the absolutes")]
struct Arguments {
    #[command(subcommand)]
    campaign: Campaign,
    /// Seed of the corpus.
    #[arg(long, default_value_t = 1, global = true)]
    seed: u64,
    /// Records in the corpus.
    #[arg(long, default_value_t = 100_000, global = true)]
    records: usize,
}

#[derive(Subcommand, Clone, Copy, PartialEq, Eq)]
enum Campaign {
    /// Frames decoded, routed, checked and judged, in memory.
    Decode,
    /// Records applied durably, beside the bare engine writing the same rows.
    Apply,
    /// getTrack and a page of 50 over HTTP, beside a plain handler with the same bytes.
    Read,
    /// What the disk does when most records are deleted.
    Disk,
    /// All of them.
    All,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .thread_stack_size(4 << 20)
        .enable_all()
        .build()?;
    let mut report = Report::default();
    let chosen = |campaign| [campaign, Campaign::All].contains(&arguments.campaign);
    if chosen(Campaign::Decode) {
        decode::run(&arguments, &mut report)?;
    }
    if chosen(Campaign::Apply) {
        runtime.block_on(apply::run(&arguments, &mut report))?;
    }
    if chosen(Campaign::Read) {
        runtime.block_on(read::run(&arguments, &mut report))?;
    }
    if chosen(Campaign::Disk) {
        runtime.block_on(disk::run(&arguments, &mut report))?;
    }
    report.print()?;
    Ok(())
}
