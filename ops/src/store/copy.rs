//! `plyr store copy`: one store into another, resumable, verified by the equality of their full
//! dumps.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::ArgMatches;
use plyr_schemas::StoreError;
use plyr_schemas::copy::{CopyPlace, Stage};
use plyr_schemas::own::{self, Own};
use serde::{Deserialize, Serialize};

use super::open::{self, Opened};
use super::progress;
use crate::config::{Config, StoreChoice};
use crate::error::OpsError;

/// Between two lines of the log where there is no terminal.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// How long counts may follow behind.
const COUNTS_FOLLOW: Duration = Duration::from_secs(90);
/// Between two comparisons.
const COMPARE_AGAIN: Duration = Duration::from_secs(5);
/// The progress bar.
const BAR: &str = "{msg} {wide_bar} {human_pos} of about {human_len}, {per_sec}, {eta} left";
/// Differing lines that are shown.
const SHOWN: usize = 5;

/// What the progress file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    from: String,
    to: String,
    place: CopyPlace,
}

/// Runs the command.
pub async fn copy(config: &Config, arguments: &ArgMatches) -> Result<ExitCode, OpsError> {
    let Some((_, arguments)) = arguments.subcommand() else {
        return Err(OpsError::Usage("name what to do with the store".to_owned()));
    };
    let text = |name: &str| {
        arguments
            .get_one::<String>(name)
            .cloned()
            .unwrap_or_default()
    };
    let (from, to, file) = (text("from"), text("to"), PathBuf::from(text("progress")));
    let source = configured("from", config, &from)?;
    let target = configured("to", config, &to)?;
    if from == to {
        return Err(OpsError::Usage(
            "--from and --to name the same store".to_owned(),
        ));
    }
    if source.store == StoreChoice::Embedded && !source.data_dir.join("store").is_dir() {
        let folder = source.data_dir.display();
        return Err(OpsError::Copy(format!("{folder} holds no store to copy")));
    }
    let begin = Kept {
        from,
        to,
        place: CopyPlace::default(),
    };
    let mut kept = resumed(&file, begin)?;
    let source = open::once(&source).await?;
    let target = open::once(&target).await?;

    // Before the records: what is taken down never shows in the target.
    let actions = own::copy(source.journal.as_ref(), target.journal.as_ref()).await?;
    for opened in [&source, &target] {
        let own = Own::new(opened.journal.clone(), opened.store.clone());
        own.tell_what_is_missing().await?;
    }
    let place = run(config, &source, &target, &file, &mut kept).await?;
    let (versions, actors) = (place.versions, place.actors);
    tracing::info!(
        versions,
        actors,
        actions,
        "copied; comparing the full dumps"
    );
    let same = compare_patiently(&source, &target).await;
    target.store.close().await?;
    source.store.close().await?;
    let lines = same?;
    std::fs::remove_file(&file).map_err(|detail| unwritable(&file, &detail))?;
    let mut out = std::io::stdout();
    let told = writeln!(
        out,
        "copied {versions} versions; both full dumps have the same {lines} lines"
    );
    told.map_err(|detail| OpsError::Copy(detail.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

/// The configuration with the store that an argument names.
fn configured(argument: &str, config: &Config, place: &str) -> Result<Config, OpsError> {
    let mut config = config.clone();
    if let Some(folder) = place
        .strip_prefix("embedded:")
        .filter(|dir| !dir.is_empty())
    {
        config.store = StoreChoice::Embedded;
        config.data_dir = PathBuf::from(folder);
        return Ok(config);
    }
    if place.starts_with("scylla://") {
        config.store = StoreChoice::Cluster(place.to_owned());
        open::cluster_options(&config)?;
        return Ok(config);
    }
    Err(OpsError::Usage(format!(
        "--{argument} {place}: that is no store; write embedded:DIR or scylla://host:port/keyspace"
    )))
}

fn unwritable(file: &Path, detail: &dyn std::fmt::Display) -> OpsError {
    let file = file.display();
    OpsError::Copy(format!(
        "{file}: {detail}; name another file with --progress"
    ))
}

/// Where an earlier run of the same copy was cut off, or the beginning.
fn resumed(file: &Path, begin: Kept) -> Result<Kept, OpsError> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => return Ok(begin),
        Err(detail) => return Err(unwritable(file, &detail)),
    };
    let kept: Kept = serde_json::from_str(&text).map_err(|detail| unwritable(file, &detail))?;
    if (&kept.from, &kept.to) != (&begin.from, &begin.to) {
        let other = format!(
            "it keeps the progress of a copy from {} to {}",
            kept.from, kept.to
        );
        return Err(unwritable(file, &other));
    }
    let (stage, versions) = (kept.place.stage, kept.place.versions);
    tracing::info!(?stage, versions, "going on with an earlier copy");
    Ok(kept)
}

/// Replaces the progress file, so that it is never half written.
fn keep(file: &Path, kept: &Kept) -> std::io::Result<()> {
    let beside = file.with_extension("part");
    std::fs::write(&beside, serde_json::to_vec(kept)?)?;
    std::fs::rename(&beside, file)
}

async fn run(
    config: &Config,
    source: &Opened,
    target: &Opened,
    file: &Path,
    kept: &mut Kept,
) -> Result<CopyPlace, OpsError> {
    let whole = source.store.whole().await?;
    let sums = whole.totals().await?.sums;
    // Of what shows; hidden, invalid and older versions come on top.
    let expected = sums.tracks + sums.likes + sums.comments + sums.lists;
    let bar = progress::bar(BAR);
    bar.set_length(expected);
    let mut told = Instant::now();
    let begin = kept.place.clone();
    let copied = plyr_schemas::copy::copy(
        whole.as_ref(),
        target.store.as_ref(),
        &config.namespace,
        begin,
        |place| {
            kept.place = place.clone();
            keep(file, kept).map_err(|problem| StoreError::Unusable {
                path: file.display().to_string(),
                problem: format!("{problem}; name another file with --progress"),
            })?;
            bar.set_length(expected.max(place.versions));
            bar.set_position(place.versions);
            bar.set_message(stage(place.stage));
            if bar.is_hidden() && told.elapsed() >= TOLD_EVERY {
                told = Instant::now();
                let (versions, actors) = (place.versions, place.actors);
                tracing::info!(stage = stage(place.stage), versions, actors, "copying");
            }
            Ok(())
        },
    );
    let place = copied.await?;
    bar.finish_and_clear();
    Ok(place)
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Hides => "hides",
        Stage::Actors => "actors",
        Stage::Versions => "versions",
        Stage::Floors => "floors",
        Stage::Repos => "repos",
        Stage::Rest => "checks and cursors",
        Stage::Done => "done",
    }
}

/// Compares the full dumps; answers how many lines they have. Counts follow behind in a cluster:
/// what an earlier run of the copy left uncounted is taken over after half a minute.
async fn compare_patiently(source: &Opened, target: &Opened) -> Result<u64, OpsError> {
    let began = Instant::now();
    loop {
        let compared = compare(source, target).await;
        let is_late = target.embedded.is_some() || began.elapsed() > COUNTS_FOLLOW;
        match compared {
            Err(OpsError::Copy(problem)) if !is_late => {
                tracing::info!(
                    problem,
                    "not the same yet; counts follow behind, comparing again"
                );
                tokio::time::sleep(COMPARE_AGAIN).await;
            }
            compared => return compared,
        }
    }
}

/// Compares the full dumps; answers how many lines they have.
async fn compare(source: &Opened, target: &Opened) -> Result<u64, OpsError> {
    let scratch = std::env::temp_dir();
    let (one, two) = tokio::try_join!(full_dump(source, &scratch), full_dump(target, &scratch))?;
    let failed = |detail: std::io::Error| OpsError::Copy(detail.to_string());
    let (mut ours, mut theirs) = (BufReader::new(one).lines(), BufReader::new(two).lines());
    let (mut lines, mut differing) = (0, Vec::new());
    let mut heads = (ours.next().transpose(), theirs.next().transpose());
    // Both are sorted: what stands in one alone is found in one pass.
    loop {
        let (one, two) = (heads.0.map_err(failed)?, heads.1.map_err(failed)?);
        let (only, order) = match (&one, &two) {
            (None, None) => break,
            (Some(one), Some(two)) if one == two => (None, std::cmp::Ordering::Equal),
            (Some(one), Some(two)) if one < two => (Some(one), std::cmp::Ordering::Less),
            (Some(one), None) => (Some(one), std::cmp::Ordering::Less),
            (_, Some(two)) => (Some(two), std::cmp::Ordering::Greater),
        };
        if let Some(line) = only {
            let side = if order.is_lt() {
                "only in the source"
            } else {
                "only in the target"
            };
            differing.push(format!("{side}: {line}"));
        } else {
            lines += 1;
        }
        heads = (
            if order.is_le() {
                ours.next().transpose()
            } else {
                Ok(one)
            },
            if order.is_ge() {
                theirs.next().transpose()
            } else {
                Ok(two)
            },
        );
        if differing.len() >= SHOWN {
            break;
        }
    }
    if differing.is_empty() {
        return Ok(lines);
    }
    Err(OpsError::Copy(format!(
        "the full dumps differ (were both stores idle?); remove the progress file and copy again. \
         The first of it:\n  {}",
        differing.join("\n  ")
    )))
}

async fn full_dump(opened: &Opened, scratch: &Path) -> Result<File, OpsError> {
    let failed = |detail: std::io::Error| OpsError::Copy(detail.to_string());
    let mut file = tempfile::tempfile_in(scratch).map_err(failed)?;
    let whole = opened.store.whole().await?;
    let own = Some(opened.journal.as_ref());
    let mut out = BufWriter::new(&mut file);
    plyr_schemas::full_dump::full_dump(whole.as_ref(), own, &mut out, scratch)
        .await
        .map_err(|problem| OpsError::Copy(problem.to_string()))?;
    out.flush().map_err(failed)?;
    drop(out);
    file.rewind().map_err(failed)?;
    Ok(file)
}
