//! `plyr rebuild search`: the search index, built anew beside the one that answers, by the server
//! that keeps it or in the data folder itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use plyr_indexer::search::SearchIndex;
use plyr_schemas::Store;
use plyr_search::Standing;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::open::{self, Opened};
use super::progress;
use crate::config::{Config, StoreChoice};
use crate::control::{self, commands};
use crate::error::OpsError;
use crate::run::parts;

/// Between two lines of the log where there is no terminal.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Where an index is built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Where {
    /// In the data folder, whether there was one or not.
    Here,
    /// In the data folder if an AppView keeps one there.
    IfThereIsOne,
}

/// How far it has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Documents so far.
    pub documents: u64,
    /// About how many there will be.
    pub about: u64,
    /// What it waits for, in words.
    pub waits: Option<String>,
    /// Whether the new index answers.
    pub is_done: bool,
}

/// Runs the command; answers what it came to, in a line.
pub async fn rebuild(
    config: &Config,
    place: Where,
    opened: &mut Option<Opened>,
) -> Result<String, OpsError> {
    let mut shown = Shown::new();
    let request = commands::Request::RebuildSearch(commands::rebuild_search::Ask {});
    let mut none = std::io::sink();
    let mut hear = |line: &[u8]| match serde_json::from_slice(line) {
        Ok(told) => shown.show(&told),
        Err(problem) => tracing::debug!(%problem, "the server told something unknown"),
    };
    // Whoever holds the embedded store alone is nobody's server.
    let may_be_served = config.store != StoreChoice::Embedded || opened.is_none();
    if may_be_served && control::ask(&config.data_dir, &request, &mut none, &mut hear)?.is_some() {
        return shown.end();
    }
    let is_elsewhere = config.store != StoreChoice::Embedded
        && place == Where::IfThereIsOne
        && !config.data_dir.join(parts::SEARCH).is_dir();
    if is_elsewhere {
        return Ok(
            "no search index is kept in this --data-dir: AppViews keep their own, run `plyr \
                   rebuild search` with the --data-dir of each"
                .to_owned(),
        );
    }
    let opened = match opened {
        Some(opened) => opened,
        None => opened.insert(open::once(config).await?),
    };
    alone(config, &opened.store, &mut shown).await?;
    shown.end()
}

/// Builds it in the data folder, where no server does.
async fn alone(config: &Config, store: &Arc<dyn Store>, shown: &mut Shown) -> Result<(), OpsError> {
    let cancel = CancellationToken::new();
    let options = parts::search(config, store.clone())?;
    let search = SearchIndex::start(options, cancel.clone());
    let search = search.map_err(|problem| OpsError::Start(problem.to_string()))?;
    let mut tell = |told: &Told| {
        shown.show(told);
        Ok(())
    };
    let built = run(store.as_ref(), &search, &mut tell).await;
    cancel.cancel();
    search.stopped().await;
    built
}

/// Has it built and waits until it answers; `tell` hears how far it has come, and may end the
/// waiting.
pub async fn run(
    store: &dyn Store,
    search: &SearchIndex,
    tell: &mut (dyn FnMut(&Told) -> Result<(), OpsError> + Send),
) -> Result<(), OpsError> {
    // For the bar alone.
    let totals = async { store.snapshot().await?.totals().await };
    let about = match totals.await {
        Ok(totals) => totals.sums.tracks + totals.sums.lists,
        Err(problem) => {
            tracing::debug!(%problem, "how much there is is not known");
            0
        }
    };
    let mut standings = search.standing();
    let before = standings.borrow_and_update().clone();
    search.rebuild();
    loop {
        let now = standings.borrow_and_update().clone();
        tell(&told(&before, &now, about))?;
        if now.builds > before.builds {
            return Ok(());
        }
        if let Some(problem) = failed(&before, &now) {
            return Err(OpsError::Start(format!(
                "the search index could not be built: {problem}"
            )));
        }
        let ended = || OpsError::Start("it was stopped before the index was built".to_owned());
        tokio::select! {
            changed = standings.changed() => changed.map_err(|_| ended())?,
            () = search.stopped() => return Err(ended()),
        }
    }
}

fn told(before: &Standing, now: &Standing, about: u64) -> Told {
    let building = now.building.as_ref();
    let serving = now.serving.as_ref();
    let is_done = now.builds > before.builds;
    Told {
        documents: match is_done {
            true => serving.map_or(0, |serving| serving.documents),
            false => building.map_or(0, |progress| progress.documents),
        },
        about,
        waits: building
            .and_then(|progress| progress.problem.clone())
            .or_else(|| now.problem.clone()),
        is_done,
    }
}

/// Why a build failed since.
fn failed(before: &Standing, now: &Standing) -> Option<String> {
    let failed = now.failed.as_ref()?;
    let times = before.failed.as_ref().map_or(0, |failed| failed.times);
    (failed.times > times).then(|| failed.problem.clone())
}

/// A bar on a terminal, lines of the log elsewhere.
struct Shown {
    bar: ProgressBar,
    told_at: Instant,
    last: Option<Told>,
}

impl Shown {
    fn new() -> Shown {
        Shown {
            bar: progress::bar("{msg} {wide_bar} {human_pos} documents, {per_sec}"),
            told_at: Instant::now(),
            last: None,
        }
    }

    fn show(&mut self, told: &Told) {
        let (documents, waits) = (told.documents, told.waits.as_deref());
        self.bar.set_length(told.about.max(documents));
        self.bar.set_position(documents);
        let message = waits.unwrap_or("building the search index");
        self.bar.set_message(message.to_owned());
        if self.bar.is_hidden() && self.told_at.elapsed() >= TOLD_EVERY {
            self.told_at = Instant::now();
            tracing::info!(documents, waits, "building the search index");
        }
        self.last = Some(told.clone());
    }

    /// What it came to, in a line.
    fn end(self) -> Result<String, OpsError> {
        self.bar.finish_and_clear();
        match self.last.filter(|told| told.is_done) {
            Some(told) => Ok(format!("the search index has {} documents", told.documents)),
            None => Err(OpsError::Control("it ended before its work did".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use plyr_search::FailedBuild;

    use super::*;

    fn standing(builds: u64, failures: u64) -> Standing {
        let failed = FailedBuild {
            problem: "no room".to_owned(),
            times: failures,
            ..FailedBuild::default()
        };
        Standing {
            builds,
            failed: (failures > 0).then_some(failed),
            ..Standing::default()
        }
    }

    #[test]
    fn only_what_failed_since_it_was_asked_for_is_told() {
        let why = Some("no room".to_owned());
        assert_eq!(failed(&standing(0, 0), &standing(0, 0)), None);
        assert_eq!(failed(&standing(0, 2), &standing(0, 2)), None);
        assert_eq!(failed(&standing(0, 2), &standing(0, 3)), why);
        assert_eq!(failed(&standing(0, 0), &standing(0, 1)), why);
    }

    #[test]
    fn it_is_done_once_one_has_taken_the_place() {
        assert!(!told(&standing(3, 0), &standing(3, 0), 5).is_done);
        assert!(told(&standing(3, 0), &standing(4, 0), 5).is_done);
    }
}
