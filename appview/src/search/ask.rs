//! What the index is asked for one page: what the query's links name, then what its words find.

use plyr_search::{
    Budget, Cancel, Filters, Found, Hidden, Hit, Key, Kind, Page, Query, SearchError, Searcher,
    Tier,
};

use super::candidate::{Candidate, Subject};
use super::named::{Address, is_hidden};

/// Links that are looked for in the index: each is a search of its own.
const MOST_SEARCHED: usize = 3;
/// Tags looked at for one that was named: those that are written in another way stand first.
const TAGS: usize = 5;

/// What the index is asked.
pub struct Asking {
    pub query: Query,
    /// What the query names.
    pub named: Vec<Address>,
    pub filters: Filters,
    pub size: usize,
    pub count: bool,
    /// Of all searches together.
    pub budget: Budget,
}

/// What it answered.
pub struct Answer {
    pub query: Query,
    /// What is named and not hidden, in the query's order, each once.
    pub named: Vec<Candidate>,
    pub found: Found,
}

/// One index, and one request's searches in it.
struct Searching<'a> {
    searcher: &'a Searcher,
    hidden: &'a Hidden,
    cancel: &'a Cancel,
    /// What is left of it.
    budget: Budget,
    is_partial: bool,
}

impl Asking {
    /// Asks it, on a thread for that.
    ///
    /// # Errors
    /// When the index can't be read.
    pub fn answer(
        self,
        searcher: &Searcher,
        hidden: &Hidden,
        cancel: &Cancel,
    ) -> Result<Answer, SearchError> {
        let mut searching = Searching {
            searcher,
            hidden,
            cancel,
            budget: self.budget,
            is_partial: false,
        };
        let mut subjects: Vec<Subject> = Vec::new();
        let mut searched = 0;
        for address in self.named {
            searched += usize::from(!matches!(address, Address::Subject(_)));
            if searched > MOST_SEARCHED {
                break;
            }
            let subject = searching.subject(address)?;
            let is_new = |subject: &Subject| !subjects.contains(subject);
            let shows = |subject: &Subject| !is_hidden(hidden, subject);
            subjects.extend(subject.filter(shows).filter(is_new));
        }
        let page = Page {
            from: 0,
            size: self.size,
            count: self.count,
        };
        let mut found = searching.search(&self.query, &self.filters, page)?;
        found.is_partial = searching.is_partial;
        Ok(Answer {
            query: self.query,
            named: subjects.into_iter().map(Candidate::named).collect(),
            found,
        })
    }
}

impl Searching<'_> {
    fn search(
        &mut self,
        query: &Query,
        filters: &Filters,
        page: Page,
    ) -> Result<Found, SearchError> {
        let (searcher, hidden) = (self.searcher, self.hidden);
        let found =
            searcher.search_while_wanted(query, filters, page, hidden, self.budget, self.cancel)?;
        self.is_partial |= found.is_partial;
        self.budget = found.left;
        Ok(found)
    }

    /// The best hits of one kind for some words, as one looks for what a link names.
    fn few(&mut self, words: &str, filters: Filters) -> Result<Vec<Hit>, SearchError> {
        // What can't be a query is nothing that can be found.
        let Ok(query) = Query::parse(words) else {
            return Ok(Vec::new());
        };
        let page = Page {
            from: 0,
            size: TAGS,
            count: false,
        };
        Ok(self.search(&query, &filters, page)?.hits)
    }

    fn subject(&mut self, address: Address) -> Result<Option<Subject>, SearchError> {
        let subject = match address {
            Address::Subject(subject) => Some(subject),
            Address::Tag(tag) => {
                let of_tags = Filters {
                    kinds: vec![Kind::Tag],
                    ..Filters::default()
                };
                let hits = self.few(&tag, of_tags)?.into_iter();
                first(hits.filter(|hit| hit.tier == Tier::Exact))
            }
            Address::Album(artist, slug) => {
                let of_albums = Filters {
                    kinds: vec![Kind::Album],
                    author: Some(Key::of(artist.as_str())),
                    ..Filters::default()
                };
                let hits = self.few(&slug.replace('-', " "), of_albums)?.into_iter();
                // Names that are these words and no others. A slug lacks what isn't Latin: who has
                // no such album is named instead.
                let is_called = |hit: &Hit| match hit.tier {
                    Tier::Exact => true,
                    tier => tier == Tier::Word && hit.is_whole,
                };
                let album = first(hits.filter(is_called));
                Some(album.unwrap_or(Subject::Artist(artist)))
            }
        };
        Ok(subject)
    }
}

fn first(mut hits: impl Iterator<Item = Hit>) -> Option<Subject> {
    Some(Candidate::of(hits.next()?)?.subject)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use plyr_lexicons::{Collection, data};
    use plyr_search::{Document, Index, Popularity, WriterBudget};

    use super::*;

    #[test]
    fn links_and_words_are_looked_for_with_one_budget() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::create(folder.path()).unwrap();
        let mut writer = index.writer(WriterBudget::LIVE).unwrap();
        for number in 0..50 {
            let uri = format!("at://did:plc:a/fm.plyr.track/t{number}").parse();
            let record = format!(
                r#"{{ "$type": "fm.plyr.track", "title": "common {number}", "artist": "A",
                "fileType": "mp3", "tags": ["jazz"], "createdAt": "2026-01-01T00:00:00Z" }}"#
            );
            let record = data::from_json(record.as_bytes()).unwrap();
            let likes = Popularity::default();
            let track = Document::of_record(&uri.unwrap(), Collection::Track, &record, likes);
            writer.put(&track.unwrap()).unwrap();
        }
        writer.commit("a.1").unwrap();
        writer.finish().unwrap();

        let rich = Budget {
            steps: 1_000_000,
            time: Duration::from_secs(3600),
        };
        let (hidden, cancel) = (Hidden::default(), Cancel::default());
        let answer = |tags: usize, budget: Budget| {
            let asking = Asking {
                query: Query::parse("common").unwrap(),
                named: vec![Address::Tag("jazz".to_owned()); tags],
                filters: Filters {
                    kinds: vec![Kind::Track],
                    ..Filters::default()
                },
                size: 10,
                count: true,
                budget,
            };
            asking.answer(&index.searcher(), &hidden, &cancel).unwrap()
        };
        let cost = |tags: usize| rich.steps - answer(tags, rich).found.left.steps;
        assert!(0 < cost(0) && cost(0) < cost(1) && cost(1) < cost(2));
        assert_eq!(cost(3), cost(9), "few links are looked for");
        assert_eq!(answer(3, rich).named.len(), 1);
        for (tags, steps, is_partial) in [
            (0, cost(0), false),
            (1, cost(0), true),
            (3, cost(3), false),
            (3, cost(3) - 1, true),
        ] {
            let answer = answer(tags, Budget { steps, ..rich });
            assert_eq!(answer.found.is_partial, is_partial, "{tags} {steps}");
        }
    }
}
