//! Identities and the handles they claim: the newest proof of a handle holds it, and whoever loses
//! one is named with who took it.

use plyr_lexicons::{Did, Handle};

use super::Inner;
use super::cells::{corrupt, read_register, register};
use super::cql::write;
use super::observations::{IdentityRow, Observed, outcome};
use super::statements::Statement::ReadHandle;
use crate::fault::{AFTER_TRUTH, BEFORE_TRUTH};
use crate::model::{HandleClaim, Identity, Micros, Outcome};
use crate::store::StoreError;

fn handle_key(handle: &Handle) -> String {
    handle.as_str().to_lowercase()
}

/// Claims of a handle that are logged as beaten by one proof.
const MOST_LOST: usize = 16;

/// Who lost a handle to a proof.
#[derive(Default)]
struct Lost {
    /// The newest claims first.
    dids: Vec<Did>,
    /// Whether it was another's since the claimer's own proof before this one.
    now: bool,
}

impl IdentityRow {
    /// The answer that it was written for.
    fn identity(&self, did: &Did, asked_at: Micros) -> Result<Identity, StoreError> {
        let handle = self.handle.clone().map(Handle::new).transpose();
        Ok(Identity {
            did: did.clone(),
            pds: self.pds.clone(),
            signing_key: self.signing_key.clone(),
            handle: handle.map_err(|problem| corrupt("ACTORS", problem))?,
            asked_at,
        })
    }
}

impl Inner {
    /// Who claimed a handle: the time of the newest proof of each, and whether it still stands.
    async fn claims(&self, handle: &str) -> Result<Vec<(String, Micros, bool)>, StoreError> {
        let rows: Vec<(String, Vec<u8>)> = self.cql.read(ReadHandle, (handle,), usize::MAX).await?;
        let read = |(did, cell): (String, Vec<u8>)| {
            let (_, (proven_at, stands)) = read_register("HANDLES", &cell)?;
            Ok((did, proven_at, stands))
        };
        rows.into_iter().map(read).collect()
    }

    /// Who holds a handle: the newest proof, while it stands. A claim it has beaten never comes
    /// back.
    pub async fn claim(&self, handle: &Handle) -> Result<Option<HandleClaim>, StoreError> {
        let claims = self.claims(&handle_key(handle)).await?;
        let newest = claims
            .into_iter()
            .max_by(|(one, one_at, _), (two, two_at, _)| {
                (one_at, one.as_str()).cmp(&(two_at, two.as_str()))
            });
        let Some((did, proven_at, true)) = newest else {
            return Ok(None);
        };
        let did = Did::new(did).map_err(|problem| corrupt("HANDLES", problem))?;
        Ok(Some(HandleClaim { did, proven_at }))
    }

    /// Gives up a claim, keeping when it was proven.
    async fn give_up(&self, handle: &str, did: &Did, at: Micros) -> Result<(), StoreError> {
        let claims = self.claims(handle).await?;
        let own = claims.iter().find(|(claimer, ..)| claimer == did.as_str());
        let proven_at = own.map_or(0, |(_, proven_at, _)| *proven_at);
        let cell = register("HANDLES", at, &(proven_at, false))?;
        let lost = write!(WriteHandle; handle, did.as_str(), cell, at);
        self.cql.write(vec![lost]).await
    }

    /// Whose claims of a handle a proof beats: those since the claimer's own proof before it, of
    /// which `held` tells. Where another process wrote that one it may have died before it logged
    /// whom that had beaten: then older ones too.
    async fn lost(
        &self,
        handle: &Handle,
        proof: &Identity,
        held: Option<&(Micros, IdentityRow)>,
    ) -> Result<Lost, StoreError> {
        let (key, did) = (handle_key(handle), &proof.did);
        let names_it = |row: &IdentityRow| row.handle.as_ref().map(|h| h.to_lowercase());
        let before = held.filter(|(_, row)| names_it(row).as_ref() == Some(&key));
        let (mut proven_before, mut logged_up_to) = (Micros::MIN, Micros::MIN);
        if let Some((asked_at, row)) = before {
            proven_before = *asked_at;
            let cell = register("ACTORS", *asked_at, row)?;
            if self
                .logged_actors
                .has(&Observed::of("identity", did, &cell))
            {
                logged_up_to = *asked_at;
            }
        }
        let own = (proof.asked_at, did.as_str());
        let mut beaten = self.claims(&key).await?;
        beaten.retain(|(other, proven_at, _)| {
            other != did.as_str() && (*proven_at, other.as_str()) < own
        });
        let now = beaten.iter().any(|(_, at, _)| *at >= proven_before);
        beaten.retain(|(_, proven_at, stands)| *stands && *proven_at >= logged_up_to);
        // The newest: they had beaten the others, who were logged then.
        beaten.sort_unstable_by(|one, two| (two.1, &two.0).cmp(&(one.1, &one.0)));
        beaten.truncate(MOST_LOST);
        let dids = beaten.into_iter().map(|(did, ..)| Did::new(did));
        let dids: Result<Vec<Did>, _> = dids.collect();
        let dids = dids.map_err(|problem| corrupt("HANDLES", problem))?;
        Ok(Lost { dids, now })
    }

    /// Who lost a handle to an identity that gives it up for another one: whoever wrote that may
    /// have died before it logged them.
    async fn lost_before(
        &self,
        identity: &Identity,
        held: Option<&(Micros, IdentityRow)>,
    ) -> Result<Vec<Did>, StoreError> {
        let Some((asked_at, row)) = held else {
            return Ok(Vec::new());
        };
        let before = row.identity(&identity.did, *asked_at)?;
        let Some(handle) = &before.handle else {
            return Ok(Vec::new());
        };
        let cell = register("ACTORS", *asked_at, row)?;
        let observed = Observed::of("identity", &identity.did, &cell);
        let is_kept = identity.handle.as_ref().map(handle_key) == Some(handle_key(handle));
        if is_kept || self.logged_actors.has(&observed) {
            return Ok(Vec::new());
        }
        Ok(self.lost(handle, &before, None).await?.dids)
    }

    /// An older answer than the one that is held brings that to the log: who wrote it may have
    /// died.
    pub async fn identity(&self, identity: &Identity) -> Result<Outcome, StoreError> {
        let did = &identity.did;
        let held = self.actor_row(did).await?.identity;
        let newer = held.as_ref().filter(|(at, _)| identity.asked_at < *at);
        if let Some((asked_at, row)) = newer {
            let cell = register("ACTORS", *asked_at, row)?;
            let observed = Observed::of("identity", did, &cell);
            if !self.logged_actors.has(&observed) {
                let newer = row.identity(did, *asked_at)?;
                self.write_identity(&newer, held).await?;
            }
            return Ok(Outcome::Superseded);
        }
        self.write_identity(identity, held).await
    }

    async fn write_identity(
        &self,
        identity: &Identity,
        held: Option<(Micros, IdentityRow)>,
    ) -> Result<Outcome, StoreError> {
        let (did, stamp) = (&identity.did, identity.asked_at);
        let row = IdentityRow {
            pds: identity.pds.clone(),
            signing_key: identity.signing_key.clone(),
            handle: identity.handle.as_ref().map(|h| h.as_str().to_owned()),
        };
        self.crash(BEFORE_TRUTH)?;
        // Before the claim, which takes the handle from whoever holds it: the next to look at this
        // actor sees by what.
        let cell = register("ACTORS", stamp, &row)?;
        let observed = Observed::of("identity", did, &cell);
        self.cql
            .write(vec![write!(WriteIdentity; did.as_str(), cell, stamp)])
            .await?;
        self.crash(AFTER_TRUTH)?;
        if let Some(handle) = &identity.handle {
            let cell = register("HANDLES", stamp, &(stamp, true))?;
            let claim = write!(WriteHandle; handle_key(handle), did.as_str(), cell, stamp);
            self.cql.write(vec![claim]).await?;
        }
        // Read back: whoever lost gives up the handle it claimed, at the winner's time.
        let now = self.actor_row(did).await?.identity;
        let (won_at, won) = now.unwrap_or((stamp, row.clone()));
        let before = held.as_ref().and_then(|(_, row)| row.handle.clone());
        for handle in [before, row.handle.clone()].into_iter().flatten() {
            let handle = handle.to_lowercase();
            let kept = won.handle.as_ref().map(|kept| kept.to_lowercase());
            if kept.as_ref() != Some(&handle) {
                self.give_up(&handle, did, won_at).await?;
            }
        }
        let lost = match &identity.handle {
            Some(handle) => self.lost(handle, identity, held.as_ref()).await?,
            None => Lost::default(),
        };
        let mut others = lost.dids;
        others.extend(self.lost_before(identity, held.as_ref()).await?);
        self.log_actor(did, others, observed).await?;
        if lost.now {
            return Ok(Outcome::Applied);
        }
        Ok(outcome(held.map(|(_, held)| held), &row))
    }
}
