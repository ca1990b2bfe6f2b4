//! What things of the documents are called in Rust, each name given once.

use std::collections::BTreeMap;

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Ident, Span};

use crate::GeneratorError;

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

/// A type's or variant's name.
pub(crate) fn camel_identifier(name: &str, place: &str) -> Result<Ident, GeneratorError> {
    syn::parse_str(name).map_err(|_| GeneratorError::Name {
        place: place.to_owned(),
        name: name.to_owned(),
    })
}

/// A field's name: raw where it is a word of Rust, and with a trailing `_` where it can't be raw.
pub(crate) fn field_identifier(name: &str, place: &str) -> Result<Ident, GeneratorError> {
    let snake = name.to_snake_case();
    if let Ok(plain) = syn::parse_str(&snake) {
        return Ok(plain);
    }
    let is_word = |text: &str| syn::parse_str::<Ident>(text).is_ok();
    if is_word(&format!("r#{snake}")) {
        return Ok(Ident::new_raw(&snake, Span::call_site()));
    }
    let longer = format!("{snake}_");
    if !snake.is_empty() && is_word(&longer) {
        return Ok(Ident::new(&longer, Span::call_site()));
    }
    Err(GeneratorError::Name {
        place: place.to_owned(),
        name: name.to_owned(),
    })
}

/// Names of one kind and who has them.
pub(crate) struct Claims {
    kind: &'static str,
    taken: BTreeMap<String, String>,
}

impl Claims {
    pub(crate) fn new(kind: &'static str) -> Claims {
        let taken = BTreeMap::new();
        Claims { kind, taken }
    }

    /// Names that the generated code needs for itself.
    pub(crate) fn with(kind: &'static str, reserved: &[&str]) -> Claims {
        let mut claims = Claims::new(kind);
        for name in reserved {
            let by = "the generated code itself".to_owned();
            claims.taken.insert((*name).to_owned(), by);
        }
        claims
    }

    /// Gives a name to a place, unless another place has it.
    pub(crate) fn claim(&mut self, name: &str, place: &str) -> Result<(), GeneratorError> {
        if let Some(taken_by) = self.taken.get(name) {
            return Err(GeneratorError::Clash {
                place: place.to_owned(),
                name: format!("{} ({})", name, self.kind),
                taken_by: taken_by.clone(),
            });
        }
        self.taken.insert(name.to_owned(), place.to_owned());
        Ok(())
    }

    /// All names, and who has them.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let taken = self.taken.iter();
        taken.map(|(name, place)| (name.as_str(), place.as_str()))
    }
}
