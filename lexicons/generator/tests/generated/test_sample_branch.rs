//! test.sample.branch
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// `Leaf`
#[derive(Clone, PartialEq, Debug)]
pub struct Leaf {
    /// `back`
    pub back: Option<super::test_sample_thing::Part>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Leaf {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            back: typed::optional(&mut fields, "back")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "back", self.back);
        Ipld::Map(fields)
    }
}
/// `Branch`
#[derive(Clone, PartialEq, Debug)]
pub struct Branch {
    /// `count`
    pub count: Option<i64>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Branch {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of_record(value)?;
        Ok(Self {
            count: typed::optional(&mut fields, "count")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "count", self.count);
        typed::record(fields, "test.sample.branch")
    }
}
