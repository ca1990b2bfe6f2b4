//! The data model: JSON as the protocol writes it, DAG-CBOR as it is kept, and CIDs.
//! Spec: <https://atproto.com/specs/data-model>.

use std::collections::BTreeMap;
use std::fmt;

use cbor4ii::core::dec;
use ipld_core::cid::Cid;
use ipld_core::cid::multihash::Multihash;
use ipld_core::ipld::Ipld;
use serde::de::{self, Deserialize, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_ipld_dagcbor::DecodeError;
use sha2::{Digest, Sha256};

/// Why bytes are no record of the data model.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DataError {
    /// Not JSON, or JSON outside the data model (a float, a malformed `$link`, `$bytes` or blob …).
    #[error("not JSON of the data model: {0}")]
    Json(String),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// Not DAG-CBOR, or DAG-CBOR outside the data model (a float).
    #[error("not DAG-CBOR: {0}")]
    Cbor(String),
    /// DAG-CBOR in another form than the canonical one.
    #[error("not in canonical form")]
    NotCanonical,
}

/// Levels of nesting that are read. A PDS stores records a thousand levels deep, more than JSON
/// parsers commonly take.
pub const MAX_DEPTH: usize = 1100;

/// How long a CID's text may be, in bytes, as the protocol's implementations have it.
const CID_LENGTHS: std::ops::RangeInclusive<usize> = 8..=256;

/// Stack that a value of [`MAX_DEPTH`] needs in any of the recursive walks here, with room.
const DEEP_STACK: usize = 16 << 20;
/// Values whose bytes open at most this many levels are walked on the stack at hand.
const SHALLOW: usize = 64;

/// Up to here a float names one integer.
const LARGEST_EXACT: f64 = 9_007_199_254_740_991.0;
const SHA2_256: u64 = 0x12;
const DAG_CBOR: u64 = 0x71;
const DEPTH_MESSAGE: &str = "nested too deeply";

/// Reads a record from the JSON of a stream or a PDS.
pub fn from_json(json: &[u8]) -> Result<Ipld, DataError> {
    let deepest = json_depth(json);
    if deepest > MAX_DEPTH {
        return Err(DataError::Depth);
    }
    with_stack(deepest, || {
        let mut reader = serde_json::Deserializer::from_slice(json);
        reader.disable_recursion_limit();
        let value = Node { depth: 0 }
            .deserialize(&mut reader)
            .and_then(|value| reader.end().map(|()| value))
            .map_err(|problem| DataError::Json(problem.to_string()))?;
        Ok(value)
    })
}

/// The JSON of a value, `$link` and `$bytes` in place.
pub fn to_json(value: &Ipld) -> serde_json::Value {
    stacker::maybe_grow(128 << 10, 1 << 20, || match value {
        Ipld::Null => serde_json::Value::Null,
        Ipld::Bool(flag) => (*flag).into(),
        Ipld::Integer(number) => match (i64::try_from(*number), u64::try_from(*number)) {
            (Ok(small), _) => small.into(),
            (_, Ok(large)) => large.into(),
            // DAG-CBOR reaches from -2^64: beyond JSON's integers.
            _ => serde_json::Value::Null,
        },
        // The data model has no floats; no record that is taken in has one.
        Ipld::Float(_) => serde_json::Value::Null,
        Ipld::String(text) => text.as_str().into(),
        Ipld::Bytes(bytes) => serde_json::json!({ "$bytes": encode_base64(bytes) }),
        Ipld::Link(cid) => serde_json::json!({ "$link": cid.to_string() }),
        Ipld::List(items) => items.iter().map(to_json).collect(),
        Ipld::Map(fields) => serde_json::Value::Object(
            fields
                .iter()
                .map(|(name, field)| (name.clone(), to_json(field)))
                .collect(),
        ),
    })
}

/// A value as its JSON, written without building the JSON in memory first. The same text as
/// [`to_json`] gives.
#[derive(Clone, Copy, Debug)]
pub struct AsJson<'a>(pub &'a Ipld);

impl Serialize for AsJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        stacker::maybe_grow(128 << 10, 1 << 20, || match self.0 {
            Ipld::Null | Ipld::Float(_) => writer.serialize_unit(),
            Ipld::Bool(flag) => writer.serialize_bool(*flag),
            Ipld::Integer(number) => match (i64::try_from(*number), u64::try_from(*number)) {
                (Ok(small), _) => writer.serialize_i64(small),
                (_, Ok(large)) => writer.serialize_u64(large),
                _ => writer.serialize_unit(),
            },
            Ipld::String(text) => writer.serialize_str(text),
            Ipld::Bytes(bytes) => writer.collect_map([("$bytes", encode_base64(bytes))]),
            Ipld::Link(cid) => writer.collect_map([("$link", cid.to_string())]),
            Ipld::List(items) => writer.collect_seq(items.iter().map(AsJson)),
            Ipld::Map(fields) => {
                writer.collect_map(fields.iter().map(|(name, field)| (name, AsJson(field))))
            }
        })
    }
}

/// The JSON text of a value.
pub fn to_json_text(value: &Ipld) -> Result<Vec<u8>, DataError> {
    serde_json::to_vec(&AsJson(value)).map_err(|problem| DataError::Json(problem.to_string()))
}

/// Canonical DAG-CBOR of a value.
pub fn to_cbor(value: &Ipld) -> Result<Vec<u8>, DataError> {
    with_stack(depth_of(value), || {
        serde_ipld_dagcbor::to_vec(value).map_err(|problem| DataError::Cbor(problem.to_string()))
    })
}

/// Reads DAG-CBOR that is the canonical form of a value of the data model, as the bytes of every
/// record and commit have to be: only then JSON that says the same has the same CID.
pub fn from_canonical(bytes: &[u8]) -> Result<Ipld, DataError> {
    let value = from_cbor(bytes)?;
    if has_float(&value) {
        let problem = "the data model has no floats";
        return Err(DataError::Cbor(problem.to_owned()));
    }
    if to_cbor(&value)? != bytes {
        return Err(DataError::NotCanonical);
    }
    Ok(value)
}

/// Reads DAG-CBOR that was checked before, or whose form doesn't matter.
pub fn from_cbor(bytes: &[u8]) -> Result<Ipld, DataError> {
    match decode(bytes, SHALLOW) {
        Err(DataError::Depth) => with_stack(MAX_DEPTH, || decode(bytes, MAX_DEPTH)),
        decoded => decoded,
    }
}

fn decode(bytes: &[u8], levels: usize) -> Result<Ipld, DataError> {
    // A level of the model takes up to three steps of the decoder.
    let reader = DeepReader {
        rest: bytes,
        steps_left: levels * 3 + 3,
    };
    let mut reader = serde_ipld_dagcbor::de::Deserializer::from_reader(reader);
    let value = Ipld::deserialize(&mut reader).map_err(refused)?;
    reader.end().map_err(refused)?;
    Ok(value)
}

fn has_float(value: &Ipld) -> bool {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Ipld::Float(_) => return true,
            Ipld::List(items) => open.extend(items),
            Ipld::Map(fields) => open.extend(fields.values()),
            _ => {}
        }
    }
    false
}

fn refused(problem: DecodeError<std::convert::Infallible>) -> DataError {
    match problem {
        DecodeError::DepthLimit => DataError::Depth,
        other => DataError::Cbor(other.to_string()),
    }
}

/// A slice reader that goes as deep as we keep records; the crate's own stops at 256 levels.
struct DeepReader<'a> {
    rest: &'a [u8],
    steps_left: usize,
}

impl<'a> dec::Read<'a> for DeepReader<'a> {
    type Error = std::convert::Infallible;

    fn fill<'short>(
        &'short mut self,
        want: usize,
    ) -> Result<dec::Reference<'a, 'short>, Self::Error> {
        let available = want.min(self.rest.len());
        Ok(dec::Reference::Long(&self.rest[..available]))
    }

    fn advance(&mut self, count: usize) {
        self.rest = &self.rest[count.min(self.rest.len())..];
    }

    fn step_in(&mut self) -> bool {
        let allowed = self.steps_left > 0;
        self.steps_left = self.steps_left.saturating_sub(1);
        allowed
    }

    fn step_out(&mut self) {
        self.steps_left += 1;
    }
}

/// The CID of a record's DAG-CBOR: CIDv1, codec dag-cbor, sha2-256.
pub fn cid_of(bytes: &[u8]) -> Cid {
    // 32 bytes always fit the 64 of the multihash.
    let hash = Multihash::<64>::wrap(SHA2_256, &Sha256::digest(bytes)).unwrap_or_default();
    Cid::new_v1(DAG_CBOR, hash)
}

/// Reads a CID as texts write it: 8 to 256 letters, digits, `+` and `=` in any base, and nothing
/// beside it. (The library passes over all that stands before `/ipfs/`, takes bare bytes behind a
/// zero for a base, and for base 58 takes time with the square of the length.)
pub fn cid_of_text(text: &str) -> Option<Cid> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'=');
    if !CID_LENGTHS.contains(&text.len()) || !text.bytes().all(is_plain) {
        return None;
    }
    Cid::try_from(text).ok()
}

/// Runs a recursive walk on a stack that is deep enough for it.
fn with_stack<T>(depth: usize, walk: impl FnOnce() -> T) -> T {
    if depth <= SHALLOW {
        walk()
    } else {
        stacker::maybe_grow(DEEP_STACK, DEEP_STACK * 2, walk)
    }
}

/// How deep JSON nests, without parsing it.
fn json_depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn depth_of(value: &Ipld) -> usize {
    let mut deepest = 0;
    let mut open = vec![(value, 1)];
    while let Some((value, depth)) = open.pop() {
        deepest = deepest.max(depth);
        match value {
            Ipld::List(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Ipld::Map(fields) => open.extend(fields.values().map(|field| (field, depth + 1))),
            _ => {}
        }
    }
    deepest
}

#[derive(Clone, Copy)]
struct Node {
    depth: usize,
}

impl Node {
    fn inner<E: de::Error>(self) -> Result<Node, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(DEPTH_MESSAGE));
        }
        Ok(Node {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Ipld;

    fn deserialize<D: de::Deserializer<'de>>(self, reader: D) -> Result<Ipld, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Ipld;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of the data model")
    }

    fn visit_unit<E>(self) -> Result<Ipld, E> {
        Ok(Ipld::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Ipld, E> {
        Ok(Ipld::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Ipld, E> {
        Ok(Ipld::Integer(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Ipld, E> {
        Ok(Ipld::Integer(number.into()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Ipld, E> {
        // 123.0 is an integer written oddly; JSON knows no difference.
        if number.fract() == 0.0 && number.abs() <= LARGEST_EXACT {
            return Ok(Ipld::Integer(number as i128));
        }
        Err(E::custom(format!("{number} is no integer")))
    }

    fn visit_str<E>(self, text: &str) -> Result<Ipld, E> {
        Ok(Ipld::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Ipld, E> {
        Ok(Ipld::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Ipld, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Ipld::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Ipld, A::Error> {
        let inner = self.inner()?;
        let mut fields = BTreeMap::new();
        while let Some(name) = entries.next_key::<String>()? {
            let field = entries.next_value_seed(inner)?;
            if fields.contains_key(&name) {
                return Err(de::Error::custom(format!("the key {name:?} stands twice")));
            }
            fields.insert(name, field);
        }
        special(fields).map_err(de::Error::custom)
    }
}

/// Turns `$link` and `$bytes` objects into what they stand for, and checks blobs and `$type`.
fn special(fields: BTreeMap<String, Ipld>) -> Result<Ipld, String> {
    if let Some(link) = fields.get("$link") {
        let (Ipld::String(text), 1) = (link, fields.len()) else {
            return Err("a $link object has one field, a CID".to_owned());
        };
        let cid = cid_of_text(text).ok_or("$link holds no CID")?;
        return Ok(Ipld::Link(cid));
    }
    if let Some(bytes) = fields.get("$bytes") {
        let (Ipld::String(text), 1) = (bytes, fields.len()) else {
            return Err("a $bytes object has one field, base64".to_owned());
        };
        return decode_base64(text)
            .map(Ipld::Bytes)
            .ok_or("$bytes holds no base64".to_owned());
    }
    match fields.get("$type") {
        None => {}
        Some(Ipld::String(name)) if name.is_empty() => return Err("$type is empty".to_owned()),
        Some(Ipld::String(name)) if name == "blob" => {
            let typed = matches!(fields.get("ref"), Some(Ipld::Link(_)))
                && matches!(fields.get("mimeType"), Some(Ipld::String(_)))
                && matches!(fields.get("size"), Some(Ipld::Integer(_)));
            if !typed {
                return Err("a blob needs a ref, a mimeType and a size".to_owned());
            }
        }
        Some(Ipld::String(_)) => {}
        Some(_) => return Err("$type is no text".to_owned()),
    }
    Ok(Ipld::Map(fields))
}

fn engine(padded: bool) -> base64::engine::GeneralPurpose {
    use base64::alphabet::STANDARD;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(padded)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, config)
}

fn encode_base64(bytes: &[u8]) -> String {
    use base64::Engine;
    engine(false).encode(bytes)
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    engine(false).decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_bytes_and_unknown_fields_survive_the_round_trip() {
        let json = r#"{"zz":{"a":[null,true,-1,{"$bytes":"AAEC"}],"$type":"x.y.z"},
            "l":{"$link":"bafkreifnvhfnyy7p3ara2gdyv6krztsd26luv2mi45j7hw3sreq7xjpd24"}}"#;
        let value = from_json(json.as_bytes()).unwrap();
        let cbor = to_cbor(&value).unwrap();
        assert_eq!(from_cbor(&cbor).unwrap(), value);
        let expected: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(to_json(&value), expected);
        let text = to_json_text(&value).unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&text).unwrap(),
            expected
        );
    }

    #[test]
    fn what_the_model_lacks_is_refused() {
        for json in [
            "1.5",
            r#"{"a":1,"a":2}"#,
            r#"{"$link":"nope"}"#,
            r#"{"$link":"x","y":1}"#,
            r#"{"$link":"/ipfs/bafkreifnvhfnyy7p3ara2gdyv6krztsd26luv2mi45j7hw3sreq7xjpd24"}"#,
            r#"{"$bytes":"***"}"#,
            r#"{"$type":"blob"}"#,
            r#"{"$type":1}"#,
            "[1] 2",
            r#""\ud800""#,
            "",
        ] {
            assert!(from_json(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn cbor_has_no_floats_and_one_form_is_canonical() {
        let one_and_a_half = [0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0];
        let not_a_number = [0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0];
        for float in [one_and_a_half, not_a_number] {
            let within = [&[0xa1, 0x61, b'a', 0x81][..], &float].concat();
            for bytes in [&float[..], &within] {
                assert!(matches!(from_canonical(bytes), Err(DataError::Cbor(_))));
            }
        }
        let ascending = [0xa2, 0x61, b'a', 1, 0x61, b'b', 2];
        let descending = [0xa2, 0x61, b'b', 2, 0x61, b'a', 1];
        assert!(from_canonical(&ascending).is_ok());
        assert!(from_canonical(&descending).is_err());
    }

    #[test]
    fn depth_is_bounded_and_never_overflows_a_small_stack() {
        let nested = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
        let walk = move || {
            let deep = from_json(&nested(MAX_DEPTH)).unwrap();
            let cbor = to_cbor(&deep).unwrap();
            let again = from_cbor(&cbor).unwrap();
            assert_eq!(depth_of(&again), MAX_DEPTH);
            drop(to_json(&again));
            assert_eq!(to_json_text(&again).unwrap(), nested(MAX_DEPTH));
            for levels in [MAX_DEPTH + 1, 100_000, 1_000_000] {
                assert_eq!(from_json(&nested(levels)), Err(DataError::Depth));
                assert!(from_json(&vec![b'['; levels]).is_err());
            }
        };
        std::thread::Builder::new()
            .stack_size(1 << 20)
            .spawn(walk)
            .unwrap()
            .join()
            .unwrap();
    }

    /// As everybody else computes it: CIDv1, dag-cbor, sha2-256.
    #[test]
    fn i09_a_record_has_the_cid_that_everybody_gives_it() {
        let empty = to_cbor(&from_json(b"{}").unwrap()).unwrap();
        let known = "bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua";
        assert_eq!(cid_of(&empty).to_string(), known);
    }
}
