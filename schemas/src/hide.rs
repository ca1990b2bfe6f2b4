//! What an operator hides: accounts, records, blobs. It is decided and kept elsewhere, as the
//! instance's own state; a store has a copy, so that views, counts and search follow it.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use plyr_lexicons::{Cid, Did, RecordUri};

use crate::model::Micros;

/// What can be hidden. As text, which is its key everywhere: the DID, the at-uri, or
/// `blob:<DID or *>/<CID>`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum HiddenSubject {
    /// An account, with all that it made.
    Actor(Did),
    /// A record, whatever version of it.
    Record(RecordUri),
    /// Bytes.
    Blob {
        /// Under whose name; none for whoever names them.
        did: Option<Did>,
        /// Which.
        cid: Cid,
    },
}

/// The text names nothing that can be hidden.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "`{0}` can't be hidden: name an account (did:…), a record (at://did/collection/rkey) or a blob \
     (blob:did:…/<cid>, or blob:*/<cid> for whoever names it)"
)]
pub struct HiddenSubjectError(pub String);

impl fmt::Display for HiddenSubject {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HiddenSubject::Actor(did) => to.write_str(did.as_str()),
            HiddenSubject::Record(uri) => uri.fmt(to),
            HiddenSubject::Blob { did, cid } => {
                let did = did.as_ref().map_or("*", |did| did.as_str());
                write!(to, "blob:{did}/{cid}")
            }
        }
    }
}

impl FromStr for HiddenSubject {
    type Err = HiddenSubjectError;

    fn from_str(text: &str) -> Result<HiddenSubject, HiddenSubjectError> {
        read(text).ok_or_else(|| HiddenSubjectError(text.to_owned()))
    }
}

fn read(text: &str) -> Option<HiddenSubject> {
    if let Some(blob) = text.strip_prefix("blob:") {
        let (did, cid) = blob.rsplit_once('/')?;
        let did = match did {
            "*" => None,
            did => Some(Did::new(did.to_owned()).ok()?),
        };
        let cid = cid.parse().ok()?;
        return Some(HiddenSubject::Blob { did, cid });
    }
    if text.starts_with("at://") {
        return text.parse().ok().map(HiddenSubject::Record);
    }
    Did::new(text.to_owned()).ok().map(HiddenSubject::Actor)
}

impl Ord for HiddenSubject {
    fn cmp(&self, other: &HiddenSubject) -> Ordering {
        self.to_string().cmp(&other.to_string())
    }
}

impl PartialOrd for HiddenSubject {
    fn partial_cmp(&self, other: &HiddenSubject) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// That something is hidden, or no longer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hide {
    /// What.
    pub subject: HiddenSubject,
    /// Whether it is; a hide that was lifted stays known as such.
    pub hidden: bool,
    /// When the operator said so. The latest says what holds; of two at one time the hiding one
    /// does.
    pub at: Micros,
}

impl Hide {
    /// What decides between two of one subject: the greater holds.
    pub(crate) fn rank(&self) -> (Micros, bool) {
        (self.at, self.hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "bafyreib2rxk3rybk3aobmv5cjuql3bm2twh4jo5uxgf5kpqcsgz7soitae";

    #[test]
    fn subjects_read_back_from_their_texts() {
        for text in [
            "did:plc:abc",
            "did:web:example.com%3A8080",
            "at://did:plc:abc/fm.plyr.track/a",
            &format!("blob:*/{CID}"),
            &format!("blob:did:plc:abc/{CID}"),
        ] {
            let subject: HiddenSubject = text.parse().unwrap();
            assert_eq!(subject.to_string(), text);
        }
        for text in [
            "",
            "abc",
            "at://did:plc:abc",
            "at://someone.example/fm.plyr.track/a",
            "blob:did:plc:abc",
            "blob:/",
            &format!("blob:someone/{CID}"),
            CID,
        ] {
            let refused = text.parse::<HiddenSubject>().unwrap_err();
            assert!(refused.to_string().contains("at://did/"), "{text}");
        }
    }
}
