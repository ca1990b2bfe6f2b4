//! fm.plyr.feed.getTrack
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// The output of `fm.plyr.feed.getTrack`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// `track`
    pub track: super::fm_plyr_feed_defs::TrackView,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            track: typed::required(&mut fields, "track")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "track", self.track);
        Ipld::Map(fields)
    }
}
