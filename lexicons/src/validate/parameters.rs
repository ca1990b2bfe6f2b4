//! Query strings against a method's parameters.

use ipld_core::ipld::Ipld;
use serde_json::{Map, Value};

use super::value::Walk;
use crate::document::{Document, ObjectRules, Schema, catalog};

/// A parameter that can't be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{parameter}: {problem}")]
pub struct ParameterError {
    /// Its name.
    pub parameter: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Parameters of a query string, typed as the document says, defaults filled in. Unknown ones are
/// ignored; a single value given twice, and a length exceeded, are refused.
pub fn parse_parameters(
    document: &Document,
    rules: &ObjectRules,
    query: &str,
) -> Result<Map<String, Value>, ParameterError> {
    let refuse = |parameter: &str, problem: &str| ParameterError {
        parameter: parameter.to_owned(),
        problem: problem.to_owned(),
    };
    let mut given: Vec<(String, String)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = decode(name).ok_or_else(|| refuse("query", "is no UTF-8"))?;
        let value = decode(value).ok_or_else(|| refuse(&name, "is no UTF-8"))?;
        given.push((name, value));
    }
    let mut parameters = Map::new();
    for (name, schema) in &rules.properties {
        let mut values = given
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value);
        let value = match schema {
            Schema::Array(array) => {
                let items = values
                    .map(|text| typed(&array.items, text).map_err(|problem| refuse(name, problem)))
                    .collect::<Result<Vec<_>, _>>()?;
                if items.is_empty() {
                    None
                } else {
                    Some(Value::Array(items))
                }
            }
            single => match (values.next(), values.next()) {
                (None, _) => default(single),
                (Some(text), None) => {
                    Some(typed(single, text).map_err(|problem| refuse(name, problem))?)
                }
                (Some(_), Some(_)) => return Err(refuse(name, "is given twice")),
            },
        };
        let Some(value) = value else {
            if rules.required.contains(name) {
                return Err(refuse(name, "is missing"));
            }
            continue;
        };
        let mut walk = Walk::new(catalog(), 1);
        walk.value(document, schema, &ipld(&value));
        if let Some(reason) = walk.judgement().reasons.pop() {
            return Err(refuse(name, &reason.message));
        }
        parameters.insert(name.clone(), value);
    }
    Ok(parameters)
}

fn typed(schema: &Schema, text: &str) -> Result<Value, &'static str> {
    match schema {
        Schema::Boolean { .. } => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err("must be true or false"),
        },
        Schema::Integer(_) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            match text.parse::<i64>() {
                Ok(number) if plain => Ok(number.into()),
                _ => Err("must be an integer"),
            }
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn default(schema: &Schema) -> Option<Value> {
    match schema {
        Schema::Boolean { default, .. } => default.map(Value::Bool),
        Schema::Integer(rules) => rules.default.map(Value::from),
        Schema::String(rules) => rules.default.clone().map(Value::String),
        _ => None,
    }
}

/// Parameters are texts, integers, booleans and arrays of these.
fn ipld(value: &Value) -> Ipld {
    match value {
        Value::Bool(flag) => Ipld::Bool(*flag),
        Value::Number(number) => Ipld::Integer(number.as_i64().unwrap_or_default().into()),
        Value::String(text) => Ipld::String(text.clone()),
        Value::Array(items) => Ipld::List(items.iter().map(ipld).collect()),
        Value::Null | Value::Object(_) => Ipld::Null,
    }
}

/// Percent-decoding with `+` as a blank; none if the bytes are no UTF-8 or a `%` is malformed.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}
