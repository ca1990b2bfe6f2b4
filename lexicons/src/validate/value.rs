//! Walking a value along its schema. The walk is as deep as the schema, never as the value:
//! unknown fields are not entered.

use std::collections::BTreeMap;

use ipld_core::ipld::Ipld;
use unicode_segmentation::UnicodeSegmentation;

use super::formats;
use crate::data::cid_of_text;
use crate::document::{
    ArrayRules, Catalog, Document, IntegerRules, ObjectRules, Schema, StringRules,
};
use crate::verdict::{Judgement, Reason, Verdict};

/// References followed inside one another; documents that refer to themselves end here.
const DEEPEST: usize = 64;

/// The largest integer that every reader of JSON keeps; the official validators refuse larger ones.
const LARGEST_INTEGER: i128 = (1 << 53) - 1;

/// One walk: where it is and what it found.
pub struct Walk<'a> {
    catalog: &'a Catalog,
    path: Vec<String>,
    reasons: Vec<Reason>,
    most: usize,
    invalid: bool,
    tolerated: bool,
}

impl<'a> Walk<'a> {
    /// Begins at the top and keeps at most `most` reasons.
    pub fn new(catalog: &'a Catalog, most: usize) -> Walk<'a> {
        let (path, reasons) = (Vec::new(), Vec::new());
        Walk {
            catalog,
            path,
            reasons,
            most,
            invalid: false,
            tolerated: false,
        }
    }

    /// What came of it.
    pub fn judgement(self) -> Judgement {
        let verdict = match (self.invalid, self.tolerated) {
            (true, _) => Verdict::Invalid,
            (false, true) => Verdict::Tolerated,
            (false, false) => Verdict::Valid,
        };
        Judgement {
            verdict,
            reasons: self.reasons,
        }
    }

    /// Notes a broken rule at a path of its own.
    pub fn note(&mut self, path: &str, rule: &str, message: String) {
        self.invalid = true;
        self.keep(path.to_owned(), rule, message);
    }

    fn keep(&mut self, path: String, rule: &str, message: String) {
        if self.reasons.len() < self.most {
            self.reasons.push(Reason {
                path,
                rule: rule.to_owned(),
                message,
            });
        }
    }

    fn here(&self) -> String {
        self.path.iter().map(|part| format!("/{part}")).collect()
    }

    fn wrong(&mut self, rule: &str, message: impl Into<String>) {
        self.invalid = true;
        self.keep(self.here(), rule, message.into());
    }

    fn too_long(&mut self, rule: &str, message: String) {
        self.tolerated = true;
        self.keep(self.here(), rule, message);
    }

    /// A value along a schema of a document.
    pub fn value(&mut self, document: &'a Document, schema: &'a Schema, value: &Ipld) {
        if self.path.len() > DEEPEST {
            return self.wrong("ref", "the schema refers to itself without end");
        }
        match (schema, value) {
            (Schema::Null, Ipld::Null) | (Schema::CidLink, Ipld::Link(_)) => {}
            (Schema::Boolean { r#const, .. }, Ipld::Bool(flag)) => {
                if r#const.is_some_and(|expected| expected != *flag) {
                    self.wrong("const", format!("must not be {flag}"));
                }
            }
            (Schema::Integer(rules), Ipld::Integer(number)) => self.integer(rules, *number),
            (Schema::String(rules), Ipld::String(text)) => self.string(rules, text),
            (
                Schema::Bytes {
                    min_length,
                    max_length,
                },
                Ipld::Bytes(bytes),
            ) => {
                self.length(bytes.len(), *min_length, *max_length, "bytes");
            }
            (Schema::Blob, _) => self.blob(value),
            (Schema::Array(rules), Ipld::List(items)) => self.array(document, rules, items),
            (Schema::Object(rules) | Schema::Record { record: rules }, Ipld::Map(fields)) => {
                self.object(document, rules, fields, &[]);
            }
            (Schema::Ref { r#ref }, _) => match self.catalog.resolve(document, r#ref) {
                Some((there, schema)) => self.value(there, schema, value),
                None => self.wrong("ref", format!("there is no definition {}", r#ref)),
            },
            (Schema::Union { refs, closed }, _) => self.union(document, refs, *closed, value),
            (Schema::Unknown, Ipld::Map(_)) => {}
            (Schema::Unknown, _) => self.wrong("type", "must be an object"),
            (Schema::Token, Ipld::String(_)) => {}
            (expected, _) => {
                self.wrong(
                    "type",
                    format!("must be {}, not {}", name(expected), kind(value)),
                );
            }
        }
    }

    /// An object's fields; those named in `ignored` are looked at by nobody.
    pub fn object(
        &mut self,
        document: &'a Document,
        rules: &'a ObjectRules,
        fields: &BTreeMap<String, Ipld>,
        ignored: &[&str],
    ) {
        for name in &rules.required {
            if !fields.contains_key(name) {
                self.wrong("required", format!("{name} is missing"));
            }
        }
        for (name, schema) in &rules.properties {
            let Some(field) = fields.get(name) else {
                continue;
            };
            if ignored.contains(&name.as_str()) {
                continue;
            }
            if matches!(field, Ipld::Null) && rules.nullable.contains(name) {
                continue;
            }
            self.path.push(name.clone());
            self.value(document, schema, field);
            self.path.pop();
        }
    }

    fn array(&mut self, document: &'a Document, rules: &'a ArrayRules, items: &[Ipld]) {
        self.length(items.len(), rules.min_length, rules.max_length, "items");
        for (place, item) in items.iter().enumerate() {
            self.path.push(place.to_string());
            self.value(document, &rules.items, item);
            self.path.pop();
        }
    }

    fn union(&mut self, document: &'a Document, refs: &[String], closed: bool, value: &Ipld) {
        let Ipld::Map(fields) = value else {
            return self.wrong("type", format!("must be an object, not {}", kind(value)));
        };
        let Some(Ipld::String(named)) = fields.get("$type") else {
            return self.wrong("union", "needs a $type");
        };
        let named = named.strip_suffix("#main").unwrap_or(named);
        let chosen = refs.iter().find(|reference| {
            let full = match reference.strip_prefix('#') {
                Some(local) => format!("{}#{local}", document.id),
                None => (*reference).clone(),
            };
            full.strip_suffix("#main").unwrap_or(&full) == named
        });
        match chosen.and_then(|reference| self.catalog.resolve(document, reference)) {
            Some((there, schema)) => self.value(there, schema, value),
            None if closed => self.wrong("union", format!("{named} is not one of its types")),
            None => {}
        }
    }

    fn integer(&mut self, rules: &IntegerRules, number: i128) {
        if number.abs() > LARGEST_INTEGER {
            return self.wrong("type", "must be an integer of at most 53 bits");
        }
        if rules.minimum.is_some_and(|least| number < least.into()) {
            self.wrong("minimum", format!("{number} is too small"));
        }
        if rules.maximum.is_some_and(|most| number > most.into()) {
            self.wrong("maximum", format!("{number} is too large"));
        }
        if rules.r#const.is_some_and(|only| number != only.into()) {
            self.wrong("const", format!("must not be {number}"));
        }
        let listed = |values: &Vec<i64>| values.iter().any(|&value| number == value.into());
        if rules.r#enum.as_ref().is_some_and(|values| !listed(values)) {
            self.wrong("enum", format!("{number} is not one of the values"));
        }
    }

    fn string(&mut self, rules: &StringRules, text: &str) {
        if let Some(format) = &rules.format
            && !formats::is_format(format, text)
        {
            self.wrong("format", format!("is no {format}"));
        }
        self.length(text.len(), rules.min_length, rules.max_length, "bytes");
        self.graphemes(rules, text);
        if rules.r#const.as_ref().is_some_and(|only| only != text) {
            self.wrong("const", "is not the one value");
        }
        if rules
            .r#enum
            .as_ref()
            .is_some_and(|values| !values.iter().any(|value| value == text))
        {
            self.wrong("enum", "is not one of the values");
        }
    }

    fn graphemes(&mut self, rules: &StringRules, text: &str) {
        // A grapheme is at least one byte: short texts need no counting.
        if let Some(most) = rules.max_graphemes
            && text.len() > most
            && text.graphemes(true).nth(most).is_some()
        {
            self.too_long("maxGraphemes", format!("has more than {most} graphemes"));
        }
        if let Some(least) = rules.min_graphemes
            && least > 0
            && text.graphemes(true).nth(least - 1).is_none()
        {
            self.wrong("minGraphemes", format!("has fewer than {least} graphemes"));
        }
    }

    fn length(&mut self, length: usize, least: Option<usize>, most: Option<usize>, unit: &str) {
        if let Some(least) = least
            && length < least
        {
            self.wrong(
                "minLength",
                format!("has {length} {unit}, fewer than {least}"),
            );
        }
        if let Some(most) = most
            && length > most
        {
            self.too_long(
                "maxLength",
                format!("has {length} {unit}, more than {most}"),
            );
        }
    }

    /// Typed blobs, and the legacy form `{cid, mimeType}`. `accept` and `maxSize` refuse nothing.
    fn blob(&mut self, value: &Ipld) {
        let Ipld::Map(fields) = value else {
            return self.wrong("type", format!("must be a blob, not {}", kind(value)));
        };
        let text =
            |name: &str| matches!(fields.get(name), Some(Ipld::String(text)) if !text.is_empty());
        let only = |names: &[&str]| fields.keys().all(|name| names.contains(&name.as_str()));
        let typed = matches!(fields.get("$type"), Some(Ipld::String(name)) if name == "blob")
            && only(&["$type", "ref", "size", "mimeType"])
            && matches!(fields.get("ref"), Some(Ipld::Link(_)))
            && matches!(fields.get("size"), Some(Ipld::Integer(size)) if *size >= -1)
            && text("mimeType");
        let cid = |text: &str| cid_of_text(text).is_some();
        let legacy = only(&["cid", "mimeType"])
            && matches!(fields.get("cid"), Some(Ipld::String(text)) if cid(text))
            && text("mimeType");
        if !typed && !legacy {
            self.wrong("type", "is no blob");
        }
    }
}

fn name(schema: &Schema) -> &'static str {
    match schema {
        Schema::Null => "null",
        Schema::Boolean { .. } => "true or false",
        Schema::Integer(_) => "an integer",
        Schema::String(_) | Schema::Token => "a text",
        Schema::Bytes { .. } => "bytes",
        Schema::CidLink => "a link",
        Schema::Array(_) => "an array",
        _ => "an object",
    }
}

fn kind(value: &Ipld) -> &'static str {
    match value {
        Ipld::Null => "null",
        Ipld::Bool(_) => "true or false",
        Ipld::Integer(_) => "an integer",
        Ipld::Float(_) => "a float",
        Ipld::String(_) => "a text",
        Ipld::Bytes(_) => "bytes",
        Ipld::List(_) => "an array",
        Ipld::Map(_) => "an object",
        Ipld::Link(_) => "a link",
    }
}
