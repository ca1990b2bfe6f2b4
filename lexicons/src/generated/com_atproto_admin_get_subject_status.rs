//! com.atproto.admin.getSubjectStatus
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// `OutputSubject`
#[derive(Clone, PartialEq, Debug)]
pub enum OutputSubject {
    /// `com.atproto.admin.defs#repoRef`
    RepoRef(super::com_atproto_admin_defs::RepoRef),
    /// `com.atproto.repo.strongRef`
    StrongRef(super::com_atproto_repo_strong_ref::StrongRef),
    /// `com.atproto.admin.defs#repoBlobRef`
    RepoBlobRef(super::com_atproto_admin_defs::RepoBlobRef),
    /// A member the document doesn't know, kept as it is.
    Other(Ipld),
}
impl Typed for OutputSubject {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        match typed::type_of(&value) {
            Some("com.atproto.admin.defs#repoRef") => {
                Typed::read(typed::without_type(value)).map(Self::RepoRef)
            }
            Some("com.atproto.repo.strongRef") => {
                Typed::read(typed::without_type(value)).map(Self::StrongRef)
            }
            Some("com.atproto.admin.defs#repoBlobRef") => {
                Typed::read(typed::without_type(value)).map(Self::RepoBlobRef)
            }
            _ => Ok(Self::Other(value)),
        }
    }
    fn write(self) -> Ipld {
        match self {
            Self::RepoRef(known) => {
                typed::with_type(known.write(), "com.atproto.admin.defs#repoRef")
            }
            Self::StrongRef(known) => {
                typed::with_type(known.write(), "com.atproto.repo.strongRef")
            }
            Self::RepoBlobRef(known) => {
                typed::with_type(known.write(), "com.atproto.admin.defs#repoBlobRef")
            }
            Self::Other(value) => value,
        }
    }
}
/// The output of `com.atproto.admin.getSubjectStatus`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// `deactivated`
    pub deactivated: Option<super::com_atproto_admin_defs::StatusAttr>,
    /// `subject`
    pub subject: OutputSubject,
    /// `takedown`
    pub takedown: Option<super::com_atproto_admin_defs::StatusAttr>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            deactivated: typed::optional(&mut fields, "deactivated")?,
            subject: typed::required(&mut fields, "subject")?,
            takedown: typed::optional(&mut fields, "takedown")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "deactivated", self.deactivated);
        typed::put(&mut fields, "subject", self.subject);
        typed::put_optional(&mut fields, "takedown", self.takedown);
        Ipld::Map(fields)
    }
}
