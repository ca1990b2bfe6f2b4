//! Docstrings: what a document says of a part, and the limits it sets.

use proc_macro2::TokenStream;
use quote::quote;
use serde_json::Value;

/// A part's description in the document.
pub(crate) fn about(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

/// The docstring of a part: its description, or its name where there is none, and its limits.
pub(crate) fn docs(description: &str, name: &str, schema: &Value) -> TokenStream {
    let first = match description {
        "" => format!(" `{name}`"),
        text => format!(" {text}"),
    };
    match limits(schema) {
        None => quote! { #[doc = #first] },
        Some(limits) => {
            let limits = format!(" {limits}.");
            quote! { #[doc = #first] #[doc = ""] #[doc = #limits] }
        }
    }
}

/// The limits that the validator holds values to, in words.
fn limits(schema: &Value) -> Option<String> {
    let mut said = Vec::new();
    let kind = schema["type"].as_str().unwrap_or_default();
    if let Some(format) = schema["format"].as_str() {
        let article = if format.starts_with(['a', 'e', 'i', 'o']) {
            "an"
        } else {
            "a"
        };
        said.push(format!("{article} `{format}`"));
    }
    let unit = if kind == "array" { " items" } else { " bytes" };
    said.extend(range(schema, "minLength", "maxLength", unit));
    said.extend(range(schema, "minGraphemes", "maxGraphemes", " graphemes"));
    said.extend(range(schema, "minimum", "maximum", ""));
    said.extend(values(schema, "enum").map(|all| format!("one of {all}")));
    said.extend(values(schema, "knownValues").map(|all| format!("known values {all}")));
    said.extend(values(schema, "accept").map(|all| format!("of the types {all}")));
    if let Some(only) = schema.get("const") {
        said.push(format!("always `{}`", plain(only)));
    }
    if let Some(most) = schema["maxSize"].as_u64() {
        said.push(format!("up to {most} bytes"));
    }
    if said.is_empty() {
        return None;
    }
    let text = said.join("; ");
    let mut letters = text.chars();
    let first = letters.next()?.to_uppercase();
    Some(first.chain(letters).collect())
}

fn range(schema: &Value, least: &str, most: &str, unit: &str) -> Option<String> {
    match (schema[least].as_i64(), schema[most].as_i64()) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
        (Some(least), None) => Some(format!("at least {least}{unit}")),
        (None, Some(most)) => Some(format!("at most {most}{unit}")),
        (None, None) => None,
    }
}

fn values(schema: &Value, word: &str) -> Option<String> {
    let all: Vec<String> = schema[word]
        .as_array()?
        .iter()
        .map(|value| format!("`{}`", plain(value)))
        .collect();
    Some(all.join(", "))
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
