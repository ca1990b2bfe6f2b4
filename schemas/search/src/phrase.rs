//! Documents where words stand side by side.

use tantivy::postings::{Postings, SegmentPostings};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, TERMINATED};

use crate::layout::Class;
use crate::query::Phrase;
use crate::rank::Tier;
use crate::sources::{OPENING, Sources, dictionary_of};
use crate::stage::{Docs, Rank, Source, Stage, Stop};
use crate::terms::word_term;

impl Sources<'_> {
    /// Documents where the words of a phrase stand side by side in one field.
    pub(crate) fn phrase(
        &self,
        phrase: &Phrase,
        stage: Stage,
        sources: &mut Vec<Source>,
    ) -> Result<(), Stop> {
        for class in self.classes(phrase.scope, stage.with_notes) {
            if let [(only, _)] = phrase.words.as_slice() {
                let term = word_term(only, class);
                self.open_term(dictionary_of(class), &term, class, Tier::Word, sources)?;
                continue;
            }
            let docs = self.side_by_side(phrase, class)?;
            if !docs.is_empty() {
                sources.push(Source {
                    docs: Docs::List(docs),
                    rank: Rank::new(Tier::Word, class.field()),
                });
            }
        }
        Ok(())
    }

    fn side_by_side(&self, phrase: &Phrase, class: Class) -> Result<Vec<DocId>, Stop> {
        let dictionary = dictionary_of(class);
        let option = IndexRecordOption::WithFreqsAndPositions;
        let mut words: Vec<(SegmentPostings, usize)> = Vec::with_capacity(phrase.words.len());
        for (word, place) in &phrase.words {
            let Some(info) = self.segment.term(dictionary, &word_term(word, class))? else {
                return Ok(Vec::new());
            };
            self.purse.pay(OPENING)?;
            let postings = self.segment.postings(dictionary, &info, option)?;
            words.push((postings, *place));
        }
        words.sort_by_key(|(postings, _)| postings.doc_freq());
        let mut docs = Vec::new();
        let Some(((first, first_place), others)) = words.split_first_mut() else {
            return Ok(docs);
        };
        let (mut places, mut beside) = (Vec::new(), Vec::new());
        'docs: while first.doc() != TERMINATED {
            self.purse.pay(1 + others.len() as u64)?;
            let doc = first.doc();
            for (other, _) in others.iter_mut() {
                if other.doc() < doc {
                    other.seek(doc);
                }
                if other.doc() != doc {
                    let next = other.doc();
                    first.seek(next.max(doc + 1));
                    continue 'docs;
                }
            }
            first.positions(&mut places);
            for (other, place) in others.iter_mut() {
                other.positions(&mut beside);
                self.purse.pay((places.len() + beside.len()) as u64)?;
                places.retain(|at| {
                    let expected = (*at as usize + *place).checked_sub(*first_place);
                    let expected = expected.and_then(|at| u32::try_from(at).ok());
                    expected.is_some_and(|at| beside.binary_search(&at).is_ok())
                });
            }
            if !places.is_empty() {
                docs.push(doc);
            }
            first.advance();
        }
        Ok(docs)
    }
}
