//! com.atproto.admin.defs
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// Bytes, as one account names them.
#[derive(Clone, PartialEq, Debug)]
pub struct RepoBlobRef {
    /// `cid`
    ///
    /// A `cid`.
    pub cid: String,
    /// `did`
    ///
    /// A `did`.
    pub did: String,
    /// `recordUri`
    ///
    /// An `at-uri`.
    pub record_uri: Option<String>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for RepoBlobRef {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            cid: typed::required(&mut fields, "cid")?,
            did: typed::required(&mut fields, "did")?,
            record_uri: typed::optional(&mut fields, "recordUri")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "cid", self.cid);
        typed::put(&mut fields, "did", self.did);
        typed::put_optional(&mut fields, "recordUri", self.record_uri);
        Ipld::Map(fields)
    }
}
/// An account, with all that it made.
#[derive(Clone, PartialEq, Debug)]
pub struct RepoRef {
    /// `did`
    ///
    /// A `did`.
    pub did: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for RepoRef {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            did: typed::required(&mut fields, "did")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "did", self.did);
        Ipld::Map(fields)
    }
}
/// Whether something holds of a subject.
#[derive(Clone, PartialEq, Debug)]
pub struct StatusAttr {
    /// `applied`
    pub applied: bool,
    /// What it is called elsewhere: a report, a case, a moderation event.
    pub r#ref: Option<String>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for StatusAttr {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            applied: typed::required(&mut fields, "applied")?,
            r#ref: typed::optional(&mut fields, "ref")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "applied", self.applied);
        typed::put_optional(&mut fields, "ref", self.r#ref);
        Ipld::Map(fields)
    }
}
