//! The lexicon documents, embedded when the program is built, and their language as types.
//! Spec: <https://atproto.com/specs/lexicon>.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

macro_rules! embed {
    ($($path:literal),* $(,)?) => {
        /// Path in this crate and text of every document.
        pub const SOURCES: &[(&str, &str)] =
            &[$(($path, include_str!(concat!("../", $path)))),*];
    };
}

embed![
    "com/atproto/identity/resolveHandle.json",
    "com/atproto/label/defs.json",
    "com/atproto/repo/getRecord.json",
    "com/atproto/repo/listRecords.json",
    "com/atproto/repo/strongRef.json",
    "fm/plyr/actor/defs.json",
    "fm/plyr/actor/getProfile.json",
    "fm/plyr/actor/getProfiles.json",
    "fm/plyr/actor/profile.json",
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
    "fm/plyr/stats/getStats.json",
    "fm/plyr/sync/getQuarantine.json",
    "fm/plyr/track.json",
];

/// One document.
#[derive(Clone, Debug, Deserialize)]
pub struct Document {
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
    pub output: Option<Box<MethodBody>>,
    #[serde(default)]
    pub errors: Vec<MethodError>,
}

/// The body of a method's answer.
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

/// A set of documents that refer to one another.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    documents: BTreeMap<String, Document>,
}

impl Catalog {
    /// Reads documents from their texts.
    pub fn read<'a>(
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Catalog, serde_json::Error> {
        let mut catalog = Catalog::default();
        for text in texts {
            let document: Document = serde_json::from_str(text)?;
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
        .filter_map(|(_, text)| serde_json::from_str(text).ok());
    let documents = readable
        .map(|document: Document| (document.id.clone(), document))
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
        walk(&root.join("com"), &mut found);
        walk(&root.join("fm"), &mut found);
        assert_eq!(found.len(), SOURCES.len());
        for (path, text) in SOURCES {
            assert!(
                found.contains(&root.join(path).to_str().unwrap().to_owned()),
                "{path}"
            );
            let document: Document = serde_json::from_str(text).expect(path);
            assert_eq!(format!("{}.json", document.id.replace('.', "/")), *path);
        }
        assert_eq!(catalog().documents().count(), SOURCES.len());
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
                Schema::Query(rules) => {
                    let answer = rules.output.as_ref().and_then(|body| body.schema.as_ref());
                    answer
                        .into_iter()
                        .for_each(|schema| references(schema, found));
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
