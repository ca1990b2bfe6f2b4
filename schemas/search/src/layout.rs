//! How documents lie in an index: its fields, and the terms that each text gives. One field holds
//! the words of names, one those of descriptions, one what is looked for by its beginning; which
//! field of a document a word stands in is told by the last byte of its term, so that one walk over
//! a dictionary finds a word in all of them.

use tantivy::schema::{
    FAST, FieldType, IndexRecordOption, NumericOptions, STORED, STRING, Schema, TextFieldIndexing,
    TextOptions,
};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{TantivyDocument, schema};

use crate::document::{Document, Key, Kind, chosen_labels};
use crate::rank::Field;
use crate::terms::{Starts, Words};
use crate::words::Pieces;

/// The version of an index: of its fields, of folding and of cutting into words. Raise it when any
/// of them changes; an index of another version is built anew.
pub const VERSION: u32 = 5;

/// Where the words of a text are kept: a [`Field`], with the names of artists apart from titles.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Class {
    /// Titles of tracks, names of lists.
    Title = b'0' as isize,
    /// The artist a track's record names.
    Artist = b'1' as isize,
    /// Albums.
    Album = b'2' as isize,
    /// Featured artists.
    Feature = b'3' as isize,
    /// Tags and genres.
    Tag = b'4' as isize,
    /// Descriptions, bios.
    Description = b'5' as isize,
    /// Names and handles of actors.
    Actor = b'6' as isize,
}

impl Class {
    pub(crate) const ALL: [Class; 7] = [
        Class::Title,
        Class::Artist,
        Class::Album,
        Class::Feature,
        Class::Tag,
        Class::Description,
        Class::Actor,
    ];

    pub(crate) fn byte(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.byte() == byte)
    }

    pub(crate) fn of(field: Field, kind: Kind) -> Class {
        match field {
            Field::Name if kind == Kind::Artist => Class::Actor,
            Field::Name => Class::Title,
            Field::Artist => Class::Artist,
            Field::Album => Class::Album,
            Field::Feature => Class::Feature,
            Field::Tag => Class::Tag,
            Field::Description => Class::Description,
        }
    }

    pub(crate) fn field(self) -> Field {
        match self {
            Class::Title | Class::Actor => Field::Name,
            Class::Artist => Field::Artist,
            Class::Album => Field::Album,
            Class::Feature => Field::Feature,
            Class::Tag => Field::Tag,
            Class::Description => Field::Description,
        }
    }
}

/// Parts of the text that a tokenizer gets are parted by this; texts hold no control characters.
pub(crate) const PART: char = '\u{1e}';
/// Marks of parts that are no words, beside the bytes of [`Class`].
pub(crate) const TITLE_KEY: char = 'K';
pub(crate) const ACTOR_KEY: char = 'H';
pub(crate) const AUTHOR: char = 'A';
pub(crate) const FEATURED: char = 'F';
pub(crate) const TAG: char = 'T';

/// The fields that are read by their numbers. Columns are read by their names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Texts {
    pub subject: schema::Field,
    pub words: schema::Field,
    pub notes: schema::Field,
    pub starts: schema::Field,
}

impl Texts {
    /// Those of a schema that may be an earlier one, found by their names; none where searches
    /// can't do with it. Besides texts they need what something is, and the two keys by which it is
    /// hidden; all other columns may be missing.
    pub(crate) fn of(schema: &Schema) -> Option<Texts> {
        let are_there = [KIND, AUTHOR_KEY, SUBJECT_KEY]
            .into_iter()
            .all(|name| has_column(schema, name));
        if !are_there {
            return None;
        }
        let text = |name: &str, has_all: fn(&TextOptions) -> bool| {
            let field = schema.get_field(name).ok()?;
            match schema.get_field_entry(field).field_type() {
                FieldType::Str(options) if has_all(options) => Some(field),
                _ => None,
            }
        };
        Some(Texts {
            subject: text(SUBJECT, |options| {
                options.is_stored() && options.get_indexing_options().is_some()
            })?,
            words: text(WORDS, has_positions)?,
            notes: text(NOTES, has_positions)?,
            starts: text(STARTS, |options| options.get_indexing_options().is_some())?,
        })
    }
}

fn has_positions(options: &TextOptions) -> bool {
    let indexing = options.get_indexing_options();
    indexing.is_some_and(|indexing| indexing.index_option().has_positions())
}

/// Whether a schema has a column of this name, to be read by document.
pub(crate) fn has_column(schema: &Schema, name: &str) -> bool {
    let field = schema.get_field(name);
    field.is_ok_and(|field| schema.get_field_entry(field).is_fast())
}

/// The fields of an index of this version, as they are written.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub schema: Schema,
    pub texts: Texts,
    kind: schema::Field,
    author: schema::Field,
    subject_key: schema::Field,
    duration: schema::Field,
    sort_at: schema::Field,
    popularity: schema::Field,
    name_words: schema::Field,
    fingerprint: schema::Field,
}

/// Names of the fields that have texts.
const SUBJECT: &str = "subject";
const WORDS: &str = "words";
const NOTES: &str = "notes";
const STARTS: &str = "starts";
/// Names of the columns, as they are read.
pub(crate) const KIND: &str = "kind";
pub(crate) const AUTHOR_KEY: &str = "author";
pub(crate) const SUBJECT_KEY: &str = "subject_key";
pub(crate) const DURATION: &str = "duration";
pub(crate) const SORT_AT: &str = "sort_at";
pub(crate) const POPULARITY: &str = "popularity";
pub(crate) const NAME_WORDS: &str = "name_words";
pub(crate) const FINGERPRINT: &str = "fingerprint";
/// The duration of what has none.
pub(crate) const NO_DURATION: u64 = u64::MAX;
/// Stands for no time: of an actor without a profile record of their own.
pub const NO_TIME: i64 = i64::MIN;

const WORDS_TOKENIZER: &str = "words";
const STARTS_TOKENIZER: &str = "starts";

impl Layout {
    pub(crate) fn new() -> Layout {
        let text = |tokenizer: &str, option: IndexRecordOption| {
            let indexing = TextFieldIndexing::default()
                .set_tokenizer(tokenizer)
                .set_index_option(option)
                .set_fieldnorms(false);
            TextOptions::default().set_indexing_options(indexing)
        };
        let positions = IndexRecordOption::WithFreqsAndPositions;
        let mut fields = Schema::builder();
        let column = NumericOptions::default() | FAST;
        let starts = text(STARTS_TOKENIZER, IndexRecordOption::Basic);
        Layout {
            texts: Texts {
                subject: fields.add_text_field(SUBJECT, STRING | STORED),
                words: fields.add_text_field(WORDS, text(WORDS_TOKENIZER, positions)),
                notes: fields.add_text_field(NOTES, text(WORDS_TOKENIZER, positions)),
                starts: fields.add_text_field(STARTS, starts),
            },
            kind: fields.add_u64_field(KIND, column.clone()),
            author: fields.add_u64_field(AUTHOR_KEY, column.clone()),
            subject_key: fields.add_u64_field(SUBJECT_KEY, column.clone()),
            duration: fields.add_u64_field(DURATION, column.clone()),
            sort_at: fields.add_i64_field(SORT_AT, column.clone()),
            popularity: fields.add_u64_field(POPULARITY, column.clone()),
            name_words: fields.add_u64_field(NAME_WORDS, column.clone()),
            fingerprint: fields.add_u64_field(FINGERPRINT, column),
            schema: fields.build(),
        }
    }

    pub(crate) fn register(&self, index: &tantivy::Index) {
        let tokenizers = index.tokenizers();
        tokenizers.register(WORDS_TOKENIZER, TextAnalyzer::from(Words::default()));
        tokenizers.register(STARTS_TOKENIZER, TextAnalyzer::from(Starts::default()));
    }

    /// A document as tantivy takes it.
    pub(crate) fn written(&self, document: &Document) -> TantivyDocument {
        let mut written = TantivyDocument::default();
        written.add_text(self.texts.subject, &document.subject);
        let words = words_text(document);
        written.add_text(self.texts.starts, starts_text(document, &words));
        written.add_text(self.texts.words, words);
        let notes = notes_text(document);
        if !notes.is_empty() {
            written.add_text(self.texts.notes, notes);
        }
        written.add_u64(self.kind, u64::from(document.kind as u8));
        written.add_u64(self.author, Key::of(document.author.as_str()).0);
        written.add_u64(self.subject_key, Key::of(&document.subject).0);
        written.add_u64(self.duration, document.duration.unwrap_or(NO_DURATION));
        written.add_i64(self.sort_at, document.sort_at);
        written.add_u64(self.popularity, u64::from(document.popularity.step()));
        written.add_u64(self.name_words, name_words(document));
        written.add_u64(self.fingerprint, document.fingerprint());
        written
    }
}

fn add_part(parts: &mut String, mark: char, text: &str) {
    parts.push(PART);
    parts.push(mark);
    parts.push_str(text);
}

/// All texts but descriptions, each behind the byte of its class.
fn words_text(document: &Document) -> String {
    let mut parts = String::new();
    for (field, text) in &document.texts {
        if *field != Field::Description {
            let class = Class::of(*field, document.kind);
            add_part(&mut parts, char::from(class.byte()), text);
        }
    }
    if let Some(handle) = &document.handle {
        let chosen = chosen_labels(handle);
        add_part(&mut parts, char::from(Class::Actor.byte()), chosen);
    }
    parts
}

/// How many different words a document's name has: that of an artist without one is the handle.
fn name_words(document: &Document) -> u64 {
    let mut names = document.texts.iter();
    let name = names.find(|(field, _)| *field == Field::Name);
    let handle = document.handle.as_deref().map(chosen_labels);
    let name = name.map(|(_, name)| name.as_str()).or(handle);
    Pieces::of(name.unwrap_or_default()).different_words() as u64
}

fn notes_text(document: &Document) -> String {
    let mut parts = String::new();
    for (field, text) in &document.texts {
        if *field == Field::Description {
            add_part(&mut parts, char::from(Class::Description.byte()), text);
        }
    }
    parts
}

fn starts_text(document: &Document, words: &str) -> String {
    let mut parts = words.to_owned();
    let key = match document.kind {
        Kind::Artist => ACTOR_KEY,
        _ => TITLE_KEY,
    };
    for (field, text) in &document.texts {
        match field {
            Field::Name => add_part(&mut parts, key, text),
            Field::Tag if document.kind == Kind::Track => add_part(&mut parts, TAG, text),
            _ => {}
        }
    }
    if let Some(handle) = &document.handle {
        add_part(&mut parts, key, handle);
    }
    if document.kind != Kind::Artist {
        let author = term_of_key(Key::of(document.author.as_str()));
        add_part(&mut parts, AUTHOR, &author);
    }
    for did in &document.features {
        add_part(&mut parts, FEATURED, &term_of_key(Key::of(did)));
    }
    parts
}

/// A key as terms write it.
pub(crate) fn term_of_key(key: Key) -> String {
    format!("{:016x}", key.0)
}
