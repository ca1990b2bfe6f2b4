//! test.sample.thing
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// `Empty`
#[derive(Clone, PartialEq, Debug)]
pub struct Empty {
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Empty {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let fields = typed::fields_of(value)?;
        Ok(Self { other: fields })
    }
    fn write(self) -> Ipld {
        let fields = self.other;
        Ipld::Map(fields)
    }
}
/// `ThingInner`
#[derive(Clone, PartialEq, Debug)]
pub struct ThingInner {
    /// `deep`
    pub deep: Option<typed::List<typed::List<i64>>>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for ThingInner {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            deep: typed::optional(&mut fields, "deep")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "deep", self.deep);
        Ipld::Map(fields)
    }
}
/// `ThingManyItem`
#[derive(Clone, PartialEq, Debug)]
pub enum ThingManyItem {
    /// `test.sample.thing#part`
    Part(Part),
    /// `test.sample.branch#leaf`
    Leaf(super::test_sample_branch::Leaf),
    /// A member the document doesn't know, kept as it is.
    Other(Ipld),
}
impl Typed for ThingManyItem {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        match typed::type_of(&value) {
            Some("test.sample.thing#part") => {
                Typed::read(typed::without_type(value)).map(Self::Part)
            }
            Some("test.sample.branch#leaf") => {
                Typed::read(typed::without_type(value)).map(Self::Leaf)
            }
            _ => Ok(Self::Other(value)),
        }
    }
    fn write(self) -> Ipld {
        match self {
            Self::Part(known) => {
                typed::with_type(known.write(), "test.sample.thing#part")
            }
            Self::Leaf(known) => {
                typed::with_type(known.write(), "test.sample.branch#leaf")
            }
            Self::Other(value) => value,
        }
    }
}
/// `ThingOne`
#[derive(Clone, PartialEq, Debug)]
pub enum ThingOne {
    /// `test.sample.thing#part`
    Part(Part),
    /// `test.sample.branch`
    Branch(super::test_sample_branch::Branch),
    /// A member the document doesn't know, kept as it is.
    Other(Ipld),
}
impl Typed for ThingOne {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        match typed::type_of(&value) {
            Some("test.sample.thing#part") => {
                Typed::read(typed::without_type(value)).map(Self::Part)
            }
            Some("test.sample.branch") => Typed::read(value).map(Self::Branch),
            _ => Ok(Self::Other(value)),
        }
    }
    fn write(self) -> Ipld {
        match self {
            Self::Part(known) => {
                typed::with_type(known.write(), "test.sample.thing#part")
            }
            Self::Branch(known) => known.write(),
            Self::Other(value) => value,
        }
    }
}
/// Every part of the language that can stand in a field.
#[derive(Clone, PartialEq, Debug)]
pub struct Thing {
    /// `anything`
    pub anything: Option<Ipld>,
    /// `bytes`
    ///
    /// At most 4 bytes.
    pub bytes: Option<Vec<u8>>,
    /// `fn`
    ///
    /// 1 to 9.
    pub r#fn: Option<i64>,
    /// `inner`
    pub inner: Option<ThingInner>,
    /// `kind`
    pub kind: Option<String>,
    /// `link`
    pub link: Option<Cid>,
    /// `many`
    ///
    /// At least 1 items.
    pub many: Option<typed::List<ThingManyItem>>,
    /// `maybe`
    ///
    /// At most 10 bytes.
    pub maybe: typed::Nullable<String>,
    /// `mood`
    pub mood: Mood,
    /// `one`
    pub one: Option<ThingOne>,
    /// `ours`
    pub ours: Option<i64>,
    /// `perhaps`
    pub perhaps: Option<typed::Nullable<Part>>,
    /// `picture`
    ///
    /// Of the types `image/*`; up to 1000 bytes.
    pub picture: Option<typed::Blob>,
    /// `self`
    ///
    /// Always `true`.
    pub self_: bool,
    /// `tags`
    pub tags: Option<Tags>,
    /// `type`
    ///
    /// One of `a`, `b`.
    pub r#type: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Thing {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of_record(value)?;
        Ok(Self {
            anything: typed::optional(&mut fields, "anything")?,
            bytes: typed::optional(&mut fields, "bytes")?,
            r#fn: typed::optional(&mut fields, "fn")?,
            inner: typed::optional(&mut fields, "inner")?,
            kind: typed::optional(&mut fields, "kind")?,
            link: typed::optional(&mut fields, "link")?,
            many: typed::optional(&mut fields, "many")?,
            maybe: typed::required(&mut fields, "maybe")?,
            mood: typed::required(&mut fields, "mood")?,
            one: typed::optional(&mut fields, "one")?,
            ours: typed::own(&mut fields, "ours"),
            perhaps: typed::optional(&mut fields, "perhaps")?,
            picture: typed::optional(&mut fields, "picture")?,
            self_: typed::required(&mut fields, "self")?,
            tags: typed::optional(&mut fields, "tags")?,
            r#type: typed::required(&mut fields, "type")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "anything", self.anything);
        typed::put_optional(&mut fields, "bytes", self.bytes);
        typed::put_optional(&mut fields, "fn", self.r#fn);
        typed::put_optional(&mut fields, "inner", self.inner);
        typed::put_optional(&mut fields, "kind", self.kind);
        typed::put_optional(&mut fields, "link", self.link);
        typed::put_optional(&mut fields, "many", self.many);
        typed::put(&mut fields, "maybe", self.maybe);
        typed::put(&mut fields, "mood", self.mood);
        typed::put_optional(&mut fields, "one", self.one);
        typed::put_optional(&mut fields, "ours", self.ours);
        typed::put_optional(&mut fields, "perhaps", self.perhaps);
        typed::put_optional(&mut fields, "picture", self.picture);
        typed::put(&mut fields, "self", self.self_);
        typed::put_optional(&mut fields, "tags", self.tags);
        typed::put(&mut fields, "type", self.r#type);
        typed::record(fields, "test.sample.thing")
    }
}
/// How it feels.
///
/// A `language`.
pub type Mood = String;
/// Holds parts, behind an array.
#[derive(Clone, PartialEq, Debug)]
pub struct Part {
    /// `name`
    ///
    /// At most 3 graphemes; known values `x`, `y`.
    pub name: String,
    /// `parts`
    pub parts: Option<typed::List<Part>>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Part {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            name: typed::required(&mut fields, "name")?,
            parts: typed::optional(&mut fields, "parts")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "name", self.name);
        typed::put_optional(&mut fields, "parts", self.parts);
        Ipld::Map(fields)
    }
}
/// `Tags`
///
/// At most 3 items.
pub type Tags = typed::List<String>;
