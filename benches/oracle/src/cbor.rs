//! A record's bytes as the JSON that the protocol writes of them, read once more by the words of
//! the specs (<https://www.rfc-editor.org/rfc/rfc8949>, <https://atproto.com/specs/data-model>), so
//! that a wrong `$bytes`, `$link` or number of the judged code is not the judge's too.

use serde_json::{Map, Value, json};

/// Why bytes are no record.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no record of the data model: at byte {at} {problem}; mend who wrote it")]
pub struct Malformed {
    /// Where it is seen, in bytes from the beginning.
    pub at: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

/// Levels of nesting that are read; nobody in a simulated network writes so many.
const DEEPEST: usize = 256;
/// The tag of a link.
const LINK: u64 = 42;
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The JSON of a record that is given as DAG-CBOR. Floats, open lengths, other tags than links,
/// integers beyond 64 bits, keys that come twice and anything behind the record are errors; whether
/// the form is the canonical one isn't looked at.
pub fn json_of(bytes: &[u8]) -> Result<Value, Malformed> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(0)?;
    match reader.at == bytes.len() {
        true => Ok(value),
        false => Err(reader.wrong("something follows")),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn wrong(&self, problem: &'static str) -> Malformed {
        Malformed {
            at: self.at,
            problem,
        }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let end = self.at.saturating_add(length);
        let taken = self.bytes.get(self.at..end);
        let taken = taken.ok_or_else(|| self.wrong("it ends early"))?;
        self.at = end;
        Ok(taken)
    }

    fn number(&mut self, length: u64) -> Result<u64, Malformed> {
        let bytes = self.take(length)?.iter();
        Ok(bytes.fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// What comes: its major type, and the number beside it.
    fn head(&mut self) -> Result<(u8, u64), Malformed> {
        let first = self.number(1)? as u8;
        let (major, low) = (first >> 5, first & 31);
        let number = match low {
            0..=23 => u64::from(low),
            _ if major == 7 => return Err(self.wrong("there is a float")),
            24..=27 => self.number(1 << (low - 24))?,
            _ => return Err(self.wrong("there is an open length")),
        };
        Ok((major, number))
    }

    fn text(&mut self, length: u64) -> Result<String, Malformed> {
        let text = String::from_utf8(self.take(length)?.to_vec());
        text.map_err(|_| self.wrong("a text ends that is not UTF-8"))
    }

    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        if depth > DEEPEST {
            return Err(self.wrong("it is nested too deeply"));
        }
        match self.head()? {
            (0, number) => Ok(json!(number)),
            (1, number) => match i64::try_from(number) {
                Ok(number) => Ok(json!(-1 - number)),
                Err(_) => Err(self.wrong("there is an integer beyond 64 bits")),
            },
            (2, length) => Ok(json!({ "$bytes": letters(self.take(length)?, BASE64) })),
            (3, length) => Ok(json!(self.text(length)?)),
            (4, length) => (0..length).map(|_| self.value(depth + 1)).collect(),
            (5, length) => self.object(length, depth),
            (6, LINK) => self.link(),
            (7, 20) => Ok(json!(false)),
            (7, 21) => Ok(json!(true)),
            (7, 22) => Ok(Value::Null),
            _ => Err(self.wrong("there is what the data model doesn't know")),
        }
    }

    fn object(&mut self, length: u64, depth: usize) -> Result<Value, Malformed> {
        let mut fields = Map::new();
        for _ in 0..length {
            let (3, length) = self.head()? else {
                return Err(self.wrong("there is a key that is no text"));
            };
            let key = self.text(length)?;
            if fields.insert(key, self.value(depth + 1)?).is_some() {
                return Err(self.wrong("a key came twice"));
            }
        }
        Ok(Value::Object(fields))
    }

    /// A CID of version 1, behind a zero.
    fn link(&mut self) -> Result<Value, Malformed> {
        let (2, length) = self.head()? else {
            return Err(self.wrong("there is a link that is no bytes"));
        };
        match self.take(length)? {
            [0, cid @ ..] if cid.first() == Some(&1) => {
                Ok(json!({ "$link": format!("b{}", letters(cid, BASE32)) }))
            }
            _ => Err(self.wrong("a link ends that is no CID of version 1")),
        }
    }
}

/// Bytes in letters of so many bits each as the alphabet has letters for (RFC 4648), without
/// padding.
fn letters(bytes: &[u8], alphabet: &[u8]) -> String {
    let width = alphabet.len().ilog2() as usize;
    let bit = |place: usize| {
        let byte = bytes.get(place / 8).copied().unwrap_or(0);
        usize::from(byte >> (7 - place % 8) & 1)
    };
    let places = (0..bytes.len() * 8).step_by(width);
    let letter = |place| (place..place + width).fold(0, |number, at| number << 1 | bit(at));
    places
        .map(|place| char::from(alphabet[letter(place)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex
            .chars()
            .filter_map(|one| one.to_digit(16))
            .map(|digit| digit as u8)
            .collect();
        digits.chunks(2).map(|two| two[0] << 4 | two[1]).collect()
    }

    /// The examples of RFC 8949, and a link and bytes as the data model writes them.
    #[test]
    fn records_are_read_as_the_specs_say() {
        let link = "d82a 5825 00 01711220
            c19a797fa1fd590cd2e5b42d1cf5f246e29b91684e2f87404b81dc345c7a56a0";
        let cid = "bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua";
        let cases = [
            ("00", json!(0)),
            ("17", json!(23)),
            ("1818", json!(24)),
            ("1903e8", json!(1000)),
            ("1a000f4240", json!(1_000_000)),
            ("1b001fffffffffffff", json!(9_007_199_254_740_991_i64)),
            ("1bffffffffffffffff", json!(u64::MAX)),
            ("20", json!(-1)),
            ("3903e7", json!(-1000)),
            ("3b7fffffffffffffff", json!(i64::MIN)),
            ("f4", json!(false)),
            ("f5", json!(true)),
            ("f6", Value::Null),
            ("60", json!("")),
            ("62c3bc", json!("ü")),
            ("80", json!([])),
            ("8301820203820405", json!([1, [2, 3], [4, 5]])),
            ("a26161016162820203", json!({ "a": 1, "b": [2, 3] })),
            ("40", json!({ "$bytes": "" })),
            ("4300ff01", json!({ "$bytes": "AP8B" })),
            ("4400ff01fb", json!({ "$bytes": "AP8B+w" })),
            ("45ffffffffff", json!({ "$bytes": "//////8" })),
            (link, json!({ "$link": cid })),
        ];
        for (hex, expected) in cases {
            assert_eq!(json_of(&bytes_of(hex)), Ok(expected), "{hex}");
        }
    }

    #[test]
    fn what_is_no_record_is_refused_where_it_is_wrong() {
        let cases = [
            ("", 0, "ends early"),
            ("62c3", 1, "ends early"),
            ("1903", 1, "ends early"),
            ("9bffffffffffffffff", 9, "ends early"),
            ("0000", 1, "follows"),
            ("f90014", 1, "float"),
            ("fb7ff8000000000000", 1, "float"),
            ("9f00ff", 1, "open length"),
            ("f7", 1, "doesn't know"),
            ("c000", 1, "doesn't know"),
            ("3b8000000000000000", 9, "beyond 64 bits"),
            ("61ff", 2, "not UTF-8"),
            ("a10000", 2, "no text"),
            ("a2616100616100", 7, "twice"),
            ("d82a60", 3, "no bytes"),
            ("d82a420001ff", 5, "follows"),
            ("d82a420101", 5, "no CID"),
            ("d82a420012", 5, "no CID"),
        ];
        for (hex, at, problem) in cases {
            let refused = json_of(&bytes_of(hex)).expect_err(hex);
            assert_eq!(refused.at, at, "{hex}: {refused}");
            assert!(refused.problem.contains(problem), "{hex}: {refused}");
        }
        let deep = "81".repeat(DEEPEST + 1) + "00";
        let refused = json_of(&bytes_of(&deep)).expect_err("it is deep");
        assert_eq!(refused.problem, "it is nested too deeply");
        let deep = "81".repeat(DEEPEST) + "00";
        assert!(json_of(&bytes_of(&deep)).is_ok());
    }
}
