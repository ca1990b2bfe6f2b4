//! fm.plyr.actor.searchActors
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// The output of `fm.plyr.actor.searchActors`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// Ask with it for the next page; absent at the end.
    pub cursor: Option<String>,
    /// The query cost too much and was cut: there may be hits that are missing here.
    pub partial: bool,
    /// `profiles`
    pub profiles: typed::List<super::fm_plyr_actor_defs::ProfileView>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            cursor: typed::optional(&mut fields, "cursor")?,
            partial: typed::required(&mut fields, "partial")?,
            profiles: typed::required(&mut fields, "profiles")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "cursor", self.cursor);
        typed::put(&mut fields, "partial", self.partial);
        typed::put(&mut fields, "profiles", self.profiles);
        Ipld::Map(fields)
    }
}
