//! The data model: JSON as the protocol writes it, DAG-CBOR as it is kept, and CIDs.
//! Spec: <https://atproto.com/specs/data-model>.

use ipld_core::{cid::Cid, ipld::Ipld};

/// Why bytes are no record of the data model.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DataError {
    /// Not JSON at all, or not in one piece.
    #[error("not JSON: {0}")]
    Json(String),
    /// JSON, but outside the data model (a float, a malformed `$link`, `$bytes` or blob …).
    #[error("outside the data model: {0}")]
    Model(String),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// Not DAG-CBOR.
    #[error("not DAG-CBOR: {0}")]
    Cbor(String),
}

/// Levels of nesting that are read; a PDS stores more than JSON parsers commonly take.
pub const MAX_DEPTH: usize = 2048;

/// Reads a record from the JSON of a stream or a PDS.
pub fn from_json(json: &[u8]) -> Result<Ipld, DataError> {
    let _ = json;
    Err(DataError::Json("not written yet".to_owned()))
}

/// The JSON of a value, `$link` and `$bytes` in place.
pub fn to_json(value: &Ipld) -> serde_json::Value {
    let _ = value;
    serde_json::Value::Null
}

/// Canonical DAG-CBOR of a value.
pub fn to_cbor(value: &Ipld) -> Result<Vec<u8>, DataError> {
    serde_ipld_dagcbor::to_vec(value).map_err(|error| DataError::Cbor(error.to_string()))
}

/// Reads canonical DAG-CBOR.
pub fn from_cbor(bytes: &[u8]) -> Result<Ipld, DataError> {
    serde_ipld_dagcbor::from_slice(bytes).map_err(|error| DataError::Cbor(error.to_string()))
}

/// The CID of a record's DAG-CBOR: CIDv1, codec dag-cbor, sha2-256.
pub fn cid_of(bytes: &[u8]) -> Cid {
    use ipld_core::cid::multihash::Multihash;
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(bytes);
    // 0x12 is sha2-256; 32 bytes always fit the 64 of the multihash.
    let hash = Multihash::<64>::wrap(0x12, &digest).unwrap_or_default();
    Cid::new_v1(0x71, hash)
}
