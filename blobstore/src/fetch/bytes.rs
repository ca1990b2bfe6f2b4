//! A blob's bytes, from a PDS into a file, hashed as they come. What the host calls them means
//! nothing; what their hash says is all.

use std::path::{Path, PathBuf};

use plyr_lexicons::{Cid, Did};
use plyr_outbound::{Body, Outbound, OutboundError};
use plyr_schemas::is_blob_cid;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

/// Bytes that hash to a CID, in a file that goes when this is dropped.
#[derive(Debug)]
pub struct Staged {
    /// The file.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// Whether the object that it is to be is there and can't be read: that one goes first.
    pub replaces: bool,
}

impl Drop for Staged {
    fn drop(&mut self) {
        take_away(&self.path);
    }
}

/// Takes a staged file away; what can't be is taken away at the next start.
fn take_away(path: &Path) {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => {}
        Err(problem) => {
            tracing::warn!(path = %path.display(), %problem, "a staged file stays");
        }
    }
}

/// Why bytes didn't come.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The CID is none that blobs have: version 1, raw, sha2-256.
    #[error("the CID is not one of raw bytes hashed by sha2-256, as blobs' are")]
    NotABlob,
    /// The host did not send them.
    #[error(transparent)]
    Host(#[from] OutboundError),
    /// Which host has them can't be found out.
    #[error("the host is not known: {0}")]
    Nowhere(OutboundError),
    /// More than a blob of its kind may have.
    #[error("it has more than {largest} bytes")]
    TooLarge {
        /// The limit.
        largest: u64,
        /// Whether all who were to be asked say so.
        by_all: bool,
    },
    /// More than there is room for here.
    #[error("it has more than the {room} bytes that there is room for")]
    Full {
        /// How many bytes one may have now.
        room: u64,
    },
    /// The host sent something else.
    #[error("{pds} sent other bytes than the CID says ({size} of them)")]
    WrongBytes {
        /// Which host.
        pds: String,
        /// How many it sent.
        size: u64,
    },
    /// The disk that fetches are staged on.
    #[error("{path} can't be written: {problem}")]
    Disk {
        /// The file.
        path: String,
        /// The system's words.
        problem: std::io::Error,
    },
    /// It was slow, and others waited for its place.
    #[error("it came slowly while others waited")]
    GaveWay,
    /// It isn't here, and nothing is fetched.
    #[error("it is not here, and nothing is fetched (--media off)")]
    Off,
    /// Nobody whose record shows names it.
    #[error("no record that shows names it any more")]
    Unnamed,
    /// The process is to stop, or a test ends it here.
    #[error("the fetch was cut off")]
    CutOff,
}

/// How many bytes a blob may have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// By its kind.
    pub largest: u64,
    /// By what there is room for as the fetch begins.
    pub room: u64,
}

/// Fetches a blob into a new file, and proves it. What its host says is larger than the limits is
/// not read. `on_bytes` hears how many bytes are there, after
/// each piece; the fetch ends with what it answers.
pub async fn fetch_to(
    outbound: &Outbound,
    (pds, did): (&str, &Did),
    cid: &Cid,
    Limits { largest, room }: Limits,
    path: PathBuf,
    mut on_bytes: impl FnMut(u64) -> Result<(), FetchError>,
) -> Result<Staged, FetchError> {
    if !is_blob_cid(cid) {
        return Err(FetchError::NotABlob);
    }
    // One byte more than allowed tells that it is too large.
    let body = outbound
        .blob(pds, did, cid, largest.saturating_add(1))
        .await?;
    if body.length().is_some_and(|length| length > largest) {
        return Err(too_large(largest));
    }
    if body.length().is_some_and(|length| length > room) {
        return Err(FetchError::Full { room });
    }
    let mut staged = Staged {
        path,
        size: 0,
        replaces: false,
    };
    let digest = write_all(body, &mut staged, largest, &mut on_bytes).await?;
    if digest.as_slice() != cid.hash().digest() {
        return Err(FetchError::WrongBytes {
            pds: pds.to_owned(),
            size: staged.size,
        });
    }
    Ok(staged)
}

fn too_large(largest: u64) -> FetchError {
    let by_all = true;
    FetchError::TooLarge { largest, by_all }
}

async fn write_all(
    mut body: Body,
    staged: &mut Staged,
    largest: u64,
    on_bytes: &mut impl FnMut(u64) -> Result<(), FetchError>,
) -> Result<Vec<u8>, FetchError> {
    let shown = staged.path.display().to_string();
    let disk = |problem| FetchError::Disk {
        path: shown.clone(),
        problem,
    };
    // Not in the background: who is cut off here takes the file away.
    let file = std::fs::File::create(&staged.path).map_err(disk)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut hash = Sha256::new();
    loop {
        let chunk = match body.chunk().await {
            Ok(chunk) => chunk,
            Err(_) if body.read() > largest => return Err(too_large(largest)),
            Err(problem) => return Err(problem.into()),
        };
        let Some(chunk) = chunk else { break };
        staged.size += chunk.len() as u64;
        if staged.size > largest {
            return Err(too_large(largest));
        }
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(disk)?;
        on_bytes(staged.size)?;
    }
    file.flush().await.map_err(disk)?;
    Ok(hash.finalize().to_vec())
}
