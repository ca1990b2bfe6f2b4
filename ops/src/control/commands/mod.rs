//! What can be asked of a running server: a command is a request and what answers it.

pub mod admin;
pub mod backfill;
pub mod blobs;
pub mod dump;
pub mod quarantine;
pub mod rebuild;
pub mod rebuild_search;
pub mod verify;

use serde::{Deserialize, Serialize};

use super::server::{Reply, Served};
use crate::error::OpsError;
use crate::repos::{Told, Work};

/// A request. Its JSON names the command; the rest are the command's own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "camelCase")]
pub enum Request {
    /// The canonical dump.
    Dump(dump::Ask),
    /// What is derived, made again.
    Rebuild(rebuild::Ask),
    /// The search index, built anew.
    RebuildSearch(rebuild_search::Ask),
    /// Repos compared with what is held of them.
    Verify(verify::Ask),
    /// Repos visited as soon as can be.
    Backfill(backfill::Ask),
    /// What was refused.
    Quarantine(quarantine::Ask),
    /// The upkeep of bytes.
    Blobs(blobs::Ask),
    /// What an operator does.
    Admin(admin::Ask),
}

impl Request {
    /// Whether it only says or steers something: it is answered at once, whoever else works.
    pub(super) fn is_short(&self) -> bool {
        match self {
            Request::Backfill(ask) => ask.action != backfill::Action::Run,
            Request::Admin(_) => true,
            _ => false,
        }
    }

    /// Does it. What is written to the reply reaches whoever asked; who is gone ends it.
    pub(super) async fn answer(self, served: &Served, reply: &mut Reply) -> Result<(), OpsError> {
        match self {
            Request::Dump(ask) => ask.answer(served, reply).await,
            Request::Rebuild(ask) => ask.answer(served, reply).await,
            Request::RebuildSearch(ask) => ask.answer(served, reply).await,
            Request::Verify(ask) => ask.answer(served, reply).await,
            Request::Backfill(ask) => ask.answer(served, reply).await,
            Request::Quarantine(ask) => ask.answer(served, reply).await,
            Request::Blobs(ask) => ask.answer(served, reply).await,
            Request::Admin(ask) => ask.answer(served, reply).await,
        }
    }
}

/// Does what a command about repos asks; whoever asked hears how far it has come.
async fn about_repos(
    served: &Served,
    reply: &mut Reply,
    run: impl AsyncFnOnce(&Work, &mut Told<'_>) -> Result<(), OpsError>,
) -> Result<(), OpsError> {
    let teller = reply.clone();
    let mut told = Told {
        out: reply,
        tell: &mut |stand| teller.tell(stand),
    };
    run(&served.work()?, &mut told).await
}
