//! Watching a program: it is stopped at the entry and the exit of every call.

use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::PowerError;
use super::calls::{self, Call};
use super::disk::{Disk, Synced};

/// What PTRACE_GETEVENTMSG says of a stop: the call begins.
const ENTRY: i64 = 1;

fn doing<T>(doing: &'static str, done: nix::Result<T>) -> Result<T, PowerError> {
    done.map_err(|detail| PowerError::Trace { doing, detail })
}

/// How the program ended.
pub struct Ended {
    pub is_cut: bool,
    pub code: u8,
}

/// A call that is under way in a thread.
enum UnderWay {
    Changes(Vec<u64>),
    Sync(Synced, Vec<u64>),
}

pub struct Tracer {
    program: Pid,
    /// Somebody wants the cut now.
    is_asked: Arc<AtomicBool>,
    under_way: HashMap<Pid, UnderWay>,
}

impl Tracer {
    /// Starts the program, watched from its first instruction on: a shell stops itself, is watched,
    /// and becomes the program.
    pub fn start(program: &[String]) -> Result<Tracer, PowerError> {
        let shell = Command::new("/bin/sh")
            .args(["-c", "kill -STOP $$; exec \"$@\"", "powercut"])
            .args(program)
            .spawn();
        let shell = super::on(std::path::Path::new("/bin/sh"), shell)?;
        let program = Pid::from_raw(shell.id() as i32);
        let stopped = waitpid(program, Some(WaitPidFlag::WUNTRACED));
        doing("wait for its start", stopped)?;
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL;
        doing("seize", ptrace::seize(program, options))?;
        doing("go on", kill(program, Signal::SIGCONT))?;
        let is_asked = Arc::new(AtomicBool::new(false));
        hear(program, is_asked.clone())?;
        Ok(Tracer {
            program,
            is_asked,
            under_way: HashMap::new(),
        })
    }

    /// Lets it run to its end, or until the call before which it is cut.
    pub fn run(mut self, disk: &mut Disk, at: Option<u64>) -> Result<Ended, PowerError> {
        let mut is_cut = false;
        loop {
            let status = doing(
                "wait",
                waitpid(Pid::from_raw(-1), Some(WaitPidFlag::__WALL)),
            )?;
            let (thread, signal) = match status {
                WaitStatus::Exited(pid, code) if pid == self.program => {
                    let code = u8::try_from(code).unwrap_or(1);
                    return Ok(Ended {
                        is_cut: false,
                        code,
                    });
                }
                WaitStatus::Signaled(pid, signal, _) if pid == self.program => {
                    let is_cut = is_cut || self.is_asked.load(Ordering::SeqCst);
                    let code = if is_cut { 0 } else { 128 + signal as u8 };
                    return Ok(Ended { is_cut, code });
                }
                WaitStatus::PtraceSyscall(thread) => {
                    if !is_cut {
                        is_cut = self.stopped(thread, disk, at)?;
                    }
                    (thread, None)
                }
                WaitStatus::PtraceEvent(thread, ..) => (thread, None),
                WaitStatus::Stopped(thread, signal) => (thread, Some(signal)),
                _ => continue,
            };
            match ptrace::syscall(thread, signal) {
                // It has been killed meanwhile.
                Ok(()) | Err(nix::Error::ESRCH) => {}
                Err(detail) => {
                    let doing = "let it go on";
                    return Err(PowerError::Trace { doing, detail });
                }
            }
        }
    }

    /// A call begins or ends in a thread. Answers whether the power is cut here.
    fn stopped(
        &mut self,
        thread: Pid,
        disk: &mut Disk,
        at: Option<u64>,
    ) -> Result<bool, PowerError> {
        let Ok(event) = ptrace::getevent(thread) else {
            return Ok(false);
        };
        let Ok(registers) = calls::registers(thread) else {
            return Ok(false);
        };
        if event != ENTRY {
            let has_failed = (-4095..0).contains(&registers.answer);
            match self.under_way.remove(&thread) {
                None => {}
                Some(UnderWay::Changes(numbers)) => disk.settle(&numbers, has_failed),
                Some(UnderWay::Sync(synced, numbers)) if !has_failed => {
                    disk.durable(&synced, &numbers);
                }
                Some(UnderWay::Sync(..)) => {}
            }
            return Ok(false);
        }
        let Some(call) = calls::read(thread, &registers, disk)? else {
            return Ok(false);
        };
        disk.seen.calls += 1;
        disk.seen.last = format!("{call:?}").chars().take(200).collect();
        let is_cut = at.is_some_and(|at| disk.seen.calls >= at);
        let under_way = match call {
            Call::Changes(changes) => {
                let notes = changes.into_iter().map(|change| disk.note(change));
                UnderWay::Changes(notes.collect())
            }
            Call::Sync(synced) => {
                let numbers = disk.under(&synced);
                UnderWay::Sync(synced, numbers)
            }
        };
        self.under_way.insert(thread, under_way);
        if is_cut {
            doing("kill", kill(self.program, Signal::SIGKILL))?;
        }
        Ok(is_cut)
    }
}

/// Passes SIGTERM and SIGINT on; SIGUSR1 is the cut.
fn hear(program: Pid, is_asked: Arc<AtomicBool>) -> Result<(), PowerError> {
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1]
        .into_iter()
        .collect();
    doing("block signals", signals.thread_block())?;
    std::thread::spawn(move || {
        while let Ok(signal) = signals.wait() {
            let passed = match signal {
                Signal::SIGUSR1 => {
                    is_asked.store(true, Ordering::SeqCst);
                    Signal::SIGKILL
                }
                other => other,
            };
            if kill(program, passed).is_err() {
                return;
            }
        }
    });
    Ok(())
}
