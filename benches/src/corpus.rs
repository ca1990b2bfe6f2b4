//! A seeded corpus: tracks and likes of made-up repos, as Jetstream frames and as versions.

use std::str::FromStr;

use chrono::{DateTime, SecondsFormat};
use plyr_lexicons::{Collection, Did, Namespace, RecordKey, RecordUri, Rev, data, validate};
use plyr_schemas::{Body, Change, Derived, Standing, Version};

/// Microseconds since 1970 at which the corpus begins.
const BEGIN: i64 = 1_780_000_000_000_000;
/// Records a repo has.
const PER_REPO: usize = 100;

/// One record of the corpus.
pub struct Entry {
    pub uri: RecordUri,
    pub rev: Rev,
    pub json: String,
    pub cbor: Vec<u8>,
    pub cid: String,
}

/// A small generator (splitmix64), so that one seed gives one corpus everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// The DID of a made-up repo.
pub fn did(number: usize) -> Result<Did, String> {
    let digits: String = (0..24)
        .map(|place| char::from(b'a' + ((number >> (place % 16 * 4)) & 15) as u8))
        .collect();
    Did::new(format!("did:plc:{digits}")).map_err(str::to_owned)
}

/// `count` tracks, 100 a repo.
pub fn tracks(seed: u64, count: usize) -> Result<Vec<Entry>, Box<dyn std::error::Error>> {
    Corpus::new(seed)?.take(count).collect()
}

/// The tracks one after another, without end: the first of a long corpus are a short one.
pub struct Corpus {
    namespace: Namespace,
    random: Random,
    number: usize,
}

impl Corpus {
    pub fn new(seed: u64) -> Result<Corpus, Box<dyn std::error::Error>> {
        Ok(Corpus {
            namespace: Namespace::from_str("fm.plyr")?,
            random: Random::new(seed),
            number: 0,
        })
    }

    fn track(&mut self) -> Result<Entry, Box<dyn std::error::Error>> {
        let number = self.number;
        self.number += 1;
        let random = &mut self.random;
        let made_at = BEGIN + number as i64 * 1_000_000;
        let rev = Rev::from_micros(made_at, (number % 1024) as u16);
        let uri = RecordUri::new(
            did(number / PER_REPO)?,
            self.namespace.nsid(Collection::Track).clone(),
            RecordKey::new(rev.to_string())?,
        );
        let size = 1_000_000 + random.below(20_000_000);
        let tag = random.next();
        let created_at = DateTime::from_timestamp_micros(made_at).unwrap_or_default();
        let json = serde_json::json!({
            "$type": "fm.plyr.track",
            "title": format!("Night transit {tag:016x}"),
            "artist": format!("Artist {}", number / PER_REPO),
            "album": format!("Album {}", number % 10),
            "fileType": "mp3",
            "duration": 60 + random.below(400),
            "audioUrl": format!("https://audio.plyr.fm/audio/{tag:016x}.mp3"),
            "imageUrl": format!("https://images.plyr.fm/images/{tag:016x}.jpg"),
            "audioBlob": {
                "$type": "blob",
                "ref": { "$link": "bafkreifnvhfnyy7p3ara2gdyv6krztsd26luv2mi45j7hw3sreq7xjpd24" },
                "mimeType": "audio/mpeg",
                "size": size,
            },
            "features": [{ "did": did(random.below(1000))? }],
            "description": "Recorded in one take, late, with the window open to the railway.",
            "createdAt": created_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        })
        .to_string();
        let cbor = data::to_cbor(&data::from_json(json.as_bytes())?)?;
        let cid = data::cid_of(&cbor).to_string();
        Ok(Entry {
            uri,
            rev,
            json,
            cbor,
            cid,
        })
    }
}

impl Iterator for Corpus {
    type Item = Result<Entry, Box<dyn std::error::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.track())
    }
}

/// An entry as a Jetstream v1 frame.
pub fn frame(entry: &Entry) -> String {
    format!(
        concat!(
            r#"{{"did":"{}","time_us":{},"kind":"commit","commit":{{"rev":"{}","#,
            r#""operation":"create","collection":"{}","rkey":"{}","record":{},"cid":"{}"}}}}"#
        ),
        entry.uri.did.as_str(),
        entry.rev.micros(),
        entry.rev,
        entry.uri.collection.as_str(),
        entry.uri.rkey.as_str(),
        entry.json,
        entry.cid
    )
}

/// An entry as a judged version, ready to apply.
pub fn version(entry: &Entry) -> Result<Change, Box<dyn std::error::Error>> {
    let namespace = Namespace::from_str("fm.plyr")?;
    let record = data::from_cbor(&entry.cbor)?;
    let judgement = validate::judge(&namespace, Collection::Track, &record);
    Ok(Change::Version(Version {
        uri: entry.uri.clone(),
        rev: entry.rev,
        standing: Standing::Event,
        body: Body::Record {
            cid: data::cid_of(&entry.cbor),
            bytes: entry.cbor.clone(),
            judgement,
            derived: Derived::of(&entry.uri, Collection::Track, &record),
        },
        seen_at: entry.rev.micros(),
    }))
}

/// A like of a subject by an actor of its own, judged, ready to apply.
pub fn like(number: usize, subject: &Entry) -> Result<Change, Box<dyn std::error::Error>> {
    let namespace = Namespace::from_str("fm.plyr")?;
    let made_at = BEGIN + number as i64 * 1_000;
    let rev = Rev::from_micros(made_at, (number % 1024) as u16);
    let uri = RecordUri::new(
        // Beyond the repos that have tracks.
        did(1_000_000_000 + number)?,
        namespace.nsid(Collection::Like).clone(),
        RecordKey::new(rev.to_string())?,
    );
    let created_at = DateTime::from_timestamp_micros(made_at).unwrap_or_default();
    let json = serde_json::json!({
        "$type": "fm.plyr.like",
        "subject": { "uri": subject.uri.to_string(), "cid": subject.cid },
        "createdAt": created_at.to_rfc3339_opts(SecondsFormat::Millis, true),
    });
    let record = data::from_json(json.to_string().as_bytes())?;
    let bytes = data::to_cbor(&record)?;
    Ok(Change::Version(Version {
        rev,
        standing: Standing::Event,
        body: Body::Record {
            cid: data::cid_of(&bytes),
            bytes,
            judgement: validate::judge(&namespace, Collection::Like, &record),
            derived: Derived::of(&uri, Collection::Like, &record),
        },
        uri,
        seen_at: made_at,
    }))
}

/// The deletion of an entry, one rev later.
pub fn delete(entry: &Entry) -> Change {
    Change::Version(Version {
        uri: entry.uri.clone(),
        rev: entry.rev.next(),
        standing: Standing::Event,
        body: Body::Delete,
        seen_at: entry.rev.micros(),
    })
}
