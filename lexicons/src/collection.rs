//! The record collections of a namespace. Membership is exact: `fm.plyr.dev.track` is no
//! `fm.plyr.track`, and no prefix or suffix match ever decides.

use std::fmt;
use std::str::FromStr;

use atrium_api::types::string::Nsid;

/// The record types we index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Collection {
    /// `track`
    Track,
    /// `like`
    Like,
    /// `comment`
    Comment,
    /// `list`: album, playlist or liked
    List,
    /// `actor.profile`
    Profile,
}

impl Collection {
    /// All of them, in the order of their names in the documents.
    pub const ALL: [Collection; 5] = [
        Collection::Track,
        Collection::Like,
        Collection::Comment,
        Collection::List,
        Collection::Profile,
    ];

    /// What follows the namespace in the collection's NSID.
    pub const fn suffix(self) -> &'static str {
        match self {
            Collection::Track => "track",
            Collection::Like => "like",
            Collection::Comment => "comment",
            Collection::List => "list",
            Collection::Profile => "actor.profile",
        }
    }

    /// The NSID of the lexicon document that rules it, whatever the namespace.
    pub const fn document(self) -> &'static str {
        match self {
            Collection::Track => "fm.plyr.track",
            Collection::Like => "fm.plyr.like",
            Collection::Comment => "fm.plyr.comment",
            Collection::List => "fm.plyr.list",
            Collection::Profile => "fm.plyr.actor.profile",
        }
    }
}

/// A namespace of the network: `fm.plyr`, or its `dev` and `stg` siblings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Namespace {
    name: String,
    nsids: [Nsid; 5],
}

/// The text can't be a namespace.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no namespace: write it like fm.plyr, fm.plyr.dev or fm.plyr.stg")]
pub struct NamespaceError(pub String);

impl Namespace {
    /// Its name, without a trailing dot.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The collection that an NSID names, if it is exactly one of this namespace.
    pub fn collection(&self, nsid: &str) -> Option<Collection> {
        let suffix = nsid.strip_prefix(self.name.as_str())?.strip_prefix('.')?;
        Collection::ALL
            .into_iter()
            .find(|collection| collection.suffix() == suffix)
    }

    /// The NSID of a collection in this namespace.
    pub fn nsid(&self, collection: Collection) -> &Nsid {
        &self.nsids[collection as usize]
    }

    /// The NSIDs of all collections, in the order of [`Collection::ALL`].
    pub fn nsids(&self) -> &[Nsid; 5] {
        &self.nsids
    }
}

impl FromStr for Namespace {
    type Err = NamespaceError;

    fn from_str(name: &str) -> Result<Namespace, NamespaceError> {
        let nsid = |collection: Collection| {
            Nsid::new(format!("{name}.{}", collection.suffix()))
                .map_err(|_| NamespaceError(name.to_owned()))
        };
        let [track, like, comment, list, profile] = Collection::ALL.map(nsid);
        let nsids = [track?, like?, comment?, list?, profile?];
        Ok(Namespace {
            name: name.to_owned(),
            nsids,
        })
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership_is_exact() {
        let main: Namespace = "fm.plyr".parse().unwrap();
        let dev: Namespace = "fm.plyr.dev".parse().unwrap();
        assert_eq!(main.collection("fm.plyr.track"), Some(Collection::Track));
        assert_eq!(
            main.collection("fm.plyr.actor.profile"),
            Some(Collection::Profile)
        );
        assert_eq!(main.collection("fm.plyr.dev.track"), None);
        assert_eq!(main.collection("fm.plyr.tracks"), None);
        assert_eq!(dev.collection("fm.plyr.dev.track"), Some(Collection::Track));
        assert_eq!(dev.collection("fm.plyr.track"), None);
        assert_eq!(
            dev.nsid(Collection::Profile).as_str(),
            "fm.plyr.dev.actor.profile"
        );
    }

    #[test]
    fn what_makes_no_nsid_makes_no_namespace() {
        for text in ["", "fm", "fm..plyr", "fm.plyr."] {
            assert!(text.parse::<Namespace>().is_err(), "{text}");
        }
    }
}
