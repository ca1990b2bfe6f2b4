//! Doing a part of a job while saying, again and again, that the job is still ours.

use std::fmt::Display;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

/// Does a part, and renews a lease of that length meanwhile. None when it isn't ours any more. That
/// it can't be renewed is no reason to throw a download away before it has ended.
pub(super) async fn renewing<T, E: Display, R>(
    lease: Duration,
    part: impl Future<Output = T>,
    mut renew: impl FnMut() -> R,
) -> Result<Option<T>, E>
where
    R: Future<Output = Result<bool, E>>,
{
    let mut part = pin!(part);
    let mut ends = Instant::now() + lease;
    let mut ticks = interval(lease / 4);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            done = &mut part => return Ok(Some(done)),
            _ = ticks.tick() => {
                let began = Instant::now();
                match renew().await {
                    Ok(true) => ends = began + lease,
                    Ok(false) => return Ok(None),
                    Err(problem) if Instant::now() < ends => {
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
        let lease = Duration::from_secs(2);
        assert_eq!(renewing(lease, part, renew).await, Ok(Some("whole")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_has_ended_or_is_anothers_ends_the_part() {
        let lease = Duration::from_millis(200);
        let never = std::future::pending::<()>;
        let began = Instant::now();
        let failed = renewing(lease, never(), async || Err::<bool, _>("away")).await;
        assert_eq!(failed, Err("away"));
        assert!(began.elapsed() >= lease);
        let lost = renewing(lease, never(), async || Ok::<_, &str>(false)).await;
        assert_eq!(lost, Ok(None));
    }
}
