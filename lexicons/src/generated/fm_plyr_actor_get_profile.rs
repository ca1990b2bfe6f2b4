//! fm.plyr.actor.getProfile
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// The output of `fm.plyr.actor.getProfile`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// `profile`
    pub profile: super::fm_plyr_actor_defs::ProfileView,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            profile: typed::required(&mut fields, "profile")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "profile", self.profile);
        Ipld::Map(fields)
    }
}
