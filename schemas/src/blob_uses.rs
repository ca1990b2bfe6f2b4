//! Which blobs a record names: read from records here and nowhere else.

use std::collections::BTreeMap;

use plyr_lexicons::{Cid, Collection, Ipld, data};

/// What a record uses a blob for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BlobRole {
    /// A track's audio (`audioBlob`).
    Audio,
    /// The artwork of a track or a list (`cover`).
    Cover,
    /// The picture of a profile (`avatar`).
    Avatar,
}

/// A blob that a record names, with what the record says of it. Only the CID is to be believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedBlob {
    /// Which bytes.
    pub cid: Cid,
    /// What they are for.
    pub role: BlobRole,
    /// Their media type, by the record.
    pub declared_type: String,
    /// How many they are, by the record; none in the legacy form, or where it doesn't say.
    pub declared_size: Option<u64>,
}

/// Codec of bytes that are nothing but bytes.
const RAW: u64 = 0x55;
/// The hash function of CIDs in the protocol.
const SHA2_256: u64 = 0x12;
/// Bytes of its digests.
const DIGEST: usize = 32;

/// The blobs that a record names, in the order of its fields, each field's own: one CID may stand
/// there twice. Typed blobs (`{$type: blob, ref, mimeType, size}`) and the legacy form (`{cid,
/// mimeType}`) are read. Others, and CIDs that no blob can have (not CIDv1, raw, sha-256), are left
/// out. (In the authority's document a profile's `avatar` is the address of a picture, so that one
/// that is a blob makes the profile invalid, until that document says otherwise.)
pub fn blobs_of(collection: Collection, record: &Ipld) -> Vec<NamedBlob> {
    let Ipld::Map(fields) = record else {
        return Vec::new();
    };
    let named: &[(&str, BlobRole)] = match collection {
        Collection::Track => &[("audioBlob", BlobRole::Audio), ("cover", BlobRole::Cover)],
        Collection::List => &[("cover", BlobRole::Cover)],
        Collection::Profile => &[("avatar", BlobRole::Avatar)],
        Collection::Like | Collection::Comment => &[],
    };
    let blob = |(name, role): &(&str, BlobRole)| blob(fields.get(*name)?, *role);
    named.iter().filter_map(blob).collect()
}

/// Whether a record's author asks listeners for support first (`supportGate`): its audio is not
/// handed out then.
pub fn is_gated(record: &Ipld) -> bool {
    let Ipld::Map(fields) = record else {
        return false;
    };
    let gate = fields.get("supportGate");
    matches!(gate, Some(Ipld::Map(gate)) if text(gate, "type").is_some())
}

/// Whether a CID may be a blob's: CIDv1, raw, sha-256. Its text begins with `bafkrei`.
pub fn is_blob_cid(cid: &Cid) -> bool {
    let hash = cid.hash();
    // Version 0 knows no other codec than its own.
    cid.codec() == RAW && hash.code() == SHA2_256 && hash.digest().len() == DIGEST
}

fn blob(value: &Ipld, role: BlobRole) -> Option<NamedBlob> {
    let Ipld::Map(fields) = value else {
        return None;
    };
    let declared_type = text(fields, "mimeType")?.to_owned();
    let cid = match fields.get("ref") {
        Some(Ipld::Link(cid)) if text(fields, "$type") == Some("blob") => *cid,
        Some(_) => return None,
        None => data::cid_of_text(text(fields, "cid")?)?,
    };
    let declared_size = match fields.get("size") {
        Some(Ipld::Integer(size)) => u64::try_from(*size).ok(),
        _ => None,
    };
    is_blob_cid(&cid).then_some(NamedBlob {
        cid,
        role,
        declared_type,
        declared_size,
    })
}

fn text<'a>(fields: &'a BTreeMap<String, Ipld>, name: &str) -> Option<&'a str> {
    match fields.get(name) {
        Some(Ipld::String(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const AUDIO: &str = "bafkreifnvhfnyy7p3ara2gdyv6krztsd26luv2mi45j7hw3sreq7xjpd24";

    fn named(collection: Collection, record: &Value) -> Vec<NamedBlob> {
        blobs_of(
            collection,
            &data::from_json(record.to_string().as_bytes()).unwrap(),
        )
    }

    fn typed(cid: &str) -> Value {
        json!({ "$type": "blob", "ref": { "$link": cid }, "mimeType": "audio/mpeg", "size": 9 })
    }

    #[test]
    fn blobs_are_read_in_both_forms_where_records_have_them() {
        let legacy = json!({ "cid": AUDIO, "mimeType": "image/png" });
        let record = json!({ "audioBlob": typed(AUDIO), "cover": legacy, "avatar": typed(AUDIO) });
        let cid: Cid = AUDIO.parse().unwrap();
        let blob = |role, declared_type: &str, declared_size| NamedBlob {
            cid,
            role,
            declared_type: declared_type.to_owned(),
            declared_size,
        };
        let audio = blob(BlobRole::Audio, "audio/mpeg", Some(9));
        let cover = blob(BlobRole::Cover, "image/png", None);
        let avatar = blob(BlobRole::Avatar, "audio/mpeg", Some(9));
        assert_eq!(named(Collection::Track, &record), [audio, cover.clone()]);
        assert_eq!(named(Collection::List, &record), [cover]);
        assert_eq!(named(Collection::Profile, &record), [avatar]);
        assert_eq!(named(Collection::Like, &record), []);
        assert_eq!(named(Collection::Comment, &record), []);
    }

    #[test]
    fn what_is_no_blob_is_left_out() {
        // A record's own CID, one of version 0, and one of another hash.
        let record = data::cid_of(b"x").to_string();
        let old = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
        let identity = "bafkqabtimvwgy3yk";
        for cid in [record.as_str(), old, identity] {
            assert_eq!(
                named(Collection::Track, &json!({ "audioBlob": typed(cid) })),
                []
            );
            let legacy = json!({ "cover": { "cid": cid, "mimeType": "image/png" } });
            assert_eq!(named(Collection::Track, &legacy), [], "{cid}");
        }
        for field in [
            json!("https://example.com/cover.png"),
            json!({ "cid": AUDIO }),
            json!({ "cid": "nothing", "mimeType": "image/png" }),
            json!({ "ref": { "$link": AUDIO }, "mimeType": "image/png", "size": 1 }),
            json!([typed(AUDIO)]),
            json!(null),
        ] {
            assert_eq!(
                named(Collection::List, &json!({ "cover": field })),
                [],
                "{field}"
            );
        }
        assert_eq!(blobs_of(Collection::Track, &Ipld::Null), []);
    }

    #[test]
    fn a_size_that_is_not_known_is_none() {
        let blob = json!({ "$type": "blob", "ref": { "$link": AUDIO }, "mimeType": "a/b",
            "size": -1 });
        let read = named(Collection::Track, &json!({ "audioBlob": blob }));
        assert_eq!(read[0].declared_size, None);
    }
}
