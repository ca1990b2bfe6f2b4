//! com.atproto.repo.strongRef
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// `StrongRef`
#[derive(Clone, PartialEq, Debug)]
pub struct StrongRef {
    /// `cid`
    ///
    /// A `cid`.
    pub cid: String,
    /// `uri`
    ///
    /// An `at-uri`.
    pub uri: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for StrongRef {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            cid: typed::required(&mut fields, "cid")?,
            uri: typed::required(&mut fields, "uri")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "cid", self.cid);
        typed::put(&mut fields, "uri", self.uri);
        Ipld::Map(fields)
    }
}
