//! The index of this project.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use plyr_search::{
    Budget, Document, Filters, Found, Hit, Index, Kind, Nothing, Page, Query, Searcher,
    WriterBudget,
};

use super::Engine;
use crate::Failure;
use crate::catalogue::Entity;
use crate::plain::plain;
use crate::words::TAGS;

/// Hits of a full page.
pub const PAGE: usize = 25;
/// Hits under a search box.
pub const BOX: usize = 10;

/// How long an answer may take whose order alone counts.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Plyr {
    index: Index,
    entities: HashMap<String, Entity>,
}

/// Builds an index of documents that it doesn't hold.
pub fn build<'a>(
    folder: &Path,
    documents: impl Iterator<Item = &'a Document>,
) -> Result<Index, Failure> {
    let index = Index::create(folder)?;
    let mut writer = index.writer(WriterBudget::BULK)?;
    for document in documents {
        writer.add(document)?;
    }
    writer.commit("1")?;
    writer.finish()?;
    index.compact()?;
    Ok(index)
}

/// A page of results, counted, as somebody asks for it who has typed all.
pub fn page(searcher: &Searcher, query: &str) -> Result<Found, Failure> {
    let page = Page {
        from: 0,
        size: PAGE,
        count: true,
    };
    ask(searcher, query, page, Budget::QUERY)
}

/// What is shown under a search box while somebody types.
pub fn typeahead(searcher: &Searcher, query: &str) -> Result<Found, Failure> {
    let page = Page {
        from: 0,
        size: BOX,
        count: false,
    };
    ask(searcher, query, page, Budget::TYPEAHEAD)
}

fn ask(searcher: &Searcher, query: &str, page: Page, budget: Budget) -> Result<Found, Failure> {
    let query = Query::parse(query)?;
    let filters = Filters::default();
    Ok(searcher.search(&query, &filters, page, &Nothing, budget)?)
}

impl Plyr {
    pub fn new(index: Index, documents: &[(Entity, Document)]) -> Plyr {
        let subjects = documents.iter();
        let subjects = subjects.map(|(entity, document)| (document.subject.clone(), *entity));
        Plyr {
            index,
            entities: subjects.collect(),
        }
    }

    /// The first hits, in the bounds of a query's steps but not of its time: an order doesn't
    /// depend on how busy the machine is.
    pub fn hits(&self, query: &str) -> Result<Vec<Hit>, Failure> {
        let page = Page {
            from: 0,
            size: PAGE,
            count: false,
        };
        let budget = Budget {
            time: PATIENCE,
            ..Budget::QUERY
        };
        let found = ask(&self.index.searcher(), query, page, budget)?;
        if found.is_partial {
            return Err(format!("`{query}` spent its budget").into());
        }
        Ok(found.hits)
    }

    pub fn entity(&self, hit: &Hit) -> Result<Entity, Failure> {
        if hit.kind == Kind::Tag {
            let spelling = plain(&hit.subject);
            let tag = TAGS.iter().position(|tag| plain(tag) == spelling);
            return Ok(Entity::Tag(tag.ok_or("found a tag that no track has")?));
        }
        let entity = self.entities.get(&hit.subject).copied();
        Ok(entity.ok_or("found what the catalogue doesn't have")?)
    }
}

impl Engine for Plyr {
    fn name(&self) -> &'static str {
        "plyr-search"
    }

    fn first(&mut self, query: &str, most: usize) -> Result<Vec<Entity>, Failure> {
        let hits = self.hits(query)?;
        hits.iter().take(most).map(|hit| self.entity(hit)).collect()
    }
}
