//! What a query needs, as posting lists of one segment: each with the tier and the field that a
//! document found in it has.

use std::cell::OnceCell;

use tantivy::postings::TermInfo;

use crate::artists::{Accounts, LookedPhrase};
use crate::budget::Purse;
use crate::document::Key;
use crate::layout::{Class, term_of_key};
use crate::query::{Asked, Scope};
use crate::rank::Tier;
use crate::segment::{Dictionary, Segment};
use crate::stage::{Docs, Rank, Source, Stage, Stop, Wanted};
use crate::terms::{KEY_START, Sort, first_chars, word_term};
use crate::typos::{LETTERS_FOR_START, Near};

/// Steps that a posting list costs besides its entries, when its term is found and when it is read.
pub(crate) const OPENING: u64 = 50;

/// Steps that making an automaton costs for each letter: some tens of states, of a table each.
const AUTOMATON: u64 = 500;

/// One thing that a query needs.
pub(crate) enum Need<'q> {
    /// A word.
    Word(&'q Looked<'q>),
    Phrase(&'q LookedPhrase<'q>),
    Tag(&'q str),
    /// Published by one of these accounts, or featuring it.
    Artists(&'q [Key]),
    /// Whole titles and names.
    Exact(&'q str),
    /// Those that look like operators, as they are typed.
    Typed(&'q str),
    /// Beginnings of titles and names.
    Prefix(&'q str),
    /// Those that end where a word does.
    PrefixAtWordEnd(&'q str),
}

impl Need<'_> {
    /// Whether an operator asks for it.
    pub(crate) fn is_of_operator(&self) -> bool {
        match self {
            Need::Tag(_) | Need::Artists(_) => true,
            Need::Word(word) => word.asked.scope != Scope::Any,
            Need::Phrase(looked) => looked.phrase.scope != Scope::Any,
            Need::Exact(_) | Need::Typed(_) | Need::Prefix(_) | Need::PrefixAtWordEnd(_) => false,
        }
    }
}

/// A word of a query while it is looked for.
pub(crate) struct Looked<'q> {
    pub asked: &'q Asked,
    /// The accounts it names.
    pub accounts: Accounts,
    /// Automata of what is near, made when they are first needed.
    near: OnceCell<(Near, Option<Near>)>,
}

impl<'q> Looked<'q> {
    pub(crate) fn new(asked: &'q Asked) -> Looked<'q> {
        Looked {
            asked,
            accounts: Accounts::default(),
            near: OnceCell::new(),
        }
    }

    /// The automata; making them is paid for.
    pub(crate) fn near(&self, purse: &Purse) -> Result<&(Near, Option<Near>), Stop> {
        if self.near.get().is_none() {
            purse.pay(AUTOMATON * self.asked.text.chars().count() as u64)?;
        }
        Ok(self.near.get_or_init(|| {
            let text = self.asked.text.as_str();
            let can_start = self.asked.is_last && text.chars().count() >= LETTERS_FOR_START;
            let start = can_start.then(|| Near::start(text));
            (Near::whole(text, self.asked.typos), start)
        }))
    }
}

/// Terms that a word stands for in one segment, of whatever class, by how it does; read once for
/// all stages.
#[derive(Default)]
pub(crate) struct Terms {
    starts: Option<Vec<Found>>,
    note_starts: Option<Vec<Found>>,
    typos: Option<Vec<Found>>,
}

#[derive(Clone)]
pub(crate) struct Found {
    pub dictionary: Dictionary,
    pub info: TermInfo,
    pub class: Class,
    pub tier: Tier,
}

/// Reads sources out of one segment.
pub(crate) struct Sources<'a> {
    pub segment: &'a Segment,
    pub wanted: Wanted,
    /// What a word's terms are read of, and kept for all stages: no less than is wanted in any.
    pub read: Wanted,
    pub purse: &'a Purse,
}

impl Sources<'_> {
    /// All sources of a need, for a stage.
    pub(crate) fn of(
        &self,
        need: &Need<'_>,
        terms: &mut Terms,
        stage: Stage,
    ) -> Result<Vec<Source>, Stop> {
        let mut sources = Vec::new();
        match need {
            Need::Word(word) => {
                self.word(word, terms, stage, &mut sources)?;
                self.named(&word.accounts, stage, &mut sources)?;
            }
            Need::Phrase(looked) => {
                self.phrase(looked.phrase, stage, &mut sources)?;
                self.named(&looked.accounts, stage, &mut sources)?;
            }
            Need::Tag(tag) => self.tag(tag, &mut sources)?,
            Need::Artists(accounts) => {
                for account in *accounts {
                    self.artist(*account, Tier::Word, &mut sources)?;
                }
            }
            Need::Exact(key) => self.exact(key, &mut sources)?,
            Need::Typed(form) => {
                let (starts, term) = (Dictionary::Starts, Sort::Typed.term(form));
                self.open_term(starts, &term, Class::Title, Tier::Exact, &mut sources)?;
            }
            Need::Prefix(key) => self.prefix(key, &mut sources)?,
            Need::PrefixAtWordEnd(key) => self.prefix(&format!("{key} "), &mut sources)?,
        }
        Ok(sources)
    }

    /// Records by the accounts that a name stands for, or featuring them.
    fn named(
        &self,
        accounts: &Accounts,
        stage: Stage,
        sources: &mut Vec<Source>,
    ) -> Result<(), Stop> {
        if !self.wanted.records {
            return Ok(());
        }
        for (account, tier) in accounts.up_to(stage.reach) {
            self.artist(account, tier, sources)?;
        }
        Ok(())
    }

    pub(crate) fn classes(
        &self,
        scope: Scope,
        with_notes: bool,
    ) -> impl Iterator<Item = Class> + use<> {
        let wanted = self.wanted;
        classes_of(scope, with_notes).filter(move |class| wanted.has(*class))
    }

    /// The classes that a word's terms are read of.
    pub(crate) fn classes_read(
        &self,
        scope: Scope,
        with_notes: bool,
    ) -> impl Iterator<Item = Class> + use<> {
        let read = self.read;
        classes_of(scope, with_notes).filter(move |class| read.has(*class))
    }

    fn open(&self, found: &Found, sources: &mut Vec<Source>) -> Result<(), Stop> {
        self.purse.pay(OPENING)?;
        sources.push(Source {
            docs: Docs::Term(found.dictionary, found.info.clone()),
            rank: Rank::new(found.tier, found.class.field()),
        });
        Ok(())
    }

    pub(crate) fn open_term(
        &self,
        dictionary: Dictionary,
        term: &[u8],
        class: Class,
        tier: Tier,
        sources: &mut Vec<Source>,
    ) -> Result<(), Stop> {
        // Also where there is none it was looked for.
        self.purse.pay(term.len() as u64)?;
        let Some(info) = self.segment.term(dictionary, term)? else {
            return Ok(());
        };
        let found = Found {
            dictionary,
            info,
            class,
            tier,
        };
        self.open(&found, sources)
    }

    fn word(
        &self,
        word: &Looked<'_>,
        terms: &mut Terms,
        stage: Stage,
        sources: &mut Vec<Source>,
    ) -> Result<(), Stop> {
        let asked = word.asked;
        for class in self.classes(asked.scope, stage.with_notes) {
            let term = word_term(&asked.text, class);
            self.open_term(dictionary_of(class), &term, class, Tier::Word, sources)?;
        }
        if stage.reach >= Tier::Start && (asked.can_start || asked.may_go_on().is_some()) {
            if terms.starts.is_none() {
                terms.starts = Some(self.starts(asked)?);
            }
            self.open_wanted(&terms.starts, stage, sources)?;
            if stage.with_notes && asked.scope == Scope::Any && asked.can_start {
                if terms.note_starts.is_none() {
                    terms.note_starts = Some(self.note_starts(asked)?);
                }
                self.open_wanted(&terms.note_starts, stage, sources)?;
            }
        }
        if stage.reach >= Tier::OneTypo && asked.typos > 0 {
            if terms.typos.is_none() {
                terms.typos = Some(self.typos(word)?);
            }
            self.open_wanted(&terms.typos, stage, sources)?;
        }
        Ok(())
    }

    fn open_wanted(
        &self,
        terms: &Option<Vec<Found>>,
        stage: Stage,
        sources: &mut Vec<Source>,
    ) -> Result<(), Stop> {
        for found in terms.iter().flatten() {
            // What stands lower is looked for later: what is found must come in the order of tiers.
            if found.tier <= stage.reach && self.wanted.has(found.class) {
                self.open(found, sources)?;
            }
        }
        Ok(())
    }

    fn artist(&self, artist: Key, tier: Tier, sources: &mut Vec<Source>) -> Result<(), Stop> {
        let key = term_of_key(artist);
        let starts = Dictionary::Starts;
        self.open_term(
            starts,
            &Sort::Author.term(&key),
            Class::Artist,
            tier,
            sources,
        )?;
        self.open_term(
            starts,
            &Sort::Featured.term(&key),
            Class::Feature,
            tier,
            sources,
        )
    }

    fn exact(&self, key: &str, sources: &mut Vec<Source>) -> Result<(), Stop> {
        for (sort, class) in self.key_sorts() {
            let term = sort.term(key);
            self.open_term(Dictionary::Starts, &term, class, Tier::Exact, sources)?;
        }
        Ok(())
    }

    fn key_sorts(&self) -> impl Iterator<Item = (Sort, Class)> + use<> {
        let wanted = self.wanted;
        let sorts = [(Sort::Title, Class::Title), (Sort::Actor, Class::Actor)];
        sorts
            .into_iter()
            .filter(move |(_, class)| wanted.has(*class))
    }

    fn prefix(&self, key: &str, sources: &mut Vec<Source>) -> Result<(), Stop> {
        let is_short = first_chars(key, KEY_START).len() == key.len();
        for (sort, class) in self.key_sorts() {
            if is_short {
                let start = match sort {
                    Sort::Actor => Sort::ActorStart,
                    _ => Sort::TitleStart,
                };
                let term = start.term(key);
                self.open_term(Dictionary::Starts, &term, class, Tier::Prefix, sources)?;
                continue;
            }
            let start = sort.term(key);
            self.open_range(&start, class, Tier::Prefix, sources)?;
        }
        Ok(())
    }

    fn tag(&self, tag: &str, sources: &mut Vec<Source>) -> Result<(), Stop> {
        let mut start = Sort::Tag.term(tag);
        start.push(0);
        self.open_range(&start, Class::Tag, Tier::Word, sources)
    }

    /// All terms of the third dictionary with a beginning.
    fn open_range(
        &self,
        start: &[u8],
        class: Class,
        tier: Tier,
        sources: &mut Vec<Source>,
    ) -> Result<(), Stop> {
        let terms = self.segment.dictionary(Dictionary::Starts).terms();
        let mut range = terms.range().ge(start);
        if let Some(end) = after_all_with(start) {
            range = range.lt(end);
        }
        let mut stream = range.into_stream()?;
        while stream.advance() {
            let found = Found {
                dictionary: Dictionary::Starts,
                info: stream.value().clone(),
                class,
                tier,
            };
            self.open(&found, sources)?;
        }
        Ok(())
    }
}

/// The classes of texts that a scope takes in.
pub(crate) fn classes_of(scope: Scope, with_notes: bool) -> impl Iterator<Item = Class> {
    let is_in = move |class: &Class| match scope {
        Scope::Any => *class != Class::Description || with_notes,
        Scope::Artist => matches!(class, Class::Artist | Class::Feature | Class::Actor),
        Scope::Album => *class == Class::Album,
    };
    Class::ALL.into_iter().filter(is_in)
}

pub(crate) fn dictionary_of(class: Class) -> Dictionary {
    match class {
        Class::Description => Dictionary::Notes,
        _ => Dictionary::Words,
    }
}

/// The word and the class of a term.
pub(crate) fn word_of(term: &[u8]) -> Option<(&[u8], Class)> {
    match term {
        [word @ .., 0, class] => Some((word, Class::from_byte(*class)?)),
        _ => None,
    }
}

/// The least term after all that begin so.
pub(crate) fn after_all_with(start: &[u8]) -> Option<Vec<u8>> {
    let mut end = start.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}
