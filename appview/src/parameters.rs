//! A method's parameters and input, already typed and bounded by its document.

use plyr_lexicons::{AtIdentifier, AtUri, Ipld};
use serde_json::{Map, Value};

use crate::error::XrpcError;

/// Parameters of one request.
pub struct Parameters {
    values: Map<String, Value>,
    input: Option<Ipld>,
}

impl Parameters {
    pub fn new(values: Map<String, Value>) -> Parameters {
        Parameters {
            values,
            input: None,
        }
    }

    /// With the body of a procedure, which is as its document describes it.
    pub fn with_input(self, input: Option<Ipld>) -> Parameters {
        Parameters { input, ..self }
    }

    /// The body of a procedure.
    pub fn input(&self) -> Option<&Ipld> {
        self.input.as_ref()
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

    /// A number that the document lets be 0 or more.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.values.get(name).and_then(Value::as_u64)
    }

    /// A time, in microseconds since 1970.
    pub fn time(&self, name: &str) -> Result<Option<i64>, XrpcError> {
        let read = |text| match chrono::DateTime::parse_from_rfc3339(text) {
            Ok(time) => Ok(time.timestamp_micros()),
            Err(_) => Err(XrpcError::invalid(format!(
                "{name}: is no time that there is"
            ))),
        };
        self.optional(name).map(read).transpose()
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
