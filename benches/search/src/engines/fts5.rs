//! SQLite's FTS5 with one of two tokenizers, in the order of its bm25 with weights for columns.

use std::path::Path;

use rusqlite::{CachedStatement, Connection, Row, params};

use super::{Engine, entity_of, number_of};
use crate::Failure;
use crate::catalogue::{Catalogue, Entity};
use crate::words::TAGS;

/// How texts are cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tokenizer {
    /// Words, without accents, with prefix indexes; the last word of a query may be the start of
    /// one.
    Unicode61,
    /// Three characters at a time, without accents; every word of a query of three characters or
    /// more has to be there, and a query of shorter ones is looked for in all names by `LIKE`.
    Trigram,
}

pub struct Fts5 {
    connection: Connection,
    tokenizer: Tokenizer,
}

/// The texts of a row, in the order of its columns.
type Texts = [String; 6];

impl Fts5 {
    /// Makes an empty one in a file, written ahead, synced now and then: what SQLite's own manual
    /// advises where a commit may be lost with the power.
    pub fn create(file: &Path, tokenizer: Tokenizer) -> Result<Fts5, Failure> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        let cut = match tokenizer {
            Tokenizer::Unicode61 => "tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3'",
            Tokenizer::Trigram => "tokenize = 'trigram remove_diacritics 1'",
        };
        connection.execute_batch(&format!(
            "CREATE VIRTUAL TABLE texts
             USING fts5(name, artist, album, feature, tag, description, {cut});
             INSERT INTO texts(texts, rank) VALUES('rank', 'bm25(10, 5, 3, 3, 2, 1)');"
        ))?;
        Ok(Fts5 {
            connection,
            tokenizer,
        })
    }

    /// Another connection to the same file, to write while the first one reads.
    pub fn open(file: &Path, tokenizer: Tokenizer) -> Result<Fts5, Failure> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "synchronous", "normal")?;
        Ok(Fts5 {
            connection,
            tokenizer,
        })
    }

    /// Writes rows in one transaction.
    pub fn add(&mut self, rows: &[(Entity, Texts)]) -> Result<(), Failure> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare(
                "INSERT INTO texts(rowid, name, artist, album, feature, tag, description)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            for (entity, [name, artist, album, feature, tag, description]) in rows {
                let row = number_of(*entity);
                insert.execute(params![row, name, artist, album, feature, tag, description])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Writes rows in the place of those that are there, in one transaction.
    pub fn put(&mut self, rows: &[(Entity, Texts)]) -> Result<(), Failure> {
        let transaction = self.connection.transaction()?;
        {
            let mut update = transaction.prepare(
                "UPDATE texts SET name = ?2, artist = ?3, album = ?4, feature = ?5, tag = ?6,
                 description = ?7 WHERE rowid = ?1",
            )?;
            for (entity, [name, artist, album, feature, tag, description]) in rows {
                let row = number_of(*entity);
                update.execute(params![row, name, artist, album, feature, tag, description])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Puts everything written ahead into the file.
    pub fn checkpoint(&self) -> Result<(), Failure> {
        Ok(self
            .connection
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?)
    }

    fn expression(&self, query: &str) -> String {
        let quoted = |word: &str| format!("\"{}\"", word.replace('"', "\"\""));
        let words = query.split_whitespace();
        match self.tokenizer {
            Tokenizer::Unicode61 => {
                let words: Vec<String> = words.map(quoted).collect();
                // An expression that ends in `*` makes a prefix of the last word.
                format!("{}*", words.join(" "))
            }
            Tokenizer::Trigram => {
                let long = words.filter(|word| word.chars().count() > 2).map(quoted);
                long.collect::<Vec<_>>().join(" ")
            }
        }
    }

    /// Rows of the first answers.
    pub fn rows(&self, query: &str, most: usize) -> Result<Vec<i64>, Failure> {
        let expression = self.expression(query);
        let read = |row: &Row<'_>| row.get::<_, i64>(0);
        let most = i64::try_from(most)?;
        if expression.is_empty() {
            let mut like: CachedStatement<'_> = self.connection.prepare_cached(
                "SELECT rowid FROM texts WHERE name LIKE ?1 ESCAPE '\\' LIMIT ?2",
            )?;
            let escaped = query
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_");
            let rows = like.query_map(params![format!("%{escaped}%"), most], read)?;
            return Ok(rows.collect::<Result<_, _>>()?);
        }
        let mut matching = self.connection.prepare_cached(
            "SELECT rowid FROM texts WHERE texts MATCH ?1 ORDER BY rank LIMIT ?2",
        )?;
        let rows = matching.query_map(params![expression, most], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Engine for Fts5 {
    fn name(&self) -> &'static str {
        match self.tokenizer {
            Tokenizer::Unicode61 => "FTS5 unicode61",
            Tokenizer::Trigram => "FTS5 trigram",
        }
    }

    fn first(&mut self, query: &str, most: usize) -> Result<Vec<Entity>, Failure> {
        let rows = self.rows(query, most)?;
        rows.into_iter().map(entity_of).collect()
    }
}

/// What is found of something: the same texts that our documents hold, and the present name of a
/// track's artist beside the one its record names.
pub fn texts(catalogue: &Catalogue, entity: Entity) -> Texts {
    let mut texts = Texts::default();
    let [name, artist, album, feature, tag, description] = &mut texts;
    catalogue.name(entity).clone_into(name);
    match entity {
        Entity::Track(number) => {
            let track = &catalogue.tracks[number];
            let present = &catalogue.artists[track.artist];
            *artist = match track.named_artist == present.name {
                true => format!("{} {}", present.name, present.handle),
                false => format!("{} {} {}", track.named_artist, present.name, present.handle),
            };
            if let Some(number) = track.album {
                catalogue.albums[number].name.clone_into(album);
            }
            let guests = track
                .features
                .iter()
                .map(|guest| &catalogue.artists[*guest]);
            let guests = guests.map(|guest| format!("{} {}", guest.name, guest.handle));
            *feature = guests.collect::<Vec<_>>().join(", ");
            let tags = track.tags.iter().map(|tag| TAGS[*tag]);
            *tag = tags.collect::<Vec<_>>().join(", ");
            *description = track.description.clone().unwrap_or_default();
        }
        Entity::Artist(number) => {
            catalogue.artists[number].handle.clone_into(artist);
            *description = catalogue.artists[number].bio.clone().unwrap_or_default();
        }
        Entity::Album(number) => {
            let owner = catalogue.albums[number].artist;
            catalogue.artists[owner].name.clone_into(artist);
        }
        Entity::Playlist(number) => {
            let owner = catalogue.playlists[number].owner;
            catalogue.artists[owner].name.clone_into(artist);
        }
        Entity::Tag(_) => {}
    }
    texts
}
