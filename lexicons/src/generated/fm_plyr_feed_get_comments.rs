//! fm.plyr.feed.getComments
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// The output of `fm.plyr.feed.getComments`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// `comments`
    pub comments: typed::List<super::fm_plyr_feed_defs::CommentView>,
    /// Ask with it for the next page; absent at the end.
    pub cursor: Option<String>,
    /// `uri`
    ///
    /// An `at-uri`.
    pub uri: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            comments: typed::required(&mut fields, "comments")?,
            cursor: typed::optional(&mut fields, "cursor")?,
            uri: typed::required(&mut fields, "uri")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "comments", self.comments);
        typed::put_optional(&mut fields, "cursor", self.cursor);
        typed::put(&mut fields, "uri", self.uri);
        Ipld::Map(fields)
    }
}
