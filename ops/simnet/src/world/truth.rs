//! What an index of the world must say: the canonical dump, from the records alone.

use std::collections::{BTreeMap, BTreeSet};

use plyr_lexicons::{Collection, Ipld, Namespace, SortAt, Verdict, data, validate};
use serde_json::json;

use super::{Standing, World};
use crate::SimnetError;

impl World {
    /// What `plyr dump` prints of a store that knows everything: each record of the namespace, of
    /// accounts that are here, and each subject's counts; one JSON object a line, keys and lines
    /// sorted.
    pub fn dump(&self, namespace: &Namespace) -> Result<String, SimnetError> {
        let mut lines = Vec::new();
        let mut likers: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        let mut comments: BTreeMap<String, u64> = BTreeMap::new();
        let here = |account: &&super::Account| account.standing == Standing::Active;
        for account in self.accounts().filter(here) {
            for (key, record) in account.records() {
                let (nsid, rkey) = key.split_once('/').unwrap_or_default();
                let Some(collection) = namespace.collection(nsid) else {
                    continue;
                };
                let value = data::from_cbor(&record.bytes);
                let value = value.map_err(|problem| account.broken(problem.to_string()))?;
                let verdict = validate::judge(namespace, collection, &value).verdict;
                let row = json!({
                    "cid": record.cid.to_string(),
                    "sortAt": SortAt::of(&value, rkey).to_string(),
                    "uri": format!("at://{}/{key}", account.did),
                    "value": data::to_json(&value),
                    "verdict": verdict.as_str(),
                });
                lines.push(row.to_string());
                let subject = subject(&value).filter(|_| verdict != Verdict::Invalid);
                match (collection, subject) {
                    (Collection::Like, Some(subject)) => {
                        likers.entry(subject).or_default().insert(&account.did);
                    }
                    (Collection::Comment, Some(subject)) => {
                        *comments.entry(subject).or_default() += 1;
                    }
                    _ => {}
                }
            }
        }
        let subjects: BTreeSet<&String> = likers.keys().chain(comments.keys()).collect();
        for subject in subjects {
            let likes = likers.get(subject).map_or(0, BTreeSet::len);
            let said = comments.get(subject).copied().unwrap_or(0);
            let row = json!({ "commentCount": said, "likeCount": likes, "subject": subject });
            lines.push(row.to_string());
        }
        lines.sort_unstable();
        Ok(lines.into_iter().map(|line| line + "\n").collect())
    }
}

fn subject(record: &Ipld) -> Option<String> {
    let Ipld::Map(fields) = record else {
        return None;
    };
    let Ipld::Map(subject) = fields.get("subject")? else {
        return None;
    };
    match subject.get("uri") {
        Some(Ipld::String(uri)) => Some(uri.clone()),
        _ => None,
    }
}
