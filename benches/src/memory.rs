//! Resident memory of a process, as the kernel counts it.

use std::time::{Duration, Instant};

use plyr_peers::Plyr;

/// How often it is looked at until it holds still, for how long it must, and at most.
const LOOK: Duration = Duration::from_millis(500);
const STILL: usize = 6;
const PATIENCE: Duration = Duration::from_secs(30);

/// Resident memory in bytes.
pub struct Memory {
    pub now: u64,
    pub peak: u64,
}

/// What it is and what it was at most.
pub fn of(plyr: &Plyr) -> Result<Memory, Box<dyn std::error::Error>> {
    of_process(plyr.pid().ok_or("plyr has ended before it was measured")?)
}

/// The same of any process.
pub fn of_process(pid: u32) -> Result<Memory, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.map(|count| count << 10)
    };
    let known = bytes("VmRSS:").zip(bytes("VmHWM:"));
    let (now, peak) = known.ok_or("the kernel tells no VmRSS and VmHWM")?;
    Ok(Memory { now, peak })
}

/// The same once it has held still (within a hundredth) for three seconds.
pub async fn settled(plyr: &Plyr) -> Result<Memory, Box<dyn std::error::Error>> {
    let began = Instant::now();
    let mut last = of(plyr)?;
    let mut still = 0;
    while still < STILL && began.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK).await;
        let next = of(plyr)?;
        let changed = next.now.abs_diff(last.now) > last.now / 100;
        still = if changed { 0 } else { still + 1 };
        last = next;
    }
    Ok(last)
}

/// Bytes as the table writes them.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}
