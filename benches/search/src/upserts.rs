//! Writing at a steady rate in a thread of its own, while another one asks.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::Failure;

/// How often what was written is committed, in every engine.
const COMMITS_A_SECOND: u32 = 2;

/// A thread that writes until it is stopped.
pub struct Upserts<'scope> {
    stop: Sender<()>,
    thread: ScopedJoinHandle<'scope, Result<u64, Failure>>,
    began: Instant,
}

impl<'scope> Upserts<'scope> {
    /// Starts one: `write` is given how many rows to write and commit.
    pub fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        a_second: u32,
        write: impl FnMut(u32) -> Result<(), Failure> + Send + 'scope,
    ) -> Upserts<'scope> {
        let (stop, stopped) = channel();
        let at_once = a_second / COMMITS_A_SECOND;
        Upserts {
            stop,
            thread: scope.spawn(move || steadily(at_once, write, &stopped)),
            began: Instant::now(),
        }
    }

    /// Stops it; the rows it wrote a second. Fewer than asked for are what the engine could do.
    pub fn stop(self) -> Result<f64, Failure> {
        // If it has ended by itself, joining tells why.
        let _ = self.stop.send(());
        let written = self
            .thread
            .join()
            .map_err(|_| "the writing thread panicked")??;
        Ok(written as f64 / self.began.elapsed().as_secs_f64())
    }
}

fn steadily(
    at_once: u32,
    mut write: impl FnMut(u32) -> Result<(), Failure>,
    stopped: &Receiver<()>,
) -> Result<u64, Failure> {
    let mut written = 0;
    let every = Duration::from_secs(1) / COMMITS_A_SECOND;
    let mut next = Instant::now();
    loop {
        write(at_once)?;
        written += u64::from(at_once);
        next += every;
        let rest = next.saturating_duration_since(Instant::now());
        match stopped.recv_timeout(rest) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(written),
        }
    }
}
