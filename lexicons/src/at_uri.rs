//! at-uris: the addresses of records, as the protocol writes them.

use std::fmt;
use std::str::FromStr;

use atrium_api::types::string::{AtIdentifier, Did, Nsid, RecordKey};

/// Longest at-uri accepted, in bytes (the lexicon's `at-uri` format).
pub const MAX_LENGTH: usize = 8192;

/// A valid at-uri of any shape: authority (DID or handle), then maybe a collection, then maybe a
/// record key. No query and no fragment. Spec: <https://atproto.com/specs/at-uri-scheme>.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AtUri {
    /// Whose repo.
    pub authority: AtIdentifier,
    /// The collection, where the uri names one.
    pub collection: Option<Nsid>,
    /// The record key, where the uri names one.
    pub rkey: Option<RecordKey>,
}

/// Why a text is no at-uri, or not the kind of at-uri asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AtUriError {
    /// Does not begin with `at://`.
    #[error("an at-uri begins with at://")]
    Scheme,
    /// Longer than [`MAX_LENGTH`].
    #[error("an at-uri has at most {MAX_LENGTH} bytes")]
    TooLong,
    /// The authority is neither a DID nor a handle.
    #[error("the authority is neither a DID nor a handle")]
    Authority,
    /// The collection is no NSID.
    #[error("the collection is no NSID")]
    Collection,
    /// The record key is none.
    #[error("the record key is malformed")]
    RecordKey,
    /// More than three parts, a trailing slash, a query or a fragment.
    #[error("an at-uri has the shape at://authority/collection/rkey and nothing after it")]
    Shape,
    /// A whole record address was asked for.
    #[error("a record's address has the shape at://did/collection/rkey")]
    NotARecord,
}

impl FromStr for AtUri {
    type Err = AtUriError;

    fn from_str(text: &str) -> Result<AtUri, AtUriError> {
        if text.len() > MAX_LENGTH {
            return Err(AtUriError::TooLong);
        }
        let path = text.strip_prefix("at://").ok_or(AtUriError::Scheme)?;
        if path.contains(['#', '?']) {
            return Err(AtUriError::Shape);
        }
        let mut parts = path.split('/');
        let authority = parts.next().unwrap_or_default();
        let authority = authority.parse().map_err(|_| AtUriError::Authority)?;
        let collection = parts
            .next()
            .map(|part| Nsid::new(part.to_owned()))
            .transpose();
        let collection = collection.map_err(|_| AtUriError::Collection)?;
        let rkey = parts
            .next()
            .map(|part| RecordKey::new(part.to_owned()))
            .transpose();
        let rkey = rkey.map_err(|_| AtUriError::RecordKey)?;
        if parts.next().is_some() {
            return Err(AtUriError::Shape);
        }
        Ok(AtUri {
            authority,
            collection,
            rkey,
        })
    }
}

impl fmt::Display for AtUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at://{}", self.authority.as_ref())?;
        if let Some(collection) = &self.collection {
            write!(f, "/{}", collection.as_str())?;
        }
        if let Some(rkey) = &self.rkey {
            write!(f, "/{}", rkey.as_str())?;
        }
        Ok(())
    }
}

/// The address of one record: its repo's DID, its collection and its record key. The form every
/// record is kept and answered under; a handle never stands in it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RecordUri {
    /// The repo.
    pub did: Did,
    /// The collection.
    pub collection: Nsid,
    /// The record key.
    pub rkey: RecordKey,
}

impl RecordUri {
    /// Puts an address together from parts that are already valid.
    pub fn new(did: Did, collection: Nsid, rkey: RecordKey) -> RecordUri {
        RecordUri {
            did,
            collection,
            rkey,
        }
    }
}

impl FromStr for RecordUri {
    type Err = AtUriError;

    fn from_str(text: &str) -> Result<RecordUri, AtUriError> {
        let uri: AtUri = text.parse()?;
        match uri {
            AtUri {
                authority: AtIdentifier::Did(did),
                collection: Some(collection),
                rkey: Some(rkey),
            } => Ok(RecordUri {
                did,
                collection,
                rkey,
            }),
            _ => Err(AtUriError::NotARecord),
        }
    }
}

impl fmt::Display for RecordUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RecordUri {
            did,
            collection,
            rkey,
        } = self;
        write!(
            f,
            "at://{}/{}/{}",
            did.as_str(),
            collection.as_str(),
            rkey.as_str()
        )
    }
}

impl PartialOrd for RecordUri {
    fn partial_cmp(&self, other: &RecordUri) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RecordUri {
    fn cmp(&self, other: &RecordUri) -> std::cmp::Ordering {
        fn key(uri: &RecordUri) -> [&str; 3] {
            [uri.did.as_str(), uri.collection.as_str(), uri.rkey.as_str()]
        }
        key(self).cmp(&key(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_records_address_survives_the_round_trip() {
        let text = "at://did:plc:vs3hnzq2daqbszxlysywzy54/fm.plyr.track/3lfvhszifvc2c";
        let uri: RecordUri = text.parse().unwrap();
        assert_eq!(uri.to_string(), text);
    }

    #[test]
    fn a_handle_is_an_authority_but_no_records_address() {
        let text = "at://alice.test/fm.plyr.track/3lfvhszifvc2c";
        assert!(text.parse::<AtUri>().is_ok());
        assert_eq!(text.parse::<RecordUri>(), Err(AtUriError::NotARecord));
    }

    #[test]
    fn a_space_address_is_not_mistaken_for_a_record() {
        let text =
            "at://did:plc:abc123/space/fm.plyr.privateMedia/self/did:plc:abc/fm.plyr.track/x";
        assert!(text.parse::<AtUri>().is_err());
    }

    #[test]
    fn nothing_stands_behind_a_record_key() {
        let record = "at://did:plc:vs3hnzq2daqbszxlysywzy54/fm.plyr.track/3lfvhszifvc2c";
        for tail in ["/", "/x", "/fm.plyr.track", "#x", "?x=y"] {
            let text = format!("{record}{tail}");
            assert_eq!(text.parse::<AtUri>(), Err(AtUriError::Shape), "{text}");
        }
    }
}
