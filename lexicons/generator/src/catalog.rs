//! The documents together: where references lead, and which types hold which.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::GeneratorError;

/// All documents by NSID.
pub(crate) struct Catalog {
    documents: BTreeMap<String, Map<String, Value>>,
}

/// A definition that a reference leads to.
pub(crate) struct Target<'a> {
    pub(crate) nsid: &'a str,
    pub(crate) name: &'a str,
    pub(crate) schema: &'a Value,
}

impl Target<'_> {
    /// The `$type` of its values.
    pub(crate) fn full_name(&self) -> String {
        match self.name {
            "main" => self.nsid.to_owned(),
            name => format!("{}#{name}", self.nsid),
        }
    }
}

impl Catalog {
    pub(crate) fn read<'a>(
        texts: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Catalog, GeneratorError> {
        let mut documents = BTreeMap::new();
        for (path, text) in texts {
            let refused = |problem: String| GeneratorError::Document {
                path: path.to_owned(),
                problem,
            };
            let json: Value =
                serde_json::from_str(text).map_err(|problem| refused(problem.to_string()))?;
            let nsid = json["id"]
                .as_str()
                .ok_or_else(|| refused("no id".to_owned()))?;
            let definitions = json["defs"]
                .as_object()
                .ok_or_else(|| refused("no defs".to_owned()))?;
            if documents
                .insert(nsid.to_owned(), definitions.clone())
                .is_some()
            {
                return Err(refused(format!("{nsid} has another document already")));
            }
        }
        Ok(Catalog { documents })
    }

    pub(crate) fn documents(&self) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        let documents = self.documents.iter();
        documents.map(|(nsid, definitions)| (nsid.as_str(), definitions))
    }

    /// Where a reference in a document leads. `place` is for the error.
    pub(crate) fn target<'a>(
        &'a self,
        from: &'a str,
        reference: &'a str,
        place: &str,
    ) -> Result<Target<'a>, GeneratorError> {
        let (nsid, name) = reference.split_once('#').unwrap_or((reference, "main"));
        let nsid = if nsid.is_empty() { from } else { nsid };
        let schema = self
            .documents
            .get(nsid)
            .and_then(|definitions| definitions.get(name));
        match schema {
            Some(schema) => Ok(Target { nsid, name, schema }),
            None => Err(GeneratorError::Reference {
                place: place.to_owned(),
                reference: reference.to_owned(),
                found: "nothing",
            }),
        }
    }
}

/// Which types a type holds without an array between, by full name.
pub(crate) type Held = BTreeMap<String, BTreeSet<String>>;

/// Refuses types that hold themselves: no value of such a type ends, and no Rust type either.
pub(crate) fn refuse_endless(held: &Held) -> Result<(), GeneratorError> {
    let mut finished = BTreeSet::new();
    for start in held.keys() {
        follow(held, start, &mut Vec::new(), &mut finished)?;
    }
    Ok(())
}

fn follow<'a>(
    held: &'a Held,
    here: &'a str,
    way: &mut Vec<&'a str>,
    finished: &mut BTreeSet<&'a str>,
) -> Result<(), GeneratorError> {
    if let Some(start) = way.iter().position(|passed| *passed == here) {
        let round: Vec<&str> = way[start..].iter().copied().chain([here]).collect();
        return Err(GeneratorError::Endless {
            place: here.to_owned(),
            way: round.join(" → "),
        });
    }
    if finished.contains(here) {
        return Ok(());
    }
    way.push(here);
    for next in held.get(here).into_iter().flatten() {
        follow(held, next, way, finished)?;
    }
    way.pop();
    finished.insert(here);
    Ok(())
}
