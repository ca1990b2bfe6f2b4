//! fm.plyr.like
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// A listener likes something, usually a track.
#[derive(Clone, PartialEq, Debug)]
pub struct Like {
    /// When it was liked.
    ///
    /// A `datetime`.
    pub created_at: String,
    /// What is liked.
    pub subject: super::com_atproto_repo_strong_ref::StrongRef,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Like {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of_record(value)?;
        Ok(Self {
            created_at: typed::required(&mut fields, "createdAt")?,
            subject: typed::required(&mut fields, "subject")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "createdAt", self.created_at);
        typed::put(&mut fields, "subject", self.subject);
        typed::record(fields, "fm.plyr.like")
    }
}
