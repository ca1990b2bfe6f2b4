//! Whether an AppView says of itself what it must: every repo is known and verified, and what was
//! refused is told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::answers::{Ask, encoded};
use crate::compare::{Asked, Disagreement};
use crate::expected::Shown;
use crate::verdict::Verdict;

/// Refused events that are kept at most; records that break their lexicon are listed beside them.
const MOST_REFUSED: usize = 100_000;

impl<A: Ask> Asked<'_, A> {
    /// Each repo of an active account that holds something is known, and what is held of it is what
    /// its signed head says.
    pub(crate) async fn coverage(&mut self) -> Result<(), Disagreement> {
        let method = "fm.plyr.sync.getCoverage";
        let listed = self.list(method, "", "repos").await?;
        let mut states: BTreeMap<&str, &Value> = BTreeMap::new();
        for repo in &listed {
            let did = repo["did"].as_str().unwrap_or_default();
            let is_new = states.insert(did, &repo["state"]).is_none();
            self.same(&format!("{method}: {did} is listed once"), &true, &is_new)?;
        }
        let accounts = self.network.accounts.values();
        let dids = accounts.filter(|account| account.is_active && self.is_met(&account.did));
        let dids: Vec<String> = dids.map(|account| account.did.clone()).collect();
        for did in dids {
            let state = states.get(did.as_str()).copied();
            self.same(&format!("{method}: state of {did}"), &"verified", &state)?;
            let query = format!("actor={}", encoded(&did));
            let answer = self.one(method, &query).await;
            let question = format!("{method}?{query}");
            let answer = self.answered(&question, answer)?;
            let repos = answer["repos"].as_array().cloned().unwrap_or_default();
            let answered: Vec<&Value> = repos.iter().map(|repo| &repo["did"]).collect();
            self.same(&question, &[did], &answered)?;
        }
        Ok(())
    }

    /// What was refused: each thing once, newest first, of bounded number; the records of active
    /// accounts that break their lexicon are among it, all of them and no others.
    pub(crate) async fn quarantine(&mut self) -> Result<(), Disagreement> {
        let method = "fm.plyr.sync.getQuarantine";
        let entries = self.list(method, "", "entries").await?;
        let ids: BTreeSet<&str> = entries
            .iter()
            .filter_map(|one| one["id"].as_str())
            .collect();
        self.same(
            &format!("{method}: different ids"),
            &entries.len(),
            &ids.len(),
        )?;
        let times: Vec<&str> = entries
            .iter()
            .filter_map(|one| one["seenAt"].as_str())
            .collect();
        let is_newest_first = times.len() == entries.len() && times.is_sorted_by(|a, b| a >= b);
        self.same(&format!("{method}: newest first"), &true, &is_newest_first)?;
        let is_active = |did: &str| {
            let account = self.network.accounts.get(did);
            account.is_some_and(|account| account.is_active)
        };
        let is_record = |entry: &&Value| entry["uri"].is_string() && entry["uri"] == entry["id"];
        let (records, refused): (Vec<&Value>, Vec<&Value>) = entries.iter().partition(is_record);
        let is_bounded = refused.len() <= MOST_REFUSED;
        self.same(&format!("{method}: bounded"), &true, &is_bounded)?;
        let answered = records
            .iter()
            .filter(|entry| is_active(entry["did"].as_str().unwrap_or_default()));
        let answered: BTreeSet<&str> = answered.filter_map(|entry| entry["id"].as_str()).collect();
        let is_invalid = |one: &&Shown| one.verdict == Verdict::Invalid;
        let invalid = self.expected.held.values().filter(is_invalid);
        let invalid: BTreeSet<&str> = invalid.map(|one| one.uri.as_str()).collect();
        self.same(&format!("{method}: invalid records"), &invalid, &answered)
    }
}
