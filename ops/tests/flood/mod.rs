//! Random histories written into real repos, and what a dump must say of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plyr_lexicons::RecordUri;
use plyr_peers::Account;
use serde_json::{Value, json};

const WHEN: &str = "2026-06-01T12:00:00.000Z";
const COLLECTIONS: [&str; 5] = [
    "fm.plyr.track",
    "fm.plyr.like",
    "fm.plyr.comment",
    "fm.plyr.list",
    "fm.plyr.actor.profile",
];

/// A small generator, so that a seed gives the same run.
pub struct Random(pub u64);

impl Random {
    /// A number below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % bound
    }
}

/// One write of a random history: mostly creates, some updates and deletes.
fn write(random: &mut Random, dids: &[String], alive: &mut Vec<(&'static str, String)>) -> Value {
    if alive.len() > 20 && random.below(4) == 0 {
        let at = random.below(alive.len() as u64) as usize;
        let (collection, rkey) = alive.swap_remove(at);
        return json!({ "$type": "com.atproto.repo.applyWrites#delete",
            "collection": collection, "rkey": rkey });
    }
    let number = random.below(1 << 30);
    let liked = &dids[number as usize % dids.len()];
    // One title in nine is invalid.
    let title = if number.is_multiple_of(9) {
        json!(number)
    } else {
        json!(format!("t{number}"))
    };
    let subject = json!({
        "uri": format!("at://{liked}/fm.plyr.track/k{}", number % 50),
        "cid": "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i",
    });
    let (collection, record) = match random.below(4) {
        0 => (
            "fm.plyr.like",
            json!({ "subject": subject, "createdAt": WHEN }),
        ),
        1 => (
            "fm.plyr.comment",
            json!({ "subject": subject, "text": format!("c{number}"),
            "timestampMs": number % 9000, "createdAt": WHEN }),
        ),
        _ => (
            "fm.plyr.track",
            json!({ "artist": "A", "fileType": "mp3", "createdAt": WHEN,
            "title": title,
            "duration": number % 400 }),
        ),
    };
    let mut record = record;
    record["$type"] = json!(collection);
    let rkey = format!("k{}", random.below(100_000));
    let known = alive
        .iter()
        .any(|(of, key)| *of == collection && *key == rkey);
    let kind = if known { "update" } else { "create" };
    if !known {
        alive.push((collection, rkey.clone()));
    }
    json!({ "$type": format!("com.atproto.repo.applyWrites#{kind}"),
        "collection": collection, "rkey": rkey, "value": record })
}

/// Writes at least `count` operations into one repo, 150 a commit and a commit at most
/// `every` so often, and on until it is enough.
pub async fn flood(
    account: Account,
    dids: Vec<String>,
    seed: u64,
    count: usize,
    every: Duration,
    is_enough: &(dyn Fn() -> bool + Sync),
) -> Result<usize, String> {
    let mut random = Random(seed);
    let mut alive = Vec::new();
    let mut written = 0;
    let mut turn = tokio::time::interval(every);
    while written < count || !is_enough() {
        turn.tick().await;
        let mut touched = BTreeSet::new();
        let mut writes = Vec::new();
        for _ in 0..150 {
            let mut trial = alive.clone();
            let one = write(&mut random, &dids, &mut trial);
            // A commit touches a key once.
            if touched.insert((one["collection"].to_string(), one["rkey"].to_string())) {
                alive = trial;
                writes.push(one);
            }
        }
        written += writes.len();
        account
            .apply_writes(&writes)
            .await
            .map_err(|problem| problem.to_string())?;
    }
    Ok(written)
}

/// What a dump must say, from what the PDSs hold.
pub async fn truth(accounts: &[Account]) -> Result<String, Box<dyn std::error::Error>> {
    let mut network = plyr_oracle::Network::default();
    for account in accounts {
        let mut records = BTreeMap::new();
        for nsid in COLLECTIONS {
            for held in account.list(nsid).await? {
                let uri: RecordUri = held["uri"].as_str().unwrap_or_default().parse()?;
                let record = plyr_oracle::Held {
                    cid: held["cid"].as_str().unwrap_or_default().to_owned(),
                    value: held["value"].clone(),
                };
                records.insert(format!("{nsid}/{}", uri.rkey.as_str()), record);
            }
        }
        network.add(plyr_oracle::Account {
            did: account.did.clone(),
            handle: None,
            is_active: true,
            is_told: true,
            records,
        });
    }
    Ok(plyr_oracle::Expected::of(&network).dump)
}
