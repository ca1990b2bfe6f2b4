//! fm.plyr.stats.getStats
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// The output of `fm.plyr.stats.getStats`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// `artistCount`
    ///
    /// At least 0.
    pub artist_count: i64,
    /// `commentCount`
    ///
    /// At least 0.
    pub comment_count: i64,
    /// `durationSeconds`
    ///
    /// At least 0.
    pub duration_seconds: i64,
    /// `likeCount`
    ///
    /// At least 0.
    pub like_count: i64,
    /// `listCount`
    ///
    /// At least 0.
    pub list_count: i64,
    /// `trackCount`
    ///
    /// At least 0.
    pub track_count: i64,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            artist_count: typed::required(&mut fields, "artistCount")?,
            comment_count: typed::required(&mut fields, "commentCount")?,
            duration_seconds: typed::required(&mut fields, "durationSeconds")?,
            like_count: typed::required(&mut fields, "likeCount")?,
            list_count: typed::required(&mut fields, "listCount")?,
            track_count: typed::required(&mut fields, "trackCount")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "artistCount", self.artist_count);
        typed::put(&mut fields, "commentCount", self.comment_count);
        typed::put(&mut fields, "durationSeconds", self.duration_seconds);
        typed::put(&mut fields, "likeCount", self.like_count);
        typed::put(&mut fields, "listCount", self.list_count);
        typed::put(&mut fields, "trackCount", self.track_count);
        Ipld::Map(fields)
    }
}
