//! test.sample.doIt
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// The input of `test.sample.doIt`.
#[derive(Clone, PartialEq, Debug)]
pub struct Input {
    /// `what`
    pub what: super::test_sample_thing::Part,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Input {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            what: typed::required(&mut fields, "what")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "what", self.what);
        Ipld::Map(fields)
    }
}
/// The output of `test.sample.doIt`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let fields = typed::fields_of(value)?;
        Ok(Self { other: fields })
    }
    fn write(self) -> Ipld {
        let fields = self.other;
        Ipld::Map(fields)
    }
}
