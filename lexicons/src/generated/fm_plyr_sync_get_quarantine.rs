//! fm.plyr.sync.getQuarantine
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// One refused event or record.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// The CID that was claimed.
    pub cid: Option<String>,
    /// A sentence for people.
    pub detail: String,
    /// `did`
    ///
    /// A `did`.
    pub did: Option<String>,
    /// `id`
    pub id: String,
    /// A word: invalid, frame, early, rev, cid-mismatch, data-model …
    pub reason: String,
    /// `rev`
    ///
    /// A `tid`.
    pub rev: Option<String>,
    /// `seenAt`
    ///
    /// A `datetime`.
    pub seen_at: String,
    /// Which source delivered it.
    pub source: String,
    /// `uri`
    ///
    /// An `at-uri`.
    pub uri: Option<String>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Entry {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            cid: typed::optional(&mut fields, "cid")?,
            detail: typed::required(&mut fields, "detail")?,
            did: typed::optional(&mut fields, "did")?,
            id: typed::required(&mut fields, "id")?,
            reason: typed::required(&mut fields, "reason")?,
            rev: typed::optional(&mut fields, "rev")?,
            seen_at: typed::required(&mut fields, "seenAt")?,
            source: typed::required(&mut fields, "source")?,
            uri: typed::optional(&mut fields, "uri")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "cid", self.cid);
        typed::put(&mut fields, "detail", self.detail);
        typed::put_optional(&mut fields, "did", self.did);
        typed::put(&mut fields, "id", self.id);
        typed::put(&mut fields, "reason", self.reason);
        typed::put_optional(&mut fields, "rev", self.rev);
        typed::put(&mut fields, "seenAt", self.seen_at);
        typed::put(&mut fields, "source", self.source);
        typed::put_optional(&mut fields, "uri", self.uri);
        Ipld::Map(fields)
    }
}
/// The output of `fm.plyr.sync.getQuarantine`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// Ask with it for the next page; absent at the end.
    pub cursor: Option<String>,
    /// `entries`
    pub entries: typed::List<Entry>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            cursor: typed::optional(&mut fields, "cursor")?,
            entries: typed::required(&mut fields, "entries")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "cursor", self.cursor);
        typed::put(&mut fields, "entries", self.entries);
        Ipld::Map(fields)
    }
}
