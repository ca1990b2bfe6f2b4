//! PostgreSQL's pg_trgm under plyr.fm's rules: of each kind the twenty best, by tiers (the same as
//! the query 5; begins with it 3 and its word similarity; contains it 1.5 and that; else that
//! alone), where trigram similarity is beyond 0.1 or the query is contained; curly quotes straight.
//! Of tracks, albums, playlists and tags the name is looked at, of artists the name and the handle.
//! Queries of less than two characters or more than a hundred are refused. (Filters that plyr.fm
//! applies after the limit have nothing to do here: nobody is labelled.)

use std::path::Path;

use super::postgres::Postgres;
use super::{Engine, entity_of, number_of};
use crate::Failure;
use crate::catalogue::{Catalogue, Entity};

/// Rows of each kind, the endpoint's default.
const OF_A_KIND: usize = 20;
/// Characters of a query.
const SHORTEST: usize = 2;
const LONGEST: usize = 100;

const TABLES: &str = "
CREATE EXTENSION pg_trgm;
CREATE FUNCTION straight(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT translate(lower($1), '‘’“”', '''''\"\"') $$;
CREATE FUNCTION relevance(plain text, q text) RETURNS real LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT CASE WHEN $1 = $2 THEN 5
      WHEN starts_with($1, $2) THEN 3 + word_similarity($2, $1)
      WHEN strpos($1, $2) > 0 THEN 1.5 + word_similarity($2, $1)
      ELSE word_similarity($2, $1) END $$;
CREATE FUNCTION within(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT '%' || replace(replace(replace($1, '\\', '\\\\'), '%', '\\%'), '_', '\\_') || '%' $$;
CREATE TABLE names(id bigint, kind int, name text, plain text GENERATED ALWAYS AS
  (straight(name)) STORED, handle text);
";

/// What is similar by a little less than what counts is looked at too.
const INDEXES: &str = "
SET maintenance_work_mem = '512MB';
SET pg_trgm.similarity_threshold = 0.0999;
CREATE INDEX ON names USING gin(name gin_trgm_ops);
CREATE INDEX ON names USING gin(plain gin_trgm_ops);
CREATE INDEX ON names USING gin(handle gin_trgm_ops);
ANALYZE names;
";

pub struct Trgm {
    postgres: Postgres,
}

impl Trgm {
    pub fn new(programs: &Path, catalogue: &Catalogue) -> Result<Trgm, Failure> {
        let mut postgres = Postgres::start(programs)?;
        postgres.ask(TABLES)?;
        let rows = catalogue.entities().map(|entity| {
            // In the order in which plyr.fm puts what is equally relevant.
            let (kind, handle) = match entity {
                Entity::Track(_) => (0, "\\N"),
                Entity::Artist(number) => (1, catalogue.artists[number].handle.as_str()),
                Entity::Album(_) => (2, "\\N"),
                Entity::Tag(_) => (3, "\\N"),
                Entity::Playlist(_) => (4, "\\N"),
            };
            let (row, name) = (number_of(entity), catalogue.name(entity));
            format!("{row}\t{kind}\t{name}\t{handle}")
        });
        postgres.copy("names(id, kind, name, handle)", rows)?;
        postgres.ask(INDEXES)?;
        Ok(Trgm { postgres })
    }
}

impl Engine for Trgm {
    fn name(&self) -> &'static str {
        "pg_trgm, plyr.fm"
    }

    fn first(&mut self, query: &str, most: usize) -> Result<Vec<Entity>, Failure> {
        if !(SHORTEST..=LONGEST).contains(&query.chars().count()) {
            return Ok(Vec::new());
        }
        let query = query.replace('\'', "''");
        // The same as a scan of each kind's table, ranked within each kind. What may be found comes
        // by trigram indexes, and what is found is told by the rules alone.
        let lines = self.postgres.ask(&format!(
            "WITH scored AS (
               SELECT id, kind, greatest(similarity(name, q), similarity(handle, q)) alike,
                 strpos(names.plain, asked.plain) > 0 OR strpos(handle, asked.plain) > 0 has,
                 names.plain, asked.plain q, handle
               FROM names, (SELECT '{query}'::text q, straight('{query}') plain) asked
               WHERE name % '{query}' OR names.plain LIKE within(straight('{query}'))
                 OR handle % '{query}' OR handle LIKE within(straight('{query}'))),
             ranked AS (
               SELECT id, kind, round(greatest(relevance(plain, q), relevance(handle, q))::numeric,
                 3) relevance
               FROM scored WHERE alike > 0.1 OR has),
             placed AS (
               SELECT *, row_number() OVER (PARTITION BY kind ORDER BY relevance DESC, id) place
               FROM ranked)
             SELECT id FROM placed WHERE place <= {OF_A_KIND}
             ORDER BY relevance DESC, kind, place LIMIT {most};"
        ))?;
        let rows = lines.iter().map(|line| entity_of(line.parse()?));
        rows.collect()
    }
}
