//! Memory of the binary while a blob of 1.5 GB comes, and while a hundred listen to it: as much as
//! for a small one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::client::Client;
use super::held_against;
use super::stage::Stage;
use super::wave::Wave;
use crate::Outcome;
use crate::memory::{self, Memory, megabytes};
use crate::report::Report;

type Failure = Box<dyn std::error::Error>;

/// Bytes of the blob.
const BLOB: u32 = 1_500_000_000;
const LISTENERS: u64 = 100;
/// What each of them hears, and in what pieces: a mebibyte a second, many times what music is.
const HEARD: u64 = 8 << 20;
const PIECE: usize = 64 << 10;
const PIECES_A_SECOND: u32 = 16;
/// What may come on top of the memory before: for a fetch, and for each listener.
const FLAT: u64 = 32_000_000;
const FLAT_FOR_EACH: u64 = 1_000_000;
/// What a child that looks at bytes limits itself to.
const BOUND_OF_THE_CHILD: u64 = 768 << 20;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(3);

/// What was seen of the memory while something went on.
#[derive(Default)]
struct Seen {
    /// At the beginning, half-way, at the end.
    at: [Option<u64>; 3],
    most: u64,
    most_of_children: u64,
}

impl Seen {
    /// Notes what memory is when so much of the whole is done.
    fn note(&mut self, done: f64, now: u64) {
        self.most = self.most.max(now);
        for (place, share) in [f64::MIN_POSITIVE, 0.5, 1.0].into_iter().enumerate() {
            if done >= share {
                self.at[place].get_or_insert(now);
            }
        }
    }

    /// What was seen, held against the memory before and what may come on top.
    fn figure(&self, before: u64, on_top: u64) -> String {
        let [begin, half, end] = self.at.map(|at| at.map_or("?".to_owned(), megabytes));
        let most = megabytes(self.most);
        let is_flat = self.most <= before + on_top;
        held_against(is_flat, format!("{begin}, {half}, {end} (most {most})"))
    }
}

/// Looks at memory until it is dropped.
struct Watch {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    /// Watches a process; `done` tells how much of the whole is done, 0 to 1.
    fn start(pid: u32, done: impl Fn() -> f64 + Send + 'static) -> Watch {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let ours = seen.clone();
        let task = tokio::spawn(async move {
            loop {
                // A process that has ended is missed by who asks it something.
                let looked = memory::of_process(pid).ok();
                let Some(memory) = looked else { break };
                let children = children(pid);
                {
                    let mut seen = ours.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.note(done(), memory.now);
                    seen.most_of_children = seen.most_of_children.max(children);
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        Watch { seen, task }
    }

    fn end(self) -> Seen {
        self.task.abort();
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The most that a child of a process has had, of those that run now; 0 where there is none.
fn children(pid: u32) -> u64 {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return 0;
    };
    let mut most = 0;
    for thread in threads.flatten() {
        // A thread or a child may end at any time.
        let children = std::fs::read_to_string(thread.path().join("children"));
        let children = children.unwrap_or_default();
        let pids = children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok());
        let peaks = pids.filter_map(|pid| memory::of_process(pid).ok());
        most = peaks.map(|memory| memory.peak).fold(most, u64::max);
    }
    most
}

/// Measures both, one after the other.
pub async fn run(binary: &str, report: &mut Report) -> Outcome {
    let wave = tokio::task::spawn_blocking(|| Wave::new(1, BLOB)).await??;
    let stage = Stage::start(binary, vec![wave]).await?;
    let before = memory::settled(&stage.plyr).await?;
    report.add(
        "media: resident memory of `plyr serve` before a blob of 1.5 GB comes",
        megabytes(before.now),
        "compared",
    );
    let fetching = while_fetched(&stage).await?;
    report.add(
        "the same while it is fetched and proven: at 0 %, 50 %, 100 %",
        fetching.figure(before.now, FLAT),
        "flat: at most 32 MB on top",
    );
    let child = fetching.most_of_children;
    let is_held = child <= BOUND_OF_THE_CHILD;
    report.add(
        "most memory of the process that looks at it",
        match child {
            0 => "not seen: it was gone too soon".to_owned(),
            most => held_against(is_held, megabytes(most)),
        },
        "its bound: 805 MB",
    );
    let settled = memory::settled(&stage.plyr).await?;
    report.add(
        "the same once it is here, settled",
        megabytes(settled.now),
        "compared",
    );
    let hearing = while_heard(&stage).await?;
    report.add(
        "while 100 listen to it, a mebibyte a second each: at 0 %, 50 %, 100 %",
        hearing.figure(settled.now, LISTENERS * FLAT_FOR_EACH),
        "bounded: at most 1 MB a listener on top",
    );
    let Memory { peak, .. } = memory::of(&stage.plyr)?;
    report.add("most of all this time", megabytes(peak), "given");
    stage.stop().await
}

async fn while_fetched(stage: &Stage) -> Result<Seen, Failure> {
    let track = &stage.tracks[0];
    let size = track.wave.size as f64;
    let pid = stage.plyr.pid().ok_or("plyr has ended")?;
    let sent = stage.host.sent();
    let watch = Watch::start(pid, move || sent.load(Ordering::Relaxed) as f64 / size);
    stage.fetched(track).await?;
    Ok(watch.end())
}

async fn while_heard(stage: &Stage) -> Result<Seen, Failure> {
    let track = &stage.tracks[0];
    let pid = stage.plyr.pid().ok_or("plyr has ended")?;
    let heard = Arc::new(AtomicU64::new(0));
    let apart = (track.wave.size - HEARD) / LISTENERS;
    let mut clients = Vec::new();
    for number in 0..LISTENERS {
        let mut client = Client::open_narrow(&stage.plyr.appview).await?;
        let begin = number * apart;
        let range = begin..begin + HEARD;
        client.ask(&Stage::path_of(track), Some(range)).await?;
        clients.push(client);
    }
    let so_far = heard.clone();
    let watch = Watch::start(pid, move || {
        let heard = so_far.load(Ordering::Relaxed);
        heard as f64 / (LISTENERS * HEARD) as f64
    });
    let mut listening = tokio::task::JoinSet::new();
    for client in clients {
        listening.spawn(listen(client, heard.clone()));
    }
    while let Some(done) = listening.join_next().await {
        done??;
    }
    // One more look, now that all is heard.
    tokio::time::sleep(LOOK * 10).await;
    Ok(watch.end())
}

async fn listen(mut client: Client, heard: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut beat = tokio::time::interval(Duration::from_secs(1) / PIECES_A_SECOND);
    for _ in 0..HEARD / PIECE as u64 {
        beat.tick().await;
        client.read(PIECE).await?;
        heard.fetch_add(PIECE as u64, Ordering::Relaxed);
    }
    Ok(())
}
