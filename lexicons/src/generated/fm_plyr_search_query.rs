//! fm.plyr.search.query
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// `OutputHitsItem`
#[derive(Clone, PartialEq, Debug)]
pub enum OutputHitsItem {
    /// `fm.plyr.search.defs#trackHit`
    TrackHit(super::fm_plyr_search_defs::TrackHit),
    /// `fm.plyr.search.defs#listHit`
    ListHit(super::fm_plyr_search_defs::ListHit),
    /// `fm.plyr.search.defs#profileHit`
    ProfileHit(super::fm_plyr_search_defs::ProfileHit),
    /// `fm.plyr.search.defs#tagHit`
    TagHit(super::fm_plyr_search_defs::TagHit),
    /// A member the document doesn't know, kept as it is.
    Other(Ipld),
}
impl Typed for OutputHitsItem {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        match typed::type_of(&value) {
            Some("fm.plyr.search.defs#trackHit") => {
                Typed::read(typed::without_type(value)).map(Self::TrackHit)
            }
            Some("fm.plyr.search.defs#listHit") => {
                Typed::read(typed::without_type(value)).map(Self::ListHit)
            }
            Some("fm.plyr.search.defs#profileHit") => {
                Typed::read(typed::without_type(value)).map(Self::ProfileHit)
            }
            Some("fm.plyr.search.defs#tagHit") => {
                Typed::read(typed::without_type(value)).map(Self::TagHit)
            }
            _ => Ok(Self::Other(value)),
        }
    }
    fn write(self) -> Ipld {
        match self {
            Self::TrackHit(known) => {
                typed::with_type(known.write(), "fm.plyr.search.defs#trackHit")
            }
            Self::ListHit(known) => {
                typed::with_type(known.write(), "fm.plyr.search.defs#listHit")
            }
            Self::ProfileHit(known) => {
                typed::with_type(known.write(), "fm.plyr.search.defs#profileHit")
            }
            Self::TagHit(known) => {
                typed::with_type(known.write(), "fm.plyr.search.defs#tagHit")
            }
            Self::Other(value) => value,
        }
    }
}
/// The output of `fm.plyr.search.query`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// Ask with it for the next page; absent at the end.
    pub cursor: Option<String>,
    /// `hits`
    pub hits: typed::List<OutputHitsItem>,
    /// Hits of the query's words on all pages, as the index counts them; what the query names by address stands beside them. Of a query that is addresses alone, those that show.
    ///
    /// At least 0.
    pub hits_total: i64,
    /// The query cost too much and was cut: there may be hits that are missing here.
    pub partial: bool,
    /// These are all hits; otherwise there are at least as many.
    pub total_exact: bool,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            cursor: typed::optional(&mut fields, "cursor")?,
            hits: typed::required(&mut fields, "hits")?,
            hits_total: typed::required(&mut fields, "hitsTotal")?,
            partial: typed::required(&mut fields, "partial")?,
            total_exact: typed::required(&mut fields, "totalExact")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "cursor", self.cursor);
        typed::put(&mut fields, "hits", self.hits);
        typed::put(&mut fields, "hitsTotal", self.hits_total);
        typed::put(&mut fields, "partial", self.partial);
        typed::put(&mut fields, "totalExact", self.total_exact);
        Ipld::Map(fields)
    }
}
