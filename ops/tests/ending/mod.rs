//! How a test over real peers ends: the dump is what their repos hold.

use std::collections::BTreeSet;
use std::time::Duration;

use plyr_peers::{Plyr, wait_for};

type Tested = Result<(), Box<dyn std::error::Error>>;

/// With several writers a repo is merged once more 75 s after the first time; what another writer
/// wrote meanwhile is settled then.
const PATIENCE: Duration = Duration::from_secs(600);

/// Waits until the dump is what the PDSs hold.
pub async fn ends_as(plyr: &Plyr, expected: &str) -> Tested {
    wait_for(PATIENCE, "the dump equals what the PDSs hold", || async {
        let dump = plyr.dump().await.map_err(|problem| problem.to_string())?;
        if dump == expected {
            return Ok(());
        }
        let ours: BTreeSet<&str> = dump.lines().collect();
        let theirs: BTreeSet<&str> = expected.lines().collect();
        let missing: Vec<&&str> = theirs.difference(&ours).collect();
        let surplus: Vec<&&str> = ours.difference(&theirs).collect();
        Err(format!(
            "of {} lines {} missing, {} too much: {:?} and {:?}",
            theirs.len(),
            missing.len(),
            surplus.len(),
            &missing[..missing.len().min(2)],
            &surplus[..surplus.len().min(2)],
        ))
    })
    .await?;
    Ok(())
}
