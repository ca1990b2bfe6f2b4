//! fm.plyr.search.typeahead
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// `OutputHitsItem`
#[derive(Clone, PartialEq, Debug)]
pub enum OutputHitsItem {
    /// `fm.plyr.search.defs#trackSuggestion`
    TrackSuggestion(super::fm_plyr_search_defs::TrackSuggestion),
    /// `fm.plyr.search.defs#listSuggestion`
    ListSuggestion(super::fm_plyr_search_defs::ListSuggestion),
    /// `fm.plyr.search.defs#profileSuggestion`
    ProfileSuggestion(super::fm_plyr_search_defs::ProfileSuggestion),
    /// `fm.plyr.search.defs#tagSuggestion`
    TagSuggestion(super::fm_plyr_search_defs::TagSuggestion),
    /// A member the document doesn't know, kept as it is.
    Other(Ipld),
}
impl Typed for OutputHitsItem {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        match typed::type_of(&value) {
            Some("fm.plyr.search.defs#trackSuggestion") => {
                Typed::read(typed::without_type(value)).map(Self::TrackSuggestion)
            }
            Some("fm.plyr.search.defs#listSuggestion") => {
                Typed::read(typed::without_type(value)).map(Self::ListSuggestion)
            }
            Some("fm.plyr.search.defs#profileSuggestion") => {
                Typed::read(typed::without_type(value)).map(Self::ProfileSuggestion)
            }
            Some("fm.plyr.search.defs#tagSuggestion") => {
                Typed::read(typed::without_type(value)).map(Self::TagSuggestion)
            }
            _ => Ok(Self::Other(value)),
        }
    }
    fn write(self) -> Ipld {
        match self {
            Self::TrackSuggestion(known) => {
                typed::with_type(known.write(), "fm.plyr.search.defs#trackSuggestion")
            }
            Self::ListSuggestion(known) => {
                typed::with_type(known.write(), "fm.plyr.search.defs#listSuggestion")
            }
            Self::ProfileSuggestion(known) => {
                typed::with_type(known.write(), "fm.plyr.search.defs#profileSuggestion")
            }
            Self::TagSuggestion(known) => {
                typed::with_type(known.write(), "fm.plyr.search.defs#tagSuggestion")
            }
            Self::Other(value) => value,
        }
    }
}
/// The output of `fm.plyr.search.typeahead`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// `hits`
    pub hits: typed::List<OutputHitsItem>,
    /// The query cost too much and was cut: there may be hits that are missing here.
    pub partial: bool,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            hits: typed::required(&mut fields, "hits")?,
            partial: typed::required(&mut fields, "partial")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "hits", self.hits);
        typed::put(&mut fields, "partial", self.partial);
        Ipld::Map(fields)
    }
}
