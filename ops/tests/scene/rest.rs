//! Whether anything is still under way that could change the state: a stream that is not read to
//! its end, an event that is not written, a doubt that is not settled, a repo that is due.

use std::time::Duration;

use chrono::{DateTime, Utc};
use plyr_oracle::Network;
use plyr_peers::Plyr;
use serde_json::Value;

use super::{HOSTS, RunError, Scene};

/// How much later than another a host may carry an event: scenes in which hosts differ are run with
/// `--stream-grace 2s`.
pub const GRACE: Duration = Duration::from_secs(2);
/// How often hosts are compared at least.
const COMPARED: Duration = Duration::from_secs(1);
/// By how much the clock of another instance behind one address differs, in microseconds.
const STRANGE: i64 = -3_600_000_000;
/// Repos of a page.
const PAGE: usize = 100;

/// What must have passed before a server is at rest.
pub struct Rest<'a> {
    /// The AppView.
    asked: &'a Plyr,
    /// Those that index, whose metrics tell of events.
    indexing: Vec<&'a Plyr>,
    said: &'a Network,
    /// Of each stream its address and the time of the last line that concerns us.
    ends: Vec<(String, i64)>,
    /// From this time on a host that has kept silent is judged; none where no host differs.
    judged_at: Option<i64>,
}

impl<'a> Rest<'a> {
    /// The streams say nothing more.
    pub fn of(scene: &Scene, said: &'a Network, asked: &'a Plyr, indexers: &'a [Plyr]) -> Rest<'a> {
        let end = |host: usize| {
            let lines = scene.network.lines(host);
            let is_ours = |nsid: &str| scene.namespace.collection(nsid).is_some();
            let last = lines
                .iter()
                .rfind(|line| line.collection().is_none_or(is_ours));
            let url = scene.network.streams[host].trim_end_matches('/').to_owned();
            Some((url, last?.time))
        };
        // A silent host is judged twice the grace after the last that was heard.
        let silence = GRACE * 2 + COMPARED;
        let judged_at = Utc::now().timestamp_micros() + silence.as_micros() as i64;
        Rest {
            asked,
            indexing: match indexers.is_empty() {
                true => vec![asked],
                false => indexers.iter().collect(),
            },
            said,
            ends: (0..HOSTS.len()).filter_map(end).collect(),
            judged_at: scene.differ.then_some(judged_at),
        }
    }

    /// The first thing that is still under way; none at rest.
    pub async fn under_way(&mut self) -> Result<Option<String>, RunError> {
        if let Some(behind) = self.behind().await? {
            return Ok(Some(behind));
        }
        let received = self.counted("plyr_events_received_total", "").await?;
        let finished = self.counted("plyr_events_total", "").await?;
        if received != finished {
            let left = format!("{finished} of {received} events are finished");
            return Ok(Some(left));
        }
        let now = Utc::now().timestamp_micros();
        if self.judged_at.is_some_and(|judged_at| now < judged_at) {
            return Ok(Some("a silent host is not judged yet".to_owned()));
        }
        let doubts = self.counted("plyr_doubts_total", "").await?;
        let settled = self.counted("plyr_doubts_settled_total", "").await?
            + self.counted("plyr_doubts_coarsened_total", "").await?;
        if doubts != settled {
            return Ok(Some(format!("{settled} of {doubts} doubts are settled")));
        }
        self.due().await
    }

    /// The sum of a counter over all that index.
    async fn counted(&self, name: &str, label: &str) -> Result<f64, RunError> {
        let mut sum = 0.0;
        for plyr in &self.indexing {
            sum += plyr.counted(name, label).await.map_err(RunError::broken)?;
        }
        Ok(sum)
    }

    async fn coverage(&self, query: &str) -> Result<Value, RunError> {
        let answer = self.asked.xrpc("fm.plyr.sync.getCoverage", query).await;
        answer.map_err(RunError::Never)
    }

    /// A stream that is not read to its end. A v2 host's place is told by the process that follows
    /// it alone; where that is another one, its events are counted and nothing more.
    async fn behind(&self) -> Result<Option<String>, RunError> {
        let coverage = self.coverage("limit=1").await?;
        let sources = coverage["sources"].as_array().cloned().unwrap_or_default();
        let is_apart = self
            .indexing
            .iter()
            .all(|one| one.pid() != self.asked.pid());
        for (url, last) in &self.ends {
            let source = sources.iter().find(|source| source["source"] == **url);
            let at = source.and_then(|source| source["lastEventAt"].as_str());
            let Some(at) = at else {
                if source.is_some() && is_apart {
                    continue;
                }
                return Ok(Some(format!("nothing of {url} is durable yet")));
            };
            let at: DateTime<Utc> = at.parse().map_err(RunError::broken)?;
            let at = at.timestamp_micros();
            if at < *last && at != last + STRANGE {
                let told = format!("{url} is read up to {at}, and told its last at {last}");
                return Ok(Some(told));
            }
        }
        Ok(None)
    }

    /// A repo of an active account that is not verified, or is due for another reason than that its
    /// turn comes round.
    async fn due(&self) -> Result<Option<String>, RunError> {
        let mut query = format!("limit={PAGE}");
        loop {
            let page = self.coverage(&query).await?;
            for repo in page["repos"].as_array().into_iter().flatten() {
                let account = repo["did"]
                    .as_str()
                    .and_then(|did| self.said.accounts.get(did));
                let is_active = account.is_some_and(|account| account.is_active);
                let rests = repo["state"] == "verified" && repo["cause"] == "steady";
                if is_active && !rests {
                    return Ok(Some(format!("a repo is due: {repo}")));
                }
            }
            let Some(cursor) = page["cursor"].as_str() else {
                return Ok(None);
            };
            query = format!("limit={PAGE}&cursor={cursor}");
        }
    }
}
