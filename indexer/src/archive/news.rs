//! What the stream of a host tells those who read the host's archive.

use std::sync::Arc;

use tokio::sync::watch;

#[derive(Clone, Copy, Default)]
struct Told {
    speaks_v2: bool,
    gap_after: Option<u64>,
    /// How often its numbers went on elsewhere.
    elsewhere: u64,
}

/// Of one host, from its stream to its archive. Never waits; gaps become one that begins with the
/// first of them.
#[derive(Clone, Default)]
pub struct News(Arc<watch::Sender<Told>>);

impl News {
    /// The host speaks v2, as only those do that have archives.
    pub fn speaks_v2(&self) {
        self.0.send_if_modified(|told| {
            let is_new = !told.speaks_v2;
            told.speaks_v2 = true;
            is_new
        });
    }

    /// What the host numbered above `after` did not come by its stream.
    pub fn gap(&self, after: u64) {
        self.0.send_modify(|told| {
            let earliest = told.gap_after.map_or(after, |known| known.min(after));
            told.gap_after = Some(earliest);
        });
    }

    /// The host's numbers went on elsewhere: it may be another instance, of which nothing was read.
    pub fn elsewhere(&self) {
        self.0.send_modify(|told| told.elsewhere += 1);
    }

    /// How often they did.
    pub fn times_elsewhere(&self) -> u64 {
        self.0.borrow().elsewhere
    }

    /// Waits until the host is known to speak v2.
    pub async fn offered(&self) {
        self.heard(|told| told.speaks_v2).await;
    }

    /// Waits for a gap and takes it; answers what it begins after.
    pub async fn next_gap(&self) -> u64 {
        loop {
            self.heard(|told| told.gap_after.is_some()).await;
            let mut gap = None;
            self.0.send_modify(|told| gap = told.gap_after.take());
            if let Some(after) = gap {
                return after;
            }
        }
    }

    async fn heard(&self, is_heard: impl FnMut(&Told) -> bool) {
        let mut receiver = self.0.subscribe();
        // It can't end: who waits holds the sender too.
        if receiver.wait_for(is_heard).await.is_err() {
            tracing::debug!("nobody tells of a host any more");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gaps_become_the_earliest_until_they_are_taken() {
        let news = News::default();
        news.gap(7);
        news.gap(5);
        news.gap(9);
        assert_eq!(news.next_gap().await, 5);
        news.gap(11);
        assert_eq!(news.next_gap().await, 11);
        news.speaks_v2();
        news.offered().await;
    }
}
