//! What can be asked for: campaigns, their options, and which campaign takes which.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, ValueEnum};

use crate::{media, proof};

#[derive(Parser)]
#[command(about = "Measures plyr on this machine; trust the ratios, not the absolutes")]
pub struct Arguments {
    /// What to measure.
    #[arg(required = true, value_enum)]
    pub campaigns: Vec<Campaign>,
    /// Seed of the corpus, or of the first history.
    #[arg(long, default_value_t = 1, value_parser = number::<u64>(0, LARGEST_SEED))]
    pub seed: u64,
    /// Records in the corpus.
    #[arg(long, default_value_t = 100_000, value_parser = number::<usize>(1, MOST_RECORDS))]
    pub records: usize,
    /// Tracks of each store that lists are asked of.
    #[arg(
        long, value_delimiter = ',', default_values_t = [12_000, 100_000],
        value_parser = number::<usize>(1, MOST_RECORDS)
    )]
    pub sizes: Vec<usize>,
    /// Records written to a real PDS, to be replayed.
    #[arg(long, default_value_t = 12_800, value_parser = number::<usize>(1, MOST_RECORDS))]
    pub replay_records: usize,
    /// Records written to a real PDS one by one, to be seen live.
    #[arg(long, default_value_t = 1_200, value_parser = number::<usize>(1, MOST_RECORDS))]
    pub live_records: usize,
    /// Records a second written to be seen live.
    #[arg(long, default_value_t = 20, value_parser = number::<u32>(1, 100_000))]
    pub live_rate: u32,
    /// Tracks at which both engines are asked, one size after another.
    #[arg(
        long, value_delimiter = ',', default_values_t = [10_000, 100_000],
        value_parser = number::<usize>(1, MOST_RECORDS)
    )]
    pub cluster_sizes: Vec<usize>,
    /// Writes of each simulated network whose stream is replayed; each size is held against the one
    /// before it.
    #[arg(
        long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000],
        value_parser = number::<usize>(1, MOST_RECORDS)
    )]
    pub replay_sizes: Vec<usize>,
    /// Nodes of the cluster: 1 or 3.
    #[arg(long, default_value_t = 1, value_parser = nodes)]
    pub nodes: u8,
    /// Seconds that each kind of request is asked over and over.
    #[arg(long, default_value_t = 5, value_parser = number::<u64>(1, 3_600))]
    pub seconds: u64,
    /// What `media` measures.
    #[arg(
        long, value_enum, value_delimiter = ',',
        default_values_t = media::Part::value_variants().to_vec()
    )]
    pub parts: Vec<media::Part>,
    /// Runs of a proof: interleavings, or histories.
    #[arg(long, default_value_t = 10, value_parser = number::<u64>(1, MOST_RUNS))]
    pub runs: u64,
    /// Acts of a history, after its opening.
    #[arg(long, default_value_t = 400, value_parser = number::<usize>(1, 10_000_000))]
    pub acts: usize,
    /// How a history is told: of `permute` the first interleaving.
    #[arg(long, default_value_t = 1, value_parser = number::<u64>(0, LARGEST_SEED))]
    pub order: u64,
    /// Minutes of `soak`.
    #[arg(long, default_value_t = 30, value_parser = number::<u64>(1, 7 * 24 * 60))]
    pub minutes: u64,
    /// Kills of one history of `kill`.
    #[arg(long, default_value_t = 20, value_parser = number::<u64>(1, 10_000))]
    pub kills: u64,
    /// Where histories of `permute` and `kill` end.
    #[arg(long, value_enum, default_value_t)]
    pub over: proof::over::Over,
    /// The `plyr` binary to measure; without it, this workspace's is built, in this profile.
    #[arg(long)]
    pub binary: Option<PathBuf>,
    #[command(flatten)]
    pub mutants: proof::mutants::Options,
}

/// Records of a corpus or a network at most.
const MOST_RECORDS: u64 = 1_000_000_000;
/// Runs of a proof at most.
const MOST_RUNS: u64 = 1_000_000;
/// Room is left for as many seeds after it.
const LARGEST_SEED: u64 = u64::MAX - MOST_RUNS;

/// A number within these bounds.
pub fn number<T: TryFrom<u64>>(least: u64, most: u64) -> RangedU64ValueParser<T> {
    RangedU64ValueParser::new().range(least..=most)
}

fn nodes(text: &str) -> Result<u8, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("a cluster has 1 node or 3".to_owned()),
    }
}

impl Arguments {
    /// Reads a command line, the program's name first. An option that a named campaign doesn't take
    /// is refused: who gives it believes that it does something.
    pub fn read<I>(words: I) -> Result<Arguments, clap::Error>
    where
        I: IntoIterator,
        I::Item: Into<OsString> + Clone,
    {
        let mut command = Arguments::command();
        let matches = command.try_get_matches_from_mut(words)?;
        let arguments = Arguments::from_arg_matches(&matches)?;
        for campaign in &arguments.campaigns {
            if let Some(told) = refused(&command, &matches, *campaign) {
                return Err(command.error(ErrorKind::ArgumentConflict, told));
            }
        }
        Ok(arguments)
    }

    /// How long each kind of request is asked over and over.
    pub fn run(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// What is wrong where an option was given that a campaign doesn't take.
fn refused(command: &clap::Command, matches: &ArgMatches, campaign: Campaign) -> Option<String> {
    let of_campaign = takes(campaign);
    let is_given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let wrong = command.get_arguments().find(|option| {
        let id = option.get_id().as_str();
        option.get_long().is_some() && is_given(id) && !of_campaign.contains(&id)
    })?;
    let long = |id: &str| {
        let option = command.get_arguments().find(|option| option.get_id() == id);
        format!("--{}", option.and_then(clap::Arg::get_long).unwrap_or(id))
    };
    let id = wrong.get_id().as_str();
    let takers = MEASURES.into_iter().chain(PROOFS).chain([Campaign::All]);
    let takers = takers.filter(|other| takes(*other).contains(&id));
    let takers: Vec<String> = takers.map(Campaign::name).collect();
    let known: Vec<String> = of_campaign.iter().map(|id| long(id)).collect();
    Some(format!(
        "{option} says nothing to the campaign `{name}`, which takes {known}; leave {option} out, \
         or run what takes it by a command of its own ({takers})",
        option = long(id),
        name = campaign.name(),
        known = known.join(", "),
        takers = takers.join(", "),
    ))
}

/// The options that a campaign takes, by the names of their fields.
const fn takes(campaign: Campaign) -> &'static [&'static str] {
    match campaign {
        Campaign::Decode | Campaign::Apply => &["seed", "records"],
        Campaign::Repos => &["records"],
        Campaign::Read => &["seed", "records", "seconds"],
        Campaign::Merge | Campaign::Disk | Campaign::Idle => &["seed", "records", "binary"],
        Campaign::Media => &["parts", "seconds", "binary"],
        Campaign::Pages => &["seed", "sizes", "seconds", "binary"],
        Campaign::Live | Campaign::Found => &["seed", "live_records", "live_rate", "binary"],
        Campaign::Replay => &["seed", "replay_records", "binary"],
        Campaign::Ingest => &["seed", "replay_sizes", "binary"],
        Campaign::Cluster => &["seed", "cluster_sizes", "nodes", "seconds"],
        Campaign::Permute => &["seed", "order", "runs", "acts", "over", "binary"],
        Campaign::Kill => &["seed", "order", "runs", "acts", "kills", "over", "binary"],
        Campaign::Power | Campaign::Faults => &["seed", "order", "runs", "acts", "binary"],
        Campaign::Soak => &["seed", "minutes", "binary"],
        Campaign::Mutants => &[
            "names",
            "since",
            "at_most",
            "rotation",
            "mutants_folder",
            "write",
        ],
        // Whatever one of those that measure takes.
        Campaign::All => &[
            "seed",
            "records",
            "sizes",
            "replay_records",
            "live_records",
            "live_rate",
            "cluster_sizes",
            "replay_sizes",
            "nodes",
            "seconds",
            "parts",
            "binary",
        ],
    }
}

/// What is measured or proven.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Campaign {
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
    /// Audio: ranges beside nginx, the first play, memory while 1.5 GB come and go, looking at
    /// bytes beside ffprobe, takedowns while people listen. Needs 4 GB of disk.
    Media,
    /// From a write on a real PDS to a record that can be read (needs Node and Go).
    Live,
    /// From a write on a real PDS to a search that answers it, and gone again (needs Node and Go).
    Found,
    /// Everything a real Jetstream has, into an empty store (needs Node and Go).
    Replay,
    /// A simulated network's stream into an empty store, in sizes ten times apart. Fails where an
    /// event takes more than 6 times as long as in the size before, memory passes 1 GB, or the data
    /// folder 3 kB for each record held.
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

/// Those that measure, in this order.
pub const MEASURES: [Campaign; 14] = [
    Campaign::Decode,
    Campaign::Repos,
    Campaign::Merge,
    Campaign::Apply,
    Campaign::Read,
    Campaign::Pages,
    Campaign::Disk,
    Campaign::Idle,
    Campaign::Media,
    Campaign::Live,
    Campaign::Found,
    Campaign::Replay,
    Campaign::Ingest,
    Campaign::Cluster,
];
/// Then those that prove: they are run when named alone.
pub const PROOFS: [Campaign; 6] = [
    Campaign::Permute,
    Campaign::Kill,
    Campaign::Power,
    Campaign::Faults,
    Campaign::Soak,
    Campaign::Mutants,
];

impl Campaign {
    /// As it is named on the command line.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether it takes the option of this field.
    pub fn takes(self, option: &str) -> bool {
        takes(self).contains(&option)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "plyr-benches";

    fn read(line: &str) -> Result<Arguments, clap::Error> {
        let words = line.split_whitespace().filter(|word| *word != "\\");
        Arguments::read([PROGRAM].into_iter().chain(words))
    }

    fn told(line: &str) -> String {
        read(line)
            .err()
            .map_or_else(String::new, |refused| refused.to_string())
    }

    #[test]
    fn an_option_that_a_campaign_does_not_take_is_refused_with_what_to_do() {
        for (line, option, campaign) in [
            ("power --kills 50", "--kills", "power"),
            ("soak --runs 3", "--runs", "soak"),
            ("permute --kills 3", "--kills", "permute"),
            ("faults --write", "--write", "faults"),
            ("mutants --seed 1", "--seed", "mutants"),
            ("kill --mutant a", "--mutant", "kill"),
            ("faults --over cluster", "--over", "faults"),
            ("kill power --kills 50", "--kills", "power"),
            ("all --runs 3", "--runs", "all"),
        ] {
            let told = told(line);
            let begins = format!("{option} says nothing to the campaign `{campaign}`");
            assert!(told.contains(&begins), "{line}: {told}");
            assert!(told.contains(&format!("leave {option} out")), "{told}");
        }
        let told = told("power --kills 50");
        assert!(told.contains("of its own (kill)"), "{told}");
        for line in ["power", "kill --kills 50", "kill permute --over indexers"] {
            assert!(read(line).is_ok(), "{line}: {}", self::told(line));
        }
    }

    #[test]
    fn numbers_have_their_bounds() {
        for line in [
            "cluster --nodes 2",
            "permute --acts 0",
            "kill --kills 0",
            "decode --records 0",
            "ingest --replay-sizes 100,0",
            "mutants --at-most 5",
            "mutants --since HEAD --at-most 0",
        ] {
            let told = told(line);
            let option = line
                .split(' ')
                .rfind(|word| word.starts_with("--"))
                .unwrap();
            assert!(told.contains(option), "{line}: {told}");
        }
        assert_eq!(read("cluster --nodes 3").unwrap().nodes, 3);
        assert!(read("mutants --since HEAD --at-most 5").is_ok());
    }

    /// Each option is some campaign's, and each name in the table an option's.
    #[test]
    fn the_table_of_options_is_whole() {
        let command = Arguments::command();
        let options = command
            .get_arguments()
            .filter(|one| one.get_long().is_some());
        let options: Vec<&str> = options.map(|one| one.get_id().as_str()).collect();
        let all = MEASURES.into_iter().chain(PROOFS);
        let taken: Vec<&str> = all.flat_map(takes).copied().collect();
        for option in options.iter().filter(|id| **id != "help") {
            assert!(taken.contains(option), "{option}");
        }
        for option in taken.iter().chain(takes(Campaign::All)) {
            assert!(options.contains(option), "{option}");
        }
        for option in MEASURES.into_iter().flat_map(takes) {
            assert!(Campaign::All.takes(option), "{option}");
        }
    }

    /// Whoever copies a command line from a document or a script is not refused.
    #[test]
    fn every_command_line_that_is_written_down_is_taken() {
        let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut seen = 0;
        let documents = std::fs::read_dir(workspace.join("docs")).unwrap();
        let documents = documents.map(|entry| entry.unwrap().path());
        let others = ["CONTRIBUTING.md", "README.md", ".ci/long", ".ci/run"];
        let others = others.map(|name| workspace.join(name));
        for path in documents.chain(others).filter(|path| path.is_file()) {
            let text = std::fs::read_to_string(&path).unwrap();
            for begin in text
                .match_indices("-p plyr-benches -- ")
                .map(|(place, _)| place)
            {
                let (_, line) = text[begin..].split_once(" -- ").unwrap();
                // A line that ends in a backslash goes on.
                let line = line.replace("\\\n", " ");
                let line = line.split(['\n', '`', '#']).next().unwrap();
                let refused = read(line).err();
                let refused = refused.filter(|why| why.kind() != ErrorKind::DisplayHelp);
                let why = refused.map(|why| why.to_string());
                assert_eq!(why, None, "{}: {line}", path.display());
                seen += 1;
            }
        }
        assert!(seen > 20, "{seen}");
        // What `.ci/run` puts together.
        let words = "--rotation 3 --mutants-folder folder --since HEAD~1 --at-most 6";
        assert!(read(&format!("mutants {words}")).is_ok());
    }
}
