//! A real network to measure against: accounts on a real PDS, a relay over it, a real Jetstream
//! v1, and a reader of that Jetstream which does nothing with what it reads.

use futures_util::StreamExt;
use plyr_peers::{Account, Pds, Peers, PeersOptions};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::corpus::Entry;

type Failure = Box<dyn std::error::Error>;

pub const TRACK: &str = "fm.plyr.track";
/// Writes of one commit; a PDS takes 200.
const COMMIT: usize = 200;

/// Running peers with accounts that can write.
pub struct Network {
    pub peers: Peers,
    pub accounts: Vec<Account>,
}

/// Why nothing is measured where the peers can't run.
pub const SKIPPED: &str = "skipped: real peers need Node, npm and Go";

/// Starts it; none where what the peers need is missing.
pub async fn start(accounts: usize) -> Result<Option<Network>, Failure> {
    let options = PeersOptions {
        pds: Pds::V04,
        pds_count: 1,
        relay: true,
        jetstream: true,
        ..PeersOptions::default()
    };
    let Some(peers) = Peers::start(options).await? else {
        return Ok(None);
    };
    let mut made = Vec::new();
    for number in 0..accounts {
        let handle = format!("artist-{number}.test");
        made.push(Account::create(&peers.pds[0], &handle).await?);
    }
    let accounts = made;
    Ok(Some(Network { peers, accounts }))
}

/// An entry of the corpus as a record that a PDS takes: without the blob, which it doesn't hold.
pub fn record(entry: &Entry) -> Result<Value, Failure> {
    let mut record: Value = serde_json::from_str(&entry.json)?;
    if let Some(fields) = record.as_object_mut() {
        fields.remove("audioBlob");
    }
    Ok(record)
}

impl Network {
    /// Writes entries, spread over the accounts, many a commit.
    pub async fn fill(&self, entries: &[Entry]) -> Result<(), Failure> {
        let share = entries.len().div_ceil(self.accounts.len()).max(1);
        let mut writers = tokio::task::JoinSet::new();
        for (account, entries) in self.accounts.iter().zip(entries.chunks(share)) {
            let account = account.clone();
            let mut commits = Vec::new();
            for commit in entries.chunks(COMMIT) {
                let writes = commit.iter().map(create).collect::<Result<Vec<_>, _>>()?;
                commits.push(writes);
            }
            writers.spawn(async move {
                for writes in commits {
                    account.apply_writes(&writes).await?;
                }
                Ok::<(), plyr_peers::PeersError>(())
            });
        }
        while let Some(written) = writers.join_next().await {
            written??;
        }
        Ok(())
    }

    /// Follows the Jetstream from a cursor, or from now.
    pub async fn follow(&self, cursor: Option<u64>) -> Result<BareReader, Failure> {
        let cursor = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
        let url = format!(
            "{}/subscribe?wantedCollections={TRACK}{cursor}",
            self.peers.jetstream
        );
        let (socket, _) = connect_async(url).await?;
        Ok(BareReader { socket })
    }
}

fn create(entry: &Entry) -> Result<Value, Failure> {
    Ok(json!({
        "$type": "com.atproto.repo.applyWrites#create", "collection": TRACK,
        "rkey": entry.uri.rkey.as_str(), "value": record(entry)?,
    }))
}

/// What a client gets that only reads: the bound of any indexer behind it.
pub struct BareReader {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl BareReader {
    /// The next frame about a record, as text.
    pub async fn next(&mut self) -> Result<String, String> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) if text.contains("\"kind\":\"commit\"") => {
                    return Ok(text.to_string());
                }
                Some(Ok(_)) => {}
                Some(Err(problem)) => return Err(problem.to_string()),
                None => return Err("jetstream closed the connection".into()),
            }
        }
    }
}
