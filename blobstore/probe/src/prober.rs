//! Asking a child process.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::facts::{Fact, MadeImage};
use crate::question::{About, Answer, MOST_PIXELS, MOST_SIZES, Question, SUBCOMMAND, exit};

/// Most bytes of an answer.
const MOST_ANSWER: u64 = 16 << 20;
/// Bytes of what a child complains of that are kept for the log.
const MOST_COMPLAINT: u64 = 2 << 10;
/// How many times the wall time one waits for a place.
const WAITS_FOR_A_PLACE: u32 = 10;

/// How children are started and held.
#[derive(Clone, Debug)]
pub struct ProberOptions {
    /// The program that [`crate::child`] is in: this binary.
    pub program: PathBuf,
    /// Children at the same time.
    pub at_once: usize,
    /// Memory of one, in bytes.
    pub memory: u64,
    /// Processor time of one.
    pub cpu: Duration,
    /// How long one may take in all.
    pub wall: Duration,
}

/// Why nothing was found out; not the same as a refusal.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProbeError {
    /// The child died of the file: killed, out of memory, out of time, a panic.
    #[error("the process that looked at the file ended: {how}")]
    Died {
        /// How.
        how: String,
    },
    /// It could not be started, or the file not be opened: nothing to do with its content.
    #[error("the file could not be looked at: {detail}")]
    NotTried {
        /// Why.
        detail: String,
    },
}

fn not_tried(detail: impl Into<String>) -> ProbeError {
    ProbeError::NotTried {
        detail: detail.into(),
    }
}

fn died(how: impl Into<String>) -> ProbeError {
    ProbeError::Died { how: how.into() }
}

/// Asks children about files.
#[derive(Clone, Debug)]
pub struct Prober {
    options: ProberOptions,
    places: Arc<Semaphore>,
}

impl Prober {
    /// With those limits; at least one child at once.
    pub fn new(options: ProberOptions) -> Prober {
        let places = Arc::new(Semaphore::new(options.at_once.max(1)));
        Prober { options, places }
    }

    /// What audio a file is; images are refused.
    pub async fn audio(&self, file: &Path) -> Result<Fact, ProbeError> {
        let (fact, _) = self.ask(About::Audio, file).await?;
        Ok(fact)
    }

    /// What image a file is, and the image made to fit squares of those many pixels (`square` ones
    /// are cut to it); audio is refused. The images come in the order of the sizes, which are at
    /// most 8 of 1 to 4,096 pixels; none is made larger than the file's own.
    pub async fn image(
        &self,
        file: &Path,
        sizes: &[(u32, bool)],
    ) -> Result<(Fact, Vec<MadeImage>), ProbeError> {
        let is_size = |(pixels, _): &(u32, bool)| (1..=MOST_PIXELS).contains(pixels);
        if sizes.len() > MOST_SIZES || !sizes.iter().all(is_size) {
            return Err(not_tried(format!(
                "ask for at most {MOST_SIZES} sizes of 1 to {MOST_PIXELS} pixels"
            )));
        }
        let sizes = sizes.to_vec();
        self.ask(About::Image { sizes }, file).await
    }

    /// Makes a child misbehave, so that tests see what comes of it.
    #[cfg(debug_assertions)]
    #[doc(hidden)]
    pub async fn misbehave(
        &self,
        how: crate::question::Misbehaviour,
        file: &Path,
    ) -> Result<Fact, ProbeError> {
        let (fact, _) = self.ask(About::Misbehaviour(how), file).await?;
        Ok(fact)
    }

    async fn ask(&self, about: About, file: &Path) -> Result<(Fact, Vec<MadeImage>), ProbeError> {
        let patience = self.options.wall.saturating_mul(WAITS_FOR_A_PLACE);
        let place = timeout(patience, self.places.acquire()).await;
        let Ok(Ok(_place)) = place else {
            return Err(not_tried(format!(
                "others were looked at for {} s without a place getting free",
                patience.as_secs()
            )));
        };
        let opened = match timeout(self.options.wall, tokio::fs::File::open(file)).await {
            Ok(Ok(opened)) => opened.into_std().await,
            Ok(Err(problem)) => return Err(not_tried(format!("it can't be opened: {problem}"))),
            Err(_) => return Err(not_tried("opening it took too long")),
        };
        let question = Question {
            about,
            memory: self.options.memory,
            // A second more than is left over by rounding down.
            cpu_seconds: self.options.cpu.as_millis().div_ceil(1000) as u64,
        };
        let question = serde_json::to_string(&question)
            .map_err(|problem| not_tried(format!("the question can't be written: {problem}")))?;
        match timeout(self.options.wall, self.run(&question, opened)).await {
            Ok(answer) => answer,
            // Dropping what runs has killed the child.
            Err(_) => Err(died(format!(
                "it took longer than {} s",
                self.options.wall.as_secs_f32()
            ))),
        }
    }

    async fn run(
        &self,
        question: &str,
        file: std::fs::File,
    ) -> Result<(Fact, Vec<MadeImage>), ProbeError> {
        let started = Command::new(&self.options.program)
            .args([SUBCOMMAND, question])
            .env_clear()
            .stdin(Stdio::from(file))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            // What a terminal sends to all is for this process to act on.
            .process_group(0)
            .spawn();
        let mut child = started.map_err(|problem| {
            let program = self.options.program.display();
            not_tried(format!("{program} can't be started: {problem}"))
        })?;
        let answer = read_whole(child.stdout.take(), MOST_ANSWER);
        let complaint = read_some(child.stderr.take());
        let (answer, complaint) = tokio::join!(answer, complaint);
        let answer = match answer {
            Ok(Some(answer)) => answer,
            Ok(None) => return Err(died(format!("it answered more than {MOST_ANSWER} bytes"))),
            Err(problem) => return Err(not_tried(format!("its answer can't be read: {problem}"))),
        };
        let ended = child.wait().await;
        let ended = ended.map_err(|problem| not_tried(format!("its end is unknown: {problem}")))?;
        if !ended.success() {
            return Err(how_it_ended(ended, &complaint));
        }
        read_answer(&answer)
    }
}

/// All of it, nothing where it is more; then it isn't read on, and whoever writes dies of it.
async fn read_whole(
    from: Option<impl AsyncRead + Unpin>,
    most: u64,
) -> std::io::Result<Option<Vec<u8>>> {
    let mut read = Vec::new();
    if let Some(from) = from {
        from.take(most + 1).read_to_end(&mut read).await?;
    }
    Ok(Some(read).filter(|read| read.len() as u64 <= most))
}

/// The beginning of what is complained of; the rest is read and thrown away.
async fn read_some(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else {
        return String::new();
    };
    let mut read = Vec::new();
    let some = (&mut from)
        .take(MOST_COMPLAINT)
        .read_to_end(&mut read)
        .await;
    let rest = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    if let Err(problem) = some.and(rest.map(|_| 0)) {
        debug!(%problem, "what a child complained of can't be read");
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// What is said of a child that didn't answer. Its complaint may hold foreign words: it goes into
/// the log, where it is escaped, and isn't shown to anybody.
fn how_it_ended(ended: ExitStatus, complaint: &str) -> ProbeError {
    use std::os::unix::process::ExitStatusExt;

    let complaint = complaint.trim_end();
    match (ended.code(), ended.signal()) {
        (Some(code), _) if code == i32::from(exit::NOT_TRIED) => {
            warn!(complaint, "a child could not look at its file");
            not_tried("the child could not read the file or limit itself; the log says more")
        }
        (Some(code), _) if code == i32::from(exit::PANICKED) || code == 101 => {
            warn!(complaint, "a parser panicked");
            died("a parser panicked")
        }
        (Some(code), _) => {
            warn!(complaint, code, "a child ended oddly");
            not_tried(format!(
                "the child ended with code {code}, which it never does: is it this program?"
            ))
        }
        // Somebody stops everything: nothing to do with the file.
        (None, Some(signal @ (1 | 2 | 15))) => {
            not_tried(format!("the child was told to stop by signal {signal}"))
        }
        (None, signal) => {
            warn!(complaint, signal, "a child was killed");
            died(match signal {
                Some(6) => "it ran out of memory, or aborted".to_owned(),
                Some(24) => "it took too much processor time".to_owned(),
                Some(signal) => format!("it was killed by signal {signal}"),
                None => "it was killed".to_owned(),
            })
        }
    }
}

fn read_answer(answer: &[u8]) -> Result<(Fact, Vec<MadeImage>), ProbeError> {
    let odd = || not_tried("the child's answer is none: is it this program, of this version?");
    let end = answer
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or_else(odd)?;
    let (line, rest) = answer.split_at(end);
    let mut rest = &rest[1..];
    let line: Answer = serde_json::from_slice(line).map_err(|_| odd())?;
    let mut images = Vec::new();
    for image in line.images {
        let (bytes, after) = rest.split_at_checked(image.bytes).ok_or_else(odd)?;
        rest = after;
        images.push(MadeImage {
            pixels: image.pixels,
            width: image.width,
            height: image.height,
            media_type: "image/webp",
            bytes: bytes.to_vec(),
        });
    }
    match rest.is_empty() {
        true => Ok((line.fact, images)),
        false => Err(odd()),
    }
}
