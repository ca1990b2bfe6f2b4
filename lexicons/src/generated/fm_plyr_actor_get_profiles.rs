//! fm.plyr.actor.getProfiles
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// The output of `fm.plyr.actor.getProfiles`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// `profiles`
    pub profiles: typed::List<super::fm_plyr_actor_defs::ProfileView>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            profiles: typed::required(&mut fields, "profiles")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "profiles", self.profiles);
        Ipld::Map(fields)
    }
}
