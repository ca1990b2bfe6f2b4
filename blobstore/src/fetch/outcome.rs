//! How a job ends, and what that makes of a blob's row.

use std::time::Duration;

use plyr_probe::{Fact, Refusal};
use plyr_schemas::{Blob, BlobState, Micros};

use super::reason::{Reason, refused_as};
use super::retry::{FULL, LAST_TRY, Verdict, wait_by_chance};

/// Files that ended the process that looked at them so often are set aside.
const MOST_CRASHES: u32 = 3;
/// How soon to come again where it is this machine that can't.
const HERE: Duration = Duration::from_secs(60);
/// Longest reason that a row holds, in bytes.
const LONGEST_REASON: usize = 400;

/// How a job ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It is kept.
    Kept,
    /// It will never be served; a word for why.
    Refused(&'static str),
    /// Later again.
    Later(Reason),
    /// Another process has it, or nothing was to be done.
    NotOurs,
    /// A test ended the process, or it is to stop.
    CutOff,
}

impl Ended {
    /// Its name in metrics, and why; none for what is no outcome.
    pub fn name(self) -> Option<(&'static str, &'static str)> {
        match self {
            Ended::Kept => Some(("kept", "none")),
            Ended::Refused(why) => Some(("refused", why)),
            Ended::Later(reason) => Some(("later", reason.word())),
            Ended::NotOurs | Ended::CutOff => None,
        }
    }
}

/// What was found about a blob, to be written into its row.
pub(super) enum Outcome {
    Kept {
        size: u64,
        fact: Fact,
    },
    Refused {
        size: Option<u64>,
        refusal: Refusal,
    },
    Crashed(String),
    Failed {
        reason: Reason,
        /// For the log alone.
        detail: String,
        size: Option<u64>,
        verdict: Verdict,
        /// Whether all who may have it were asked.
        is_everybodys: bool,
    },
}

impl Outcome {
    /// Nobody's fault out there: later again, and it doesn't count.
    pub fn later(reason: Reason, detail: String, size: u64, wait: Duration) -> Outcome {
        Outcome::Failed {
            reason,
            detail,
            size: (size > 0).then_some(size),
            verdict: Verdict::NotTried(wait),
            is_everybodys: false,
        }
    }

    /// This machine's fault.
    pub fn here(reason: Reason, detail: String, size: u64) -> Outcome {
        Outcome::later(reason, detail, size, HERE)
    }

    /// There is no room for so many bytes.
    pub fn full(detail: String, size: u64) -> Outcome {
        let wait = FULL.mul_f64(1.0 + rand::random::<f64>());
        Outcome::later(Reason::Full, detail, size, wait)
    }

    /// What is told of it in the log.
    pub fn detail(&self) -> &str {
        match self {
            Outcome::Kept { .. } => "",
            Outcome::Refused { refusal, .. } => &refusal.reason,
            Outcome::Crashed(how) => how,
            Outcome::Failed { detail, .. } => detail,
        }
    }
}

/// So long, as rows hold it.
pub(super) fn micros(duration: Duration) -> Micros {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

/// A refusal's reason as a row holds it.
fn shortened(reason: &str) -> String {
    let end = reason.floor_char_boundary(LONGEST_REASON);
    reason[..end].to_owned()
}

/// What an outcome makes of a row.
pub(super) fn write_into(row: &mut Blob, outcome: &Outcome, at: Micros) -> Ended {
    match outcome {
        Outcome::Kept { size, fact } => {
            row.state = BlobState::Kept;
            row.size = Some(*size);
            row.facts = serde_json::to_string(fact).ok();
            row.reason = None;
            row.failures = 0;
            row.due_at = None;
            row.kept_at = Some(at);
            Ended::Kept
        }
        Outcome::Refused { size, refusal } => refuse(row, *size, refusal),
        Outcome::Crashed(_) => {
            row.crashes += 1;
            row.reason = Some(Reason::Died.sentence());
            if row.crashes >= MOST_CRASHES {
                row.state = BlobState::SetAside;
                row.due_at = None;
                return Ended::Refused(Reason::Died.word());
            }
            // Later than for a host: what was short here may be short for a while.
            row.due_at = Some(at + micros(wait_by_chance(row.crashes + 2)));
            Ended::Later(Reason::Died)
        }
        Outcome::Failed {
            reason,
            size,
            verdict,
            is_everybodys,
            ..
        } => {
            let is_tried = !matches!(verdict, Verdict::NotTried(_) | Verdict::GivenUp);
            match reason.after(row.reason.as_deref(), is_tried) {
                Some(said) => row.reason = Some(said),
                None if *is_everybodys => {
                    let refusal = Refusal {
                        word: reason.word().to_owned(),
                        reason: reason.sentence(),
                    };
                    return refuse(row, row.size, &refusal);
                }
                None => {}
            }
            row.size = size.or(row.size);
            match verdict {
                Verdict::Never => {
                    row.state = BlobState::Refused;
                    row.due_at = None;
                    return Ended::Refused(reason.word());
                }
                Verdict::GivenUp => row.due_at = None,
                Verdict::NotTried(wait) => row.due_at = Some(at + micros(*wait)),
                Verdict::Later => {
                    row.failures += 1;
                    let goes_on = row.failures <= LAST_TRY;
                    let next = at + micros(wait_by_chance(row.failures));
                    row.due_at = goes_on.then_some(next);
                }
            }
            Ended::Later(*reason)
        }
    }
}

fn refuse(row: &mut Blob, size: Option<u64>, refusal: &Refusal) -> Ended {
    row.state = BlobState::Refused;
    row.size = size;
    row.facts = serde_json::to_string(&Fact::Refused(refusal.clone())).ok();
    row.reason = Some(shortened(&refusal.reason));
    row.due_at = None;
    Ended::Refused(refused_as(&refusal.word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Blob {
        let cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
        Blob::wanted(cid.parse().unwrap(), 1)
    }

    fn failed(reason: Reason, is_everybodys: bool) -> Outcome {
        Outcome::Failed {
            reason,
            detail: "what happened".to_owned(),
            size: None,
            verdict: Verdict::Later,
            is_everybodys,
        }
    }

    #[test]
    fn i11_three_crashes_set_a_file_aside() {
        let mut row = row();
        let crashed = Outcome::Crashed("killed by signal 9".to_owned());
        let later = Ended::Later(Reason::Died);
        assert_eq!(write_into(&mut row, &crashed, 1), later);
        assert_eq!(write_into(&mut row, &crashed, 1), later);
        assert!(row.due_at.is_some_and(|due| due > 1));
        assert_eq!(write_into(&mut row, &crashed, 1), Ended::Refused("died"));
        assert_eq!((row.state, row.due_at), (BlobState::SetAside, None));
        assert_eq!(row.reason, Some(Reason::Died.sentence()));
    }

    #[test]
    fn failures_come_later_and_later_and_end() {
        let mut row = row();
        let failed = failed(Reason::Status(404), true);
        let mut tries = 0;
        while row.due_at.is_some() {
            write_into(&mut row, &failed, 1);
            tries += 1;
        }
        assert_eq!((tries, row.state), (LAST_TRY + 1, BlobState::Wanted));
        assert_eq!(row.reason, Some(Reason::Status(404).sentence()));
    }

    #[test]
    fn i11_what_all_say_is_too_large_is_asked_for_three_times() {
        let mut row = row();
        let mut some = row.clone();
        let all = failed(Reason::TooLarge, true);
        let later = Ended::Later(Reason::TooLarge);
        assert_eq!(write_into(&mut row, &all, 1), later);
        assert_eq!(write_into(&mut row, &all, 1), later);
        // Nobody was asked between.
        let short = Outcome::here(Reason::Disk, String::new(), 0);
        write_into(&mut row, &short, 1);
        assert_eq!(write_into(&mut row, &all, 1), Ended::Refused("tooLarge"));
        assert_eq!((row.state, row.due_at), (BlobState::Refused, None));
        assert!(matches!(
            crate::Standing::of(Some(&row)),
            crate::Standing::Refused { word, .. } if word == "tooLarge"
        ));
        // Where others weren't asked it goes on as any failure.
        for _ in 0..3 {
            let ended = write_into(&mut some, &failed(Reason::TooLarge, false), 1);
            assert_eq!(ended, later);
        }
    }

    #[test]
    fn what_other_bytes_came_is_told_until_something_else_does() {
        let mut row = row();
        write_into(&mut row, &failed(Reason::WrongBytes, true), 1);
        let is_wrong = |row: &Blob| {
            matches!(
                crate::Standing::of(Some(row)),
                crate::Standing::Wanted {
                    wrong_bytes: true,
                    ..
                }
            )
        };
        assert!(is_wrong(&row));
        write_into(&mut row, &Outcome::here(Reason::Disk, String::new(), 0), 1);
        assert!(is_wrong(&row));
        write_into(&mut row, &failed(Reason::Status(404), true), 1);
        assert!(!is_wrong(&row));
    }
}
