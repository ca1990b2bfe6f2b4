//! com.atproto.label.defs
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// `SelfLabel`
#[derive(Clone, PartialEq, Debug)]
pub struct SelfLabel {
    /// `val`
    ///
    /// At most 128 bytes.
    pub val: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for SelfLabel {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            val: typed::required(&mut fields, "val")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "val", self.val);
        Ipld::Map(fields)
    }
}
/// Labels an author gives their own record.
#[derive(Clone, PartialEq, Debug)]
pub struct SelfLabels {
    /// `values`
    ///
    /// At most 10 items.
    pub values: typed::List<SelfLabel>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for SelfLabels {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            values: typed::required(&mut fields, "values")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "values", self.values);
        Ipld::Map(fields)
    }
}
