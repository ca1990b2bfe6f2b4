//! Where a blob's bytes come from: what is here already, else the PDSs of those who name it.

use futures_util::StreamExt;
use plyr_lexicons::{Cid, Did};
use plyr_objects::ObjectKey;
use plyr_outbound::{Freshness, OutboundError};
use plyr_schemas::Blob;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::bytes::{FetchError, Limits, Staged, fetch_to};
use super::holders::Use;
use super::lease::Lease;
use super::retry::{Verdict, verdict};
use super::work::Work;
use crate::error::BlobstoreError;
use crate::options::MediaPolicy;
use crate::steps;

/// Holders asked in one job.
const MOST_ASKED: usize = 4;
/// Bytes after which a test may end the process within a fetch, and the room is looked at again.
const STRIDE: u64 = 256 << 10;

/// What is kept of a blob that no row says is kept.
enum Here {
    Sound(Staged),
    Nothing,
    /// An object that the store has and can't read.
    Unreadable,
}

impl Work {
    /// The bytes as a file: those that are here, if they are right, else from a PDS. What is here
    /// and wrong goes; what is here and can't be read goes for those that came.
    pub(super) async fn bytes(
        &self,
        (row, lease): (&Blob, &Lease),
        (uses, are_all): (&[Use], bool),
        largest: u64,
    ) -> Result<Result<Staged, FetchError>, BlobstoreError> {
        // Whose it is decides whether it may be had, also where it is here.
        if uses.is_empty() {
            return Ok(Err(FetchError::Unnamed));
        }
        let here = self.here(&row.cid);
        match self
            .keeping_the_lease(lease, async { Ok(here.await) })
            .await?
        {
            Ok(Ok(Here::Sound(staged))) => Ok(Ok(staged)),
            Ok(Ok(_)) if self.blobstore.policy() == MediaPolicy::Off => Ok(Err(FetchError::Off)),
            Ok(Ok(Here::Nothing)) => self.fetch((row, lease), (uses, are_all), largest).await,
            Ok(Ok(Here::Unreadable)) => {
                let fetched = self.fetch((row, lease), (uses, are_all), largest).await?;
                Ok(fetched.map(|mut staged| {
                    staged.replaces = true;
                    staged
                }))
            }
            Ok(Err(problem)) => Err(problem),
            Err(problem) => Ok(Err(problem)),
        }
    }

    /// What is here. One file that a disk can't read any more is no failure of the store: where it
    /// answers otherwise, the bytes are somebody's to be asked for.
    async fn here(&self, cid: &Cid) -> Result<Here, BlobstoreError> {
        match self.read_here(cid).await {
            Ok(Some(staged)) => Ok(Here::Sound(staged)),
            Ok(None) => Ok(Here::Nothing),
            Err(BlobstoreError::Objects(problem))
                if problem.is_passing() && self.blobstore.has_object(cid).await =>
            {
                tracing::error!(%cid, %problem, "an object can't be read; it is fetched anew");
                Ok(Here::Unreadable)
            }
            Err(problem) => Err(problem),
        }
    }

    /// What is kept already though no row says so: of a store that was copied or restored.
    async fn read_here(&self, cid: &Cid) -> Result<Option<Staged>, BlobstoreError> {
        let (objects, key) = (&self.blobstore.objects, ObjectKey::original(cid));
        let Some(mut reading) = objects.read(&key, None).await? else {
            return Ok(None);
        };
        let mut staged = Staged {
            path: self.staging.file(cid),
            size: 0,
            replaces: false,
        };
        let path = staged.path.clone();
        let disk = |problem| BlobstoreError::Staging {
            path: path.display().to_string(),
            problem,
        };
        // Not in the background: who is cut off here takes the file away.
        let file = std::fs::File::create(&staged.path).map_err(disk)?;
        let mut file = tokio::fs::File::from_std(file);
        let mut hash = Sha256::new();
        while let Some(piece) = reading.bytes.next().await {
            let piece = piece?;
            hash.update(&piece);
            staged.size += piece.len() as u64;
            file.write_all(&piece).await.map_err(disk)?;
        }
        file.flush().await.map_err(disk)?;
        if hash.finalize().as_slice() == cid.hash().digest() {
            return Ok(Some(staged));
        }
        tracing::error!(%cid, "an object holds other bytes than its name says; it goes");
        objects.delete(&key).await?;
        Ok(None)
    }

    /// Asks the holders' PDSs one after the other, until one sends the bytes. Of their failures the
    /// one that says most about the blob is answered; that it is too large only if all who were
    /// asked say so.
    async fn fetch(
        &self,
        (row, lease): (&Blob, &Lease),
        (uses, are_all): (&[Use], bool),
        largest: u64,
    ) -> Result<Result<Staged, FetchError>, BlobstoreError> {
        let mut worst: Option<FetchError> = None;
        let mut were_asked = are_all && uses.len() <= MOST_ASKED;
        for did in uses.iter().map(|one| &one.did).take(MOST_ASKED) {
            let fetched = self.fetch_from(row, did, largest);
            let problem = match self.keeping_the_lease(lease, fetched).await? {
                Ok(staged) => return Ok(Ok(staged)),
                Err(problem) => problem,
            };
            match &problem {
                FetchError::CutOff => return Ok(Err(problem)),
                FetchError::Host(OutboundError::Crowded { .. }) => {
                    tracing::debug!(cid = %row.cid, did = did.as_str(), %problem, "no blob");
                }
                _ => tracing::info!(cid = %row.cid, did = did.as_str(), %problem, "no blob"),
            }
            // Others would need this disk, too. Who is slow is passed over: the next may be quick.
            if matches!(problem, FetchError::Disk { .. }) {
                return Ok(Err(problem));
            }
            were_asked &= weight(&problem) > 0;
            worst = Some(match worst {
                Some(held) if weight(&held) >= weight(&problem) => held,
                _ => problem,
            });
        }
        let mut worst = worst.unwrap_or(FetchError::Unnamed);
        if let FetchError::TooLarge { by_all, .. } = &mut worst {
            *by_all = were_asked;
        }
        Ok(Err(worst))
    }

    /// Asks one holder's PDS; where that fails and its address came from a cache, the address is
    /// asked for anew and, if it has moved, the new one too.
    async fn fetch_from(&self, row: &Blob, did: &Did, largest: u64) -> Result<Staged, FetchError> {
        let pds = self.pds(did, Freshness::Cached).await?;
        let first = self.fetch_at(row, &pds, did, largest).await;
        let may_have_moved = match &first {
            // It wasn't asked.
            Err(FetchError::Host(
                OutboundError::Resting { .. } | OutboundError::Crowded { .. },
            )) => false,
            Err(FetchError::Host(_) | FetchError::WrongBytes { .. }) => true,
            _ => false,
        };
        if !may_have_moved || !self.may_ask_anew(did) {
            return first;
        }
        let moved = self.pds(did, Freshness::Fresh).await;
        match moved {
            Ok(moved) if moved != pds => self.fetch_at(row, &moved, did, largest).await,
            // What the host did says more than that nobody knows of another.
            Ok(_) | Err(_) => first,
        }
    }

    async fn fetch_at(
        &self,
        row: &Blob,
        pds: &str,
        did: &Did,
        largest: u64,
    ) -> Result<Staged, FetchError> {
        let cid = &row.cid;
        let path = self.staging.file(cid);
        let shown = path.display().to_string();
        let coming = self.coming.watch(cid, pds);
        let mut next = STRIDE;
        let go_on = |bytes: u64| {
            coming.has(bytes);
            if self.gives_way(row, bytes, coming.age()) {
                return Err(FetchError::GaveWay);
            }
            // Others are put meanwhile.
            let room = self.room_for_one();
            if bytes > room {
                return Err(FetchError::Full { room });
            }
            if bytes < next {
                return Ok(());
            }
            next = bytes + STRIDE;
            if steps::ends(self.fault.as_ref(), steps::STAGED) {
                return Err(FetchError::CutOff);
            }
            // Others are staging as well.
            if self.is_short_of_disk().unwrap_or(true) {
                return Err(FetchError::Disk {
                    path: shown.clone(),
                    problem: std::io::ErrorKind::StorageFull.into(),
                });
            }
            Ok(())
        };
        let room = self.room_for_one();
        let limits = Limits { largest, room };
        fetch_to(&self.outbound, (pds, did), cid, limits, path, go_on).await
    }

    async fn pds(&self, did: &Did, freshness: Freshness) -> Result<String, FetchError> {
        let document = self.outbound.did_document(did, freshness).await;
        let document = document.map_err(FetchError::Nowhere)?;
        let pds = document.and_then(|document| document.pds);
        let nowhere = || OutboundError::Unreachable {
            url: did.as_str().to_owned(),
            detail: "its DID document names no PDS".to_owned(),
        };
        pds.ok_or_else(|| FetchError::Nowhere(nowhere()))
    }
}

/// How much a failure says about the blob: that nobody was asked says least.
fn weight(problem: &FetchError) -> u8 {
    match (verdict(problem), problem) {
        (Verdict::NotTried(_), _) => 0,
        (_, FetchError::TooLarge { .. }) => 1,
        (_, FetchError::WrongBytes { .. }) => 3,
        _ => 2,
    }
}
