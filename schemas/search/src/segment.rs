//! A segment of an index, opened once for all queries: its dictionaries and its columns.

use std::sync::Arc;

use tantivy::columnar::{Column, ColumnValues, DynamicColumn, HasAssociatedColumnType};
use tantivy::fastfield::AliveBitSet;
use tantivy::postings::{SegmentPostings, TermInfo};
use tantivy::schema::{IndexRecordOption, Value};
use tantivy::store::StoreReader;
use tantivy::{DocId, DocSet, InvertedIndexReader, SegmentReader, TERMINATED, TantivyDocument};

use crate::document::{Key, Kind};
use crate::error::SearchError;
use crate::layout::{
    AUTHOR_KEY, DURATION, FINGERPRINT, KIND, NAME_WORDS, NO_DURATION, NO_TIME, POPULARITY, SORT_AT,
    SUBJECT_KEY, Texts, has_column,
};
use crate::rank::{Merit, Popularity};
use crate::terms::Sort;

/// Blocks of stored addresses kept unpacked, for each segment.
const STORE_CACHE: usize = 16;

/// Which dictionary a term is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dictionary {
    /// Words of names.
    Words,
    /// Words of descriptions.
    Notes,
    /// Beginnings, whole titles, tags, authors.
    Starts,
}

pub(crate) struct Segment {
    subjects: Arc<InvertedIndexReader>,
    words: Arc<InvertedIndexReader>,
    notes: Arc<InvertedIndexReader>,
    starts: Arc<InvertedIndexReader>,
    alive: Option<AliveBitSet>,
    store: StoreReader,
    subject: tantivy::schema::Field,
    kind: Arc<dyn ColumnValues<u64>>,
    author: Arc<dyn ColumnValues<u64>>,
    subject_key: Arc<dyn ColumnValues<u64>>,
    duration: Arc<dyn ColumnValues<u64>>,
    sort_at: Arc<dyn ColumnValues<i64>>,
    popularity: Arc<dyn ColumnValues<u64>>,
    name_words: Arc<dyn ColumnValues<u64>>,
    fingerprint: Arc<dyn ColumnValues<u64>>,
    /// Documents, the deleted ones among them.
    pub(crate) size: u32,
}

impl Segment {
    pub(crate) fn open(reader: &SegmentReader, texts: Texts) -> Result<Segment, SearchError> {
        let columns = reader.fast_fields();
        Ok(Segment {
            subjects: reader.inverted_index(texts.subject)?,
            words: reader.inverted_index(texts.words)?,
            notes: reader.inverted_index(texts.notes)?,
            starts: reader.inverted_index(texts.starts)?,
            alive: reader.alive_bitset().cloned(),
            store: reader.get_store_reader(STORE_CACHE)?,
            subject: texts.subject,
            kind: columns.column_first_or_default(KIND)?,
            author: columns.column_first_or_default(AUTHOR_KEY)?,
            subject_key: columns.column_first_or_default(SUBJECT_KEY)?,
            duration: column_or(reader, DURATION, NO_DURATION)?,
            sort_at: column_or(reader, SORT_AT, NO_TIME)?,
            popularity: column_or(reader, POPULARITY, 0)?,
            name_words: column_or(reader, NAME_WORDS, 0)?,
            fingerprint: column_or(reader, FINGERPRINT, 0)?,
            size: reader.max_doc(),
        })
    }

    pub(crate) fn dictionary(&self, dictionary: Dictionary) -> &InvertedIndexReader {
        match dictionary {
            Dictionary::Words => &self.words,
            Dictionary::Notes => &self.notes,
            Dictionary::Starts => &self.starts,
        }
    }

    pub(crate) fn term(
        &self,
        dictionary: Dictionary,
        term: &[u8],
    ) -> Result<Option<TermInfo>, SearchError> {
        Ok(self.dictionary(dictionary).terms().get(term)?)
    }

    pub(crate) fn postings(
        &self,
        dictionary: Dictionary,
        info: &TermInfo,
        option: IndexRecordOption,
    ) -> Result<SegmentPostings, SearchError> {
        let reader = self.dictionary(dictionary);
        Ok(reader.read_postings_from_terminfo(info, option)?)
    }

    pub(crate) fn is_alive(&self, doc: DocId) -> bool {
        self.alive.as_ref().is_none_or(|alive| alive.is_alive(doc))
    }

    /// Documents that aren't deleted.
    pub(crate) fn alive(&self) -> u64 {
        let alive = self.alive.as_ref().map(AliveBitSet::num_alive_docs);
        alive.map_or(u64::from(self.size), |alive| alive as u64)
    }

    pub(crate) fn kind(&self, doc: DocId) -> Option<Kind> {
        Kind::from_number(self.kind.get_val(doc))
    }

    pub(crate) fn author(&self, doc: DocId) -> Key {
        Key(self.author.get_val(doc))
    }

    pub(crate) fn subject_key(&self, doc: DocId) -> Key {
        Key(self.subject_key.get_val(doc))
    }

    /// In seconds; [`crate::layout::NO_DURATION`] where there is none.
    pub(crate) fn duration(&self, doc: DocId) -> u64 {
        self.duration.get_val(doc)
    }

    pub(crate) fn sort_at(&self, doc: DocId) -> i64 {
        self.sort_at.get_val(doc)
    }

    pub(crate) fn popularity(&self, doc: DocId) -> Popularity {
        Popularity::from_step(self.popularity.get_val(doc))
    }

    pub(crate) fn merit(&self, doc: DocId, popularity: Popularity) -> Merit {
        Merit {
            popularity,
            sort_at: self.sort_at.get_val(doc),
            subject: self.subject_key.get_val(doc),
        }
    }

    /// How many different words its name has.
    pub(crate) fn name_words(&self, doc: DocId) -> u64 {
        self.name_words.get_val(doc)
    }

    pub(crate) fn fingerprint(&self, doc: DocId) -> u64 {
        self.fingerprint.get_val(doc)
    }

    /// The document of a subject, if it has one here that isn't deleted.
    pub(crate) fn find(&self, subject: &str) -> Result<Option<DocId>, SearchError> {
        Ok(self
            .having(&self.subjects, subject.as_bytes(), 1)?
            .into_iter()
            .next())
    }

    /// Actors whose whole name or handle has a key, at most so many.
    pub(crate) fn actors_called(&self, key: &str, most: usize) -> Result<Vec<DocId>, SearchError> {
        self.having(&self.starts, &Sort::Actor.term(key), most)
    }

    /// Documents with a term that aren't deleted, at most so many.
    fn having(
        &self,
        dictionary: &InvertedIndexReader,
        term: &[u8],
        most: usize,
    ) -> Result<Vec<DocId>, SearchError> {
        let Some(info) = dictionary.terms().get(term)? else {
            return Ok(Vec::new());
        };
        let option = IndexRecordOption::Basic;
        let mut postings = dictionary.read_postings_from_terminfo(&info, option)?;
        let mut docs = Vec::new();
        while postings.doc() != TERMINATED && docs.len() < most {
            if self.is_alive(postings.doc()) {
                docs.push(postings.doc());
            }
            postings.advance();
        }
        Ok(docs)
    }

    /// The at-uri or DID of a document.
    pub(crate) fn subject(&self, doc: DocId) -> Result<String, SearchError> {
        let stored: TantivyDocument = self.store.get(doc)?;
        let subject = stored
            .get_first(self.subject)
            .and_then(|value| value.as_str());
        Ok(subject.unwrap_or_default().to_owned())
    }
}

/// A column; where an earlier schema has none, all documents have the same in it.
fn column_or<T>(
    reader: &SegmentReader,
    name: &str,
    otherwise: T,
) -> Result<Arc<dyn ColumnValues<T>>, SearchError>
where
    T: HasAssociatedColumnType + Default,
    DynamicColumn: Into<Option<Column<T>>>,
{
    let column = match has_column(reader.schema(), name) {
        true => reader.fast_fields().column_opt(name)?,
        false => None,
    };
    let column = column.unwrap_or_else(|| Column::build_empty_column(reader.max_doc()));
    Ok(column.first_or_default_col(otherwise))
}
