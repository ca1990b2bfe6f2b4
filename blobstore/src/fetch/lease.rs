//! Doing a part of a job while saying, again and again, that the job is still ours.

use std::fmt::Display;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use plyr_lexicons::Cid;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// A job that is ours for a while: one for all its parts, however short each of them is.
pub(super) struct Lease {
    /// Whose job.
    pub cid: Cid,
    length: Duration,
    /// When it was last said that the job is ours.
    renewed: Mutex<Instant>,
}

impl Lease {
    /// Taken now.
    pub fn taken(cid: Cid, length: Duration) -> Lease {
        Lease {
            cid,
            length,
            renewed: Mutex::new(Instant::now()),
        }
    }

    fn renewed(&self) -> Instant {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_renewed(&self, at: Instant) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

/// Does a part, and renews the lease meanwhile whenever a quarter of it is over. None when it isn't
/// ours any more. That it can't be renewed is no reason to throw a download away before it has
/// ended.
pub(super) async fn renewing<T, E: Display, R>(
    lease: &Lease,
    part: impl Future<Output = T>,
    mut renew: impl FnMut() -> R,
) -> Result<Option<T>, E>
where
    R: Future<Output = Result<bool, E>>,
{
    let mut part = pin!(part);
    let quarter = lease.length / 4;
    let mut ticks = interval_at(lease.renewed() + quarter, quarter);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            done = &mut part => return Ok(Some(done)),
            _ = ticks.tick() => {
                let began = Instant::now();
                match renew().await {
                    Ok(true) => lease.is_renewed(began),
                    Ok(false) => return Ok(None),
                    Err(problem) if Instant::now() < lease.renewed() + lease.length => {
                        tracing::warn!(%problem, "a blob's job can't be renewed yet");
                    }
                    Err(problem) => return Err(problem),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::sync::Notify;

    use super::*;

    fn lease(length: Duration) -> Lease {
        Lease::taken(plyr_lexicons::data::cid_of(b"one"), length)
    }

    #[tokio::test(start_paused = true)]
    async fn i11_a_renewal_that_fails_throws_nothing_away_before_the_lease_ends() {
        let (renewals, done) = (Cell::new(0), Notify::new());
        let renew = async || {
            renewals.set(renewals.get() + 1);
            match renewals.get() {
                1 => Err("the store is away"),
                2 => Ok(true),
                _ => {
                    done.notify_one();
                    Ok(true)
                }
            }
        };
        let part = async {
            done.notified().await;
            "whole"
        };
        let lease = lease(Duration::from_secs(2));
        assert_eq!(renewing(&lease, part, renew).await, Ok(Some("whole")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_has_ended_or_is_anothers_ends_the_part() {
        let length = Duration::from_millis(200);
        let never = std::future::pending::<()>;
        let began = Instant::now();
        let failed = renewing(&lease(length), never(), async || Err::<bool, _>("away")).await;
        assert_eq!(failed, Err("away"));
        assert!(began.elapsed() >= length);
        let lost = renewing(&lease(length), never(), async || Ok::<_, &str>(false)).await;
        assert_eq!(lost, Ok(None));
    }

    #[tokio::test(start_paused = true)]
    async fn i11_parts_each_shorter_than_a_quarter_renew_it_together() {
        let length = Duration::from_secs(120);
        let (lease, renewed) = (lease(length), Cell::new(Instant::now()));
        for _ in 0..20 {
            // As long as a host may be silent.
            let part = tokio::time::sleep(Duration::from_secs(29));
            let renew = async || {
                renewed.set(Instant::now());
                Ok::<_, &str>(true)
            };
            assert_eq!(renewing(&lease, part, renew).await, Ok(Some(())));
            assert!(renewed.get().elapsed() < length / 2);
        }
    }
}
