//! What the generated types are made of: reading a type out of a value of the data model and
//! writing it back, with every field and union member that the documents don't know kept.

use std::collections::BTreeMap;

use crate::data::cid_of_text;
use crate::{Cid, Ipld};

/// Fields by name, as a value of the data model holds them.
pub type Fields = BTreeMap<String, Ipld>;

/// Why a value is not of a type. Only shapes are looked at; formats, lengths and ranges are
/// [`crate::validate`]'s, so that a tolerated record can be read as well.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{path}: expected {expected}")]
pub struct Misfit {
    /// Field names from the outside in, joined by dots; empty for the value itself.
    pub path: String,
    /// What would have fitted.
    pub expected: &'static str,
}

impl Misfit {
    fn here(expected: &'static str) -> Misfit {
        let path = String::new();
        Misfit { path, expected }
    }

    fn under(mut self, name: &str) -> Misfit {
        self.path = match self.path.is_empty() {
            true => name.to_owned(),
            false => format!("{name}.{}", self.path),
        };
        self
    }
}

/// A type that stands for values of the data model.
pub trait Typed: Sized {
    /// Reads it out of a value.
    fn read(value: Ipld) -> Result<Self, Misfit>;
    /// The value it stands for.
    fn write(self) -> Ipld;
}

/// The fields of an object.
pub fn fields_of(value: Ipld) -> Result<Fields, Misfit> {
    match value {
        Ipld::Map(fields) => Ok(fields),
        _ => Err(Misfit::here("an object")),
    }
}

/// The fields of a record. Its `$type` stays among them, whatever it names: in another namespace
/// the same record has another one.
pub fn fields_of_record(value: Ipld) -> Result<Fields, Misfit> {
    let fields = fields_of(value)?;
    match fields.get("$type") {
        Some(Ipld::String(_)) => Ok(fields),
        _ => Err(Misfit::here("the name of a record's type").under("$type")),
    }
}

/// A record of its fields; one that was made here gets the `$type` of the main namespace.
pub fn record(mut fields: Fields, name: &str) -> Ipld {
    let named = || Ipld::String(name.to_owned());
    fields.entry("$type".to_owned()).or_insert_with(named);
    Ipld::Map(fields)
}

/// A member of a union without the `$type` that told which one it is.
pub fn without_type(value: Ipld) -> Ipld {
    match value {
        Ipld::Map(mut fields) => {
            fields.remove("$type");
            Ipld::Map(fields)
        }
        other => other,
    }
}

/// Adds the `$type` that a member of a union carries.
pub fn with_type(value: Ipld, name: &str) -> Ipld {
    match value {
        Ipld::Map(mut fields) => {
            fields.insert("$type".to_owned(), Ipld::String(name.to_owned()));
            Ipld::Map(fields)
        }
        other => other,
    }
}

/// The `$type` a value carries.
pub fn type_of(value: &Ipld) -> Option<&str> {
    match value {
        Ipld::Map(fields) => match fields.get("$type") {
            Some(Ipld::String(name)) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// Takes a field that has to be there.
pub fn required<T: Typed>(fields: &mut Fields, name: &str) -> Result<T, Misfit> {
    let value = fields.remove(name);
    let value = value.ok_or_else(|| Misfit::here("a value").under(name))?;
    T::read(value).map_err(|misfit| misfit.under(name))
}

/// Takes a field that may be missing.
pub fn optional<T: Typed>(fields: &mut Fields, name: &str) -> Result<Option<T>, Misfit> {
    let value = fields.remove(name).map(T::read).transpose();
    value.map_err(|misfit| misfit.under(name))
}

/// Takes a field of our own, which may be missing. Malformed it is left where it is: only the
/// authority's fields can make a misfit.
pub fn own<T: Typed>(fields: &mut Fields, name: &str) -> Option<T> {
    let value = T::read(fields.get(name)?.clone()).ok()?;
    fields.remove(name);
    Some(value)
}

/// Puts a field.
pub fn put<T: Typed>(fields: &mut Fields, name: &str, value: T) {
    fields.insert(name.to_owned(), value.write());
}

/// Puts a field that has a value.
pub fn put_optional<T: Typed>(fields: &mut Fields, name: &str, value: Option<T>) {
    if let Some(value) = value {
        put(fields, name, value);
    }
}

impl Typed for Ipld {
    fn read(value: Ipld) -> Result<Self, Misfit> {
        Ok(value)
    }

    fn write(self) -> Ipld {
        self
    }
}

impl Typed for bool {
    fn read(value: Ipld) -> Result<Self, Misfit> {
        match value {
            Ipld::Bool(flag) => Ok(flag),
            _ => Err(Misfit::here("true or false")),
        }
    }

    fn write(self) -> Ipld {
        Ipld::Bool(self)
    }
}

impl Typed for i64 {
    fn read(value: Ipld) -> Result<Self, Misfit> {
        match value {
            Ipld::Integer(number) => {
                i64::try_from(number).map_err(|_| Misfit::here("an integer of 64 bits"))
            }
            _ => Err(Misfit::here("an integer")),
        }
    }

    fn write(self) -> Ipld {
        Ipld::Integer(self.into())
    }
}

impl Typed for String {
    fn read(value: Ipld) -> Result<Self, Misfit> {
        match value {
            Ipld::String(text) => Ok(text),
            _ => Err(Misfit::here("a text")),
        }
    }

    fn write(self) -> Ipld {
        Ipld::String(self)
    }
}

impl Typed for Vec<u8> {
    fn read(value: Ipld) -> Result<Self, Misfit> {
        match value {
            Ipld::Bytes(bytes) => Ok(bytes),
            _ => Err(Misfit::here("bytes")),
        }
    }

    fn write(self) -> Ipld {
        Ipld::Bytes(self)
    }
}

impl Typed for Cid {
    fn read(value: Ipld) -> Result<Self, Misfit> {
        match value {
            Ipld::Link(cid) => Ok(cid),
            _ => Err(Misfit::here("a link")),
        }
    }

    fn write(self) -> Ipld {
        Ipld::Link(self)
    }
}

/// An array. (`Vec<u8>` is bytes, so arrays have a type of their own.)
#[derive(Clone, PartialEq, Debug, Default)]
pub struct List<T>(pub Vec<T>);

impl<T: Typed> Typed for List<T> {
    fn read(value: Ipld) -> Result<Self, Misfit> {
        let Ipld::List(items) = value else {
            return Err(Misfit::here("an array"));
        };
        let read = items
            .into_iter()
            .enumerate()
            .map(|(place, item)| T::read(item).map_err(|misfit| misfit.under(&place.to_string())));
        read.collect::<Result<_, _>>().map(List)
    }

    fn write(self) -> Ipld {
        Ipld::List(self.0.into_iter().map(T::write).collect())
    }
}

/// A value that may be null.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Nullable<T>(pub Option<T>);

impl<T: Typed> Typed for Nullable<T> {
    fn read(value: Ipld) -> Result<Self, Misfit> {
        match value {
            Ipld::Null => Ok(Nullable(None)),
            value => T::read(value).map(|value| Nullable(Some(value))),
        }
    }

    fn write(self) -> Ipld {
        self.0.map_or(Ipld::Null, T::write)
    }
}

/// A blob as a record refers to it, in today's form or in the oldest, `{cid, mimeType}`.
/// Spec: <https://atproto.com/specs/blob>.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blob {
    /// The hash of the bytes.
    pub r#ref: Cid,
    /// The type the author's server took it for.
    pub mime_type: String,
    /// In bytes; none in the oldest form, which is then what is written.
    pub size: Option<i64>,
    /// Fields the spec doesn't know, and `cid` of the oldest form as it was written.
    pub other: Fields,
}

impl Typed for Blob {
    fn read(value: Ipld) -> Result<Self, Misfit> {
        let mut fields = fields_of(value)?;
        let (r#ref, size) = match fields.remove("$type") {
            Some(Ipld::String(name)) if name == "blob" => {
                let r#ref = required(&mut fields, "ref")?;
                (r#ref, Some(required(&mut fields, "size")?))
            }
            Some(_) => return Err(Misfit::here("blob").under("$type")),
            None => match fields.get("cid") {
                Some(Ipld::String(text)) => {
                    let cid = cid_of_text(text);
                    (cid.ok_or_else(|| Misfit::here("a CID").under("cid"))?, None)
                }
                _ => return Err(Misfit::here("a blob")),
            },
        };
        Ok(Blob {
            r#ref,
            mime_type: required(&mut fields, "mimeType")?,
            size,
            other: fields,
        })
    }

    fn write(self) -> Ipld {
        let mut fields = self.other;
        put(&mut fields, "mimeType", self.mime_type);
        let Some(size) = self.size else {
            let text = || Ipld::String(self.r#ref.to_string());
            fields.entry("cid".to_owned()).or_insert_with(text);
            return Ipld::Map(fields);
        };
        put(&mut fields, "ref", self.r#ref);
        put(&mut fields, "size", size);
        with_type(Ipld::Map(fields), "blob")
    }
}
