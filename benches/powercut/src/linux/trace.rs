//! Watching a program: it is stopped at the entry and the exit of every call.

use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::PowerError;
use super::calls::{self, Call};
use super::change::Change;
use super::disk::{Disk, Synced};
use super::registers::{self, Registers};
use super::trouble::{Room, Trouble};

/// What PTRACE_GETEVENTMSG says of a stop: the call begins.
const ENTRY: i64 = 1;

/// How exactly a sync is held up.
const TICK: Duration = Duration::from_millis(1);

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
    /// Less is written than was to be.
    Shortened(Vec<u64>, Registers),
    Refused(Registers),
}

/// What becomes of a thread that was stopped.
enum Next {
    GoesOn,
    Waits,
    IsCut,
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
    pub fn run(
        mut self,
        disk: &mut Disk,
        trouble: &mut Trouble,
        at: Option<u64>,
    ) -> Result<Ended, PowerError> {
        let mut is_cut = false;
        loop {
            let status = wait(trouble)?;
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
                        match self.stopped(thread, disk, trouble, at)? {
                            Next::GoesOn => {}
                            Next::Waits => continue,
                            Next::IsCut => is_cut = true,
                        }
                    }
                    (thread, None)
                }
                WaitStatus::PtraceEvent(thread, ..) => (thread, None),
                WaitStatus::Stopped(thread, signal) => (thread, Some(signal)),
                _ => continue,
            };
            go_on(thread, signal)?;
        }
    }

    /// A call begins or ends in a thread.
    fn stopped(
        &mut self,
        thread: Pid,
        disk: &mut Disk,
        trouble: &mut Trouble,
        at: Option<u64>,
    ) -> Result<Next, PowerError> {
        let Ok(event) = ptrace::getevent(thread) else {
            return Ok(Next::GoesOn);
        };
        let Ok(registers) = registers::registers(thread) else {
            return Ok(Next::GoesOn);
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
                Some(UnderWay::Shortened(numbers, given)) => {
                    disk.settle(&numbers, has_failed);
                    still_there(given.put_back(thread, registers.answer))?;
                }
                Some(UnderWay::Refused(given)) => {
                    still_there(given.put_back(thread, -i64::from(libc::ENOSPC)))?;
                }
            }
            return Ok(Next::GoesOn);
        }
        let Some(call) = calls::read(thread, &registers, disk)? else {
            return Ok(Next::GoesOn);
        };
        disk.seen.calls += 1;
        disk.seen.last = format!("{call:?}").chars().take(200).collect();
        let is_cut = at.is_some_and(|at| disk.seen.calls >= at);
        let mut next = Next::GoesOn;
        let under_way = match call {
            Call::Changes(changes) => change(thread, changes, registers, disk, trouble)?,
            Call::Sync(synced) => {
                let numbers = disk.under(&synced);
                if trouble.holds(thread) {
                    next = Next::Waits;
                }
                UnderWay::Sync(synced, numbers)
            }
        };
        self.under_way.insert(thread, under_way);
        if is_cut {
            doing("kill", kill(self.program, Signal::SIGKILL))?;
            next = Next::IsCut;
        }
        Ok(next)
    }
}

/// Notes what a call is about to change, as far as there is room.
fn change(
    thread: Pid,
    mut changes: Vec<Change>,
    registers: Registers,
    disk: &mut Disk,
    trouble: &mut Trouble,
) -> Result<UnderWay, PowerError> {
    let room = trouble.room(&changes, &registers);
    if room == Room::None {
        still_there(registers.void(thread))?;
        return Ok(UnderWay::Refused(registers));
    }
    if let (Room::Less(bytes), [Change::Write { length, .. }]) = (&room, &mut changes[..]) {
        *length = *bytes;
        still_there(registers.shorten(thread, *bytes))?;
    }
    let notes = changes.into_iter().map(|change| disk.note(change));
    let notes = notes.collect();
    Ok(match room {
        Room::Less(_) => UnderWay::Shortened(notes, registers),
        Room::Enough | Room::None => UnderWay::Changes(notes),
    })
}

/// A thread may have been killed meanwhile.
fn still_there(done: nix::Result<()>) -> Result<(), PowerError> {
    match done {
        Ok(()) | Err(nix::Error::ESRCH) => Ok(()),
        Err(detail) => Err(PowerError::Trace {
            doing: "put a call otherwise",
            detail,
        }),
    }
}

fn go_on(thread: Pid, signal: Option<Signal>) -> Result<(), PowerError> {
    match ptrace::syscall(thread, signal) {
        // It has been killed meanwhile.
        Ok(()) | Err(nix::Error::ESRCH) => Ok(()),
        Err(detail) => Err(PowerError::Trace {
            doing: "let it go on",
            detail,
        }),
    }
}

/// Waits until a thread stops or the program ends. Who is held up goes on when it is time.
fn wait(trouble: &mut Trouble) -> Result<WaitStatus, PowerError> {
    loop {
        let mut flags = WaitPidFlag::__WALL;
        if trouble.is_holding() {
            flags |= WaitPidFlag::WNOHANG;
        }
        let status = doing("wait", waitpid(Pid::from_raw(-1), Some(flags)))?;
        for thread in trouble.released() {
            go_on(thread, None)?;
        }
        if status != WaitStatus::StillAlive {
            return Ok(status);
        }
        std::thread::sleep(TICK);
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
