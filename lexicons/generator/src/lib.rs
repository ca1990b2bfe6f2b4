//! The generator: lexicon documents in, Rust types out, the same for the same documents.
//! Its test compares what it writes with `lexicons/src/generated`, and rewrites it when asked.

mod types;

use std::collections::BTreeMap;

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::Value;

use types::Document;

/// Why a document can't be turned into types.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// Not JSON, or without an id or definitions.
    #[error("{path}: no lexicon document: {problem}")]
    Document {
        /// The document's path.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A part of the language that no document of ours has used so far.
    #[error("{place}: {what} is not generated yet; teach it to lexicons/generator/src/types.rs")]
    Unsupported {
        /// The definition or field.
        place: String,
        /// The schema type or keyword.
        what: String,
    },
    /// What was written is no Rust.
    #[error("{0}: the generated code is no Rust: {1}")]
    Rust(String, syn::Error),
}

/// Module of a document's types: `fm.plyr.feed.getTrack` → `fm_plyr_feed_get_track`.
pub(crate) fn module_name(nsid: &str) -> String {
    nsid.split('.')
        .map(ToSnakeCase::to_snake_case)
        .collect::<Vec<_>>()
        .join("_")
}

/// Name of a definition's type. `main` is named after the document.
pub(crate) fn type_name(nsid: &str, definition: &str) -> String {
    match definition {
        "main" => nsid
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_upper_camel_case(),
        other => other.to_upper_camel_case(),
    }
}

/// Writes the types: file name → text, for every document that has any, and `mod.rs`.
/// `documents` are paths, for errors, and texts.
pub fn generate<'a>(
    documents: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<BTreeMap<String, String>, GeneratorError> {
    let mut files = BTreeMap::new();
    let mut modules = Vec::new();
    for (path, text) in documents {
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
        let mut document = Document::new(nsid);
        for (name, schema) in definitions {
            document.definition(name, schema)?;
        }
        let Some(code) = document.finish() else {
            continue;
        };
        let name = module_name(nsid);
        files.insert(format!("{name}.rs"), render(&name, nsid, code)?);
        modules.push((name, nsid.to_owned()));
    }
    modules.sort();
    let declared = modules.iter().map(|(name, nsid)| {
        let (name, about) = (format_ident!("{name}"), format!(" `{nsid}`"));
        quote! { #[doc = #about] pub mod #name; }
    });
    let code = quote! { #(#declared)* };
    let about = "The types of the lexicon documents, one module a document.";
    files.insert("mod.rs".to_owned(), render("mod", about, code)?);
    Ok(files)
}

fn render(name: &str, about: &str, code: TokenStream) -> Result<String, GeneratorError> {
    let file =
        syn::parse2(code).map_err(|problem| GeneratorError::Rust(name.to_owned(), problem))?;
    let code = prettyplease::unparse(&file);
    let how = "Written by lexicons/generator from the documents; not by hand.";
    Ok(format!("//! {about}\n//! {how}\n\n{code}"))
}
