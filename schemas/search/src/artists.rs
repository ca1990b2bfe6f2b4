//! Which accounts a name in a query stands for: by their present names and handles, which their
//! tracks don't carry.

use std::collections::{BTreeMap, BTreeSet};

use plyr_lexicons::AtIdentifier;

use crate::document::Key;
use crate::gather::gather;
use crate::query::{ByAddress, Phrase, Scope, Without};
use crate::rank::Tier;
use crate::search::Search;
use crate::searcher::MOST_ARTISTS;
use crate::sources::{Looked, Need, Terms};
use crate::stage::{Source, Stage, Stop, Wanted};

/// Accounts are named in steps, the surest first: a step that names more than [`MOST_ARTISTS`] that
/// none before it did is the last, and names none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// A name or a handle is nothing else.
    Name,
    /// One has it as whole words.
    Word,
    /// A word of one begins with it.
    Start,
    OneTypo,
    TwoTypos,
}

impl Step {
    const ALL: [Step; 5] = [
        Step::Name,
        Step::Word,
        Step::Start,
        Step::OneTypo,
        Step::TwoTypos,
    ];

    /// The tier of a hit by such an account.
    fn tier(self) -> Tier {
        match self {
            Step::Name | Step::Word => Tier::Word,
            Step::Start => Tier::Start,
            Step::OneTypo => Tier::OneTypo,
            Step::TwoTypos => Tier::TwoTypos,
        }
    }
}

/// The accounts that a name stands for.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    named: BTreeMap<Key, Tier>,
    /// Steps that were taken.
    taken: usize,
    are_too_many: bool,
}

impl Accounts {
    /// Those of a tier or a better one, each with its own.
    pub(crate) fn up_to(&self, reach: Tier) -> impl Iterator<Item = (Key, Tier)> {
        let named = self.named.iter().map(|(account, tier)| (*account, *tier));
        named.filter(move |(_, tier)| *tier <= reach)
    }

    /// The next step on the way to a tier.
    fn next(&self, reach: Tier) -> Option<Step> {
        let next = Step::ALL.get(self.taken).copied();
        next.filter(|step| !self.are_too_many && step.tier() <= reach)
    }

    fn take(&mut self, step: Step, new: BTreeSet<Key>) {
        self.taken += 1;
        if new.len() > MOST_ARTISTS {
            self.are_too_many = true;
            return;
        }
        self.named
            .extend(new.into_iter().map(|account| (account, step.tier())));
    }
}

/// A phrase of a query while it is looked for.
pub(crate) struct LookedPhrase<'q> {
    pub phrase: &'q Phrase,
    pub accounts: Accounts,
}

/// A place of names to be looked for in: descriptions have none.
fn stage(reach: Tier) -> Stage {
    Stage {
        reach,
        with_notes: false,
    }
}

impl<'a> Search<'a> {
    /// Which artists each word names, to be found in a tier or a better one.
    pub(crate) fn name_artists(
        &mut self,
        reach: Tier,
        words: &mut [Looked<'_>],
    ) -> Result<(), Stop> {
        for (place, word) in words.iter_mut().enumerate() {
            if !self.wanted.records || word.asked.scope == Scope::Album {
                continue;
            }
            while let Some(step) = word.accounts.next(reach) {
                let mut new = BTreeSet::new();
                for number in 0..self.segments.len() {
                    let sources = match step {
                        Step::Name => self.sources_of_name(number, &word.asked.text)?,
                        _ => {
                            let stage = stage(step.tier());
                            self.of_word(number, place, word, stage, Wanted::ACTORS)?
                        }
                    };
                    self.add_accounts(number, sources, &word.accounts, &mut new)?;
                }
                word.accounts.take(step, new);
            }
        }
        Ok(())
    }

    /// A phrase, and which artists it names.
    pub(crate) fn looked_phrase<'q>(&self, phrase: &'q Phrase) -> Result<LookedPhrase<'q>, Stop> {
        let mut looked = LookedPhrase {
            phrase,
            accounts: Accounts::default(),
        };
        if !self.wanted.records || phrase.scope == Scope::Album {
            return Ok(looked);
        }
        while let Some(step) = looked.accounts.next(Tier::Word) {
            let mut new = BTreeSet::new();
            for number in 0..self.segments.len() {
                let sources = match step {
                    Step::Name => self.sources_of_name(number, &phrase.key)?,
                    _ => {
                        let need = Need::Phrase(&looked);
                        let (mut terms, stage) = (Terms::default(), stage(Tier::Word));
                        self.sources(number, Wanted::ACTORS)
                            .of(&need, &mut terms, stage)?
                    }
                };
                self.add_accounts(number, sources, &looked.accounts, &mut new)?;
            }
            looked.accounts.take(step, new);
        }
        Ok(looked)
    }

    /// The accounts that each `artist:` names by address. Words of handles that are no artist's are
    /// added to those that are looked for.
    pub(crate) fn named_by_address(
        &self,
        artists: &'a [ByAddress],
        words: &mut Vec<Looked<'a>>,
    ) -> Result<Vec<Vec<Key>>, Stop> {
        let mut named = Vec::with_capacity(artists.len());
        for artist in artists {
            let accounts = self.at_address(&artist.actor)?;
            if accounts.is_empty() {
                words.extend(artist.words.iter().map(Looked::new));
            } else {
                named.push(accounts);
            }
        }
        Ok(named)
    }

    /// The account of a DID; those whose handle, or name, a handle is.
    fn at_address(&self, actor: &AtIdentifier) -> Result<Vec<Key>, Stop> {
        let handle = match actor {
            AtIdentifier::Did(did) => return Ok(vec![Key::of(did.as_str())]),
            AtIdentifier::Handle(handle) => handle.as_str(),
        };
        let key = crate::words::Pieces::of(handle).key();
        let mut accounts = Accounts::default();
        let mut new = BTreeSet::new();
        for number in 0..self.segments.len() {
            let sources = self.sources_of_name(number, &key)?;
            self.add_accounts(number, sources, &accounts, &mut new)?;
        }
        accounts.take(Step::Name, new);
        Ok(accounts.named.into_keys().collect())
    }

    fn sources_of_name(&self, number: usize, name: &str) -> Result<Vec<Source>, Stop> {
        let (mut terms, stage) = (Terms::default(), stage(Tier::Word));
        self.sources(number, Wanted::ACTORS)
            .of(&Need::Exact(name), &mut terms, stage)
    }

    /// Adds accounts of actors' documents that aren't known, until they are too many.
    fn add_accounts(
        &self,
        number: usize,
        sources: Vec<Source>,
        known: &Accounts,
        new: &mut BTreeSet<Key>,
    ) -> Result<(), Stop> {
        if sources.is_empty() {
            return Ok(());
        }
        let segment = &self.segments[number];
        let gathered = gather(vec![sources], segment, &self.purse)?;
        gathered.each(&self.purse, |doc, _| {
            let account = segment.author(doc);
            if new.len() <= MOST_ARTISTS
                && !known.named.contains_key(&account)
                && self.collector.shows(segment, doc)
            {
                new.insert(account);
            }
        })
    }

    /// Finds the documents that have what must not be there.
    pub(crate) fn leave_out(&mut self) -> Result<(), Stop> {
        for without in &self.query.without {
            match without {
                Without::Tag(tag) => self.leave_out_all(&Need::Tag(tag))?,
                Without::Phrase(phrase) => self.leave_out_phrase(phrase)?,
                Without::Artist(actor, phrase) => {
                    let accounts = self.at_address(actor)?;
                    if accounts.is_empty() {
                        self.leave_out_phrase(phrase)?;
                        continue;
                    }
                    self.leave_out_all(&Need::Artists(&accounts))?;
                    self.collector.without_authors.extend(accounts);
                }
            }
        }
        Ok(())
    }

    fn leave_out_phrase(&mut self, phrase: &Phrase) -> Result<(), Stop> {
        let looked = self.looked_phrase(phrase)?;
        self.leave_out_all(&Need::Phrase(&looked))
    }

    fn leave_out_all(&mut self, need: &Need<'_>) -> Result<(), Stop> {
        let stage = Stage {
            reach: Tier::Word,
            with_notes: true,
        };
        for (number, segment) in self.segments.iter().enumerate() {
            let sources =
                self.sources(number, self.wanted)
                    .of(need, &mut Terms::default(), stage)?;
            if sources.is_empty() {
                continue;
            }
            let gathered = gather(vec![sources], segment, &self.purse)?;
            let left_out = &mut self.collector.without[number];
            gathered.each(&self.purse, |doc, _| {
                left_out.insert(doc, segment.size);
            })?;
        }
        Ok(())
    }
}
