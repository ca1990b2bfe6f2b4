//! The generator: lexicon documents in, Rust types out, the same for the same documents.
//! Its test compares what it writes with `lexicons/src/generated`, and rewrites it when asked.

mod catalog;
mod describe;
mod names;
mod types;

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use catalog::Catalog;
use names::{Claims, module_name};
use types::Module;

/// Why documents can't be turned into types.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// Not JSON, or without an id or definitions, or a second one of that id.
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
    /// A reference to nothing, or to something that is no object where one is needed.
    #[error("{place}: {reference} leads to {found}; correct the reference or add the document")]
    Reference {
        /// The definition or field.
        place: String,
        /// What it refers to.
        reference: String,
        /// What is there.
        found: &'static str,
    },
    /// Two parts of documents would have one name in Rust, or one has a name of Rust's own.
    #[error("{place}: `{name}` is already the name of {taken_by}; rename one of them")]
    Clash {
        /// The document, definition or field.
        place: String,
        /// The name in Rust.
        name: String,
        /// Who has it.
        taken_by: String,
    },
    /// A name that can't be written in Rust.
    #[error("{place}: `{name}` makes no name in Rust; begin it with a letter")]
    Name {
        /// The definition or field.
        place: String,
        /// The name in the document.
        name: String,
    },
    /// A type that would hold itself.
    #[error("{place} holds itself ({way}): its values have no end; put an array between")]
    Endless {
        /// The type.
        place: String,
        /// From it to itself.
        way: String,
    },
    /// What was written is no Rust.
    #[error("{0}: the generated code is no Rust: {1}")]
    Rust(String, syn::Error),
}

/// Writes the types: file name → text, for every document that has any, and `mod.rs`.
/// `documents` are paths, for errors, and texts. `own_fields` are optional fields, by the NSID of
/// the record's document, that we add to the authority's: malformed, they are no misfit, but kept.
pub fn generate<'a>(
    documents: impl IntoIterator<Item = (&'a str, &'a str)>,
    own_fields: &[(&str, &[&str])],
) -> Result<BTreeMap<String, String>, GeneratorError> {
    let catalog = Catalog::read(documents)?;
    let mut files = BTreeMap::new();
    let mut modules = Claims::new("a module");
    let mut held = BTreeMap::new();
    for (nsid, definitions) in catalog.documents() {
        let own = own_fields.iter().find(|(owner, _)| *owner == nsid);
        let mut module = Module::new(&catalog, nsid, own.map_or(&[][..], |(_, names)| names));
        for (name, schema) in definitions {
            module.definition(name, schema)?;
        }
        held.extend(module.take_held());
        let Some(code) = module.finish() else {
            continue;
        };
        let name = module_name(nsid);
        modules.claim(&name, nsid)?;
        files.insert(format!("{name}.rs"), render(&name, nsid, code)?);
    }
    catalog::refuse_endless(&held)?;
    let declared = modules.all().map(|(name, nsid)| {
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
