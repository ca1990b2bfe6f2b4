//! A method's parameters, already typed and bounded by its document.

use plyr_lexicons::{AtIdentifier, AtUri};
use serde_json::{Map, Value};

use crate::error::XrpcError;

/// Parameters of one request.
pub struct Parameters {
    values: Map<String, Value>,
}

impl Parameters {
    pub fn new(values: Map<String, Value>) -> Parameters {
        Parameters { values }
    }

    /// A text; empty when the document lets it be missing.
    pub fn text(&self, name: &str) -> &str {
        self.optional(name).unwrap_or_default()
    }

    pub fn optional(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }

    pub fn flag(&self, name: &str) -> bool {
        self.values
            .get(name)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    pub fn texts(&self, name: &str) -> Vec<&str> {
        let items = self.values.get(name).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// How many to answer with, 1 to 100.
    pub fn limit(&self) -> usize {
        let limit = self
            .values
            .get("limit")
            .and_then(Value::as_u64)
            .unwrap_or(50);
        usize::try_from(limit).unwrap_or(50).clamp(1, 100)
    }

    pub fn at_uri(&self, name: &str) -> Result<AtUri, XrpcError> {
        self.text(name)
            .parse()
            .map_err(|problem| XrpcError::invalid(format!("{name}: {problem}")))
    }

    /// An actor that need not be named.
    pub fn optional_actor(&self, name: &str) -> Result<Option<AtIdentifier>, XrpcError> {
        self.optional(name).map(|_| self.actor(name)).transpose()
    }

    pub fn actor(&self, name: &str) -> Result<AtIdentifier, XrpcError> {
        let text = self.text(name);
        text.parse()
            .map_err(|_| XrpcError::invalid(format!("{name}: is no DID and no handle")))
    }
}
