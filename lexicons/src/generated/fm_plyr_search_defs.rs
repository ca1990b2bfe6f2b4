//! fm.plyr.search.defs
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// A part of a text, counted in bytes of its UTF-8 form, on the borders of characters.
#[derive(Clone, PartialEq, Debug)]
pub struct ByteRange {
    /// The first byte behind it.
    ///
    /// At least 0.
    pub byte_end: i64,
    /// The first byte.
    ///
    /// At least 0.
    pub byte_start: i64,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for ByteRange {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            byte_end: typed::required(&mut fields, "byteEnd")?,
            byte_start: typed::required(&mut fields, "byteStart")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "byteEnd", self.byte_end);
        typed::put(&mut fields, "byteStart", self.byte_start);
        Ipld::Map(fields)
    }
}
/// The parts of one text that match the query.
#[derive(Clone, PartialEq, Debug)]
pub struct Highlight {
    /// Which text: a JSON Pointer (RFC 6901) that begins at the hit, as /track/record/title.
    pub path: String,
    /// In order, and apart from one another.
    pub ranges: typed::List<ByteRange>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Highlight {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            path: typed::required(&mut fields, "path")?,
            ranges: typed::required(&mut fields, "ranges")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "path", self.path);
        typed::put(&mut fields, "ranges", self.ranges);
        Ipld::Map(fields)
    }
}
/// An album or a playlist that was found.
#[derive(Clone, PartialEq, Debug)]
pub struct ListHit {
    /// Where the query's words stand in the texts of this hit. A long answer has them for its first hits, a busy server for none.
    pub highlights: typed::List<Highlight>,
    /// `list`
    pub list: super::fm_plyr_graph_defs::ListView,
    /// `match`
    pub r#match: Match,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for ListHit {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            highlights: typed::required(&mut fields, "highlights")?,
            list: typed::required(&mut fields, "list")?,
            r#match: typed::required(&mut fields, "match")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "highlights", self.highlights);
        typed::put(&mut fields, "list", self.list);
        typed::put(&mut fields, "match", self.r#match);
        Ipld::Map(fields)
    }
}
/// An album or a playlist, for a search box.
#[derive(Clone, PartialEq, Debug)]
pub struct ListSuggestion {
    /// `author`
    pub author: super::fm_plyr_actor_defs::ProfileViewBasic,
    /// Where the query's words stand in the texts of this hit. A long answer has them for its first hits, a busy server for none.
    pub highlights: typed::List<Highlight>,
    /// `itemCount`
    ///
    /// At least 0.
    pub item_count: i64,
    /// `listType`
    ///
    /// Known values `album`, `playlist`, `liked`.
    pub list_type: Option<String>,
    /// `match`
    pub r#match: Match,
    /// `name`
    pub name: String,
    /// `uri`
    ///
    /// An `at-uri`.
    pub uri: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for ListSuggestion {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            author: typed::required(&mut fields, "author")?,
            highlights: typed::required(&mut fields, "highlights")?,
            item_count: typed::required(&mut fields, "itemCount")?,
            list_type: typed::optional(&mut fields, "listType")?,
            r#match: typed::required(&mut fields, "match")?,
            name: typed::required(&mut fields, "name")?,
            uri: typed::required(&mut fields, "uri")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "author", self.author);
        typed::put(&mut fields, "highlights", self.highlights);
        typed::put(&mut fields, "itemCount", self.item_count);
        typed::put_optional(&mut fields, "listType", self.list_type);
        typed::put(&mut fields, "match", self.r#match);
        typed::put(&mut fields, "name", self.name);
        typed::put(&mut fields, "uri", self.uri);
        Ipld::Map(fields)
    }
}
/// Why something was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Match {
    /// Of the fields that the words were found in, the lightest one; the heaviest stands first. Absent when it was named.
    ///
    /// Known values `name`, `artist`, `album`, `feature`, `tag`, `description`.
    pub field: Option<String>,
    /// How well it matches, the best first. named: the query holds its address. exact: a title, a name or a tag is the whole query. prefix: one begins with it. word: every word of the query is a word of it. start: a word may begin a longer one. oneTypo and twoTypos: so many letters differ.
    ///
    /// Known values `named`, `exact`, `prefix`, `word`, `start`, `oneTypo`, `twoTypos`.
    pub tier: String,
    /// Its name is found whole, as whole words.
    pub whole: Option<bool>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Match {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            field: typed::optional(&mut fields, "field")?,
            tier: typed::required(&mut fields, "tier")?,
            whole: typed::optional(&mut fields, "whole")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "field", self.field);
        typed::put(&mut fields, "tier", self.tier);
        typed::put_optional(&mut fields, "whole", self.whole);
        Ipld::Map(fields)
    }
}
/// An artist that was found.
#[derive(Clone, PartialEq, Debug)]
pub struct ProfileHit {
    /// Where the query's words stand in the texts of this hit. A long answer has them for its first hits, a busy server for none.
    pub highlights: typed::List<Highlight>,
    /// `match`
    pub r#match: Match,
    /// `profile`
    pub profile: super::fm_plyr_actor_defs::ProfileView,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for ProfileHit {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            highlights: typed::required(&mut fields, "highlights")?,
            r#match: typed::required(&mut fields, "match")?,
            profile: typed::required(&mut fields, "profile")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "highlights", self.highlights);
        typed::put(&mut fields, "match", self.r#match);
        typed::put(&mut fields, "profile", self.profile);
        Ipld::Map(fields)
    }
}
/// An artist, for a search box.
#[derive(Clone, PartialEq, Debug)]
pub struct ProfileSuggestion {
    /// Where the query's words stand in the texts of this hit. A long answer has them for its first hits, a busy server for none.
    pub highlights: typed::List<Highlight>,
    /// `match`
    pub r#match: Match,
    /// `profile`
    pub profile: super::fm_plyr_actor_defs::ProfileViewBasic,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for ProfileSuggestion {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            highlights: typed::required(&mut fields, "highlights")?,
            r#match: typed::required(&mut fields, "match")?,
            profile: typed::required(&mut fields, "profile")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "highlights", self.highlights);
        typed::put(&mut fields, "match", self.r#match);
        typed::put(&mut fields, "profile", self.profile);
        Ipld::Map(fields)
    }
}
/// A tag that was found.
#[derive(Clone, PartialEq, Debug)]
pub struct TagHit {
    /// Where the query's words stand in the texts of this hit. A long answer has them for its first hits, a busy server for none.
    pub highlights: typed::List<Highlight>,
    /// `match`
    pub r#match: Match,
    /// As most of the tracks that carry it write it.
    ///
    /// At most 1024 bytes.
    pub tag: String,
    /// Visible tracks that carry it; of each way of writing it no more than 4,096 are counted. Absent when the tag was not counted.
    ///
    /// At least 0.
    pub track_count: Option<i64>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for TagHit {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            highlights: typed::required(&mut fields, "highlights")?,
            r#match: typed::required(&mut fields, "match")?,
            tag: typed::required(&mut fields, "tag")?,
            track_count: typed::optional(&mut fields, "trackCount")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "highlights", self.highlights);
        typed::put(&mut fields, "match", self.r#match);
        typed::put(&mut fields, "tag", self.tag);
        typed::put_optional(&mut fields, "trackCount", self.track_count);
        Ipld::Map(fields)
    }
}
/// A tag, for a search box.
#[derive(Clone, PartialEq, Debug)]
pub struct TagSuggestion {
    /// Where the query's words stand in the texts of this hit. A long answer has them for its first hits, a busy server for none.
    pub highlights: typed::List<Highlight>,
    /// `match`
    pub r#match: Match,
    /// As most of the tracks that carry it write it.
    ///
    /// At most 1024 bytes.
    pub tag: String,
    /// Visible tracks that carry it; of each way of writing it no more than 4,096 are counted. Absent when the tag was not counted.
    ///
    /// At least 0.
    pub track_count: Option<i64>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for TagSuggestion {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            highlights: typed::required(&mut fields, "highlights")?,
            r#match: typed::required(&mut fields, "match")?,
            tag: typed::required(&mut fields, "tag")?,
            track_count: typed::optional(&mut fields, "trackCount")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "highlights", self.highlights);
        typed::put(&mut fields, "match", self.r#match);
        typed::put(&mut fields, "tag", self.tag);
        typed::put_optional(&mut fields, "trackCount", self.track_count);
        Ipld::Map(fields)
    }
}
/// A track that was found.
#[derive(Clone, PartialEq, Debug)]
pub struct TrackHit {
    /// Where the query's words stand in the texts of this hit. A long answer has them for its first hits, a busy server for none.
    pub highlights: typed::List<Highlight>,
    /// `match`
    pub r#match: Match,
    /// `track`
    pub track: super::fm_plyr_feed_defs::TrackView,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for TrackHit {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            highlights: typed::required(&mut fields, "highlights")?,
            r#match: typed::required(&mut fields, "match")?,
            track: typed::required(&mut fields, "track")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "highlights", self.highlights);
        typed::put(&mut fields, "match", self.r#match);
        typed::put(&mut fields, "track", self.track);
        Ipld::Map(fields)
    }
}
/// A track, for a search box.
#[derive(Clone, PartialEq, Debug)]
pub struct TrackSuggestion {
    /// `author`
    pub author: super::fm_plyr_actor_defs::ProfileViewBasic,
    /// `durationMs`
    ///
    /// At least 0.
    pub duration_ms: Option<i64>,
    /// Where the query's words stand in the texts of this hit. A long answer has them for its first hits, a busy server for none.
    pub highlights: typed::List<Highlight>,
    /// `match`
    pub r#match: Match,
    /// `title`
    pub title: String,
    /// `uri`
    ///
    /// An `at-uri`.
    pub uri: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for TrackSuggestion {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            author: typed::required(&mut fields, "author")?,
            duration_ms: typed::optional(&mut fields, "durationMs")?,
            highlights: typed::required(&mut fields, "highlights")?,
            r#match: typed::required(&mut fields, "match")?,
            title: typed::required(&mut fields, "title")?,
            uri: typed::required(&mut fields, "uri")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "author", self.author);
        typed::put_optional(&mut fields, "durationMs", self.duration_ms);
        typed::put(&mut fields, "highlights", self.highlights);
        typed::put(&mut fields, "match", self.r#match);
        typed::put(&mut fields, "title", self.title);
        typed::put(&mut fields, "uri", self.uri);
        Ipld::Map(fields)
    }
}
