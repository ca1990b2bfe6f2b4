//! How much of what was meant each engine finds, by kind of query, in one run.

use std::io::Write;
use std::time::Instant;

use crate::catalogue::Catalogue;
use crate::engines::fts5::{Fts5, Tokenizer, texts};
use crate::engines::plyr::{Plyr, build};
use crate::engines::postgres;
use crate::engines::trgm::Trgm;
use crate::engines::{Engine, number_of};
use crate::judged::{Judge, Judgement};
use crate::measures::{DEPTH, Scores};
use crate::queries::{self, Asked, Kind};
use crate::records::Records;
use crate::{Failure, RelevanceArguments};

/// Queries after which it says how far it is: the slowest engine takes a second for each.
const TOLD: usize = 50;

/// Prints the tables, and on stderr how far it is: of a million tracks it takes half an hour.
pub fn run(arguments: &RelevanceArguments) -> Result<(), Failure> {
    let progress = Progress(Instant::now());
    progress.tell("making the catalogue and the queries")?;
    let catalogue = Catalogue::new(arguments.seed, usize::try_from(arguments.tracks)?);
    let asked = queries::of(&catalogue, arguments.seed, arguments.queries);
    let judge = Judge::new(&catalogue);
    let asked: Vec<(Asked, Judgement)> = asked
        .into_iter()
        .map(|asked| {
            let right = judge.judge(&asked);
            (asked, right)
        })
        .collect();
    let folder = tempfile::tempdir()?;
    progress.tell("building plyr-search")?;
    let documents = Records::of(&catalogue)?.documents()?;
    let plain = documents.iter().map(|(_, document)| document);
    let index = build(&folder.path().join("plyr"), plain)?;
    let mut engines: Vec<Box<dyn Engine>> = vec![Box::new(Plyr::new(index, &documents))];
    for tokenizer in [Tokenizer::Unicode61, Tokenizer::Trigram] {
        progress.tell(&format!("building FTS5 {tokenizer:?}"))?;
        let file = folder.path().join(format!("{tokenizer:?}"));
        let mut fts5 = Fts5::create(&file, tokenizer)?;
        let rows = catalogue.entities();
        let rows: Vec<_> = rows
            .map(|entity| (entity, texts(&catalogue, entity)))
            .collect();
        fts5.add(&rows)?;
        engines.push(Box::new(fts5));
    }
    progress.tell("building pg_trgm")?;
    let mut out = std::io::stdout().lock();
    match postgres::programs() {
        Some(programs) => engines.push(Box::new(Trgm::new(&programs, &catalogue)?)),
        None => writeln!(
            out,
            "PostgreSQL is not installed (apt-get install postgresql): pg_trgm is left out.\n"
        )?,
    }
    writeln!(
        out,
        "{} tracks, {} artists, {} albums, {} playlists, seed {}; {} queries.\n",
        catalogue.tracks.len(),
        catalogue.artists.len(),
        catalogue.albums.len(),
        catalogue.playlists.len(),
        arguments.seed,
        asked.len()
    )?;
    let all = asked.len();
    let mut scores: Vec<Vec<Scores>> = Vec::new();
    for engine in &mut engines {
        let mut of_engine = Vec::with_capacity(asked.len());
        for (number, (asked, right)) in asked.iter().enumerate() {
            if number % TOLD == 0 {
                let name = engine.name();
                progress.tell(&format!("{name}: asked {number} of {all} queries"))?;
            }
            let answers = engine.first(&asked.text, DEPTH)?;
            let score = Scores::of(&answers, right);
            of_engine.push(score);
            if arguments.below.is_some_and(|below| score.gain < below) {
                explain(&mut out, &catalogue, engine.name(), asked, right, &answers)?;
            }
        }
        scores.push(of_engine);
    }
    let names: Vec<&str> = engines.iter().map(|engine| engine.name()).collect();
    table(&mut out, &names, &asked, &scores)
}

/// Since when it runs.
struct Progress(Instant);

impl Progress {
    fn tell(&self, what: &str) -> Result<(), Failure> {
        let seconds = self.0.elapsed().as_secs();
        writeln!(std::io::stderr().lock(), "{seconds:>5} s  {what}")?;
        Ok(())
    }
}

fn table(
    out: &mut impl Write,
    names: &[&str],
    asked: &[(Asked, Judgement)],
    scores: &[Vec<Scores>],
) -> Result<(), Failure> {
    writeln!(out, "MRR / nDCG@10 / recall@10\n")?;
    writeln!(out, "| kind | queries | {} |", names.join(" | "))?;
    writeln!(out, "|---|---{}|", "|---".repeat(names.len()))?;
    for kind in Kind::ALL.map(Some).into_iter().chain([None]) {
        let is_of_it = |asked: &Asked| kind.is_none_or(|kind| asked.kind == kind);
        let count = asked.iter().filter(|(asked, _)| is_of_it(asked)).count();
        let label = kind.map_or("all", Kind::label);
        write!(out, "| {label} | {count} |")?;
        for scores in scores {
            let own = scores.iter().zip(asked);
            let own: Vec<Scores> = own
                .filter(|(_, (asked, _))| is_of_it(asked))
                .map(|(scores, _)| *scores)
                .collect();
            let mean = Scores::mean(&own);
            let Scores {
                reciprocal,
                gain,
                recall,
            } = mean;
            write!(out, " {reciprocal:.2} / {gain:.2} / {recall:.2} |")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// What was found for a query and what would have been right.
fn explain(
    out: &mut impl Write,
    catalogue: &Catalogue,
    engine: &str,
    asked: &Asked,
    right: &Judgement,
    answers: &[crate::catalogue::Entity],
) -> Result<(), Failure> {
    let grade = |entity| right.get(&entity).copied().unwrap_or(0);
    let meant = catalogue.name(asked.meant);
    writeln!(
        out,
        "{engine}, {}: `{}` for `{meant}`",
        asked.kind.label(),
        asked.text
    )?;
    for entity in answers {
        let (grade, name) = (grade(*entity), catalogue.name(*entity));
        writeln!(
            out,
            "  {grade} {entity:?} {name} (row {})",
            number_of(*entity)
        )?;
    }
    let best = right.iter().filter(|(_, grade)| **grade == 2).count();
    writeln!(out, "  of {} right ones, {best} of grade 2\n", right.len())?;
    Ok(())
}
