//! Documents of a segment that have everything a query needs, each with its rank. Few are kept as a
//! list that is sought through, many as a byte for every document: both give the same.

use tantivy::postings::BlockSegmentPostings;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, TERMINATED};

use crate::budget::Purse;
use crate::segment::{Dictionary, Segment};
use crate::stage::{Docs, Rank, Source, Stop};

/// Of a segment's documents, one in so many is few.
const FEW: u64 = 16;
/// Documents of a segment whose bytes are looked at for one step.
const BYTES_A_STEP: u64 = 32;

pub(crate) enum Gathered {
    Few(Vec<(DocId, Rank)>),
    Many(Vec<Rank>),
}

/// What every need has in common. A need without a source has no documents.
pub(crate) fn gather(
    needs: Vec<Vec<Source>>,
    segment: &Segment,
    purse: &Purse,
) -> Result<Gathered, Stop> {
    Lists::of(segment, purse).gather(needs)
}

fn total(sources: &[Source]) -> u64 {
    sources.iter().map(Source::size).sum()
}

/// Reads the lists of a segment, one after another, into the same memory.
struct Lists<'a> {
    segment: &'a Segment,
    size: u32,
    purse: &'a Purse,
    blocks: [Option<BlockSegmentPostings>; 3],
}

impl<'a> Lists<'a> {
    fn of(segment: &'a Segment, purse: &'a Purse) -> Lists<'a> {
        Lists {
            segment,
            size: segment.size,
            purse,
            blocks: [None, None, None],
        }
    }

    fn gather(&mut self, mut needs: Vec<Vec<Source>>) -> Result<Gathered, Stop> {
        if needs.is_empty() || needs.iter().any(Vec::is_empty) {
            return Ok(Gathered::Few(Vec::new()));
        }
        needs.sort_by_key(|sources| total(sources));
        let mut needs = needs.into_iter();
        let mut gathered = match needs.next() {
            Some(rarest) => self.union(rarest)?,
            None => Gathered::Few(Vec::new()),
        };
        for sources in needs {
            match &mut gathered {
                Gathered::Few(few) if few.is_empty() => break,
                Gathered::Few(few) => self.keep(few, sources)?,
                Gathered::Many(many) => {
                    let other = self.every(sources)?;
                    for (rank, other) in many.iter_mut().zip(other) {
                        *rank = rank.and(other);
                    }
                }
            }
        }
        Ok(gathered)
    }

    fn union(&mut self, sources: Vec<Source>) -> Result<Gathered, Stop> {
        let total = total(&sources);
        if sources.len() > 1 && total > u64::from(self.size) / FEW {
            return Ok(Gathered::Many(self.every(sources)?));
        }
        self.purse.pay(total)?;
        let mut few: Vec<(DocId, Rank)> = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
        for source in sources {
            let rank = source.rank;
            self.each(source.docs, |doc| few.push((doc, rank)))?;
        }
        // Not unstable: each source is in order already, and such runs are merged.
        few.sort();
        few.dedup_by_key(|(doc, _)| *doc);
        Ok(Gathered::Few(few))
    }

    fn each(&mut self, docs: Docs, mut take: impl FnMut(DocId)) -> Result<(), Stop> {
        let (dictionary, info) = match docs {
            Docs::Term(dictionary, info) => (dictionary, info),
            Docs::List(docs) => {
                docs.into_iter().for_each(take);
                return Ok(());
            }
        };
        let segment = self.segment;
        let reader = segment.dictionary(dictionary);
        let place = match dictionary {
            Dictionary::Words => &mut self.blocks[0],
            Dictionary::Notes => &mut self.blocks[1],
            Dictionary::Starts => &mut self.blocks[2],
        };
        let block = match place {
            Some(block) => {
                reader.reset_block_postings_from_terminfo(&info, block)?;
                block
            }
            None => {
                let basic = IndexRecordOption::Basic;
                place.insert(reader.read_block_postings_from_terminfo(&info, basic)?)
            }
        };
        while !block.docs().is_empty() {
            block.docs().iter().for_each(|doc| take(*doc));
            block.advance();
        }
        Ok(())
    }

    /// A rank for every document of the segment.
    fn every(&mut self, sources: Vec<Source>) -> Result<Vec<Rank>, Stop> {
        self.purse.pay(u64::from(self.size) / BYTES_A_STEP)?;
        let mut ranks = vec![Rank::NONE; self.size as usize];
        for source in sources {
            self.purse.pay(source.size())?;
            let rank = source.rank;
            self.each(source.docs, |doc| {
                if let Some(best) = ranks.get_mut(doc as usize) {
                    *best = rank.min(*best);
                }
            })?;
        }
        Ok(ranks)
    }

    /// Keeps those that have another need too.
    fn keep(&mut self, few: &mut Vec<(DocId, Rank)>, sources: Vec<Source>) -> Result<(), Stop> {
        let mut best = vec![Rank::NONE; few.len()];
        for source in sources {
            let rank = source.rank;
            let size = source.size();
            if size < few.len() as u64 {
                self.purse.pay(size * 2)?;
                let mut start = 0;
                self.each(source.docs, |doc| {
                    let rest = few.get(start..).unwrap_or_default();
                    start += places_before(rest, doc);
                    if few.get(start).is_some_and(|(there, _)| *there == doc)
                        && let Some(best) = best.get_mut(start)
                    {
                        *best = rank.min(*best);
                    }
                })?;
                continue;
            }
            self.purse.pay(few.len() as u64 * 2)?;
            let mut seek = self.seeking(source.docs)?;
            for ((doc, _), best) in few.iter().zip(&mut best) {
                if seek(*doc) {
                    *best = rank.min(*best);
                }
            }
        }
        let mut others = best.into_iter();
        few.retain_mut(|(_, rank)| {
            let other = others.next().unwrap_or(Rank::NONE);
            *rank = rank.and(other);
            other != Rank::NONE
        });
        Ok(())
    }

    /// Tells whether documents, asked for in ascending order, are there.
    fn seeking(&self, docs: Docs) -> Result<Box<dyn FnMut(DocId) -> bool>, Stop> {
        let (dictionary, info) = match docs {
            Docs::Term(dictionary, info) => (dictionary, info),
            Docs::List(docs) => {
                return Ok(Box::new(move |doc| docs.binary_search(&doc).is_ok()));
            }
        };
        let basic = IndexRecordOption::Basic;
        let mut postings = self.segment.postings(dictionary, &info, basic)?;
        Ok(Box::new(move |doc| {
            if postings.doc() < doc {
                postings.seek(doc);
            }
            postings.doc() == doc
        }))
    }
}

/// How many stand before a document: by steps that double, then by halves.
fn places_before(few: &[(DocId, Rank)], doc: DocId) -> usize {
    let mut reach = 1;
    while few.get(reach).is_some_and(|(there, _)| *there < doc) {
        reach *= 2;
    }
    let near = few.get(..few.len().min(reach + 1)).unwrap_or_default();
    near.partition_point(|(there, _)| *there < doc)
}

impl Gathered {
    /// Hands out every document with its rank, in ascending order.
    pub(crate) fn each(self, purse: &Purse, mut take: impl FnMut(DocId, Rank)) -> Result<(), Stop> {
        match self {
            Gathered::Few(few) => {
                purse.pay(few.len() as u64)?;
                for (doc, rank) in few {
                    take(doc, rank);
                }
            }
            Gathered::Many(many) => {
                purse.pay(many.len() as u64 / BYTES_A_STEP)?;
                for (doc, &rank) in many.iter().enumerate() {
                    if rank != Rank::NONE {
                        take(u32::try_from(doc).unwrap_or(TERMINATED), rank);
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::budget::Budget;
    use crate::rank::{Field, Tier};

    type Needs = Vec<Vec<(u8, Vec<DocId>)>>;

    /// A segment of a real index; what the test gathers are lists of its own.
    fn segment() -> std::sync::Arc<crate::Searcher> {
        let folder = tempfile::tempdir().unwrap();
        let index = crate::Index::create(&folder.path().join("index")).unwrap();
        let mut writer = index.writer(crate::WriterBudget::LIVE).unwrap();
        let did = "did:plc:abcdefghijklmnopqrstuvwx".parse().unwrap();
        let popularity = crate::Popularity::default();
        let actor = crate::Document::of_actor(&did, Some("x"), None, None, 0, popularity);
        writer.add(&actor.unwrap()).unwrap();
        writer.commit("").unwrap();
        index.searcher()
    }

    static SEARCHER: std::sync::OnceLock<std::sync::Arc<crate::Searcher>> =
        std::sync::OnceLock::new();

    fn rank(number: u8) -> Rank {
        let tiers = [Tier::Word, Tier::Start, Tier::OneTypo];
        let field = Field::ALL[usize::from(number) % 6];
        Rank::new(tiers[usize::from(number) / 6 % 3], field)
    }

    /// The rule, slowly.
    fn slowly(needs: &Needs) -> BTreeMap<DocId, Rank> {
        let mut all: Option<BTreeMap<DocId, Rank>> = None;
        for sources in needs {
            let mut best: BTreeMap<DocId, Rank> = BTreeMap::new();
            for (number, docs) in sources {
                for doc in docs {
                    let slot = best.entry(*doc).or_insert(Rank::NONE);
                    *slot = rank(*number).min(*slot);
                }
            }
            all = Some(match all {
                None => best,
                Some(before) => before
                    .into_iter()
                    .filter_map(|(doc, rank)| Some((doc, rank.and(*best.get(&doc)?))))
                    .collect(),
            });
        }
        all.unwrap_or_default()
    }

    proptest! {
        #[test]
        fn few_and_many_give_the_same(
            needs in prop::collection::vec(
                prop::collection::vec(
                    (0_u8..18, prop::collection::btree_set(0_u32..400, 0..60)),
                    1..4,
                ),
                1..4,
            ),
        ) {
            let needs: Needs = needs
                .into_iter()
                .map(|sources| {
                    let lists = sources.into_iter();
                    lists.map(|(number, docs)| (number, docs.into_iter().collect())).collect()
                })
                .collect();
            let searcher = SEARCHER.get_or_init(segment);
            for size in [400, 100_000] {
                let purse = Purse::of(Budget::QUERY);
                let mut lists = Lists::of(&searcher.segments[0], &purse);
                lists.size = size;
                let sources = needs
                    .iter()
                    .map(|sources| {
                        let sources = sources.iter();
                        let source = |(number, docs): &(u8, Vec<DocId>)| Source {
                            docs: Docs::List(docs.clone()),
                            rank: rank(*number),
                        };
                        sources.map(source).collect()
                    })
                    .collect();
                let mut found = BTreeMap::new();
                lists.gather(sources)
                    .unwrap()
                    .each(&purse, |doc, rank| { found.insert(doc, rank); })
                    .unwrap();
                prop_assert_eq!(&found, &slowly(&needs));
            }
        }
    }
}
