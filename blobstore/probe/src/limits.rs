//! What a process that looks at foreign bytes takes from itself before it does.

use std::io;

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

/// Files that may be open: the three standard ones and a few to spare.
const FILES: u64 = 16;

/// Limits this process for ever: memory, processor time, no files written, no core dumped; and it
/// ends when the process that started it does.
pub(crate) fn limit_this_process(memory: u64, cpu_seconds: u64) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let limits = [
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, FILES),
        (Resource::As, memory),
    ];
    for (resource, most) in limits {
        limit(resource, most, most)?;
    }
    // At the first it is told by a signal of its own (SIGXCPU), at the second killed.
    limit(Resource::Cpu, cpu_seconds.max(1), cpu_seconds.max(1) + 1)
}

fn limit(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let limit = Rlimit {
        current: Some(current),
        maximum: Some(maximum),
    };
    Ok(setrlimit(resource, limit)?)
}
