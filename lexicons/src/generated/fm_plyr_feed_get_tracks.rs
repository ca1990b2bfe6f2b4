//! fm.plyr.feed.getTracks
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// The output of `fm.plyr.feed.getTracks`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// `tracks`
    pub tracks: typed::List<super::fm_plyr_feed_defs::TrackView>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            tracks: typed::required(&mut fields, "tracks")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "tracks", self.tracks);
        Ipld::Map(fields)
    }
}
