//! The world: what the acts of a story come to. Accounts with signed repos, what each act makes
//! the network tell, and what an index of it all must hold in the end.

mod car;
mod key;
mod labels;
mod repo;
mod tree;
mod truth;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use plyr_lexicons::{Cid, Ipld, Rev, data};

use crate::SimnetError;
use crate::blob::{Blob, Recipe};
use crate::event::{Event, Happening, Written};
use crate::story::{Act, Curve, Deed, Op};
use key::Key;
pub use labels::{Label, Labeler, Signed};
pub use repo::Record;
use repo::Repo;

/// How an account stands with its host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is here.
    Active,
    /// Its owner has left for a while.
    Deactivated,
    /// Its host has hidden it.
    TakenDown,
    /// It is gone for good.
    Deleted,
}

impl Standing {
    /// The protocol's word; none for one that is here.
    pub const fn status(self) -> Option<&'static str> {
        match self {
            Standing::Active => None,
            Standing::Deactivated => Some("deactivated"),
            Standing::TakenDown => Some("takendown"),
            Standing::Deleted => Some("deleted"),
        }
    }
}

/// An account.
pub struct Account {
    /// Whose.
    pub did: String,
    /// The name of who it is, which stands in the Bluesky profile.
    pub name: String,
    /// Its handle.
    pub handle: String,
    /// The host that its DID document names.
    pub host: usize,
    /// Hosts that it has left.
    pub left: BTreeSet<usize>,
    /// How it stands with its host.
    pub standing: Standing,
    /// Whether its document has the older shape.
    pub legacy: bool,
    curve: Curve,
    key: Key,
    repo: Repo,
    /// Blobs that were uploaded, whether or not a record still names them.
    blobs: HashMap<Cid, Recipe>,
}

/// All accounts, by DID.
#[derive(Default)]
pub struct World {
    accounts: BTreeMap<String, Account>,
    /// Who has a handle.
    handles: HashMap<String, String>,
    labeler: Option<Labeler>,
}

impl World {
    /// Nobody.
    pub fn new() -> World {
        World::default()
    }

    /// Does what an act says; answers what a relay passes on of it, in order. Acts must come in the
    /// order of their story.
    pub fn apply(&mut self, act: &Act) -> Result<Vec<Event>, SimnetError> {
        let told = self.happen(act);
        let events = told.map_err(|detail| SimnetError::Act {
            at: act.at,
            did: act.did.clone(),
            detail,
        })?;
        let (did, at) = (&act.did, act.at);
        let event = |what| Event {
            did: did.clone(),
            at,
            what,
        };
        Ok(events.into_iter().map(event).collect())
    }

    fn happen(&mut self, act: &Act) -> Result<Vec<Happening>, String> {
        let rev = Rev::from_micros(act.at, 0);
        match &act.deed {
            Deed::Join { .. } => return self.join(act, rev),
            Deed::Label { .. } => return self.label(act),
            _ => {}
        }
        let account = self
            .accounts
            .get_mut(&act.did)
            .ok_or("nobody has this DID")?;
        if account.standing == Standing::Deleted {
            return Err("the account is deleted".to_owned());
        }
        let stands = |standing: Standing| Happening::Account {
            status: standing.status(),
        };
        match &act.deed {
            Deed::Write { ops, blobs } => account.write(ops, blobs, rev),
            Deed::Join { .. } => Err("somebody has this DID".to_owned()),
            Deed::Label { .. } => Err("this is not how one labels".to_owned()),
            Deed::OfferLabels => {
                if self.labeler.is_some() {
                    return Err("there is a labeler already".to_owned());
                }
                self.labeler = Some(Labeler::new(&act.did)?);
                Ok(vec![Happening::Identity])
            }
            Deed::Rename { handle } => {
                self.handles.remove(&account.handle);
                self.handles.insert(handle.clone(), act.did.clone());
                account.handle.clone_from(handle);
                Ok(vec![Happening::Identity])
            }
            Deed::Deactivate => {
                account.standing = Standing::Deactivated;
                Ok(vec![stands(account.standing)])
            }
            Deed::Reactivate => {
                account.standing = Standing::Active;
                let rev = account.repo.rev;
                let sync = Happening::Sync { rev };
                Ok(vec![stands(Standing::Active), Happening::Identity, sync])
            }
            Deed::TakeDown => {
                account.standing = Standing::TakenDown;
                Ok(vec![stands(account.standing)])
            }
            Deed::Restore => {
                account.standing = Standing::Active;
                Ok(vec![stands(account.standing)])
            }
            Deed::Delete => {
                account.standing = Standing::Deleted;
                account.repo = Repo::new(act.did.clone(), rev);
                account.blobs.clear();
                self.handles.remove(&account.handle);
                Ok(vec![stands(account.standing)])
            }
            Deed::Move { host, handle } => {
                self.handles.remove(&account.handle);
                self.handles.insert(handle.clone(), act.did.clone());
                account.handle.clone_from(handle);
                account.left.insert(account.host);
                account.left.remove(host);
                account.host = *host;
                let name = format!("{} {}", act.did, act.at);
                account.key = Key::of(&name, account.curve)?;
                account.repo.commit(rev);
                // The relay drops the `#sync`, and what the old host says too late.
                Ok(vec![
                    Happening::Identity,
                    stands(Standing::Active),
                    Happening::Identity,
                ])
            }
        }
    }

    fn join(&mut self, act: &Act, rev: Rev) -> Result<Vec<Happening>, String> {
        let Deed::Join {
            handle,
            name,
            host,
            curve,
            legacy,
        } = &act.deed
        else {
            return Err("this is not how one joins".to_owned());
        };
        if self.accounts.contains_key(&act.did) {
            return Err("somebody has this DID".to_owned());
        }
        let mut account = Account {
            did: act.did.clone(),
            name: name.clone(),
            handle: handle.clone(),
            host: *host,
            left: BTreeSet::new(),
            standing: Standing::Active,
            legacy: *legacy,
            curve: *curve,
            key: Key::of(&act.did, *curve)?,
            repo: Repo::new(act.did.clone(), rev),
            blobs: HashMap::new(),
        };
        account.introduce()?;
        self.handles.insert(handle.clone(), act.did.clone());
        self.accounts.insert(act.did.clone(), account);
        Ok(vec![
            Happening::Identity,
            Happening::Account { status: None },
            Happening::Commit {
                rev,
                writes: Vec::new(),
            },
            Happening::Sync { rev },
        ])
    }

    /// The labeler says something. No relay passes it on; who wants to know asks the labeler.
    fn label(&mut self, act: &Act) -> Result<Vec<Happening>, String> {
        let labeler = self.labeler.as_mut();
        let Some(labeler) = labeler.filter(|labeler| labeler.did == act.did) else {
            return Err("this account offers no labels".to_owned());
        };
        let Deed::Label {
            uri,
            cid,
            val,
            neg,
            exp,
        } = &act.deed
        else {
            return Err("this is not how one labels".to_owned());
        };
        labeler.say(Label {
            src: act.did.clone(),
            uri: uri.clone(),
            cid: *cid,
            val: val.clone(),
            neg: *neg,
            cts: act.at,
            exp: *exp,
        })?;
        Ok(Vec::new())
    }

    /// The labeler, once there is one.
    pub fn labeler(&self) -> Option<&Labeler> {
        self.labeler.as_ref()
    }

    /// An account.
    pub fn account(&self, did: &str) -> Option<&Account> {
        self.accounts.get(did)
    }

    /// An account, whose repo may have to be signed.
    pub fn account_mut(&mut self, did: &str) -> Option<&mut Account> {
        self.accounts.get_mut(did)
    }

    /// Everybody, by DID.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// Whose handle it is.
    pub fn handle(&self, handle: &str) -> Option<&Account> {
        self.accounts.get(self.handles.get(handle)?)
    }
}

impl Account {
    /// The Bluesky profile, which is there before anything else and is nobody's news here.
    fn introduce(&mut self) -> Result<(), String> {
        let fields = [
            ("$type", "app.bsky.actor.profile"),
            ("displayName", &self.name),
        ];
        let fields = fields.map(|(name, text)| (name.to_owned(), Ipld::String(text.to_owned())));
        let profile = Ipld::Map(fields.into_iter().collect());
        let record = record_of(&profile)?;
        self.repo
            .set("app.bsky.actor.profile/self".to_owned(), Some(record));
        Ok(())
    }

    fn write(&mut self, ops: &[Op], blobs: &[Blob], rev: Rev) -> Result<Vec<Happening>, String> {
        if self.standing != Standing::Active {
            return Err("the account isn't here".to_owned());
        }
        for blob in blobs {
            self.blobs.insert(blob.cid, blob.recipe.clone());
        }
        let mut writes = Vec::new();
        for op in ops {
            let key = format!("{}/{}", op.collection, op.rkey);
            let there = self.repo.records.get(&key).map(|record| record.cid);
            let record = op.record.as_ref().map(record_of).transpose()?;
            let action = match (there, &record) {
                (Some(cid), Some(record)) if cid == record.cid => continue,
                (None, None) => continue,
                (None, Some(_)) => "create",
                (Some(_), Some(_)) => "update",
                (Some(_), None) => "delete",
            };
            let json = op.record.as_ref().map(json_of).transpose()?;
            writes.push(Written {
                action,
                collection: op.collection.clone(),
                rkey: op.rkey.clone(),
                record: record.as_ref().map(|record| record.cid).zip(json),
            });
            self.repo.set(key, record);
        }
        // Nothing new is no commit.
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        self.repo.commit(rev);
        Ok(vec![Happening::Commit { rev, writes }])
    }

    /// The key that its DID document names, as a multikey.
    pub fn multikey(&self) -> String {
        self.key.multikey()
    }

    /// Type and text of that key in documents of the older shape.
    pub fn legacy_key(&self) -> (&'static str, String) {
        self.key.legacy()
    }

    /// The repo's rev.
    pub fn rev(&self) -> Rev {
        self.repo.rev
    }

    /// The records, by `collection/rkey`.
    pub fn records(&self) -> &BTreeMap<String, Record> {
        &self.repo.records
    }

    /// The signed commit's CID.
    pub fn head(&mut self) -> Result<Cid, SimnetError> {
        let head = self.repo.head(&self.key);
        head.map_err(|detail| self.broken(detail))
    }

    /// The whole repo as a CAR.
    pub fn car(&mut self) -> Result<Vec<u8>, SimnetError> {
        let car = self.repo.whole(&self.key);
        car.map_err(|detail| self.broken(detail))
    }

    /// A CAR that proves that a record is there, or isn't.
    pub fn proof(&mut self, key: &str) -> Result<Vec<u8>, SimnetError> {
        let proof = self.repo.proof(key, &self.key);
        proof.map_err(|detail| self.broken(detail))
    }

    /// A CAR of blocks; none if one of them isn't there.
    pub fn blocks(&mut self, cids: &[Cid]) -> Result<Option<Vec<u8>>, SimnetError> {
        let blocks = self.repo.blocks(cids, &self.key);
        blocks.map_err(|detail| self.broken(detail))
    }

    /// What a blob is made of.
    pub fn blob(&self, cid: &Cid) -> Option<&Recipe> {
        self.blobs.get(cid)
    }

    fn broken(&self, detail: String) -> SimnetError {
        SimnetError::Repo {
            did: self.did.clone(),
            detail,
        }
    }
}

fn record_of(record: &Ipld) -> Result<Record, String> {
    let bytes = data::to_cbor(record).map_err(|problem| problem.to_string())?;
    Ok(Record {
        cid: data::cid_of(&bytes),
        bytes: bytes.into(),
    })
}

fn json_of(record: &Ipld) -> Result<Arc<str>, String> {
    let json = data::to_json_text(record).map_err(|problem| problem.to_string())?;
    let json = String::from_utf8(json).map_err(|problem| problem.to_string())?;
    Ok(json.into())
}

#[cfg(test)]
mod tests;
