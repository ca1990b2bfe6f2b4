//! fm.plyr.actor.defs
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// An actor with what they have published.
#[derive(Clone, PartialEq, Debug)]
pub struct ProfileView {
    /// `albumCount`
    ///
    /// At least 0.
    pub album_count: i64,
    /// `avatar`
    ///
    /// A `uri`.
    pub avatar: Option<String>,
    /// From the profile record, cut to its lengths.
    ///
    /// At most 2560 bytes; at most 256 graphemes.
    pub bio: Option<String>,
    /// `commentCount`
    ///
    /// At least 0.
    pub comment_count: i64,
    /// `did`
    ///
    /// A `did`.
    pub did: String,
    /// `displayName`
    ///
    /// At most 640 bytes; at most 64 graphemes.
    pub display_name: Option<String>,
    /// Sum of the tracks' durations, each taken as at most a day.
    ///
    /// At least 0.
    pub duration_seconds: i64,
    /// handle.invalid when no handle is proven both ways.
    ///
    /// A `handle`.
    pub handle: String,
    /// Distinct subjects the actor likes.
    ///
    /// At least 0.
    pub like_count: i64,
    /// `playlistCount`
    ///
    /// At least 0.
    pub playlist_count: i64,
    /// The profile record, verbatim.
    pub record: Option<Ipld>,
    /// `trackCount`
    ///
    /// At least 0.
    pub track_count: i64,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for ProfileView {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            album_count: typed::required(&mut fields, "albumCount")?,
            avatar: typed::optional(&mut fields, "avatar")?,
            bio: typed::optional(&mut fields, "bio")?,
            comment_count: typed::required(&mut fields, "commentCount")?,
            did: typed::required(&mut fields, "did")?,
            display_name: typed::optional(&mut fields, "displayName")?,
            duration_seconds: typed::required(&mut fields, "durationSeconds")?,
            handle: typed::required(&mut fields, "handle")?,
            like_count: typed::required(&mut fields, "likeCount")?,
            playlist_count: typed::required(&mut fields, "playlistCount")?,
            record: typed::optional(&mut fields, "record")?,
            track_count: typed::required(&mut fields, "trackCount")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "albumCount", self.album_count);
        typed::put_optional(&mut fields, "avatar", self.avatar);
        typed::put_optional(&mut fields, "bio", self.bio);
        typed::put(&mut fields, "commentCount", self.comment_count);
        typed::put(&mut fields, "did", self.did);
        typed::put_optional(&mut fields, "displayName", self.display_name);
        typed::put(&mut fields, "durationSeconds", self.duration_seconds);
        typed::put(&mut fields, "handle", self.handle);
        typed::put(&mut fields, "likeCount", self.like_count);
        typed::put(&mut fields, "playlistCount", self.playlist_count);
        typed::put_optional(&mut fields, "record", self.record);
        typed::put(&mut fields, "trackCount", self.track_count);
        Ipld::Map(fields)
    }
}
/// An actor, as shown beside what they made.
#[derive(Clone, PartialEq, Debug)]
pub struct ProfileViewBasic {
    /// `avatar`
    ///
    /// A `uri`.
    pub avatar: Option<String>,
    /// `did`
    ///
    /// A `did`.
    pub did: String,
    /// `displayName`
    ///
    /// At most 640 bytes; at most 64 graphemes.
    pub display_name: Option<String>,
    /// handle.invalid when no handle is proven both ways.
    ///
    /// A `handle`.
    pub handle: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for ProfileViewBasic {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            avatar: typed::optional(&mut fields, "avatar")?,
            did: typed::required(&mut fields, "did")?,
            display_name: typed::optional(&mut fields, "displayName")?,
            handle: typed::required(&mut fields, "handle")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "avatar", self.avatar);
        typed::put(&mut fields, "did", self.did);
        typed::put_optional(&mut fields, "displayName", self.display_name);
        typed::put(&mut fields, "handle", self.handle);
        Ipld::Map(fields)
    }
}
