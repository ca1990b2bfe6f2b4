//! Deliberate bugs, each of which the tests must notice: applied one after another to a copy of the
//! tree, built, and the tests that should fail are run. One that survives is a hole in the tests.

mod ground;
mod patch;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use crate::Outcome;
use crate::arguments::number;
use crate::report::Report;
use ground::{Ground, Ran, clean_revision, git};
use patch::{Choice, Filter, Mutant};

/// Tests that take so much longer than on the unchanged tree hang.
const LONGER: u32 = 5;
/// And never before this has passed: a busy machine may stand still. Tests that wait for a condition
/// bear that for longer.
const LEAST_PATIENCE: Duration = Duration::from_secs(90);
/// On the unchanged tree tests may take this long.
const PATIENCE: Duration = Duration::from_secs(600);
/// The document with the table, from the workspace's folder.
const TABLE: &str = "docs/proof.md";

/// What of the campaign can be chosen.
#[derive(Args)]
pub struct Options {
    /// Mutants to try, by name; without any, all of them.
    #[arg(long = "mutant", value_delimiter = ',')]
    names: Vec<String>,
    /// Only the mutants of files that changed since this revision.
    #[arg(long)]
    since: Option<String>,
    /// Of those at most so many.
    #[arg(long, requires = "since", value_parser = number::<usize>(1, 1_000_000))]
    at_most: Option<usize>,
    /// Only so many mutants (besides those of --since), others with every commit.
    #[arg(long, default_value_t = 0)]
    rotation: usize,
    /// Where the copy of the tree and its target folder stay; by default in cargo's target folder.
    #[arg(long)]
    mutants_folder: Option<PathBuf>,
    /// Write what came of them into the table of docs/proof.md; rows of others stay. Nothing else
    /// may differ from the last commit, whose hash stands there.
    #[arg(long)]
    write: bool,
}

/// What became of a mutant.
enum Verdict {
    /// By which test.
    Killed(String),
    /// Its tests did not end within so long.
    TimedOut(Duration),
    /// No test failed.
    Survived,
    /// It could not be tried, which says nothing of the tests.
    Broken(String),
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Verdict::Killed(test) => write!(to, "killed by {test}"),
            Verdict::TimedOut(limit) => write!(to, "killed by {}", time_out(*limit)),
            Verdict::Survived => write!(to, "SURVIVED"),
            Verdict::Broken(problem) => write!(to, "NOT TRIED: {problem}"),
        }
    }
}

impl Verdict {
    fn is_killed(&self) -> bool {
        matches!(self, Verdict::Killed(_) | Verdict::TimedOut(_))
    }
}

fn time_out(limit: Duration) -> String {
    format!("time out after {} s", limit.as_secs())
}

type Tried = (Mutant, Verdict);
/// How long tests may take, or why they can't be used.
type Patience = BTreeMap<Filter, Result<Duration, String>>;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs the campaign: fails where a mutant survives.
pub async fn run(options: &Options, report: &mut Report) -> Outcome {
    let began = Instant::now();
    let workspace = workspace().canonicalize()?;
    let all = Mutant::all(&workspace)?;
    let chosen = choice(options, &workspace).await?.of(&all)?;
    if chosen.is_empty() {
        let told = "nothing to try: no file of a mutant has changed";
        report.add("0 mutants", told.to_owned(), "");
        return Ok(());
    }
    let revision = match options.write {
        true => Some(clean_revision(&workspace, TABLE).await?),
        false => None,
    };
    let folder = options.mutants_folder.clone();
    let folder = std::path::absolute(folder.unwrap_or_else(|| usual_folder(&workspace)))?;
    let ground = Ground::level(&workspace, &folder).await?;
    let patience = unchanged(&ground, &chosen).await?;
    let mut tried: Vec<Tried> = Vec::new();
    for (place, mutant) in chosen.iter().enumerate() {
        let started = Instant::now();
        let verdict = one(&ground, mutant, &patience).await;
        ground.revert(mutant)?;
        let verdict = verdict.unwrap_or_else(|problem| Verdict::Broken(problem.to_string()));
        let (number, of, seconds) = (place + 1, chosen.len(), started.elapsed().as_secs());
        let name = &mutant.name;
        let told = format!("{number} of {of}, {seconds} s: {name}: {verdict}");
        writeln!(std::io::stderr(), "{told}")?;
        tried.push((mutant.clone(), verdict));
    }
    tried.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    let is_killed = |(_, verdict): &&Tried| verdict.is_killed();
    let killed = tried.iter().filter(is_killed).count();
    let (count, seconds) = (tried.len(), began.elapsed().as_secs());
    let figure = format!("{killed} killed in {seconds} s");
    report.add(&format!("{count} mutants"), figure, "all");
    let rows: Vec<String> = tried.iter().map(row).collect();
    if let Some(revision) = revision {
        let told = format!("{count} in {seconds} s, dev profile, on {revision}");
        let path = workspace.join(TABLE);
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(&path, table::written(&text, &all, &rows, &told)?)?;
    }
    report.note(table::of(&rows));
    let others = tried.iter().filter(|one| !is_killed(one));
    let others: Vec<&str> = others.map(|(mutant, _)| mutant.name.as_str()).collect();
    match others.is_empty() {
        true => Ok(()),
        false => Err(format!("not killed: {}", others.join(", ")).into()),
    }
}

async fn choice<'a>(
    options: &'a Options,
    workspace: &Path,
) -> Result<Choice<'a>, Box<dyn std::error::Error>> {
    let changed = match &options.since {
        None => None,
        Some(revision) => {
            let words = ["diff", "--name-only", "--end-of-options", revision, "--"];
            let changed = git(workspace, &words).await?;
            Some(changed.lines().map(PathBuf::from).collect())
        }
    };
    let commits = git(workspace, &["rev-list", "--count", "HEAD"]).await?;
    Ok(Choice {
        names: &options.names,
        changed,
        at_most: options.at_most.unwrap_or(usize::MAX),
        rotation: options.rotation,
        turn: commits.trim().parse()?,
    })
}

fn usual_folder(workspace: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target
        .unwrap_or_else(|| workspace.join("target"))
        .join("mutants")
}

/// How long the tests of each filter may take: they are run on the unchanged tree first, where they
/// must be there and pass. Else what is wrong with them.
async fn unchanged(ground: &Ground, chosen: &[Mutant]) -> std::io::Result<Patience> {
    let mut patience = Patience::new();
    for Mutant { filter, .. } in chosen {
        if patience.contains_key(filter) {
            continue;
        }
        let began = Instant::now();
        let limit = usual(ground, filter)
            .await
            .map_err(|problem| problem.to_string());
        let said = match &limit {
            Ok(_) => "passes",
            Err(problem) => problem,
        };
        let (number, seconds) = (patience.len() + 1, began.elapsed().as_secs());
        writeln!(
            std::io::stderr(),
            "unchanged {number}, {seconds} s: {filter}: {said}"
        )?;
        patience.insert(filter.clone(), limit);
    }
    Ok(patience)
}

async fn usual(ground: &Ground, filter: &Filter) -> Result<Duration, Box<dyn std::error::Error>> {
    let program = ground.build(filter).await?;
    let began = Instant::now();
    match ground.run(&program, filter, PATIENCE).await? {
        Ran::Passed(0) => Err("there is no such test".into()),
        Ran::Passed(_) => Ok((began.elapsed() * LONGER).max(LEAST_PATIENCE)),
        Ran::Failed(test) => Err(format!("{test} fails on the unchanged tree").into()),
        Ran::Hung => Err("it hangs on the unchanged tree".into()),
    }
}

/// Tries one. A patch that doesn't build kills nothing.
async fn one(
    ground: &Ground,
    mutant: &Mutant,
    patience: &Patience,
) -> Result<Verdict, Box<dyn std::error::Error>> {
    let filter = &mutant.filter;
    let limit = match patience.get(filter) {
        Some(Ok(limit)) => *limit,
        Some(Err(problem)) => return Err(format!("{filter}: {problem}").into()),
        None => PATIENCE,
    };
    ground.apply(mutant).await?;
    let program = ground.build(filter).await?;
    Ok(match ground.run(&program, filter, limit).await? {
        Ran::Passed(_) => Verdict::Survived,
        Ran::Failed(test) => Verdict::Killed(test),
        Ran::Hung => Verdict::TimedOut(limit),
    })
}

/// A mutant's row of the table.
fn row((mutant, verdict): &Tried) -> String {
    let Mutant {
        name,
        invariant,
        filter,
        ..
    } = mutant;
    let (verdict, by) = match verdict {
        // The module is in the mutant's head.
        Verdict::Killed(test) => {
            let test = test.rsplit("::").next().unwrap_or(test);
            ("killed", test.to_owned())
        }
        // Which of them hung nobody has said.
        Verdict::TimedOut(limit) => ("killed", format!("{}: `{filter}`", time_out(*limit))),
        Verdict::Survived => ("survived", String::new()),
        Verdict::Broken(_) => ("not tried", String::new()),
    };
    format!("| {name} | {invariant} | {verdict} | {by} |")
}
