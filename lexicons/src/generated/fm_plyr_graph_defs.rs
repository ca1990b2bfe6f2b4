//! fm.plyr.graph.defs
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// Something is held, but is not shown.
#[derive(Clone, PartialEq, Debug)]
pub struct Hidden {
    /// `reason`
    ///
    /// Known values `accountDeactivated`, `accountDeleted`, `accountTakenDown`, `accountSuspended`, `takenDown`, `invalid`.
    pub reason: String,
    /// `uri`
    ///
    /// An `at-uri`.
    pub uri: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Hidden {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            reason: typed::required(&mut fields, "reason")?,
            uri: typed::required(&mut fields, "uri")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "reason", self.reason);
        typed::put(&mut fields, "uri", self.uri);
        Ipld::Map(fields)
    }
}
/// `ListItemViewItem`
#[derive(Clone, PartialEq, Debug)]
pub enum ListItemViewItem {
    /// `fm.plyr.feed.defs#trackView`
    TrackView(super::fm_plyr_feed_defs::TrackView),
    /// `fm.plyr.graph.defs#notFound`
    NotFound(NotFound),
    /// `fm.plyr.graph.defs#hidden`
    Hidden(Hidden),
    /// A member the document doesn't know, kept as it is.
    Other(Ipld),
}
impl Typed for ListItemViewItem {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        match typed::type_of(&value) {
            Some("fm.plyr.feed.defs#trackView") => {
                Typed::read(typed::without_type(value)).map(Self::TrackView)
            }
            Some("fm.plyr.graph.defs#notFound") => {
                Typed::read(typed::without_type(value)).map(Self::NotFound)
            }
            Some("fm.plyr.graph.defs#hidden") => {
                Typed::read(typed::without_type(value)).map(Self::Hidden)
            }
            _ => Ok(Self::Other(value)),
        }
    }
    fn write(self) -> Ipld {
        match self {
            Self::TrackView(known) => {
                typed::with_type(known.write(), "fm.plyr.feed.defs#trackView")
            }
            Self::NotFound(known) => {
                typed::with_type(known.write(), "fm.plyr.graph.defs#notFound")
            }
            Self::Hidden(known) => {
                typed::with_type(known.write(), "fm.plyr.graph.defs#hidden")
            }
            Self::Other(value) => value,
        }
    }
}
/// One entry of a list, in its place.
#[derive(Clone, PartialEq, Debug)]
pub struct ListItemView {
    /// `item`
    pub item: ListItemViewItem,
    /// `subject`
    pub subject: super::com_atproto_repo_strong_ref::StrongRef,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for ListItemView {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            item: typed::required(&mut fields, "item")?,
            subject: typed::required(&mut fields, "subject")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "item", self.item);
        typed::put(&mut fields, "subject", self.subject);
        Ipld::Map(fields)
    }
}
/// A list without its items.
#[derive(Clone, PartialEq, Debug)]
pub struct ListView {
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
    /// `itemCount`
    ///
    /// At least 0.
    pub item_count: i64,
    /// From the record, cut to 256 bytes.
    ///
    /// Known values `album`, `playlist`, `liked`.
    pub list_type: Option<String>,
    /// From the record, cut to its lengths.
    ///
    /// At most 256 bytes; at most 64 graphemes.
    pub name: Option<String>,
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
    /// The record exceeds lengths of its lexicon; presented fields are cut.
    pub tolerated: Option<bool>,
    /// `uri`
    ///
    /// An `at-uri`.
    pub uri: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for ListView {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            author: typed::required(&mut fields, "author")?,
            cid: typed::required(&mut fields, "cid")?,
            indexed_at: typed::required(&mut fields, "indexedAt")?,
            item_count: typed::required(&mut fields, "itemCount")?,
            list_type: typed::optional(&mut fields, "listType")?,
            name: typed::optional(&mut fields, "name")?,
            record: typed::required(&mut fields, "record")?,
            rev: typed::required(&mut fields, "rev")?,
            sort_at: typed::required(&mut fields, "sortAt")?,
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
        typed::put(&mut fields, "itemCount", self.item_count);
        typed::put_optional(&mut fields, "listType", self.list_type);
        typed::put_optional(&mut fields, "name", self.name);
        typed::put(&mut fields, "record", self.record);
        typed::put(&mut fields, "rev", self.rev);
        typed::put(&mut fields, "sortAt", self.sort_at);
        typed::put_optional(&mut fields, "tolerated", self.tolerated);
        typed::put(&mut fields, "uri", self.uri);
        Ipld::Map(fields)
    }
}
/// Nothing is held under the address.
#[derive(Clone, PartialEq, Debug)]
pub struct NotFound {
    /// `uri`
    ///
    /// An `at-uri`.
    pub uri: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for NotFound {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            uri: typed::required(&mut fields, "uri")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "uri", self.uri);
        Ipld::Map(fields)
    }
}
