//! How fast an index is built and answers while it is written, how large it is, beside FTS5 over
//! the same catalogue, with the same queries, in the same run.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use plyr_search::{Document, Index, WriterBudget};

use crate::catalogue::{Catalogue, Entity};
use crate::engines::fts5::{Fts5, Tokenizer, texts};
use crate::engines::plyr::{BOX, PAGE, build, page, typeahead};
use crate::latency::Latency;
use crate::queries;
use crate::random::Random;
use crate::records::Records;
use crate::upserts::Upserts;
use crate::{Failure, SpeedArguments, resident};

/// Titles that are typed, letter by letter.
const TITLES: usize = 250;
/// Queries of each kind that are asked in full.
const OF_A_KIND: usize = 50;
/// Tracks that are published and looked for.
const PUBLISHED: usize = 40;
/// Rows written to FTS5 in one transaction while it is built.
const AT_ONCE: usize = 50_000;

/// One line of the table: an engine at a size.
struct Line {
    engine: &'static str,
    built_a_second: f64,
    typeahead: Latency,
    full: Latency,
    upserts: f64,
    bytes_a_document: f64,
    notes: String,
}

/// A catalogue and what is asked of it.
struct Ground<'a> {
    arguments: &'a SpeedArguments,
    catalogue: &'a Catalogue,
    typed: Vec<String>,
    full: Vec<String>,
}

/// Prints the table.
pub fn run(arguments: &SpeedArguments) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "| tracks | engine | built, documents/s | typeahead | full query | upserts/s meanwhile \
         | bytes/document | besides |\n|---|---|---|---|---|---|---|---|"
    )?;
    for size in &arguments.sizes {
        let catalogue = Catalogue::new(arguments.seed, usize::try_from(*size)?);
        let mut full: Vec<String> = queries::of(&catalogue, arguments.seed, OF_A_KIND)
            .into_iter()
            .map(|asked| asked.text)
            .collect();
        Random::new(arguments.seed).shuffle(&mut full);
        let mut typed = queries::typed(&catalogue, arguments.seed, TITLES);
        typed.retain(|typed| plyr_search::Query::parse(typed).is_ok());
        let ground = Ground {
            arguments,
            catalogue: &catalogue,
            typed,
            full,
        };
        let plyr = ground.plyr()?;
        print(&mut out, (*size, arguments.slowest), &plyr, None)?;
        for tokenizer in [Tokenizer::Unicode61, Tokenizer::Trigram] {
            let line = ground.fts5(tokenizer)?;
            print(&mut out, (*size, arguments.slowest), &line, Some(&plyr))?;
        }
    }
    Ok(())
}

/// Writes a line; of another engine with how many times as much it is as ours.
fn print(
    out: &mut impl Write,
    (size, slowest): (u32, usize),
    line: &Line,
    ours: Option<&Line>,
) -> Result<(), Failure> {
    let ratio = |of: fn(&Line) -> f64| match ours {
        Some(ours) => format!(" (×{:.2})", of(line) / of(ours)),
        None => String::new(),
    };
    let mut err = std::io::stderr().lock();
    for (sort, latency) in [("typeahead", &line.typeahead), ("full query", &line.full)] {
        for told in latency.slowest(slowest) {
            writeln!(err, "{size} {} {sort}: {told}", line.engine)?;
        }
    }
    writeln!(
        out,
        "| {size} | {} | {:.0}{} | {}{}{} | {}{}{} | {:.0} | {:.0}{} | {} |",
        line.engine,
        line.built_a_second,
        ratio(|line| line.built_a_second),
        line.typeahead,
        ratio(|line| line.typeahead.p50()),
        ratio(|line| line.typeahead.p99()),
        line.full,
        ratio(|line| line.full.p50()),
        ratio(|line| line.full.p99()),
        line.upserts,
        line.bytes_a_document,
        ratio(|line| line.bytes_a_document),
        line.notes
    )?;
    Ok(out.flush()?)
}

impl Ground<'_> {
    fn at_most(&self) -> Duration {
        Duration::from_secs(self.arguments.seconds)
    }

    fn plyr(&self) -> Result<Line, Failure> {
        let records = Records::of(self.catalogue)?;
        let documents = records.documents()?;
        let folder = tempfile::tempdir()?;
        let began = Instant::now();
        let plain = documents.iter().map(|(_, document)| document);
        let index = build(&folder.path().join("index"), plain)?;
        let built_a_second = documents.len() as f64 / began.elapsed().as_secs_f64();
        let size = bytes_in(&folder.path().join("index"))?;
        let bytes_a_document = size as f64 / documents.len() as f64;
        drop(documents);
        let memory = resident::of(&folder.path().join("index"), &self.typed)?;
        let published = self.published(&index, &records)?;
        let mut spent = 0;
        let mut random = Random::new(self.arguments.seed);
        let (typeahead, full, upserts) = thread::scope(|scope| {
            let mut writer = index.writer(WriterBudget::LIVE)?;
            let mut position = 0_u64;
            let upserts = Upserts::start(scope, self.arguments.upserts, move |count| {
                for _ in 0..count {
                    let track = random.below(self.catalogue.tracks.len());
                    if let Some(document) = records.track(track, random.heavy())? {
                        writer.put(&document)?;
                    }
                }
                position += 1;
                Ok(writer.commit(&position.to_string())?)
            });
            let typeahead = Latency::of(&self.typed, self.at_most(), |query| {
                spent += u32::from(typeahead(&index.searcher(), query)?.is_partial);
                Ok(())
            })?;
            let full = Latency::of(&self.full, self.at_most(), |query| {
                spent += u32::from(page(&index.searcher(), query)?.is_partial);
                Ok(())
            })?;
            Ok::<_, Failure>((typeahead, full, upserts.stop()?))
        })?;
        let notes = format!(
            "published → found {published}; RSS {:.0} MB of its own, {:.0} MB mapped; \
             {spent} answers partial",
            memory.own as f64 / 1e6,
            memory.mapped as f64 / 1e6
        );
        Ok(Line {
            engine: "plyr-search",
            built_a_second,
            typeahead,
            full,
            upserts,
            bytes_a_document,
            notes,
        })
    }

    /// From a document in hand to an answer that has it, one at a time.
    fn published(&self, index: &Index, records: &Records<'_>) -> Result<Latency, Failure> {
        let mut writer = index.writer(WriterBudget::LIVE)?;
        let mut times = Vec::with_capacity(PUBLISHED);
        for number in 0..PUBLISHED {
            let title = format!("Published {number} just now");
            let track = number % self.catalogue.tracks.len();
            let document = records.track(track, 0)?;
            let mut document = document.ok_or("a track gave no document")?;
            document.subject.push_str("new");
            rename(&mut document, &title);
            let began = Instant::now();
            writer.put(&document)?;
            writer.commit("1")?;
            let found = typeahead(&index.searcher(), &title)?;
            times.push(began.elapsed());
            if !found.hits.iter().any(|hit| hit.subject == document.subject) {
                return Err(format!("`{title}` was published and is not found").into());
            }
            writer.delete(&document.subject);
        }
        writer.commit("1")?;
        writer.finish()?;
        Ok(Latency::from(times))
    }

    fn fts5(&self, tokenizer: Tokenizer) -> Result<Line, Failure> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("texts");
        let row = |entity: Entity| (entity, texts(self.catalogue, entity));
        let rows: Vec<_> = self.catalogue.entities().map(row).collect();
        let began = Instant::now();
        let mut fts5 = Fts5::create(&file, tokenizer)?;
        for rows in rows.chunks(AT_ONCE) {
            fts5.add(rows)?;
        }
        fts5.checkpoint()?;
        let built_a_second = rows.len() as f64 / began.elapsed().as_secs_f64();
        let bytes_a_document = bytes_in(folder.path())? as f64 / rows.len() as f64;
        drop(rows);
        let mut random = Random::new(self.arguments.seed);
        let (typeahead, full, upserts) = thread::scope(|scope| {
            let mut writer = Fts5::open(&file, tokenizer)?;
            let upserts = Upserts::start(scope, self.arguments.upserts, move |count| {
                let mut rows = Vec::new();
                for _ in 0..count {
                    rows.push(row(Entity::Track(
                        random.below(self.catalogue.tracks.len()),
                    )));
                }
                writer.put(&rows)
            });
            let typeahead = Latency::of(&self.typed, self.at_most(), |query| {
                fts5.rows(query, BOX).map(|_| ())
            })?;
            let full = Latency::of(&self.full, self.at_most(), |query| {
                fts5.rows(query, PAGE).map(|_| ())
            })?;
            Ok::<_, Failure>((typeahead, full, upserts.stop()?))
        })?;
        let engine = match tokenizer {
            Tokenizer::Unicode61 => "FTS5 unicode61",
            Tokenizer::Trigram => "FTS5 trigram",
        };
        Ok(Line {
            engine,
            built_a_second,
            typeahead,
            full,
            upserts,
            bytes_a_document,
            notes: String::new(),
        })
    }
}

fn rename(document: &mut Document, title: &str) {
    for (field, text) in &mut document.texts {
        if *field == plyr_search::Field::Name {
            title.clone_into(text);
        }
    }
}

/// Bytes of all files in a folder.
fn bytes_in(folder: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
