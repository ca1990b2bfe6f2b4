//! The command line, made from the table of options so that flag, environment and file agree.

use clap::{Arg, ArgAction, Command};

use crate::config::options::{OPTIONS, Shape};

const ABOUT: &str = "The AppView and firehose indexer for music on the AT Protocol";

const EXAMPLES: &str = "\
Examples:
  plyr demo                               a small made-up network and a server over it, to look at
  plyr serve                              follow the network, answer on http://127.0.0.1:8080
  plyr serve --data-dir /srv/plyr --listen 0.0.0.0:80 --public-url https://music.example.com
  plyr dump --out state.ndjson            the state as canonical NDJSON
  plyr verify                             what differs from the repos; --repair settles it
  plyr backfill alice.example.com         fetches a repo at once
  plyr quarantine list                    what was refused and why
  plyr rebuild all                        index rows, counts and the search index, from the records
  plyr blobs audit                        whether every kept blob is there and sound
  plyr admin takedown at://… --dry-run    what would be hidden; without --dry-run it is

Over a ScyllaDB (or Cassandra 5) cluster, as many processes of each part as wanted:
  export PLYR_STORE=scylla://node1:9042,node2:9042/plyr
  plyr store migrate                      makes the keyspace, or brings it up to date
  plyr index --metrics-listen :9091       follows the network
  plyr appview --listen :8080             answers queries
  plyr media --metrics-listen :9092       fetches and keeps audio and images

  plyr config check                       what is in force, and where each value came from

Every option exists three ways: as a flag, as an environment variable (--data-dir is
PLYR_DATA_DIR) and as a key of plyr.toml (data_dir). The flag beats the environment, the
environment the file, the file the default.";

const DEMO: &str = "\
Everything happens on this machine: a directory, two hosts, a relay and two Jetstreams of a
network that is made up out of a number, with people who publish, like and comment; and `plyr
serve` over it. What to open and to try is printed once it is ready. The same seed gives the same
people, records and at-uris. Nothing is left behind unless --data-dir names a folder.";

const INDEX: &str = "\
Needs --store scylla://host:port[,host:port…]/keyspace, migrated (`plyr store migrate`). Several may
follow the same streams: they end in the same state, and one goes on where another dies. While the
cluster can't be reached it keeps trying; /ready on --metrics-listen says what is missing.";

const APPVIEW: &str = "\
Needs --store scylla://host:port[,host:port…]/keyspace, migrated (`plyr store migrate`). Any number
may run behind a load balancer that asks /ready on --metrics-listen.";

const MEDIA: &str = "\
Needs --store scylla://host:port[,host:port…]/keyspace, migrated (`plyr store migrate`), and a place
for bytes that all parts share: --blobs s3://bucket/prefix with the usual AWS_* variables (R2: also
--s3-endpoint https://ACCOUNT.r2.cloudflarestorage.com). Any number may run: a blob is one's at a
time.

  plyr media --blobs s3://music/blobs --media mirror";

const BLOBS_COPY: &str = "\
PLACE is disk:FOLDER or s3://bucket/prefix (AWS_* variables, --s3-endpoint, --s3-region). What the
target has already is left; every original is hashed on its way. Run it again to go on.

  plyr blobs copy --from disk:./plyr-data/blobs --to s3://music/blobs";

const BLOBS_SWEEP: &str = "\
A blob that no record names is noted first, and goes when it was unnamed for the grace time. What a
track named until lately stays 90 days. Prints what it came to as a line of JSON.";

const BLOBS_AUDIT: &str = "\
Reads every kept blob and compares its hash with its CID. What is missing or damaged is fetched
again, unless --dry-run. Prints what it came to as a line of JSON; exit code 1 where something was
found.";

const MIGRATE: &str = "\
Run it before the first start and with every update: first this, then the processes one by one. An
older version refuses to start over a newer keyspace. One migrator works at a time; others wait.
A new keyspace keeps as many copies of every row as there are nodes, at most 3, unless --replication
says otherwise (`3`, or `dc1=3,dc2=2`); an existing one keeps what it has.";

const COPY: &str = "\
STORE is embedded:DIR (a data folder that no server holds) or scylla://host:port/keyspace, migrated.
Stop what writes to either store first. What is derived is made anew in the target; own rows there
are kept. Exit code 1 if the full dumps differ afterwards.

  plyr store copy --from embedded:./plyr-data --to scylla://node1:9042,node2:9042/plyr
  plyr store copy --from scylla://node1:9042/plyr --to embedded:/srv/plyr-data";

const REBUILD: &str = "\
Everything goes on being served and followed meanwhile. A server that holds the data folder does
it itself; over a cluster this process does, from any machine. What is cut off goes on where it
was when the same is asked for again. Rows that no record derives go, missing ones come back,
counts become the sizes of the sets. `counts` trusts the index rows; where in doubt, `all` makes
those first.

The search index is built anew from the start, and takes the place of the one that answers when it
has caught up. It is rebuilt by itself where it is missing, damaged or of another version. Over a
cluster each AppView keeps one in its own --data-dir: `search` builds that.

  plyr rebuild search
  plyr rebuild all --store scylla://node1:9042,node2:9042/plyr";

const VERIFY: &str = "\
Fetches each repo's signed state from its host, and prints each difference as a line of JSON: its
cause and the record's address. REPO is a DID or a handle; without one every repo that was met is
verified. Nothing is changed without --repair, which settles what differs as the server would.
Exit code 1 where something differs and was not settled, or a repo could not be asked.

  plyr verify                             the whole network; takes a while
  plyr verify --repair alice.example.com  one repo, mended

  missed_create  the repo has a record that is not held      stale       another version is held
  missed_delete  a record is held that the repo deleted      extra       only streams told of it
  ahead          held above the signed head, and never was   aboveHead   it may still be true";

const BACKFILL: &str = "\
The server finds and fetches repos by itself; this makes it fetch some at once, and waits. REPO is
a DID or a handle; without one every repo that was met, isn't gone and isn't verified is fetched.
A line of JSON for each: its DID, its state, and how many records or which error. Stop waiting
with ctrl-c: the server goes on, and what is asked for is kept over a restart. Exit code 1 where a
repo failed.

  plyr backfill alice.example.com did:plc:ewvi7nxzyoun6zhxrhs64oiz
  plyr backfill status                    what is under way, what waits, what failed";

const ADMIN: &str = "\
SUBJECT is one of
  alice.example.com, did:plc:…            an account, with all that it made
  at://alice.example.com/fm.plyr.track/…  a record, whichever version of it; also one not held yet
  https://HOST/track/…                    the same, by a link to its page here
  did:plc:…/bafkrei…                      bytes, as one account names them
  bafkrei…                                bytes, whoever names them

Views, search, counts and bytes follow within a second, and it holds whatever comes from the
network, over every restart, rebuild and copy. What was done is kept, and told by `plyr admin log`.
A server that holds the data folder does it itself; over a cluster this process does, from any
machine.

  plyr admin takedown --dry-run https://music.example.com/track/alice.example.com/3lfvhszifvc2c
  plyr admin takedown did:plc:ewvi7nxzyoun6zhxrhs64oiz --reason 'spam, see ticket 12'
  plyr admin restore did:plc:ewvi7nxzyoun6zhxrhs64oiz
  plyr admin delete-track at://alice.example.com/fm.plyr.track/3lfvhszifvc2c --reason 'a court'
  plyr admin log | jq";

const DELETE_TRACK: &str = "\
For what is to stay away: `restore` refuses to bring it back unless it is told --force, and a later
takedown and restore don't lift it by the way. The record itself is its maker's, in the maker's
repo; nobody but them can delete it there.";

const RETRY: &str = "\
Asks the repo of each entry what holds now: that is kept, and the entry goes. What its repo still
holds and can't be read stays refused. Exit code 1 where something is left.

  plyr quarantine retry --reason cid-mismatch
  plyr quarantine retry --all";

/// The whole command line.
pub fn command() -> Command {
    let version = format!(
        "{} ({}, {} build, stores: embedded, scylla)",
        env!("CARGO_PKG_VERSION"),
        option_env!("PLYR_GIT_REVISION").unwrap_or("revision unknown"),
        if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
    );
    let serve = Command::new("serve")
        .about("Everything in one process: follows the network and answers queries");
    let index = Command::new("index")
        .about("The indexer alone, over a cluster: follows the network into the store")
        .after_help(INDEX);
    let appview = Command::new("appview")
        .about("The AppView alone, over a cluster: answers queries")
        .after_help(APPVIEW);
    let media = Command::new("media")
        .about("What fetches and keeps bytes alone, over a cluster and a bucket")
        .after_help(MEDIA);
    let dump = Command::new("dump")
        .about("The state as canonical NDJSON: sorted, the same for every store of one network")
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("FILE")
                .help("Where to write it; - is standard output")
                .default_value("-"),
        )
        .arg(
            Arg::new("full")
                .long("full")
                .action(ArgAction::SetTrue)
                .help("With all that is kept: versions, deletes, actors, floors, what was refused"),
        )
        .arg(
            Arg::new("wait-idle")
                .long("wait-idle")
                .action(ArgAction::SetTrue)
                .help("Waits until nothing was written for 8 s, so that counts have followed"),
        );
    let rebuild = Command::new("rebuild")
        .about("What is derived, again from the records, while everything is served")
        .subcommand_required(true)
        .subcommand(Command::new("search").about("The search index, beside the one that answers"))
        .subcommand(Command::new("indexes").about("The index rows"))
        .subcommand(Command::new("counts").about("Counts and totals, from the index rows"))
        .subcommand(Command::new("all").about("All of these: rows, counts, then the search index"))
        .after_help(REBUILD);
    let store = Command::new("store")
        .about("About a cluster's keyspace")
        .subcommand_required(true)
        .subcommand(
            Command::new("migrate")
                .about("Makes the keyspace, or brings it to this version's schema")
                .after_help(MIGRATE),
        )
        .subcommand(
            Command::new("copy")
                .about("Copies one store into another, and compares their full dumps")
                .arg(place("from", "The store to read"))
                .arg(place("to", "The store to write"))
                .arg(
                    Arg::new("progress")
                        .long("progress")
                        .value_name("FILE")
                        .default_value("./plyr-copy.json")
                        .help("Keeps how far it has come; the same command goes on from there"),
                )
                .after_help(COPY),
        )
        .subcommand(
            Command::new("plan").about("Prints what `migrate` would run, and changes nothing"),
        );
    let config = Command::new("config")
        .about("About the configuration")
        .subcommand_required(true)
        .subcommand(
            Command::new("check")
                .about("Prints the effective configuration and where each value came from"),
        );
    Command::new("plyr")
        .about(ABOUT)
        .after_help(EXAMPLES)
        .version(version)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([demo(), serve, index, appview, media, dump, rebuild])
        .subcommands([verify(), backfill(), quarantine(), blobs(), admin()])
        .subcommands([store, config])
        .args(OPTIONS.iter().map(argument))
}

fn demo() -> Command {
    let number = |name: &'static str, default: &'static str, most: u64, help: &'static str| {
        let least = u64::from(name != "seed");
        Arg::new(name)
            .long(name)
            .value_name("N")
            .value_parser(clap::value_parser!(u64).range(least..=most))
            .default_value(default)
            .help(help)
    };
    Command::new("demo")
        .about("A small made-up network on this machine, and a server over it: something to see")
        .arg(number("seed", "1", u64::MAX, "What the network is made of"))
        .arg(number(
            "artists",
            "12",
            1_000,
            "How many artists there are at first",
        ))
        .arg(number(
            "tracks",
            "48",
            20_000,
            "How many tracks there are at first",
        ))
        .arg(number(
            "every",
            "3",
            86_400,
            "Seconds between two new things",
        ))
        .after_help(DEMO)
}

/// REPO…, and the same as `--repo REPO`.
fn repos() -> [Arg; 2] {
    let named = |name: &'static str, help: &'static str| {
        let argument = Arg::new(name).value_name("REPO").help(help);
        argument.action(ArgAction::Append)
    };
    [
        named("repo", "DIDs and handles"),
        named("repo-option", "The same, as an option").long("repo"),
    ]
}

fn verify() -> Command {
    Command::new("verify")
        .about("What differs between the repos and what is held of them")
        .arg(
            Arg::new("repair")
                .long("repair")
                .action(ArgAction::SetTrue)
                .help("Settles what differs"),
        )
        .args(repos())
        .after_help(VERIFY)
}

fn backfill() -> Command {
    Command::new("backfill")
        .about("Fetches repos at once, and tells what came of each")
        .args_conflicts_with_subcommands(true)
        .args(repos())
        .subcommand(
            Command::new("pause").about("Takes up nothing more, until resumed or restarted"),
        )
        .subcommand(Command::new("resume").about("Goes on"))
        .subcommand(Command::new("cancel").about("Leaves what was asked for to the steady pass"))
        .subcommand(Command::new("status").about("What is under way, what waits, what failed"))
        .after_help(BACKFILL)
}

fn quarantine() -> Command {
    let reason = || {
        Arg::new("reason")
            .long("reason")
            .value_name("REASON")
            .help("Those refused for this reason alone")
    };
    Command::new("quarantine")
        .about("What was refused and why")
        .subcommand_required(true)
        .subcommand(
            Command::new("list")
                .about("Prints each as a line of JSON, newest first")
                .arg(reason())
                .arg(
                    Arg::new("limit")
                        .long("limit")
                        .value_name("NUMBER")
                        .value_parser(clap::value_parser!(u64))
                        .default_value("100")
                        .help("At most so many"),
                ),
        )
        .subcommand(
            Command::new("retry")
                .about("Asks the repos again")
                .arg(
                    Arg::new("id")
                        .value_name("ID")
                        .action(ArgAction::Append)
                        .help("By id"),
                )
                .arg(reason())
                .arg(
                    Arg::new("all")
                        .long("all")
                        .action(ArgAction::SetTrue)
                        .help("All of them"),
                )
                .after_help(RETRY),
        )
}

fn blobs() -> Command {
    let dry = || {
        Arg::new("dry-run")
            .long("dry-run")
            .action(ArgAction::SetTrue)
            .help("Only tells")
    };
    Command::new("blobs")
        .about("The upkeep of audio and images")
        .subcommand_required(true)
        .subcommand(
            Command::new("list").about("How many are kept, and what isn't and why, as JSON"),
        )
        .subcommand(
            Command::new("audit")
                .about("Whether every kept blob is there, and is what its CID says")
                .arg(dry())
                .arg(
                    Arg::new("quick")
                        .long("quick")
                        .action(ArgAction::SetTrue)
                        .help("Sees that they are there, without reading them"),
                )
                .after_help(BLOBS_AUDIT),
        )
        .subcommand(
            Command::new("sweep")
                .about("Takes away what no record names any more")
                .arg(dry())
                .arg(
                    Arg::new("grace")
                        .long("grace")
                        .value_name("DURATION")
                        .help("How long what nobody names stays: 24h unless given"),
                )
                .after_help(BLOBS_SWEEP),
        )
        .subcommand(
            Command::new("retry")
                .about("Tries again what failed, was refused or was set aside")
                .arg(
                    Arg::new("cid")
                        .value_name("CID")
                        .action(ArgAction::Append)
                        .help("Those alone"),
                )
                .arg(
                    Arg::new("all")
                        .long("all")
                        .action(ArgAction::SetTrue)
                        .help("All that isn't kept"),
                ),
        )
        .subcommand(
            Command::new("copy")
                .about("Copies all bytes from one place to another, verified")
                .arg(place("from", "The place to read").value_name("PLACE"))
                .arg(place("to", "The place to write").value_name("PLACE"))
                .after_help(BLOBS_COPY),
        )
}

fn admin() -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let subject = || {
        let argument = Arg::new("subject").value_name("SUBJECT");
        argument
            .help("A DID, a handle, an at-uri, a CID, DID/CID or a link; see `plyr admin --help`")
    };
    let acting = |name: &'static str, about: &'static str| {
        Command::new(name)
            .about(about)
            .arg(subject().required(true))
            .arg(
                Arg::new("dry-run")
                    .long("dry-run")
                    .action(ArgAction::SetTrue)
                    .help("Tells what it is and what would change, and changes nothing"),
            )
            .arg(text("reason", "TEXT", "Why, for those who read the log"))
            .arg(text(
                "ref",
                "TEXT",
                "What it is called elsewhere: a report, a case",
            ))
            .arg(text("by", "NAME", "Who does it [default: $USER]"))
    };
    let force = Arg::new("force")
        .long("force")
        .action(ArgAction::SetTrue)
        .help("Also a track that was deleted for good");
    let log = Command::new("log")
        .about("What was done, as a line of JSON each, oldest first")
        .arg(subject());
    Command::new("admin")
        .about("Takes accounts, records and blobs down, and restores them")
        .subcommand_required(true)
        .subcommand(acting("takedown", "Hides something, until it is restored"))
        .subcommand(acting("restore", "Lets it be seen again").arg(force))
        .subcommand(acting("delete-track", "Hides a track for good").after_help(DELETE_TRACK))
        .subcommand(log)
        .after_help(ADMIN)
}

fn place(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("STORE")
        .required(true)
        .help(help)
}

fn argument(option: &crate::config::options::OptionRow) -> Arg {
    let argument = Arg::new(option.flag)
        .long(option.flag)
        .help(option.help_text())
        .global(true);
    match option.shape {
        Shape::Switch => argument.action(ArgAction::SetTrue),
        Shape::One => argument
            .value_name(option.value_name)
            .action(ArgAction::Set),
        Shape::Many => argument
            .value_name(option.value_name)
            .action(ArgAction::Append),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_holds_together() {
        super::command().debug_assert();
    }
}
