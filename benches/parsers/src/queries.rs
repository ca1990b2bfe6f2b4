//! Query strings against the parameters of every method.

use plyr_lexicons::document::{Schema, catalog};
use plyr_lexicons::validate::is_format;
use plyr_lexicons::{Method, methods};
use serde_json::{Map, Value};
use url::form_urlencoded::Serializer;

/// Reads the bytes as the query of each method. What is accepted keeps the limits that the method's
/// document declares, is the same when it is written again and read, and isn't changed by a
/// parameter that nobody knows.
pub fn queries(bytes: &[u8]) {
    let Ok(query) = std::str::from_utf8(bytes) else {
        return;
    };
    for method in methods() {
        match method.parse_parameters(query) {
            Ok(parameters) => accepted(method, query, &parameters),
            Err(problem) => assert!(!problem.problem.is_empty()),
        }
    }
}

fn accepted(method: &Method, query: &str, parameters: &Map<String, Value>) {
    let described = catalog().document(method.nsid);
    let rules = described.and_then(|document| match document.defs.get("main")? {
        Schema::Query(rules) | Schema::Procedure(rules) | Schema::Subscription(rules) => {
            rules.parameters.as_deref()
        }
        _ => None,
    });
    let Some(Schema::Params(rules)) = rules else {
        assert!(
            parameters.is_empty(),
            "{}: a parameter it hasn't",
            method.nsid
        );
        return;
    };
    for name in &rules.required {
        assert!(
            parameters.contains_key(name),
            "{}: {name} is missing",
            method.nsid
        );
    }
    for (name, value) in parameters {
        let schema = rules.properties.get(name);
        let schema = schema.unwrap_or_else(|| panic!("{}: {name} is not its", method.nsid));
        assert!(keeps(schema, value), "{}: {name} = {value}", method.nsid);
    }
    let again = method.parse_parameters(&written(parameters));
    assert_eq!(again.as_ref(), Ok(parameters), "{} {query:?}", method.nsid);
    let more = method.parse_parameters(&format!("{query}&nobody-knows=%20it"));
    assert_eq!(more.as_ref(), Ok(parameters), "{} {query:?}", method.nsid);
}

/// Whether a value keeps the rules that a document has for it.
fn keeps(schema: &Schema, value: &Value) -> bool {
    match (schema, value) {
        (Schema::Boolean { .. }, Value::Bool(_)) => true,
        (Schema::Integer(rules), Value::Number(number)) => number.as_i64().is_some_and(|number| {
            rules.minimum.is_none_or(|least| number >= least)
                && rules.maximum.is_none_or(|most| number <= most)
        }),
        (Schema::String(rules), Value::String(text)) => {
            rules.min_length.is_none_or(|least| text.len() >= least)
                && rules.max_length.is_none_or(|most| text.len() <= most)
                && rules
                    .format
                    .as_ref()
                    .is_none_or(|format| is_format(format, text))
        }
        (Schema::Array(rules), Value::Array(items)) => {
            rules.min_length.is_none_or(|least| items.len() >= least)
                && rules.max_length.is_none_or(|most| items.len() <= most)
                && items.iter().all(|item| keeps(&rules.items, item))
        }
        _ => false,
    }
}

fn written(parameters: &Map<String, Value>) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in parameters {
        let values = match value {
            Value::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        for value in values {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            query.append_pair(name, &text);
        }
    }
    query.finish()
}
