//! fm.plyr.list
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// `ListItem`
#[derive(Clone, PartialEq, Debug)]
pub struct ListItem {
    /// One entry of the list.
    pub subject: super::com_atproto_repo_strong_ref::StrongRef,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for ListItem {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            subject: typed::required(&mut fields, "subject")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "subject", self.subject);
        Ipld::Map(fields)
    }
}
/// An ordered list of tracks: an album, a playlist, or what somebody liked.
#[derive(Clone, PartialEq, Debug)]
pub struct List {
    /// Cover artwork, in the author's repository.
    ///
    /// Of the types `image/jpeg`, `image/png`, `image/webp`; up to 2000000 bytes.
    pub cover: Option<typed::Blob>,
    /// When the list was made.
    ///
    /// A `datetime`.
    pub created_at: String,
    /// What the list is about.
    ///
    /// At most 5000 bytes.
    pub description: Option<String>,
    /// The list, in order.
    ///
    /// At most 500 items.
    pub items: typed::List<ListItem>,
    /// What kind of list it is.
    ///
    /// Known values `album`, `playlist`, `liked`.
    pub list_type: Option<String>,
    /// What the list is called.
    ///
    /// At most 256 bytes; at most 64 graphemes.
    pub name: Option<String>,
    /// When it was last changed.
    ///
    /// A `datetime`.
    pub updated_at: Option<String>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for List {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of_record(value)?;
        Ok(Self {
            cover: typed::own(&mut fields, "cover"),
            created_at: typed::required(&mut fields, "createdAt")?,
            description: typed::own(&mut fields, "description"),
            items: typed::required(&mut fields, "items")?,
            list_type: typed::optional(&mut fields, "listType")?,
            name: typed::optional(&mut fields, "name")?,
            updated_at: typed::optional(&mut fields, "updatedAt")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "cover", self.cover);
        typed::put(&mut fields, "createdAt", self.created_at);
        typed::put_optional(&mut fields, "description", self.description);
        typed::put(&mut fields, "items", self.items);
        typed::put_optional(&mut fields, "listType", self.list_type);
        typed::put_optional(&mut fields, "name", self.name);
        typed::put_optional(&mut fields, "updatedAt", self.updated_at);
        typed::record(fields, "fm.plyr.list")
    }
}
