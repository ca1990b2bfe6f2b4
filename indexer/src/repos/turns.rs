//! Merges of one repo come one after another, whoever asked for them: the scheduler, a doubt, a
//! command. (Over a cluster other processes are kept out by merging once more.)

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plyr_lexicons::Did;
use tokio::sync::OwnedMutexGuard;

type Waiting = Arc<tokio::sync::Mutex<()>>;

/// Whose merge is under way. Cheap to clone.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<HashMap<Did, Waiting>>>);

/// A turn; the next one begins when it is dropped.
pub struct Turn {
    turns: Turns,
    did: Did,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    fn all(&self) -> MutexGuard<'_, HashMap<Did, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn of a repo.
    pub async fn of(&self, did: &Did) -> Turn {
        let waiting = self.all().entry(did.clone()).or_default().clone();
        Turn {
            turns: self.clone(),
            did: did.clone(),
            held: Some(waiting.lock_owned().await),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.held = None;
        let mut all = self.turns.all();
        // Nobody else waits for it: only the map knows it.
        if all
            .get(&self.did)
            .is_some_and(|one| Arc::strong_count(one) == 1)
        {
            all.remove(&self.did);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_of_one_repo_follow_one_another_and_leave_nothing_behind() {
        let turns = Turns::default();
        let did = |name: &str| Did::new(format!("did:plc:{name}")).unwrap();
        let first = turns.of(&did("a")).await;
        let other = turns.of(&did("b")).await;
        let (waits, of) = (turns.clone(), did("a"));
        let second = tokio::spawn(async move { waits.of(&of).await });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        drop(second.await.unwrap());
        drop(other);
        assert!(turns.all().is_empty());
    }
}
