//! Searching: from a listener's words to hits that show. `query → skeleton → hydrate → rules →
//! present` as everywhere, the skeleton being what the index answers. Hits are hints: what shows,
//! and how, is what the store's snapshot says.

mod answered;
mod ask;
mod candidate;
mod fill;
mod find;
mod highlights;
mod named;
mod places;
mod present;

use std::sync::Arc;
use std::time::Duration;

use plyr_search::{Budget, Filters, Hidden, Live, Searcher, Standing};
use warp::http::StatusCode;

use crate::cursor::ListName;
use crate::error::XrpcError;
use places::Places;

pub use fill::{Shown, Thing};
pub use find::find;
pub use present::{hit, profile, suggestion};

/// What searches: the index that this process keeps, if it keeps one, and places to work in.
pub struct Search {
    live: Option<Arc<Live>>,
    searches: Places,
    writers: Places,
}

impl Search {
    pub fn new(live: Option<Arc<Live>>) -> Search {
        Search {
            live,
            searches: Places::for_searches(),
            writers: Places::for_writers(),
        }
    }

    /// How the index stands that this process keeps.
    pub fn standing(&self) -> Option<Standing> {
        Some(self.live.as_ref()?.standing())
    }

    /// # Errors
    /// `SearchUnavailable` when no index answers here: to be asked before anything is waited for.
    pub fn expect_index(&self) -> Result<(), XrpcError> {
        self.open().map(|_| ())
    }

    /// The index as it is now, and who is hidden from it.
    fn open(&self) -> Result<(Arc<Searcher>, Arc<Hidden>), XrpcError> {
        let Some(live) = &self.live else {
            return Err(unavailable("this process keeps no search index"));
        };
        match live.serving() {
            Some(index) => Ok((index.searcher(), live.hidden())),
            None => Err(unavailable(&why(&live.standing()))),
        }
    }
}

fn unavailable(why: &str) -> XrpcError {
    metrics::counter!("plyr_search_unavailable_total").increment(1);
    let status = StatusCode::SERVICE_UNAVAILABLE;
    XrpcError::new(status, "SearchUnavailable", why)
}

/// Why no index answers, for people.
fn why(standing: &Standing) -> String {
    match (&standing.building, &standing.failed) {
        (Some(building), _) => format!(
            "the search index is being built, {} documents so far; try again later",
            building.documents
        ),
        (None, Some(failed)) => format!(
            "the search index could not be built ({} times so far) and will be tried again",
            failed.times
        ),
        (None, None) => "there is no search index yet; try again later".to_owned(),
    }
}

/// How long an answer may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speed {
    /// A page of results.
    Page,
    /// A search box, asked at every key.
    Key,
}

impl Speed {
    fn budget(self) -> Budget {
        match self {
            Speed::Page => Budget::QUERY,
            Speed::Key => Budget::TYPEAHEAD,
        }
    }

    /// How long to wait in line for a place to work in.
    fn patience(self) -> Duration {
        match self {
            Speed::Page => Duration::from_secs(5),
            Speed::Key => Duration::from_secs(1),
        }
    }
}

/// What a method asks for.
pub struct Asked<'a> {
    /// Its NSID.
    pub method: &'static str,
    /// The parameter that the words stand in.
    pub parameter: &'static str,
    /// A listener's words.
    pub words: &'a str,
    pub filters: Filters,
    /// The list that a cursor is good for.
    pub list: ListName,
    pub cursor: Option<&'a str>,
    /// Hits to answer, at most.
    pub limit: usize,
    /// Whether all hits are counted.
    pub count: bool,
    pub speed: Speed,
    /// Whether the method can answer what was found and shows.
    pub admits: fn(&Thing) -> bool,
}

#[cfg(test)]
mod tests {
    use plyr_search::{FailedBuild, Progress};

    use super::*;

    #[test]
    fn who_asks_is_told_why_no_index_answers() {
        let said = |live| Search::new(live).open().err().map(|error| error.message);
        let none = said(None).unwrap();
        assert!(none.contains("keeps no search index"), "{none}");
        let live = Arc::new(Live::default());
        let said = |standing| {
            live.tell(standing);
            let search = Search::new(Some(live.clone()));
            assert!(search.expect_index().is_err());
            let error = search.open().err().unwrap();
            assert_eq!(
                (error.status.as_u16(), error.name),
                (503, "SearchUnavailable")
            );
            error.message
        };
        assert!(said(Standing::default()).contains("no search index yet"));
        let failed = Some(FailedBuild {
            times: 3,
            ..FailedBuild::default()
        });
        let standing = Standing {
            failed,
            ..Standing::default()
        };
        assert!(said(standing.clone()).contains("3 times"));
        let building = Some(Progress {
            documents: 712,
            ..Progress::default()
        });
        let standing = Standing {
            building,
            ..standing
        };
        assert!(said(standing).contains("712 documents"));
    }
}
