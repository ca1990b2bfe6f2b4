//! What every store must keep, as cases that run over any of them: [`objects_conformance!`] makes a
//! test of each.

mod cases;
mod cuts;
mod lists;

pub use cases::*;
pub use cuts::*;
pub use lists::*;

use std::fmt::Debug;
use std::io::Write;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use plyr_lexicons::Cid;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::{About, ObjectKey, Objects};

/// Whatever went wrong in a case.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// What a case may end with.
pub type Checked = Result<(), BoxError>;

/// A store for one case, empty at first, and what goes on beneath it.
#[async_trait]
pub trait Place: Send + Sync {
    /// The store.
    fn objects(&self) -> &dyn Objects;

    /// Puts a few bytes where the store keeps its objects, under a path that is no key.
    async fn plant(&self, path: &str) -> Checked;

    /// What puts have begun and not finished: files, uploads.
    async fn drafts(&self) -> Result<usize, BoxError>;
}

/// Makes one test of every case, over places from `$factory`; a place that is none skips.
#[macro_export]
macro_rules! objects_conformance {
    ($factory:expr; $($case:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() -> $crate::conformance::Checked {
                match $factory {
                    Some(place) => $crate::conformance::$case(&place).await,
                    None => Ok(()),
                }
            }
        )*
    };
}

/// Bytes that look like chance, other ones for each seed.
pub fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The CID of those bytes, as records name blobs: raw, SHA-256.
pub fn cid_of(bytes: &[u8]) -> Result<Cid, BoxError> {
    let mut text = vec![0x01, 0x55, 0x12, 0x20];
    text.extend_from_slice(&Sha256::digest(bytes));
    Ok(Cid::try_from(text.as_slice())?)
}

/// A key, another one for each name; no bytes have its hash.
pub(crate) fn key(name: &str) -> Result<ObjectKey, BoxError> {
    Ok(ObjectKey::original(&cid_of(name.as_bytes())?))
}

/// A file with those bytes, to be put.
pub fn file(bytes: &[u8]) -> Result<NamedTempFile, BoxError> {
    let mut file = NamedTempFile::new()?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Something to say with a put.
pub fn about() -> About {
    About {
        media_type: "audio/flac".to_owned(),
    }
}

/// Reads an object, or a range; none if it isn't there. Holds the pieces to their bound.
pub async fn read(
    objects: &dyn Objects,
    key: &ObjectKey,
    range: Option<Range<u64>>,
) -> Result<Option<(u64, Vec<u8>)>, BoxError> {
    let Some(mut reading) = objects.read(key, range).await? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    while let Some(piece) = reading.bytes.next().await {
        let piece = piece?;
        let is_bounded = (1..=64 << 10).contains(&piece.len());
        ensure(is_bounded, || format!("a piece of {} bytes", piece.len()))?;
        bytes.extend_from_slice(&piece);
    }
    Ok(Some((reading.size, bytes)))
}

pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Checked {
    match holds {
        true => Ok(()),
        false => Err(otherwise().into()),
    }
}

pub(crate) fn same<T: PartialEq + Debug>(what: &str, seen: T, expected: T) -> Checked {
    let holds = seen == expected;
    ensure(holds, || format!("{what}: {seen:?}, not {expected:?}"))
}

/// Long bytes are not printed.
pub(crate) fn same_bytes(what: &str, seen: &[u8], expected: &[u8]) -> Checked {
    let differ = || {
        seen.iter()
            .zip(expected)
            .position(|(one, other)| one != other)
    };
    ensure(seen == expected, || {
        let (seen, expected, at) = (seen.len(), expected.len(), differ());
        format!("{what}: {seen} bytes for {expected}, which differ at {at:?}")
    })
}

/// Old enough for nothing that a case has left.
pub(crate) const AN_HOUR: Duration = Duration::from_secs(3600);
