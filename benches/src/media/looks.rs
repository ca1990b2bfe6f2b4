//! Looking at bytes: what the server's child process takes to tell what a file is, beside ffprobe,
//! by turns. Both start a process for each file.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use plyr_probe::{Fact, Prober, ProberOptions};
use tokio::process::Command;

use super::nginx::find;
use super::wave::{BYTES_A_SECOND, Wave};
use crate::Outcome;
use crate::report::{Report, median};

type Failure = Box<dyn std::error::Error>;

const ROUNDS: usize = 15;
/// Of the long ones.
const TWO_HOURS: u32 = 7_200;
/// How long one look, or making a long file, may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// The files of the prober's own tests.
const FIXTURES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../blobstore/probe/tests/fixtures"
);

/// Measures each file.
pub async fn run(binary: &str, report: &mut Report) -> Outcome {
    let prober = Prober::new(ProberOptions {
        program: binary.into(),
        at_once: 1,
        memory: 768 << 20,
        cpu: Duration::from_secs(60),
        wall: PATIENCE,
    });
    let ffprobe = find("ffprobe", &[]);
    if ffprobe.is_none() {
        let told = "skipped: no ffprobe in PATH".to_owned();
        report.add("media: looking at files, ffprobe", told, "");
    }
    let folder = tempfile::tempdir()?;
    let mut files = sounds()?;
    files.extend(long_ones(folder.path(), report).await?);
    let mut ratios = Vec::new();
    for file in &files {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut verdict = "";
        for _ in 0..ROUNDS {
            let began = Instant::now();
            let fact = prober.audio(file).await;
            ours.push(began.elapsed().as_secs_f64() * 1e3);
            let fact = fact.map_err(|problem| format!("{}: {problem}", file.display()))?;
            verdict = if matches!(fact, Fact::Audio(_)) {
                ""
            } else {
                " (refused)"
            };
            if let Some(ffprobe) = &ffprobe {
                theirs.push(probe(ffprobe, file).await?);
            }
        }
        let (ours, theirs) = (median(ours), median(theirs));
        let name = file.file_name().unwrap_or_default().display();
        let what = format!("media: looking at {name}{verdict}, median of {ROUNDS}");
        if ffprobe.is_none() {
            report.add(&what, format!("{ours:.1} ms"), "given");
            continue;
        }
        let ratio = ours / theirs;
        ratios.push(ratio);
        let figure = format!("{ours:.1} ms; ffprobe {theirs:.1} ms; ratio {ratio:.2}");
        report.add(&what, figure, "compared");
    }
    if !ratios.is_empty() {
        let what = format!("ratio plyr ÷ ffprobe, median of {} files", ratios.len());
        report.add(&what, format!("{:.2}", median(ratios)), "given");
    }
    Ok(())
}

/// The tests' files with sound, by name.
fn sounds() -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(FIXTURES);
    let entries = entries.map_err(|problem| {
        format!("{FIXTURES}: {problem}; run it from the checkout that it was built in")
    })?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if name.to_string_lossy().starts_with("tone") {
            files.push(path);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(format!("no file tone* in {FIXTURES}").into()),
        false => Ok(files),
    }
}

/// Two hours of WAV, and of FLAC where ffmpeg is there to make it.
async fn long_ones(folder: &Path, report: &mut Report) -> Result<Vec<PathBuf>, Failure> {
    let wave = folder.join("two-hours.wav");
    let path = wave.clone();
    let written =
        tokio::task::spawn_blocking(move || Wave::new(1, BYTES_A_SECOND * TWO_HOURS)?.write(&path));
    written.await??;
    let Some(ffmpeg) = find("ffmpeg", &[]) else {
        let told = "skipped: no ffmpeg in PATH to make it".to_owned();
        report.add("media: looking at two hours of FLAC", told, "");
        return Ok(vec![wave]);
    };
    let flac = folder.join("two-hours.flac");
    let tone = format!("sine=frequency=440:sample_rate=44100:duration={TWO_HOURS}");
    let mut command = Command::new(ffmpeg);
    command.args([
        "-v", "error", "-f", "lavfi", "-i", &tone, "-ac", "2", "-c:a", "flac",
    ]);
    command.arg(&flac).stdin(Stdio::null()).kill_on_drop(true);
    let made = tokio::time::timeout(PATIENCE, command.output()).await??;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        return Err(format!("ffmpeg can't make a FLAC: {said}").into());
    }
    Ok(vec![wave, flac])
}

/// Milliseconds that ffprobe takes; what it thinks of the file is its own affair.
async fn probe(program: &Path, file: &Path) -> Result<f64, Failure> {
    let mut command = Command::new(program);
    command.args(["-v", "error", "-show_format", "-show_streams"]);
    command.arg(file).stdin(Stdio::null()).kill_on_drop(true);
    let began = Instant::now();
    tokio::time::timeout(PATIENCE, command.output()).await??;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}
