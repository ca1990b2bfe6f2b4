//! Records, parameters and answers against the lexicon documents.

mod cut;
mod formats;
mod parameters;
mod value;

use std::collections::BTreeMap;

use ipld_core::ipld::Ipld;

use crate::collection::{Collection, Namespace};
use crate::document::{Catalog, Document, Schema, catalog};
use crate::own_fields::own_fields;
use crate::verdict::{Judgement, Reason, Verdict};

pub use cut::cut;
pub use formats::is_format;
pub use parameters::{ParameterError, parse_parameters};
pub use value::Walk;

/// Reasons kept of one record; a hostile record could break thousands of rules.
const MOST_REASONS: usize = 16;

/// Judges a record of one of our collections by the authority's document.
pub fn judge(namespace: &Namespace, collection: Collection, record: &Ipld) -> Judgement {
    let Some(document) = catalog().document(collection.document()) else {
        return broken("", "lexicon", "the collection's document is missing");
    };
    let Some(Schema::Record { record: rules }) = document.defs.get("main") else {
        return broken(
            "",
            "lexicon",
            "the collection's document describes no record",
        );
    };
    let Ipld::Map(fields) = record else {
        return broken("", "type", "a record is an object");
    };
    let nsid = namespace.nsid(collection).as_str();
    let named = matches!(fields.get("$type"), Some(Ipld::String(name)) if name == nsid);
    let mut walk = Walk::new(catalog(), MOST_REASONS);
    if !named {
        walk.note("/$type", "const", format!("$type must be {nsid}"));
    }
    walk.object(document, rules, fields, own_fields(&document.id));
    walk.judgement()
}

/// Every rule that a value breaks as an instance of a definition (`nsid` or `nsid#name`) of the
/// embedded documents.
pub fn check(reference: &str, value: &Ipld) -> Vec<Reason> {
    check_in(catalog(), reference, value)
}

/// The same in another catalog.
pub fn check_in(catalog: &Catalog, reference: &str, value: &Ipld) -> Vec<Reason> {
    let nowhere = Document {
        lexicon: 1,
        id: String::new(),
        defs: BTreeMap::new(),
    };
    let Some((document, schema)) = catalog.resolve(&nowhere, reference) else {
        let message = format!("there is no definition {reference}");
        return vec![Reason {
            path: String::new(),
            rule: "ref".to_owned(),
            message,
        }];
    };
    let mut walk = Walk::new(catalog, MOST_REASONS);
    walk.value(document, schema, value);
    walk.judgement().reasons
}

fn broken(path: &str, rule: &str, message: &str) -> Judgement {
    let reason = Reason {
        path: path.to_owned(),
        rule: rule.to_owned(),
        message: message.to_owned(),
    };
    Judgement {
        verdict: Verdict::Invalid,
        reasons: vec![reason],
    }
}
