//! When a failed fetch is tried again: soon at first, then over hours and days.

use std::time::Duration;

use plyr_outbound::OutboundError;

use super::bytes::FetchError;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// How soon to come again at least to a host that asked to be left alone.
const RESTING: Duration = Duration::from_secs(20);
/// The same where other blobs come from it.
const CROWDED: Duration = Duration::from_secs(1);
/// And where it was slow while others waited.
const GAVE_WAY: Duration = Duration::from_secs(5 * MINUTE);
/// And where there is no room for one so large: room comes by sweeps, once a day.
pub const FULL: Duration = Duration::from_secs(6 * HOUR);

/// Between two tries, in seconds; the last one again and again.
const WAITS: [u64; 9] = [
    5,
    30,
    2 * MINUTE,
    10 * MINUTE,
    HOUR,
    4 * HOUR,
    12 * HOUR,
    24 * HOUR,
    72 * HOUR,
];
/// Tries after which a blob that is nowhere to be had is no longer asked for: some three weeks.
pub const LAST_TRY: u32 = 14;

/// How long to wait after that many failures in a row (1 for the first), without the part that
/// chance adds.
pub fn wait(failures: u32) -> Duration {
    let place = (failures.max(1) as usize - 1).min(WAITS.len() - 1);
    Duration::from_secs(WAITS[place])
}

/// The same, up to a quarter longer, so that what failed together doesn't come back together.
pub fn wait_by_chance(failures: u32) -> Duration {
    wait(failures).mul_f64(1.0 + rand::random::<f64>() / 4.0)
}

/// What a failure says of when to try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The host's fault, or chance: it counts, and is tried again later.
    Later,
    /// Nobody was asked: it doesn't count.
    NotTried(Duration),
    /// Not again before somebody asks for it.
    GivenUp,
    /// It will never be right.
    Never,
}

/// How a failure is taken. How long to wait for a host that has no place depends on how many do
/// ([`super::work::Work::wait_at`]).
pub fn verdict(problem: &FetchError) -> Verdict {
    let by_chance = |wait: Duration| wait.mul_f64(1.0 + rand::random::<f64>() * 3.0);
    match problem {
        FetchError::NotABlob => Verdict::Never,
        FetchError::Off => Verdict::GivenUp,
        // Many may wait for one host: each longer than the last, so that others have their turn.
        FetchError::Host(OutboundError::Resting { wait, .. })
        | FetchError::Nowhere(OutboundError::Resting { wait, .. }) => {
            Verdict::NotTried(by_chance((*wait).max(RESTING)))
        }
        FetchError::Host(OutboundError::Crowded { .. }) => Verdict::NotTried(by_chance(CROWDED)),
        FetchError::Full { .. } => Verdict::NotTried(by_chance(FULL)),
        FetchError::GaveWay => Verdict::NotTried(by_chance(GAVE_WAY)),
        FetchError::Disk { .. } => Verdict::NotTried(Duration::from_secs(MINUTE)),
        FetchError::CutOff => Verdict::NotTried(Duration::ZERO),
        FetchError::Unnamed => Verdict::NotTried(Duration::from_secs(6 * HOUR)),
        FetchError::Host(_)
        | FetchError::Nowhere(_)
        | FetchError::TooLarge { .. }
        | FetchError::WrongBytes { .. } => Verdict::Later,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_go_on_over_weeks_and_end() {
        let waits: Vec<Duration> = (1..=LAST_TRY).map(wait).collect();
        assert!(waits.is_sorted());
        let all: Duration = waits.iter().sum();
        let days = all.as_secs() / (24 * HOUR);
        assert!((14..=28).contains(&days), "{days}");
        assert_eq!(wait(0), wait(1));
    }

    #[test]
    fn a_host_at_rest_is_no_failure() {
        let wait = Duration::from_secs(9);
        let resting = FetchError::Host(OutboundError::Resting {
            url: "https://pds.example".to_owned(),
            wait,
            detail: String::new(),
        });
        assert!(matches!(verdict(&resting), Verdict::NotTried(later) if later >= wait));
        let crowded = FetchError::Host(OutboundError::Crowded {
            url: "https://pds.example".to_owned(),
        });
        assert!(matches!(verdict(&crowded), Verdict::NotTried(_)));
        assert!(matches!(
            verdict(&FetchError::GaveWay),
            Verdict::NotTried(_)
        ));
        assert_eq!(verdict(&FetchError::NotABlob), Verdict::Never);
    }
}
