//! Keys of objects: made from CIDs alone, in one place, so that what writes, reads and deletes
//! can't disagree.

use std::fmt;

use plyr_lexicons::Cid;

/// A key. Lower-case ASCII letters, digits, `/`, `.`, `-` and `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectKey(String);

/// Sizes of an image that are kept, by the longer side in pixels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ImageSize {
    /// 96, for rows of lists; cut square.
    Thumb,
    /// 300, for cards.
    Card,
    /// 1000, for pages.
    Full,
}

impl ImageSize {
    /// All of them, the smallest first.
    pub const ALL: [ImageSize; 3] = [ImageSize::Thumb, ImageSize::Card, ImageSize::Full];

    /// Its name in keys and parameters.
    pub const fn name(self) -> &'static str {
        match self {
            ImageSize::Thumb => "thumb",
            ImageSize::Card => "card",
            ImageSize::Full => "full",
        }
    }

    /// The longer side at most, in pixels.
    pub const fn pixels(self) -> u32 {
        match self {
            ImageSize::Thumb => 96,
            ImageSize::Card => 300,
            ImageSize::Full => 1000,
        }
    }
}

/// Where originals lie.
pub const ORIGINALS: &str = "originals/";
/// Where images lie that were made from originals.
pub const IMAGES: &str = "images/";
/// Where renditions will lie.
pub const RENDITIONS: &str = "renditions/";
/// What may be served from a public bucket now.
pub const PUBLIC: &str = "public/";

/// Two folders of two letters each, out of the digest's last ones: the first are the same for all.
fn folders(cid: &str) -> String {
    let tail = &cid[cid.len().saturating_sub(4)..];
    let (first, second) = tail.split_at(tail.len() / 2);
    format!("{first}/{second}/{cid}")
}

impl ObjectKey {
    /// The bytes that a record names.
    pub fn original(cid: &Cid) -> ObjectKey {
        ObjectKey(format!("{ORIGINALS}{}", folders(&cid.to_string())))
    }

    /// An image made from the bytes of that CID.
    pub fn image(cid: &Cid, size: ImageSize) -> ObjectKey {
        let folders = folders(&cid.to_string());
        ObjectKey(format!("{IMAGES}{folders}.{}", size.name()))
    }

    /// The same object where the public may read it.
    pub fn public(&self) -> ObjectKey {
        ObjectKey(format!("{PUBLIC}{}", self.0))
    }

    /// Whether it lies where the public may read it.
    pub fn is_public(&self) -> bool {
        self.0.starts_with(PUBLIC)
    }

    /// The CID whose bytes, or whose image, this is.
    pub fn cid(&self) -> Option<Cid> {
        let name = self.0.rsplit('/').next()?;
        name.split('.').next()?.parse().ok()
    }

    /// Reads a key that a store lists; none for what no key looks like.
    pub fn read(text: &str) -> Option<ObjectKey> {
        let key = ObjectKey(text.to_owned());
        let cid = key.cid()?;
        let within = text.strip_prefix(PUBLIC).unwrap_or(text);
        let original = ObjectKey::original(&cid);
        let mut images = ImageSize::ALL
            .iter()
            .map(|size| ObjectKey::image(&cid, *size));
        let is_key = original.0 == within || images.any(|image| image.0 == within);
        is_key.then_some(key)
    }

    /// Whether keys may begin with that (it ends with `/`): what else lies in a folder need not be
    /// looked at.
    pub(crate) fn may_lie_in(folder: &str) -> bool {
        let within = folder.strip_prefix(PUBLIC).unwrap_or(folder);
        if within.is_empty() {
            return true;
        }
        let rest = [ORIGINALS, IMAGES]
            .iter()
            .find_map(|top| within.strip_prefix(top));
        let Some(rest) = rest else {
            return false;
        };
        let folders: Vec<&str> = rest.split_terminator('/').collect();
        folders.len() <= 2 && folders.iter().all(|folder| folder.len() == 2)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

    #[test]
    fn a_key_reads_back_and_tells_its_cid() {
        let cid: Cid = CID.parse().unwrap();
        let original = ObjectKey::original(&cid);
        assert_eq!(original.as_str(), format!("originals/vy/ku/{CID}"));
        let mut keys = vec![original.clone(), original.public()];
        for size in ImageSize::ALL {
            keys.push(ObjectKey::image(&cid, size));
            keys.push(ObjectKey::image(&cid, size).public());
        }
        for key in keys {
            assert_eq!(ObjectKey::read(key.as_str()), Some(key.clone()));
            assert_eq!(key.cid(), Some(cid), "{key}");
        }
    }

    #[test]
    fn folders_that_lead_to_a_key_are_looked_into() {
        let key = ObjectKey::original(&CID.parse().unwrap()).public();
        let ends = key.as_str().match_indices('/').map(|(at, _)| at + 1);
        let folders: Vec<&str> = ends.map(|end| &key.as_str()[..end]).collect();
        let expected = [
            "public/",
            "public/originals/",
            "public/originals/vy/",
            "public/originals/vy/ku/",
        ];
        assert_eq!(folders, expected);
        assert!(folders.into_iter().all(ObjectKey::may_lie_in));
        for folder in [
            "tmp/",
            "lost+found/",
            "originals/vy/ku/deep/",
            "originals/long/",
        ] {
            assert!(!ObjectKey::may_lie_in(folder), "{folder}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let others = [
            String::new(),
            CID.to_owned(),
            format!("originals/{CID}"),
            format!("originals/aa/bb/{CID}"),
            format!("originals/vy/ku/{CID}.thumb"),
            format!("images/vy/ku/{CID}.huge"),
            format!("../originals/vy/ku/{CID}"),
            format!("public/public/originals/vy/ku/{CID}"),
            "originals/vy/ku/readme".to_owned(),
        ];
        for text in others {
            assert_eq!(ObjectKey::read(&text), None, "{text}");
        }
    }
}
