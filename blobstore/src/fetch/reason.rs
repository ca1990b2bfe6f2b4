//! Why a blob isn't here, in three forms: a fixed sentence, which a row holds and everybody may
//! read; a word for metrics; and, in the log alone, what happened in its own words. Those name
//! paths, buckets and what hosts say.

use plyr_outbound::OutboundError;

use super::bytes::FetchError;
use crate::standing::{self, UNNAMED, WRONG_BYTES};

/// Why a blob isn't here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// A host sent something else.
    WrongBytes,
    /// It has more bytes than it may have.
    TooLarge,
    /// Its host was silent, slow, or not there.
    Unreachable,
    /// Its host answered with that status.
    Status(u16),
    /// Its host sent something that is no answer.
    Malformed,
    /// Its host's address is none that may be asked.
    Address,
    /// Where its author's host is can't be found out.
    Nowhere,
    /// Its host asked to be left alone.
    Resting,
    /// Others come from its host.
    Crowded,
    /// Its host was slow while others waited.
    GaveWay,
    /// The disk is full, or fails.
    Disk,
    /// All that may be kept is kept.
    Full,
    /// The store of objects fails.
    Store,
    /// Nothing looks at bytes here.
    NotLooked,
    /// It ended what looked at it.
    Died,
    /// Nothing is fetched.
    Off,
    /// No record that shows names it.
    Unnamed,
    /// Its CID is none that blobs have.
    NotABlob,
    /// The process is to stop.
    CutOff,
}

/// How its row says that it is too large: once, and the second time in a row.
const TOO_LARGE: [&str; 2] = [
    standing::TOO_LARGE,
    "it is larger than may be kept here; it was asked for twice",
];

impl Reason {
    /// Of a failure.
    pub fn of(problem: &FetchError) -> Reason {
        match problem {
            FetchError::NotABlob => Reason::NotABlob,
            FetchError::Nowhere(OutboundError::Resting { .. }) => Reason::Resting,
            FetchError::Nowhere(_) => Reason::Nowhere,
            FetchError::Host(problem) => match problem {
                OutboundError::Start(_) | OutboundError::Unreachable { .. } => Reason::Unreachable,
                OutboundError::Resting { .. } => Reason::Resting,
                OutboundError::Crowded { .. } => Reason::Crowded,
                OutboundError::Status { status, .. } => Reason::Status(*status),
                OutboundError::Refused { .. } => Reason::Address,
                OutboundError::Malformed { .. } => Reason::Malformed,
            },
            FetchError::TooLarge { .. } => Reason::TooLarge,
            FetchError::Full { .. } => Reason::Full,
            FetchError::WrongBytes { .. } => Reason::WrongBytes,
            FetchError::Disk { .. } => Reason::Disk,
            FetchError::GaveWay => Reason::GaveWay,
            FetchError::Off => Reason::Off,
            FetchError::Unnamed => Reason::Unnamed,
            FetchError::CutOff => Reason::CutOff,
        }
    }

    /// One word, for metrics.
    pub fn word(self) -> &'static str {
        match self {
            Reason::WrongBytes => "wrongBytes",
            Reason::TooLarge => "tooLarge",
            Reason::Unreachable => "unreachable",
            Reason::Status(_) => "status",
            Reason::Malformed => "malformed",
            Reason::Address => "address",
            Reason::Nowhere => "nowhere",
            Reason::Resting => "resting",
            Reason::Crowded => "crowded",
            Reason::GaveWay => "gaveWay",
            Reason::Disk => "disk",
            Reason::Full => "full",
            Reason::Store => "store",
            Reason::NotLooked => "notLooked",
            Reason::Died => "died",
            Reason::Off => "off",
            Reason::Unnamed => "unnamed",
            Reason::NotABlob => "notABlob",
            Reason::CutOff => "cutOff",
        }
    }

    /// A sentence, for everybody.
    pub fn sentence(self) -> String {
        let sentence = match self {
            Reason::WrongBytes => WRONG_BYTES,
            Reason::TooLarge => TOO_LARGE[0],
            Reason::Unreachable => "the server that has it can't be reached",
            Reason::Status(status) => return format!("the server that has it answers {status}"),
            Reason::Malformed => "the server that has it answers something unusable",
            Reason::Address => "the address of the server that has it is none to be asked",
            Reason::Nowhere => "which server has it can't be found out",
            Reason::Resting => "the server that has it asked to be left alone for a while",
            Reason::Crowded => "others come from the server that has it",
            Reason::GaveWay => "the server that has it is slow, and others waited",
            Reason::Disk | Reason::Full | Reason::Store => NOT_KEPT,
            Reason::NotLooked => "it can't be looked at here just now",
            Reason::Died => "it ended what looked at it",
            Reason::Off => "nothing is fetched here",
            Reason::Unnamed => UNNAMED,
            Reason::NotABlob => "its CID is none that blobs have",
            Reason::CutOff => "it was broken off here",
        };
        sentence.to_owned()
    }

    /// The sentence for a row that has one already. What a host proved of what it has stays said
    /// while nobody was asked; that it is too large is said otherwise the second time. None when
    /// that was the second time already.
    pub fn after(self, last: Option<&str>, is_tried: bool) -> Option<String> {
        let is_proven = |last: &&str| *last == WRONG_BYTES || TOO_LARGE.contains(last);
        match (self, last) {
            (Reason::TooLarge, Some(last)) if last == TOO_LARGE[0] => Some(TOO_LARGE[1].to_owned()),
            (Reason::TooLarge, Some(last)) if last == TOO_LARGE[1] => None,
            (Reason::Unreachable, Some(last)) if last == WRONG_BYTES => Some(last.to_owned()),
            (_, Some(last)) if !is_tried && is_proven(&last) => Some(last.to_owned()),
            _ => Some(self.sentence()),
        }
    }
}

/// Of all that is this machine's fault.
pub const NOT_KEPT: &str = "it can't be kept here just now";

/// The word of a refusal, if it is one of those that are known: metrics are bounded.
pub fn refused_as(word: &str) -> &'static str {
    const WORDS: [&str; 7] = [
        "notAudio",
        "unsupportedCodec",
        "notImage",
        "unsupportedFormat",
        "tooLarge",
        "damaged",
        "empty",
    ];
    let known = WORDS.into_iter().find(|known| *known == word);
    known.unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_proven_stays_said_until_something_else_comes() {
        let wrong = Reason::WrongBytes.sentence();
        for (reason, is_tried, stays) in [
            (Reason::Resting, false, true),
            (Reason::Crowded, false, true),
            (Reason::Disk, false, true),
            (Reason::Unreachable, true, true),
            (Reason::Status(404), true, false),
            (Reason::TooLarge, true, false),
        ] {
            let said = reason.after(Some(&wrong), is_tried).unwrap();
            assert_eq!(said == wrong, stays, "{reason:?}");
        }
        let first = Reason::TooLarge.after(Some("x"), true).unwrap();
        let second = Reason::TooLarge.after(Some(&first), true).unwrap();
        assert_ne!(first, second);
        assert_eq!(Reason::TooLarge.after(Some(&second), true), None);
    }

    #[test]
    fn i11_no_sentence_says_what_happened_in_its_own_words() {
        let secret = "/var/lib/plyr of bucket music";
        let told = [
            FetchError::Host(OutboundError::Status {
                url: secret.to_owned(),
                status: 404,
                detail: secret.to_owned(),
            }),
            FetchError::Host(OutboundError::Unreachable {
                url: secret.to_owned(),
                detail: secret.to_owned(),
            }),
            FetchError::Disk {
                path: secret.to_owned(),
                problem: std::io::Error::other(secret),
            },
            FetchError::WrongBytes {
                pds: secret.to_owned(),
                size: 1,
            },
        ];
        for problem in told {
            assert!(problem.to_string().contains(secret));
            let reason = Reason::of(&problem);
            assert!(!reason.sentence().contains(secret), "{reason:?}");
        }
    }
}
