//! Measuring it, and trying to break it: one file a campaign. Each figure stands beside what it is
//! compared with in the same run, where that can be; `cargo run --release -p plyr-benches -- all`
//! prints the table of docs/performance.md. What tries to break it is in `proof`.

mod apply;
mod arguments;
mod binary;
mod cluster;
mod corpus;
mod decode;
mod disk;
mod fill;
mod found;
mod hosted;
mod idle;
mod ingest;
mod live;
mod load;
mod media;
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
use std::process::ExitCode;
use std::time::Instant;

use arguments::{Arguments, Campaign, MEASURES, PROOFS};
use report::Report;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments = Arguments::read(std::env::args_os()).unwrap_or_else(|refused| refused.exit());
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
        Campaign::Media => media::run(arguments, report).await,
        Campaign::Idle => idle::run(arguments, report).await,
        Campaign::Live => live::run(arguments, report).await,
        Campaign::Found => found::run(arguments, report).await,
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
