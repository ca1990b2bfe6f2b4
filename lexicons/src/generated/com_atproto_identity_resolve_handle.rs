//! com.atproto.identity.resolveHandle
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// The output of `com.atproto.identity.resolveHandle`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// `did`
    ///
    /// A `did`.
    pub did: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
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
