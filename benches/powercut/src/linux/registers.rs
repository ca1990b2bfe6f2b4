//! What a call was given and what it answers: read, and put otherwise.

use nix::unistd::Pid;

/// An argument that no call can do anything with: no descriptor, and no address.
const NOTHING: u64 = u64::MAX;

/// What a call was given, and what it answers.
pub struct Registers {
    pub call: i64,
    pub given: [u64; 6],
    pub answer: i64,
}

#[cfg(target_arch = "x86_64")]
pub fn registers(thread: Pid) -> nix::Result<Registers> {
    let all = nix::sys::ptrace::getregs(thread)?;
    Ok(Registers {
        call: all.orig_rax as i64,
        given: [all.rdi, all.rsi, all.rdx, all.r10, all.r8, all.r9],
        answer: all.rax as i64,
    })
}

#[cfg(target_arch = "aarch64")]
pub fn registers(thread: Pid) -> nix::Result<Registers> {
    let all = nix::sys::ptrace::getregs(thread)?.regs;
    Ok(Registers {
        call: all[8] as i64,
        given: [all[0], all[1], all[2], all[3], all[4], all[5]],
        answer: all[0] as i64,
    })
}

#[cfg(target_arch = "x86_64")]
fn write(thread: Pid, given: &[u64; 6], answer: Option<i64>) -> nix::Result<()> {
    let mut all = nix::sys::ptrace::getregs(thread)?;
    [all.rdi, all.rsi, all.rdx, all.r10, all.r8, all.r9] = *given;
    if let Some(answer) = answer {
        all.rax = answer as u64;
    }
    nix::sys::ptrace::setregs(thread, all)
}

#[cfg(target_arch = "aarch64")]
fn write(thread: Pid, given: &[u64; 6], answer: Option<i64>) -> nix::Result<()> {
    let mut all = nix::sys::ptrace::getregs(thread)?;
    all.regs[..6].copy_from_slice(given);
    if let Some(answer) = answer {
        all.regs[0] = answer as u64;
    }
    nix::sys::ptrace::setregs(thread, all)
}

impl Registers {
    /// Bytes that a plain write is to write; none for other calls.
    pub fn to_write(&self) -> Option<u64> {
        let is_write = matches!(self.call, libc::SYS_write | libc::SYS_pwrite64);
        is_write.then_some(self.given[2])
    }

    /// Has a plain write that begins write less.
    pub fn shorten(&self, thread: Pid, length: u64) -> nix::Result<()> {
        let [descriptor, from, _, at, more, last] = self.given;
        write(thread, &[descriptor, from, length, at, more, last], None)
    }

    /// Has a call that begins do nothing.
    pub fn void(&self, thread: Pid) -> nix::Result<()> {
        write(thread, &[NOTHING; 6], None)
    }

    /// Has a call that was put otherwise leave the arguments as they were given, and answer.
    pub fn put_back(&self, thread: Pid, answer: i64) -> nix::Result<()> {
        write(thread, &self.given, Some(answer))
    }
}
