//! Opaque cursors: a place in one list, bound to the method and the parameters that choose the
//! list. A cursor of another list, cut or made up, is refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plyr_schemas::Position;
use sha2::{Digest, Sha256};

use crate::error::XrpcError;

const VERSION: u8 = 1;
const CHECK: usize = 8;

/// What chooses a list: the method and its parameters besides cursor and limit.
#[derive(Clone, Debug)]
pub struct ListName(String);

impl ListName {
    /// The list of a method, `parts` being the parameters that choose it.
    pub fn new(method: &str, parts: &[&str]) -> ListName {
        ListName(format!("{method}\0{}", parts.join("\0")))
    }

    /// The name, as one text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn check(&self, place: &[u8]) -> [u8; CHECK] {
        let mut hash = Sha256::new_with_prefix(format!("{VERSION}\0{}\0", self.0));
        hash.update(place);
        let mut check = [0; CHECK];
        check.copy_from_slice(&hash.finalize()[..CHECK]);
        check
    }

    /// A cursor for a place, given as text.
    pub fn seal(&self, place: &str) -> String {
        self.seal_bytes(place.as_bytes())
    }

    /// A cursor for a place that is no text.
    pub fn seal_bytes(&self, place: &[u8]) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.check(place));
        bytes.extend_from_slice(place);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place of a cursor of this very list.
    pub fn open(&self, cursor: Option<&str>) -> Result<Option<String>, XrpcError> {
        let place = self.open_bytes(cursor)?.map(String::from_utf8);
        place.transpose().map_err(|_| refused())
    }

    /// The place of a cursor of this very list, as bytes.
    pub fn open_bytes(&self, cursor: Option<&str>) -> Result<Option<Vec<u8>>, XrpcError> {
        let Some(cursor) = cursor else {
            return Ok(None);
        };
        let read = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let (version, rest) = bytes.split_first()?;
            let (check, place) = rest.split_first_chunk::<CHECK>()?;
            (*version == VERSION && *check == self.check(place)).then(|| place.to_vec())
        };
        read().map(Some).ok_or_else(refused)
    }

    /// A cursor after a row of an index.
    pub fn after(&self, position: &Position) -> String {
        self.seal(&format!(
            "{} {} {}",
            position.major, position.minor, position.uri
        ))
    }

    /// The row a cursor stands after.
    pub fn position(&self, cursor: Option<&str>) -> Result<Option<Position>, XrpcError> {
        let (Some(place), Some(cursor)) = (self.open(cursor)?, cursor) else {
            return Ok(None);
        };
        let read = || {
            let mut parts = place.splitn(3, ' ');
            let major = parts.next()?.parse().ok()?;
            let minor = parts.next()?.parse().ok()?;
            Some(Position {
                major,
                minor,
                uri: parts.next()?.parse().ok()?,
            })
        };
        // A number may be written in several ways, and a list gives out one.
        read()
            .filter(|position| self.after(position) == cursor)
            .map(Some)
            .ok_or_else(|| XrpcError::invalid("cursor: names no place"))
    }
}

fn refused() -> XrpcError {
    XrpcError::invalid("cursor: is none that this list gave out")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_list_alone() {
        let list = ListName::new("fm.plyr.feed.getActorTracks", &["did:plc:a"]);
        let other = ListName::new("fm.plyr.feed.getActorTracks", &["did:plc:b"]);
        let uri = "at://did:plc:a/fm.plyr.track/3lfvhszifvc2c"
            .parse()
            .unwrap();
        let position = Position {
            major: -7,
            minor: 3,
            uri,
        };
        let cursor = list.after(&position);
        assert_eq!(list.position(Some(&cursor)), Ok(Some(position)));
        assert!(other.position(Some(&cursor)).is_err());
        // Some lists have places that are no rows.
        assert!(other.open(Some(&list.seal("3lfvhszifvc2c"))).is_err());
        for cut in 0..cursor.len() {
            assert!(list.position(Some(&cursor[..cut])).is_err(), "{cut}");
        }
        for wrong in [
            "",
            "0",
            "!",
            "-5",
            &format!("{cursor}AAAA"),
            &"A".repeat(5000),
        ] {
            assert!(list.position(Some(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(list.position(None), Ok(None));
        let uri = "at://did:plc:a/fm.plyr.track/3lfvhszifvc2c";
        for other_way in ["+7 3", "07 3", "-0 3", "7 +3"] {
            let cursor = list.seal(&format!("{other_way} {uri}"));
            assert!(list.position(Some(&cursor)).is_err(), "{other_way}");
        }
    }
}
