//! What the lexicon's rules say of a record.

/// The version of the rules. It rises whenever a record could be judged differently; records
/// judged under an older one are judged again.
pub const RULES_VERSION: u16 = 3;

/// The three verdicts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Keeps every rule of the authority's document.
    Valid,
    /// Only lengths are exceeded: shown, cut in views, flagged.
    Tolerated,
    /// Breaks another rule: kept, but shows nowhere but in the quarantine list.
    Invalid,
}

impl Verdict {
    /// The word used in dumps and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Tolerated => "tolerated",
            Verdict::Invalid => "invalid",
        }
    }
}

/// One rule that a record breaks, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// Path in the record: `/subject/uri`, `/items/3`, or empty for the record itself.
    pub path: String,
    /// The rule's word in the lexicon language: `required`, `type`, `maxLength`, `format` …
    pub rule: String,
    /// A sentence for people.
    pub message: String,
}

/// A verdict with what led to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Every broken rule (at most 16 are kept); empty exactly when valid.
    pub reasons: Vec<Reason>,
}

impl Judgement {
    /// Nothing to object to.
    pub const fn valid() -> Judgement {
        Judgement {
            verdict: Verdict::Valid,
            reasons: Vec::new(),
        }
    }
}
