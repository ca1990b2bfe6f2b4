//! How far a blob has come, for views.

use plyr_probe::Fact;
use plyr_schemas::{Blob, BlobState};

/// How far a blob has come.
#[derive(Clone, PartialEq, Debug)]
pub enum Standing {
    /// Nobody asked for it yet.
    NotWanted,
    /// It is on its way; what went wrong last, if anything did.
    Wanted {
        /// Why it isn't here yet, for people.
        reason: Option<String>,
        /// Whether what came last was other bytes than it names: whoever has it hands those out.
        wrong_bytes: bool,
    },
    /// It is here.
    Kept {
        /// Bytes.
        size: u64,
        /// What it is.
        fact: Fact,
    },
    /// It will never be served.
    Refused {
        /// One word for it (`notAudio`, `tooLarge`, …).
        word: String,
        /// Why, for people.
        reason: String,
    },
}

/// What a row says of a blob for which other bytes came.
pub(crate) const WRONG_BYTES: &str = "the server that has it sent other bytes than its CID says";

/// What a row says of a blob that no record that shows named when its job looked.
pub(crate) const UNNAMED: &str = "no record that shows names it any more";

/// What a row says of a blob that all who have it say is larger than it may be. None of its bytes
/// was ever proven.
pub(crate) const TOO_LARGE: &str = "it is larger than may be kept here";

/// The word for a blob that ended the process that looked at it.
const SET_ASIDE: &str = "damaged";

impl Standing {
    /// Of a row.
    pub fn of(row: Option<&Blob>) -> Standing {
        let Some(row) = row else {
            return Standing::NotWanted;
        };
        let fact = row.facts.as_deref();
        let fact: Option<Fact> = fact.and_then(|json| serde_json::from_str(json).ok());
        let reason = row.reason.clone();
        match (row.state, fact) {
            (BlobState::Kept, Some(Fact::Refused(refusal)))
            | (BlobState::Refused, Some(Fact::Refused(refusal))) => Standing::Refused {
                word: refusal.word,
                reason: refusal.reason,
            },
            (BlobState::Kept, Some(fact)) => Standing::Kept {
                size: row.size.unwrap_or_default(),
                fact,
            },
            (BlobState::Wanted | BlobState::Kept, _) => Standing::Wanted {
                wrong_bytes: reason.as_deref() == Some(WRONG_BYTES),
                reason,
            },
            (BlobState::Refused, _) => Standing::Refused {
                word: "refused".to_owned(),
                reason: reason.unwrap_or_default(),
            },
            (BlobState::SetAside, _) => Standing::Refused {
                word: SET_ASIDE.to_owned(),
                reason: reason.unwrap_or_default(),
            },
        }
    }
}
