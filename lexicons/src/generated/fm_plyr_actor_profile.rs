//! fm.plyr.actor.profile
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// What an artist or a listener says about themselves.
#[derive(Clone, PartialEq, Debug)]
pub struct Profile {
    /// Where a picture is served.
    ///
    /// A `uri`.
    pub avatar: Option<String>,
    /// A few words.
    ///
    /// At most 2560 bytes; at most 256 graphemes.
    pub bio: Option<String>,
    /// When the profile was made.
    ///
    /// A `datetime`.
    pub created_at: String,
    /// When it was last changed.
    ///
    /// A `datetime`.
    pub updated_at: Option<String>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Profile {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of_record(value)?;
        Ok(Self {
            avatar: typed::optional(&mut fields, "avatar")?,
            bio: typed::optional(&mut fields, "bio")?,
            created_at: typed::required(&mut fields, "createdAt")?,
            updated_at: typed::optional(&mut fields, "updatedAt")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "avatar", self.avatar);
        typed::put_optional(&mut fields, "bio", self.bio);
        typed::put(&mut fields, "createdAt", self.created_at);
        typed::put_optional(&mut fields, "updatedAt", self.updated_at);
        typed::record(fields, "fm.plyr.actor.profile")
    }
}
