//! From records to a full-text index, and from a listener's words to hits. The index is derived:
//! it can be thrown away and built anew from what the store holds.

mod artists;
mod budget;
mod collect;
mod deal;
mod document;
mod error;
mod excluded;
pub mod fold;
mod gather;
mod hangul;
mod highlight;
mod index;
mod layout;
mod live;
mod named;
mod operators;
mod phrase;
mod place;
mod query;
mod rank;
mod reading;
mod search;
mod searcher;
mod segment;
mod sources;
mod stage;
mod starts;
mod tags;
mod terms;
mod typed;
mod typos;
mod verdict;
mod words;

pub use budget::{Budget, Cancel};
pub use collect::Filters;
pub use deal::ROUND;
pub use document::{
    Document, Key, Kind, LONGEST_DESCRIPTION, LONGEST_NAME, MOST_FEATURES, MOST_TAGS,
};
pub use error::SearchError;
pub use excluded::{Excluded, Hidden, Nothing};
pub use highlight::Highlighter;
pub use index::{Index, Opened, Writer, WriterBudget};
pub use layout::{NO_TIME, VERSION};
pub use live::{FailedBuild, Live, Progress, Serving, Standing};
pub use named::Named;
pub use place::{Building, Place, Served};
pub use query::{LONGEST_QUERY, MOST_LOOKED_UP, MOST_WORDS, Query, QueryError};
pub use rank::{Field, Popularity, Tier};
pub use searcher::{Found, Hit, MOST_ARTISTS, Page, REACH, Searcher, Total};
pub use tags::{MOST_COUNTED, MOST_USERS};
pub use typos::{LETTERS_FOR_ONE, LETTERS_FOR_START, LETTERS_FOR_TWO};
pub use words::{LONGEST_KEY, LONGEST_WORD};
