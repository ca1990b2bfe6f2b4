//! How a test over real peers ends: the dump is what their repos hold.

use std::collections::BTreeSet;

use plyr_peers::{Plyr, wait_until};

type Tested = Result<(), Box<dyn std::error::Error>>;

/// Waits until the dump is what the PDSs hold.
pub async fn ends_as(plyr: &Plyr, expected: &str) -> Tested {
    wait_until("the dump equals what the PDSs hold", || async {
        let dump = plyr.dump().await.map_err(|problem| problem.to_string())?;
        if dump == expected {
            return Ok(());
        }
        let ours: BTreeSet<&str> = dump.lines().collect();
        let theirs: BTreeSet<&str> = expected.lines().collect();
        Err(format!(
            "missing {:?}, too much {:?} of {}",
            theirs.difference(&ours).take(2).collect::<Vec<_>>(),
            ours.difference(&theirs).take(2).collect::<Vec<_>>(),
            theirs.len()
        ))
    })
    .await?;
    Ok(())
}
