//! One search: the index is asked on a thread for it, what it finds is looked up in the store.

use plyr_search::{Query, QueryError, REACH, SearchError, Total};
use warp::http::StatusCode;

use super::answered::Answered;
use super::ask::{Answer, Asking};
use super::fill::{Filling, Shown};
use super::highlights::Highlighter;
use super::named::{Register, is_foreign};
use super::{Asked, Speed};
use crate::App;
use crate::error::XrpcError;
use crate::media::Shelf;

/// Hits that are asked for beyond a page, for those that don't show.
const SPARE: usize = 25;

/// What was found, and shows.
pub struct Hits {
    shown: Vec<Shown>,
    shelf: Shelf,
    pub total: Total,
    pub is_partial: bool,
    pub cursor: Option<String>,
    query: Query,
    speed: Speed,
}

/// Finds a page of hits. Whatever may take long without reading anything (the line for a place) is
/// waited for first, and the place is given back before the store is read: what shows is as new as
/// it can be, and a slow store keeps nobody from searching.
///
/// # Errors
/// `InvalidRequest` for words that are no query and for a cursor of another list, `Overloaded` when
/// there is no place to search in for too long, `SearchUnavailable` when no index answers here.
pub async fn find(app: &App, asked: Asked<'_>) -> Result<Hits, XrpcError> {
    let mut answered = Answered::open(&asked.list, asked.cursor)?;
    let Some(mut query) = read(&asked)? else {
        return Ok(Hits::none(app, asked.speed));
    };
    app.search.expect_index()?;
    let register = Register::look_up(app.store.as_ref(), &mut query).await?;

    let place = app.search.searches.take(asked.speed.patience()).await?;
    let (searcher, hidden) = app.search.open()?;
    // What was answered may stand anywhere among the first hits: with as many more as a page has,
    // and a few to spare, the page is full if there is enough.
    let size = (answered.size() + asked.limit + asked.limit.max(SPARE)).min(REACH);
    let asking = Asking {
        named: register.named(&query, &app.namespace, &asked.filters),
        query,
        filters: asked.filters.clone(),
        size,
        count: asked.count,
        budget: asked.speed.budget(),
    };
    let searched = place.work(move |cancel| asking.answer(&searcher, &hidden, cancel));
    let Answer {
        query,
        named,
        found,
    } = searched.await?.map_err(|problem| unreadable(&problem))?;
    if found.is_partial {
        metrics::counter!("plyr_search_partial_total", "method" => asked.method).increment(1);
    }
    let is_last = found.total.is_exact && found.total.count <= size as u64;
    let has_all = found.hits.len() < size || size == REACH || is_last;

    // Newer than the index, so that it has what the index has.
    let snapshot = app.store.snapshot().await?;
    let filling = Filling::new(&asked, app, snapshot.as_ref(), named, found.hits);
    let is_first = answered.size() == 0;
    let filled = filling.fill(&mut answered).await?;
    let total = match query.has_words() || !asked.count {
        true => found.total,
        // All that was named shows here.
        false if is_first && !filled.has_more => Total {
            count: filled.shown.len() as u64,
            is_exact: found.total.is_exact,
        },
        false => filling.count_named().await?,
    };
    let more = filled.has_more || !has_all;
    let tracks = filled.shown.iter().filter_map(Shown::track).collect();
    Ok(Hits {
        shelf: Shelf::look(app, snapshot.as_ref(), tracks).await?,
        shown: filled.shown,
        total,
        is_partial: found.is_partial,
        cursor: answered.seal().filter(|_| more),
        query,
        speed: asked.speed,
    })
}

/// What was typed; none while a search box has nothing to look for yet.
fn read(asked: &Asked<'_>) -> Result<Option<Query>, XrpcError> {
    let refused = |problem: &str| XrpcError::invalid(format!("{}: {problem}", asked.parameter));
    let is_typing = asked.speed == Speed::Key;
    let query = match is_typing {
        true => Query::parse_while_typing(asked.words),
        false => Query::parse(asked.words),
    };
    match query {
        Ok(query) if is_foreign(&query) && !is_typing => Err(refused(
            "plyr.fm alone knows what has this number; paste an at-uri or type what it is called",
        )),
        Ok(query) => Ok(Some(query)),
        Err(QueryError::Empty | QueryError::NothingToFind) if is_typing => Ok(None),
        Err(problem) => Err(refused(&problem.to_string())),
    }
}

fn unreadable(problem: &SearchError) -> XrpcError {
    tracing::error!(%problem, "the search index can't be read");
    let message = "the search index could not answer; try again later";
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    XrpcError::new(status, "InternalServerError", message)
}

impl Hits {
    fn none(app: &App, speed: Speed) -> Hits {
        Hits {
            shelf: Shelf::empty(app),
            shown: Vec::new(),
            total: Total {
                count: 0,
                is_exact: true,
            },
            is_partial: false,
            cursor: None,
            query: Query::default(),
            speed,
        }
    }

    /// Writes them as views, with the parts of texts that match: on a thread for it, since that
    /// takes its time too. Where too many wait for one they are written without.
    pub async fn write<View: Send + 'static>(
        self,
        app: &App,
        view: fn(Shown, &Shelf, &mut Highlighter<'_>) -> View,
    ) -> Result<Vec<View>, XrpcError> {
        let Hits {
            shown,
            shelf,
            query,
            speed,
            ..
        } = self;
        let write = move |mut highlighter: Highlighter<'_>| {
            let views = shown
                .into_iter()
                .map(|one| view(one, &shelf, &mut highlighter));
            views.collect()
        };
        let Ok(place) = app.search.writers.take(speed.patience()).await else {
            metrics::counter!("plyr_search_unmarked_total").increment(1);
            return Ok(write(Highlighter::none()));
        };
        let written = place.work(move |cancel| write(Highlighter::new(&query, cancel)));
        written.await
    }

    /// As they are, for views without highlights, and what is known of their blobs.
    pub fn into_shown(self) -> (Vec<Shown>, Shelf) {
        (self.shown, self.shelf)
    }
}
