//! fm.plyr.feed.defs
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// A timed comment.
#[derive(Clone, PartialEq, Debug)]
pub struct CommentView {
    /// `author`
    pub author: super::fm_plyr_actor_defs::ProfileViewBasic,
    /// `cid`
    ///
    /// A `cid`.
    pub cid: String,
    /// When this instance received this version.
    ///
    /// A `datetime`.
    pub indexed_at: String,
    /// The record, verbatim.
    pub record: Ipld,
    /// The commit of this version, as this instance received it.
    ///
    /// A `tid`.
    pub rev: String,
    /// Where the record stands in time: a function of the record and its address.
    ///
    /// A `datetime`.
    pub sort_at: String,
    /// `subject`
    pub subject: super::com_atproto_repo_strong_ref::StrongRef,
    /// `text`
    pub text: String,
    /// `timestampMs`
    ///
    /// At least 0.
    pub timestamp_ms: i64,
    /// The record exceeds lengths of its lexicon; presented fields are cut.
    pub tolerated: Option<bool>,
    /// `uri`
    ///
    /// An `at-uri`.
    pub uri: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for CommentView {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            author: typed::required(&mut fields, "author")?,
            cid: typed::required(&mut fields, "cid")?,
            indexed_at: typed::required(&mut fields, "indexedAt")?,
            record: typed::required(&mut fields, "record")?,
            rev: typed::required(&mut fields, "rev")?,
            sort_at: typed::required(&mut fields, "sortAt")?,
            subject: typed::required(&mut fields, "subject")?,
            text: typed::required(&mut fields, "text")?,
            timestamp_ms: typed::required(&mut fields, "timestampMs")?,
            tolerated: typed::optional(&mut fields, "tolerated")?,
            uri: typed::required(&mut fields, "uri")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "author", self.author);
        typed::put(&mut fields, "cid", self.cid);
        typed::put(&mut fields, "indexedAt", self.indexed_at);
        typed::put(&mut fields, "record", self.record);
        typed::put(&mut fields, "rev", self.rev);
        typed::put(&mut fields, "sortAt", self.sort_at);
        typed::put(&mut fields, "subject", self.subject);
        typed::put(&mut fields, "text", self.text);
        typed::put(&mut fields, "timestampMs", self.timestamp_ms);
        typed::put_optional(&mut fields, "tolerated", self.tolerated);
        typed::put(&mut fields, "uri", self.uri);
        Ipld::Map(fields)
    }
}
/// A like.
#[derive(Clone, PartialEq, Debug)]
pub struct LikeView {
    /// `author`
    pub author: super::fm_plyr_actor_defs::ProfileViewBasic,
    /// `cid`
    ///
    /// A `cid`.
    pub cid: String,
    /// When this instance received this version.
    ///
    /// A `datetime`.
    pub indexed_at: String,
    /// The record, verbatim.
    pub record: Ipld,
    /// The commit of this version, as this instance received it.
    ///
    /// A `tid`.
    pub rev: String,
    /// Where the record stands in time: a function of the record and its address.
    ///
    /// A `datetime`.
    pub sort_at: String,
    /// `subject`
    pub subject: super::com_atproto_repo_strong_ref::StrongRef,
    /// The record exceeds lengths of its lexicon; presented fields are cut.
    pub tolerated: Option<bool>,
    /// `uri`
    ///
    /// An `at-uri`.
    pub uri: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for LikeView {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            author: typed::required(&mut fields, "author")?,
            cid: typed::required(&mut fields, "cid")?,
            indexed_at: typed::required(&mut fields, "indexedAt")?,
            record: typed::required(&mut fields, "record")?,
            rev: typed::required(&mut fields, "rev")?,
            sort_at: typed::required(&mut fields, "sortAt")?,
            subject: typed::required(&mut fields, "subject")?,
            tolerated: typed::optional(&mut fields, "tolerated")?,
            uri: typed::required(&mut fields, "uri")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "author", self.author);
        typed::put(&mut fields, "cid", self.cid);
        typed::put(&mut fields, "indexedAt", self.indexed_at);
        typed::put(&mut fields, "record", self.record);
        typed::put(&mut fields, "rev", self.rev);
        typed::put(&mut fields, "sortAt", self.sort_at);
        typed::put(&mut fields, "subject", self.subject);
        typed::put_optional(&mut fields, "tolerated", self.tolerated);
        typed::put(&mut fields, "uri", self.uri);
        Ipld::Map(fields)
    }
}
/// A like with the track it is about.
#[derive(Clone, PartialEq, Debug)]
pub struct LikedTrackView {
    /// `like`
    pub like: LikeView,
    /// `track`
    pub track: TrackView,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for LikedTrackView {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            like: typed::required(&mut fields, "like")?,
            track: typed::required(&mut fields, "track")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "like", self.like);
        typed::put(&mut fields, "track", self.track);
        Ipld::Map(fields)
    }
}
/// A track with what belongs to it.
#[derive(Clone, PartialEq, Debug)]
pub struct TrackView {
    /// `author`
    pub author: super::fm_plyr_actor_defs::ProfileViewBasic,
    /// `cid`
    ///
    /// A `cid`.
    pub cid: String,
    /// `commentCount`
    ///
    /// At least 0.
    pub comment_count: i64,
    /// `cover`
    pub cover: Option<super::fm_plyr_media_defs::CoverView>,
    /// In milliseconds: as the bytes say where they are here, else as the record says.
    ///
    /// At least 0.
    pub duration_ms: Option<i64>,
    /// When this instance received this version.
    ///
    /// A `datetime`.
    pub indexed_at: String,
    /// Labels the author gave it.
    pub labels: Option<typed::List<String>>,
    /// Distinct visible actors who like it.
    ///
    /// At least 0.
    pub like_count: i64,
    /// Lists that hold it.
    ///
    /// At least 0.
    pub list_count: i64,
    /// How far its audio has come here.
    pub media: Option<super::fm_plyr_media_defs::MediaView>,
    /// The record, verbatim.
    pub record: Ipld,
    /// The commit of this version, as this instance received it.
    ///
    /// A `tid`.
    pub rev: String,
    /// Where the record stands in time: a function of the record and its address.
    ///
    /// A `datetime`.
    pub sort_at: String,
    /// `title`
    pub title: String,
    /// The record exceeds lengths of its lexicon; presented fields are cut.
    pub tolerated: Option<bool>,
    /// `uri`
    ///
    /// An `at-uri`.
    pub uri: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for TrackView {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            author: typed::required(&mut fields, "author")?,
            cid: typed::required(&mut fields, "cid")?,
            comment_count: typed::required(&mut fields, "commentCount")?,
            cover: typed::optional(&mut fields, "cover")?,
            duration_ms: typed::optional(&mut fields, "durationMs")?,
            indexed_at: typed::required(&mut fields, "indexedAt")?,
            labels: typed::optional(&mut fields, "labels")?,
            like_count: typed::required(&mut fields, "likeCount")?,
            list_count: typed::required(&mut fields, "listCount")?,
            media: typed::optional(&mut fields, "media")?,
            record: typed::required(&mut fields, "record")?,
            rev: typed::required(&mut fields, "rev")?,
            sort_at: typed::required(&mut fields, "sortAt")?,
            title: typed::required(&mut fields, "title")?,
            tolerated: typed::optional(&mut fields, "tolerated")?,
            uri: typed::required(&mut fields, "uri")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "author", self.author);
        typed::put(&mut fields, "cid", self.cid);
        typed::put(&mut fields, "commentCount", self.comment_count);
        typed::put_optional(&mut fields, "cover", self.cover);
        typed::put_optional(&mut fields, "durationMs", self.duration_ms);
        typed::put(&mut fields, "indexedAt", self.indexed_at);
        typed::put_optional(&mut fields, "labels", self.labels);
        typed::put(&mut fields, "likeCount", self.like_count);
        typed::put(&mut fields, "listCount", self.list_count);
        typed::put_optional(&mut fields, "media", self.media);
        typed::put(&mut fields, "record", self.record);
        typed::put(&mut fields, "rev", self.rev);
        typed::put(&mut fields, "sortAt", self.sort_at);
        typed::put(&mut fields, "title", self.title);
        typed::put_optional(&mut fields, "tolerated", self.tolerated);
        typed::put(&mut fields, "uri", self.uri);
        Ipld::Map(fields)
    }
}
