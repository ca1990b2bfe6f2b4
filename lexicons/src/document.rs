//! The lexicon documents, embedded when the program is built, and their language as types.
//! Spec: <https://atproto.com/specs/lexicon>.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use atrium_api::types::string::Nsid;
use serde::{Deserialize, Deserializer, de};

macro_rules! embed {
    ($($path:literal),* $(,)?) => {
        /// Path in this crate and text of every document.
        pub const SOURCES: &[(&str, &str)] =
            &[$(($path, include_str!(concat!("../", $path)))),*];
    };
}

embed![
    "com/atproto/admin/defs.json",
    "com/atproto/admin/getSubjectStatus.json",
    "com/atproto/admin/updateSubjectStatus.json",
    "com/atproto/identity/resolveHandle.json",
    "com/atproto/label/defs.json",
    "com/atproto/repo/getRecord.json",
    "com/atproto/repo/listRecords.json",
    "com/atproto/repo/strongRef.json",
    "fm/plyr/actor/defs.json",
    "fm/plyr/actor/getProfile.json",
    "fm/plyr/actor/getProfiles.json",
    "fm/plyr/actor/profile.json",
    "fm/plyr/actor/searchActors.json",
    "fm/plyr/comment.json",
    "fm/plyr/feed/defs.json",
    "fm/plyr/feed/getActorLikes.json",
    "fm/plyr/feed/getActorTracks.json",
    "fm/plyr/feed/getComments.json",
    "fm/plyr/feed/getLatest.json",
    "fm/plyr/feed/getLikes.json",
    "fm/plyr/feed/getTrack.json",
    "fm/plyr/feed/getTracks.json",
    "fm/plyr/graph/defs.json",
    "fm/plyr/graph/getActorLists.json",
    "fm/plyr/graph/getList.json",
    "fm/plyr/graph/getListsWithItem.json",
    "fm/plyr/like.json",
    "fm/plyr/list.json",
    "fm/plyr/media/defs.json",
    "fm/plyr/media/getAudio.json",
    "fm/plyr/media/getImage.json",
    "fm/plyr/media/getPlayback.json",
    "fm/plyr/search/defs.json",
    "fm/plyr/search/query.json",
    "fm/plyr/search/typeahead.json",
    "fm/plyr/stats/getStats.json",
    "fm/plyr/sync/getCoverage.json",
    "fm/plyr/sync/getQuarantine.json",
    "fm/plyr/track.json",
    "parts/page/mention/search.json",
];

/// The version of the language.
const VERSION: u64 = 1;

/// Why a text is no lexicon document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// No JSON, or not of the language's shape.
    #[error("no lexicon document: {0}")]
    Shape(#[from] serde_json::Error),
    /// A rule of the language is broken.
    #[error("{id}{place}: {problem}")]
    Rule {
        /// The document's id.
        id: String,
        /// The definition, as `#name`; empty for the document itself.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// One document.
#[derive(Clone, Debug, Deserialize)]
pub struct Document {
    /// The version of the language it is written in.
    pub lexicon: u64,
    /// Its NSID.
    pub id: String,
    /// Definitions by name; `main` is what the NSID alone names.
    pub defs: BTreeMap<String, Schema>,
}

/// A schema of the lexicon language; also the primary definitions (records and methods).
#[derive(Clone, Debug, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
#[allow(missing_docs)] // the names are the language's own
pub enum Schema {
    Null,
    Boolean {
        r#const: Option<bool>,
        default: Option<bool>,
    },
    Integer(IntegerRules),
    String(StringRules),
    Bytes {
        min_length: Option<usize>,
        max_length: Option<usize>,
    },
    CidLink,
    Blob,
    Array(ArrayRules),
    Object(ObjectRules),
    Params(ObjectRules),
    Ref {
        r#ref: String,
    },
    Union {
        refs: Vec<String>,
        #[serde(default)]
        closed: bool,
    },
    Token,
    Unknown,
    Record {
        #[serde(deserialize_with = "object_only")]
        record: ObjectRules,
    },
    Query(MethodRules),
    Procedure(MethodRules),
    Subscription(MethodRules),
    PermissionSet,
}

/// Rules of an integer.
#[derive(Clone, Debug, Default, Deserialize)]
#[allow(missing_docs)]
pub struct IntegerRules {
    pub minimum: Option<i64>,
    pub maximum: Option<i64>,
    pub r#enum: Option<Vec<i64>>,
    pub r#const: Option<i64>,
    pub default: Option<i64>,
}

/// Rules of a text. Lengths are UTF-8 bytes; graphemes are counted as Unicode's extended clusters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct StringRules {
    pub format: Option<String>,
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
    pub min_graphemes: Option<usize>,
    pub max_graphemes: Option<usize>,
    pub r#enum: Option<Vec<String>>,
    pub r#const: Option<String>,
    pub default: Option<String>,
}

/// Rules of an array.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct ArrayRules {
    pub items: Box<Schema>,
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
}

/// Rules of an object, a record or a method's parameters.
#[derive(Clone, Debug, Default, Deserialize)]
#[allow(missing_docs)]
pub struct ObjectRules {
    #[serde(default)]
    pub required: Vec<String>,
    #[serde(default)]
    pub nullable: Vec<String>,
    #[serde(default)]
    pub properties: BTreeMap<String, Schema>,
}

/// What a method takes, answers and may refuse with.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)]
pub struct MethodRules {
    pub parameters: Option<Box<Schema>>,
    pub input: Option<Box<MethodBody>>,
    pub output: Option<Box<MethodBody>>,
    #[serde(default)]
    pub errors: Vec<MethodError>,
}

/// The body of a method's input or answer.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)]
pub struct MethodBody {
    pub encoding: String,
    pub schema: Option<Schema>,
}

/// A declared error.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)]
pub struct MethodError {
    pub name: String,
}

/// A record is an object and says so.
fn object_only<'de, D: Deserializer<'de>>(reader: D) -> Result<ObjectRules, D::Error> {
    match Schema::deserialize(reader)? {
        Schema::Object(rules) => Ok(rules),
        _ => Err(de::Error::custom("a record has the type object")),
    }
}

impl Document {
    /// Reads a document and holds it against the rules of the language that one document alone can
    /// break. Where references lead, only a [`Catalog`] knows.
    pub fn read(text: &str) -> Result<Document, DocumentError> {
        let document: Document = serde_json::from_str(text)?;
        let broken = |place: &str, problem: &str| DocumentError::Rule {
            id: document.id.clone(),
            place: place.to_owned(),
            problem: problem.to_owned(),
        };
        if document.lexicon != VERSION {
            return Err(broken("", "only version 1 of the language is known"));
        }
        if Nsid::new(document.id.clone()).is_err() {
            return Err(broken("", "the id is no NSID"));
        }
        for (name, schema) in &document.defs {
            if let Some(problem) = schema.problem_as_definition(name) {
                return Err(broken(&format!("#{name}"), &problem));
            }
        }
        Ok(document)
    }
}

impl Schema {
    fn problem_as_definition(&self, name: &str) -> Option<String> {
        match self {
            Schema::Unknown | Schema::Ref { .. } | Schema::Union { .. } | Schema::Params(_) => {
                Some("this type defines nothing; it stands in fields only".to_owned())
            }
            Schema::Record { .. }
            | Schema::Query(_)
            | Schema::Procedure(_)
            | Schema::Subscription(_)
            | Schema::PermissionSet
                if name != "main" =>
            {
                Some("a record, method or permission set is the main definition".to_owned())
            }
            Schema::Record { record: rules } | Schema::Object(rules) => {
                let named = rules.required.iter().chain(&rules.nullable);
                let lost = named
                    .into_iter()
                    .find(|name| !rules.properties.contains_key(*name));
                lost.map(|name| format!("{name} is required or nullable, but no property"))
            }
            _ => None,
        }
    }
}

/// A set of documents that refer to one another.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    documents: BTreeMap<String, Document>,
}

impl Catalog {
    /// Reads documents from their texts.
    pub fn read<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Catalog, DocumentError> {
        let mut catalog = Catalog::default();
        for text in texts {
            let document = Document::read(text)?;
            catalog.documents.insert(document.id.clone(), document);
        }
        Ok(catalog)
    }

    /// The document of an NSID.
    pub fn document(&self, nsid: &str) -> Option<&Document> {
        self.documents.get(nsid)
    }

    /// All documents, by NSID.
    pub fn documents(&self) -> impl Iterator<Item = &Document> {
        self.documents.values()
    }

    /// The definition that a reference names, seen from a document, and the document it stands in.
    pub fn resolve<'a>(
        &'a self,
        from: &'a Document,
        reference: &str,
    ) -> Option<(&'a Document, &'a Schema)> {
        let (nsid, name) = reference.split_once('#').unwrap_or((reference, "main"));
        let document = if nsid.is_empty() {
            from
        } else {
            self.document(nsid)?
        };
        Some((document, document.defs.get(name)?))
    }
}

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    // A document that can't be read is left out; the tests read every one.
    let readable = SOURCES
        .iter()
        .filter_map(|(_, text)| Document::read(text).ok());
    let documents = readable
        .map(|document| (document.id.clone(), document))
        .collect();
    Catalog { documents }
});

/// The embedded documents.
pub fn catalog() -> &'static Catalog {
    &CATALOG
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn every_document_of_the_folder_is_embedded_and_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        for folder in ["com", "fm", "parts"] {
            walk(&root.join(folder), &mut found);
        }
        assert_eq!(found.len(), SOURCES.len());
        for (path, text) in SOURCES {
            assert!(
                found.contains(&root.join(path).to_str().unwrap().to_owned()),
                "{path}"
            );
            let document = Document::read(text).expect(path);
            assert_eq!(format!("{}.json", document.id.replace('.', "/")), *path);
        }
        assert_eq!(catalog().documents().count(), SOURCES.len());
    }

    #[test]
    fn what_breaks_a_rule_of_the_language_is_refused_with_the_place() {
        let read = |lexicon: u8, id: &str, defs: &str| {
            let text = format!(r#"{{"lexicon":{lexicon},"id":"{id}","defs":{{{defs}}}}}"#);
            Document::read(&text).map_err(|problem| problem.to_string())
        };
        let object = r#""main":{"type":"object","properties":{}}"#;
        assert!(read(1, "a.b.c", object).is_ok());
        let refused = |result: Result<Document, String>, expected: &str| {
            let said = result.unwrap_err();
            assert!(said.contains(expected), "{said}");
        };
        refused(read(2, "a.b.c", object), "a.b.c: only version 1");
        refused(read(1, "a", object), "a: the id is no NSID");
        let lost = r#""x":{"type":"object","required":["y"],"properties":{}}"#;
        refused(read(1, "a.b.c", lost), "a.b.c#x: y is required");
        let inner = r#""x":{"type":"query"}"#;
        refused(read(1, "a.b.c", inner), "a.b.c#x: a record, method");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(schema: &Schema, found: &mut Vec<String>) {
            match schema {
                Schema::Ref { r#ref } => found.push(r#ref.clone()),
                Schema::Union { refs, .. } => found.extend(refs.iter().cloned()),
                Schema::Array(rules) => references(&rules.items, found),
                Schema::Object(rules)
                | Schema::Params(rules)
                | Schema::Record { record: rules } => {
                    rules
                        .properties
                        .values()
                        .for_each(|property| references(property, found));
                }
                Schema::Query(rules) | Schema::Procedure(rules) => {
                    let bodies = [rules.input.as_deref(), rules.output.as_deref()];
                    let schemas = bodies.into_iter().flatten();
                    let schemas = schemas.filter_map(|body| body.schema.as_ref());
                    schemas.for_each(|schema| references(schema, found));
                }
                _ => {}
            }
        }
        for document in catalog().documents() {
            let mut found = Vec::new();
            document
                .defs
                .values()
                .for_each(|schema| references(schema, &mut found));
            for reference in found {
                assert!(
                    catalog().resolve(document, &reference).is_some(),
                    "{reference}"
                );
            }
        }
    }
}
