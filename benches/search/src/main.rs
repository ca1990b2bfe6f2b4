//! Whether search finds what is meant, and how fast: the index of this project beside SQLite's FTS5
//! and PostgreSQL's pg_trgm, over a made-up catalogue. The tables of docs/search.md are its output.

mod catalogue;
mod engines;
mod judged;
mod latency;
mod measures;
mod names;
#[cfg(test)]
mod order;
mod plain;
mod queries;
mod random;
mod records;
mod relevance;
mod resident;
mod speed;
mod titles;
mod upserts;
// Lists, many words to a line.
#[rustfmt::skip]
mod words;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(about = "Measures search beside other engines; of speed trust the ratios of one run")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// How much of what was meant is found, by kind of query.
    Relevance(RelevanceArguments),
    /// Building, answering while rows are written, and size.
    Speed(SpeedArguments),
    /// Opens an index, answers what is typed (lines of a file), and tells its own memory. For
    /// `speed`, which asks for it in a process of its own.
    #[command(hide = true)]
    Resident {
        /// The index.
        folder: PathBuf,
        /// What is typed.
        typed: PathBuf,
    },
}

#[derive(Args)]
struct RelevanceArguments {
    /// Seed of the catalogue and of the queries.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tracks of the catalogue.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..))]
    tracks: u32,
    /// Queries of each kind, at most.
    #[arg(long, default_value_t = 50)]
    queries: usize,
    /// Shows each query whose nDCG@10 is below this, with its answers.
    #[arg(long)]
    below: Option<f64>,
}

#[derive(Args)]
struct SpeedArguments {
    /// Seed of the catalogue and of the queries.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tracks of the catalogues, one after another.
    #[arg(long, value_delimiter = ',', default_values_t = [12_000, 100_000, 1_000_000])]
    sizes: Vec<u32>,
    /// Seconds that each engine is asked each sort of query, at most.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Rows written a second while it is asked.
    #[arg(long, default_value_t = 200)]
    upserts: u32,
    /// Tells on stderr so many of the queries that took longest, of each sort.
    #[arg(long, default_value_t = 0)]
    slowest: usize,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Relevance(arguments) => relevance::run(&arguments),
        Command::Speed(arguments) => speed::run(&arguments),
        Command::Resident { folder, typed } => resident::tell(&folder, &typed),
    };
    let Err(problem) = outcome else {
        return ExitCode::SUCCESS;
    };
    // If stderr can't be written to, the exit code still tells.
    let _ = writeln!(std::io::stderr().lock(), "plyr-search-benches: {problem}");
    ExitCode::FAILURE
}
