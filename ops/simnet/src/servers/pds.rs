//! A host of repos: the questions that indexers and blobstores ask, answered as `@atproto/pds` 0.5
//! does. Nobody can sign in or write.

use std::sync::Arc;

use plyr_lexicons::{Cid, data};
use serde_json::json;

use super::http::{Answering, Question, Reply};
use crate::SimnetError;
use crate::network::Shared;
use crate::world::{Account, Standing, World};

const CAR: &str = "application/vnd.ipld.car";
/// Records of a page at most.
const MOST: usize = 100;

/// A host, by its number.
pub struct Pds {
    /// The network.
    pub shared: Arc<Shared>,
    /// Which of its hosts.
    pub host: usize,
}

impl Answering for Pds {
    fn answer(&self, question: &Question) -> Reply {
        let Some(method) = question.path.strip_prefix("/xrpc/") else {
            return Reply::error(404, "NotFound", "this host answers /xrpc/ alone");
        };
        let mut world = self.shared.world();
        match method {
            "_health" => Reply::json(200, &json!({ "version": env!("CARGO_PKG_VERSION") })),
            "com.atproto.server.describeServer" => Reply::json(
                200,
                &json!({ "did": "did:web:localhost", "availableUserDomains": [".test"],
                    "inviteCodeRequired": false, "links": {}, "contact": {} }),
            ),
            "com.atproto.identity.resolveHandle" => self.handle(&world, question),
            "com.atproto.sync.getRepoStatus" => self.status(&world, question),
            "com.atproto.sync.getLatestCommit"
            | "com.atproto.sync.getRecord"
            | "com.atproto.sync.getBlocks"
            | "com.atproto.sync.getRepo"
            | "com.atproto.sync.getBlob" => match self.available(&mut world, question.get("did")) {
                Ok(account) => match signed(method, account, question) {
                    Ok(reply) => reply,
                    Err(problem) => {
                        tracing::error!(%problem, "a repo can't be served");
                        Reply::error(500, "InternalServerError", "Internal Server Error")
                    }
                },
                Err(refusal) => refusal,
            },
            "com.atproto.repo.getRecord" | "com.atproto.repo.listRecords" => {
                match self.listed(&world, question.get("repo")) {
                    Some(account) if method.ends_with("getRecord") => record(account, question),
                    Some(account) => records(account, question),
                    None => {
                        let message = format!("Could not find repo: {}", question.get("repo"));
                        Reply::error(400, "InvalidRequest", &message)
                    }
                }
            }
            _ => Reply::error(501, "MethodNotImplemented", "Method Not Implemented"),
        }
    }
}

impl Pds {
    fn is_home(&self, account: &Account) -> bool {
        account.host == self.host && account.standing != Standing::Deleted
    }

    fn handle(&self, world: &World, question: &Question) -> Reply {
        let handle = question.get("handle").to_lowercase();
        match world
            .handle(&handle)
            .filter(|account| self.is_home(account))
        {
            Some(account) => Reply::json(200, &json!({ "did": account.did })),
            None => Reply::error(400, "InvalidRequest", "Unable to resolve handle"),
        }
    }

    fn status(&self, world: &World, question: &Question) -> Reply {
        let did = question.get("did");
        let Some(account) = world.account(did) else {
            return not_found(did);
        };
        if account.left.contains(&self.host) && account.standing != Standing::Deleted {
            let body = json!({ "did": did, "active": false, "status": "deactivated" });
            return Reply::json(200, &body);
        }
        if !self.is_home(account) {
            return not_found(did);
        }
        Reply::json(
            200,
            &match account.standing.status() {
                None => json!({ "did": did, "active": true, "rev": account.rev().to_string() }),
                Some(status) => json!({ "did": did, "active": false, "status": status }),
            },
        )
    }

    /// The account whose repo this host hands out.
    fn available<'a>(&self, world: &'a mut World, did: &str) -> Result<&'a mut Account, Reply> {
        let standing = match world.account(did) {
            Some(account) if self.is_home(account) => account.standing,
            Some(account) if account.left.contains(&self.host) => Standing::Deactivated,
            _ => return Err(not_found(did)),
        };
        let refuse = |name: &str, word: &str| {
            let message = format!("Repo has been {word}: {did}");
            Err(Reply::error(400, name, &message))
        };
        match standing {
            Standing::Deactivated => refuse("RepoDeactivated", "deactivated"),
            Standing::TakenDown => refuse("RepoTakendown", "takendown"),
            Standing::Deleted => Err(not_found(did)),
            Standing::Active => world.account_mut(did).ok_or_else(|| not_found(did)),
        }
    }

    fn listed<'a>(&self, world: &'a World, repo: &str) -> Option<&'a Account> {
        let account = world.account(repo).or_else(|| world.handle(repo))?;
        (self.is_home(account) && account.standing == Standing::Active).then_some(account)
    }
}

fn not_found(did: &str) -> Reply {
    let message = format!("Could not find repo for DID: {did}");
    Reply::error(400, "RepoNotFound", &message)
}

fn signed(method: &str, account: &mut Account, question: &Question) -> Result<Reply, SimnetError> {
    match method {
        "com.atproto.sync.getLatestCommit" => {
            let (cid, rev) = (account.head()?.to_string(), account.rev().to_string());
            Ok(Reply::json(200, &json!({ "cid": cid, "rev": rev })))
        }
        "com.atproto.sync.getRepo" => Ok(Reply::bytes(CAR, account.car()?)),
        "com.atproto.sync.getRecord" => {
            let key = format!("{}/{}", question.get("collection"), question.get("rkey"));
            Ok(Reply::bytes(CAR, account.proof(&key)?))
        }
        "com.atproto.sync.getBlocks" => {
            let cids: Result<Vec<Cid>, _> = question.all("cids").map(Cid::try_from).collect();
            let blocks = match cids {
                Ok(cids) => account.blocks(&cids)?,
                Err(_) => None,
            };
            Ok(match blocks {
                Some(car) => Reply::bytes(CAR, car),
                None => Reply::error(400, "InvalidRequest", "Could not find cids"),
            })
        }
        _ => {
            let cid = Cid::try_from(question.get("cid")).ok();
            Ok(match cid.and_then(|cid| account.blob(&cid)) {
                Some(recipe) => Reply::bytes(recipe.mime_type(), recipe.bytes()),
                None => Reply::error(400, "InvalidRequest", "Blob not found"),
            })
        }
    }
}

fn record(account: &Account, question: &Question) -> Reply {
    let key = format!("{}/{}", question.get("collection"), question.get("rkey"));
    let uri = format!("at://{}/{key}", account.did);
    let read = account.records().get(&key);
    let read = read.and_then(|record| Some((record, data::from_cbor(&record.bytes).ok()?)));
    match read {
        Some((record, value)) => Reply::json(
            200,
            &json!({ "uri": uri, "cid": record.cid.to_string(), "value": data::to_json(&value) }),
        ),
        None => {
            let message = format!("Could not locate record: {uri}");
            Reply::error(400, "RecordNotFound", &message)
        }
    }
}

fn records(account: &Account, question: &Question) -> Reply {
    let prefix = format!("{}/", question.get("collection"));
    let cursor = question.get("cursor");
    let limit = question.get("limit").parse().unwrap_or(50);
    let limit = std::cmp::Ord::clamp(limit, 1, MOST);
    let is_ascending = question.get("reverse") == "true";
    let all = account.records().range(prefix.clone()..);
    let all = all.take_while(|(key, _)| key.starts_with(&prefix));
    let all = all.map(|(key, record)| (&key[prefix.len()..], record));
    let page: Vec<_> = match is_ascending {
        true => all.filter(|(rkey, _)| *rkey > cursor).take(limit).collect(),
        false => {
            let mut all: Vec<_> = all.collect();
            all.reverse();
            let is_before = |rkey: &str| cursor.is_empty() || rkey < cursor;
            let page = all.into_iter().filter(|(rkey, _)| is_before(rkey));
            page.take(limit).collect()
        }
    };
    let rows = page.iter().filter_map(|(rkey, record)| {
        let value = data::from_cbor(&record.bytes).ok()?;
        Some(
            json!({ "uri": format!("at://{}/{prefix}{rkey}", account.did),
            "cid": record.cid.to_string(), "value": data::to_json(&value) }),
        )
    });
    let mut body = json!({ "records": rows.collect::<Vec<_>>() });
    // The real one gives a cursor whenever there was a record.
    if let Some((last, _)) = page.last() {
        body["cursor"] = (*last).into();
    }
    Reply::json(200, &body)
}
