//! fm.plyr.comment
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// A remark tied to a moment of a track.
#[derive(Clone, PartialEq, Debug)]
pub struct Comment {
    /// When the comment was written.
    ///
    /// A `datetime`.
    pub created_at: String,
    /// The track.
    pub subject: super::com_atproto_repo_strong_ref::StrongRef,
    /// What is said.
    ///
    /// 1 to 1000 bytes.
    pub text: String,
    /// The moment in the track, in milliseconds from its beginning.
    ///
    /// At least 0.
    pub timestamp_ms: i64,
    /// When it was last changed.
    ///
    /// A `datetime`.
    pub updated_at: Option<String>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Comment {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of_record(value)?;
        Ok(Self {
            created_at: typed::required(&mut fields, "createdAt")?,
            subject: typed::required(&mut fields, "subject")?,
            text: typed::required(&mut fields, "text")?,
            timestamp_ms: typed::required(&mut fields, "timestampMs")?,
            updated_at: typed::optional(&mut fields, "updatedAt")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "createdAt", self.created_at);
        typed::put(&mut fields, "subject", self.subject);
        typed::put(&mut fields, "text", self.text);
        typed::put(&mut fields, "timestampMs", self.timestamp_ms);
        typed::put_optional(&mut fields, "updatedAt", self.updated_at);
        typed::record(fields, "fm.plyr.comment")
    }
}
