//! The official validators, run live, beside ours: every verdict on captured records, records of
//! every age and thousands of mutations. Where they differ, `differences` says why. They are
//! `@atproto/lexicon` and `@atproto/lex` (as it comes, that is strict, and lenient), and need Node
//! and npm.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // in helpers of tests

mod corpus;
mod differences;
#[allow(dead_code)]
mod shared;

use std::collections::BTreeMap;

use corpus::{Record, namespace};
use differences::DIFFERENCES;
use plyr_lexicons::document::SOURCES;
use plyr_lexicons::own_fields::own_fields;
use plyr_lexicons::validate::judge;
use plyr_lexicons::{Judgement, data};
use plyr_peers::Clients;
use serde_json::{Value, json};

type Tested = Result<(), Box<dyn std::error::Error>>;

/// Our verdict and the official ones on a record; an official one is an objection, or none.
struct Compared {
    record: Record,
    ours: Result<Judgement, String>,
    official: BTreeMap<&'static str, Option<String>>,
}

impl Compared {
    fn verdict(&self) -> &'static str {
        match &self.ours {
            Ok(judged) => judged.verdict.as_str(),
            // What is no data at all never gets as far as a verdict.
            Err(_) => "no data",
        }
    }

    fn reason(&self) -> String {
        match &self.ours {
            Ok(judged) => judged.reasons.first().map_or_else(String::new, |reason| {
                format!("{} {}: {}", reason.path, reason.rule, reason.message)
            }),
            Err(problem) => problem.clone(),
        }
    }
}

async fn compare(
    clients: &Clients,
    records: Vec<Record>,
) -> Result<Vec<Compared>, plyr_peers::PeersError> {
    let lines: Vec<String> = records
        .iter()
        .enumerate()
        .map(|(id, record)| {
            let definition = record.collection.document();
            json!({ "id": id, "definition": definition, "record": record.value }).to_string()
        })
        .collect();
    let said = clients
        .run("validators.mjs", &["lexicons"], lines.join("\n").as_bytes())
        .await?;
    let mut verdicts = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let compared = records.into_iter().enumerate().map(|(id, record)| {
        let verdict = verdicts.next().unwrap();
        assert_eq!(verdict["id"], json!(id));
        let said = |name: &'static str| (name, verdict[name].as_str().map(str::to_owned));
        let ours = data::from_json(record.value.to_string().as_bytes());
        Compared {
            ours: match ours {
                Ok(value) => Ok(judge(&namespace(), record.collection, &value)),
                Err(problem) => Err(problem.to_string()),
            },
            official: BTreeMap::from([said("lexicon"), said("lex"), said("lenient")]),
            record,
        }
    });
    Ok(compared.collect())
}

/// A record without the fields that we add: those are ignored here when malformed, and what
/// remains is what the authority's document rules.
fn of_authority(record: &Record) -> Record {
    let mut record = record.clone();
    if let Value::Object(fields) = &mut record.value {
        fields.retain(|name, _| !own_fields(record.collection.document()).contains(&name.as_str()));
    }
    record
}

/// A record with everything cut that our reasons say is too long.
fn cut(compared: &Compared) -> Record {
    let mut record = compared.record.clone();
    let reasons = compared.ours.as_ref().map(|judged| &judged.reasons[..]);
    for reason in reasons.unwrap_or_default() {
        match record.value.pointer_mut(&reason.path).unwrap() {
            Value::String(text) => *text = "cut".to_owned(),
            Value::Array(items) => items.truncate(10),
            other => panic!("{other} has no length"),
        }
    }
    record
}

/// Differences that no entry of the list explains; those that one does are counted.
fn unexplained_differences(compared: &[Compared], seen: &mut [usize]) -> Vec<String> {
    let mut unexplained = Vec::new();
    for one in compared {
        for (validator, objection) in &one.official {
            let says = objection.as_deref().unwrap_or_default();
            if (one.verdict() == "valid") == objection.is_none() {
                continue;
            }
            let reason = one.reason();
            let known = DIFFERENCES.iter().position(|difference| {
                difference.validator == *validator
                    && difference.ours == one.verdict()
                    && says.contains(difference.theirs)
                    && difference.theirs.is_empty() == says.is_empty()
                    && reason.contains(difference.reason)
            });
            match known {
                Some(place) => seen[place] += 1,
                None => unexplained.push(format!(
                    "{validator}: {says:?}; ours: {} {reason:?}; {}",
                    one.verdict(),
                    one.record.id
                )),
            }
        }
    }
    unexplained
}

#[tokio::test]
async fn our_verdicts_are_the_official_ones_but_for_the_listed_differences() -> Tested {
    let folder = tempfile::tempdir()?;
    let Some(clients) = Clients::make(folder.path(), SOURCES, &["validators.mjs"]).await? else {
        return Ok(());
    };
    let ages = corpus::of_every_age().into_iter().map(|(record, _)| record);
    let mut records: Vec<Record> = ages.chain(corpus::captured()).collect();
    records.extend(corpus::mutated(7, 150));
    records.dedup_by(|one, other| one.value == other.value);
    let authority: Vec<Record> = records.iter().map(of_authority).collect();
    let compared = compare(&clients, authority).await?;

    let mut seen = vec![0; DIFFERENCES.len()];
    let mut unexplained = unexplained_differences(&compared, &mut seen);
    // Whatever is tolerated here is invalid there, and for nothing but its lengths.
    let tolerated = compared.iter().filter(|one| one.verdict() == "tolerated");
    let shortened: Vec<Record> = tolerated.map(cut).collect();
    assert!(shortened.len() > 100, "{}", shortened.len());
    let shortened = compare(&clients, shortened).await?;
    assert!(shortened.iter().all(|one| one.verdict() == "valid"));
    unexplained.extend(unexplained_differences(&shortened, &mut seen));

    let mut verdicts = BTreeMap::new();
    for one in &compared {
        *verdicts.entry(one.verdict()).or_insert(0) += 1;
    }
    println!(
        "{} records compared with the validators: {verdicts:?}",
        compared.len()
    );
    for (difference, count) in DIFFERENCES.iter().zip(&seen) {
        println!("{count} times {}: {}", difference.validator, difference.why);
    }
    let count = unexplained.len();
    unexplained.truncate(3000);
    assert!(
        unexplained.is_empty(),
        "{count} differences:\n{}",
        unexplained.join("\n")
    );
    assert!(
        seen.iter().all(|count| *count > 0),
        "a listed difference doesn't occur: {seen:?}"
    );
    Ok(())
}
