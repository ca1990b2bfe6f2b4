//! fm.plyr.media.getPlayback
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// The output of `fm.plyr.media.getPlayback`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// The version of the record.
    ///
    /// A `cid`.
    pub cid: String,
    /// As the bytes say where they are here, else as the record says.
    ///
    /// At least 0.
    pub duration_ms: Option<i64>,
    /// `media`
    pub media: super::fm_plyr_media_defs::MediaView,
    /// Verified ones first; none where the track is gated, refused or taken down.
    pub sources: typed::List<super::fm_plyr_media_defs::Source>,
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
            cid: typed::required(&mut fields, "cid")?,
            duration_ms: typed::optional(&mut fields, "durationMs")?,
            media: typed::required(&mut fields, "media")?,
            sources: typed::required(&mut fields, "sources")?,
            uri: typed::required(&mut fields, "uri")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "cid", self.cid);
        typed::put_optional(&mut fields, "durationMs", self.duration_ms);
        typed::put(&mut fields, "media", self.media);
        typed::put(&mut fields, "sources", self.sources);
        typed::put(&mut fields, "uri", self.uri);
        Ipld::Map(fields)
    }
}
