//! com.atproto.repo.listRecords
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// The output of `com.atproto.repo.listRecords`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// `cursor`
    pub cursor: Option<String>,
    /// `records`
    pub records: typed::List<Record>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            cursor: typed::optional(&mut fields, "cursor")?,
            records: typed::required(&mut fields, "records")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "cursor", self.cursor);
        typed::put(&mut fields, "records", self.records);
        Ipld::Map(fields)
    }
}
/// `Record`
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// `cid`
    ///
    /// A `cid`.
    pub cid: String,
    /// `uri`
    ///
    /// An `at-uri`.
    pub uri: String,
    /// `value`
    pub value: Ipld,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Record {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            cid: typed::required(&mut fields, "cid")?,
            uri: typed::required(&mut fields, "uri")?,
            value: typed::required(&mut fields, "value")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "cid", self.cid);
        typed::put(&mut fields, "uri", self.uri);
        typed::put(&mut fields, "value", self.value);
        Ipld::Map(fields)
    }
}
