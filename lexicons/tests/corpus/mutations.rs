//! What can go wrong with a record: systematically at every limit of its document, and by chance.

use plyr_lexicons::document::{Document, Schema, catalog};
use serde_json::{Map, Value, json};

/// A seeded source of choices (splitmix64).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

const RAW: &str = "bafkreifnvhfnyy7p3ara2gdyv6krztsd26luv2mi45j7hw3sreq7xjpd24";
const CBOR: &str = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";

/// Texts of every format, right and wrong.
const TEXTS: &[&str] = &[
    "",
    " ",
    "a\u{0}b\u{202e}c",
    "yesterday",
    "2026-01-15T10:30:00.000Z",
    "2026-01-15T10:30:00+00:00",
    "2026-01-15T10:30:00-00:00",
    "2026-01-15t10:30:00z",
    "2026-01-15T10:30:00",
    "2026-01-15 10:30:00Z",
    "2026-01-15",
    "2026-02-30T00:00:00Z",
    "2026-01-15T24:00:00Z",
    "2026-01-15T23:59:60Z",
    "9999-12-31T23:59:59.999Z",
    "0000-01-01T00:00:00+01:00",
    "0001-01-01T00:00:00Z",
    "2026-01-15T10:30:00.1234567890123Z",
    "at://did:plc:vs3hnzq2daqbszxlysywzy54/fm.plyr.track/3lfvhszifvc2c",
    "at://did:plc:vs3hnzq2daqbszxlysywzy54/fm.plyr.track/3lfvhszifvc2c#x",
    "at://did:plc:vs3hnzq2daqbszxlysywzy54/fm.plyr.track/",
    "at://did:plc:vs3hnzq2daqbszxlysywzy54",
    "at://alice.test/fm.plyr.track/a",
    "at://did:plc:x/space/fm.plyr.privateMedia/self/did:plc:x/fm.plyr.track/a",
    "at://alice",
    "AT://alice.test",
    "https://plyr.fm/track/1",
    "https://audio.plyr.fm/a b.mp3",
    "HTTPS://plyr.fm",
    "javascript:alert(1)",
    "https://",
    "//plyr.fm",
    "did:plc:t44345nyd7jmxfs5hxs4doch",
    "did:web:example.test%3A8080",
    "did:web:",
    "did:PLC:x",
    "did",
    RAW,
    CBOR,
    "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
    "bafy",
    "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA",
    "🎧",
    "👩‍👩‍👧‍👦",
    "e\u{301}",
];

/// Values of every type.
fn odd_values() -> Vec<Value> {
    let blob = |fields: Value| {
        let mut blob = json!({ "$type": "blob", "ref": { "$link": RAW }, "mimeType": "audio/mpeg",
            "size": 100 });
        for (name, value) in fields.as_object().into_iter().flatten() {
            match value {
                Value::String(text) if text == "-" => drop(fields_of(&mut blob).remove(name)),
                _ => blob[name.as_str()] = value.clone(),
            }
        }
        blob
    };
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(7),
        json!(1.5),
        json!(2.0),
        json!(1e3),
        json!(4_294_967_296_i64),
        json!(9_007_199_254_740_991_i64),
        json!(9_007_199_254_740_993_i64),
        json!(u64::MAX),
        json!([]),
        json!([null]),
        json!(["text"]),
        json!({}),
        json!({ "$type": "" }),
        json!({ "$type": 7 }),
        json!({ "$type": "x" }),
        json!({ "$type": "com.atproto.repo.strongRef" }),
        json!({ "$type": "com.atproto.label.defs#selfLabels" }),
        json!({ "$type": "com.atproto.label.defs#selfLabels", "values": [{ "val": 7 }] }),
        json!({ "$type": "com.atproto.label.defs#selfLabels", "values": "sexual" }),
        json!({ "$type": "com.atproto.label.defs#nothing", "values": 1 }),
        json!({ "$link": RAW }),
        json!({ "$link": "nowhere" }),
        json!({ "$link": RAW, "more": 1 }),
        json!({ "$bytes": "AAEC" }),
        json!({ "$bytes": "&" }),
        blob(json!({})),
        blob(json!({ "size": 0 })),
        blob(json!({ "size": -1 })),
        blob(json!({ "size": -2 })),
        blob(json!({ "size": 104_857_601 })),
        blob(json!({ "size": "100" })),
        blob(json!({ "size": 1.5 })),
        blob(json!({ "size": "-" })),
        blob(json!({ "mimeType": "" })),
        blob(json!({ "mimeType": "audio" })),
        blob(json!({ "mimeType": "image/png" })),
        blob(json!({ "mimeType": "text/html" })),
        blob(json!({ "mimeType": 7 })),
        blob(json!({ "mimeType": "-" })),
        blob(json!({ "ref": "-" })),
        blob(json!({ "ref": RAW })),
        blob(json!({ "ref": { "$link": CBOR } })),
        blob(json!({ "ref": {} })),
        blob(json!({ "more": 1 })),
        blob(json!({ "$type": "-" })),
        blob(json!({ "$type": "blobs" })),
        json!({ "cid": RAW, "mimeType": "audio/mpeg" }),
        json!({ "cid": CBOR, "mimeType": "audio/mpeg" }),
        json!({ "cid": RAW, "mimeType": "" }),
        json!({ "cid": RAW, "mimeType": "audio/mpeg", "more": 1 }),
        json!({ "cid": "nowhere", "mimeType": "audio/mpeg" }),
        json!({ "cid": RAW }),
    ]
}

fn fields_of(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().unwrap()
}

/// A text of exactly so many bytes, of letters or of letters outside ASCII.
fn text_of(bytes: usize, wide: bool) -> String {
    match wide {
        false => "a".repeat(bytes),
        true => format!("{}{}", "é".repeat(bytes / 2), "a".repeat(bytes % 2)),
    }
}

/// Every field of a record's document: missing, of every other type, every text, and at its limits.
pub fn systematic(good: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let nsid = good["$type"].as_str().unwrap();
    let document = catalog().document(nsid).unwrap();
    let Some(Schema::Record { record: rules }) = document.defs.get("main") else {
        return found;
    };
    let mut add = |what: String, name: &str, value: Option<Value>| {
        let mut record = good.clone();
        match value {
            Some(value) => record[name] = value,
            None => drop(fields_of(&mut record).remove(name)),
        }
        found.push((what, record));
    };
    for value in [json!("fm.plyr.dev.track"), json!("x"), json!(7), json!("")] {
        add(format!("$type {value}"), "$type", Some(value));
    }
    add("no $type".to_owned(), "$type", None);
    for (name, schema) in &rules.properties {
        add(format!("no {name}"), name, None);
        for value in odd_values() {
            add(format!("{name} = {value}"), name, Some(value));
        }
        for text in TEXTS {
            add(format!("{name} = {text:?}"), name, Some(json!(text)));
        }
        for (what, value) in at_limits(document, schema) {
            add(format!("{name} {what}"), name, Some(value));
        }
    }
    found
}

/// Values at the limits of a schema, one below and one above.
fn at_limits(document: &Document, schema: &Schema) -> Vec<(String, Value)> {
    let around = |limit: usize| [limit.saturating_sub(1), limit, limit + 1];
    let mut found = Vec::new();
    match schema {
        Schema::String(rules) => {
            for limit in rules.max_length.into_iter().chain(rules.min_length) {
                for bytes in around(limit) {
                    for wide in [false, true] {
                        let text = text_of(bytes, wide);
                        found.push((format!("{bytes} bytes, wide {wide}"), json!(text)));
                    }
                }
            }
            for limit in rules.max_graphemes.into_iter().chain(rules.min_graphemes) {
                for count in around(limit) {
                    for grapheme in ["a", "é", "e\u{301}", "👍", "👩‍👧", "🇩🇪", "\r\n", "각", "क्ष"]
                    {
                        let text = grapheme.repeat(count);
                        found.push((format!("{count} times {grapheme:?}"), json!(text)));
                    }
                }
            }
        }
        Schema::Integer(rules) => {
            for limit in rules.minimum.into_iter().chain(rules.maximum) {
                for number in [limit - 1, limit, limit + 1] {
                    found.push((number.to_string(), json!(number)));
                }
            }
        }
        Schema::Array(rules) => {
            let item = example(document, &rules.items);
            for limit in rules.max_length.into_iter().chain(rules.min_length) {
                for count in around(limit) {
                    let items = vec![item.clone(); count];
                    found.push((format!("{count} items"), json!(items)));
                }
            }
            for (what, value) in at_limits(document, &rules.items) {
                found.push((format!("of one item {what}"), json!([value])));
            }
            for value in odd_values() {
                found.push((format!("of {value}"), json!([value])));
            }
            if let Value::Object(fields) = &item {
                for name in fields.keys() {
                    for value in odd_values()
                        .into_iter()
                        .chain(TEXTS.iter().map(|t| json!(t)))
                    {
                        let mut item = item.clone();
                        item[name.as_str()] = value.clone();
                        found.push((format!("of an item with {name} = {value}"), json!([item])));
                    }
                }
            }
        }
        Schema::Ref { .. } | Schema::Union { .. } => {
            let good = example(document, schema);
            let names: Vec<String> = good.as_object().unwrap().keys().cloned().collect();
            for name in names.iter().map(String::as_str).chain(["$type"]) {
                let mut less = good.clone();
                fields_of(&mut less).remove(name);
                found.push((format!("without {name}"), less));
                for value in odd_values()
                    .into_iter()
                    .chain(TEXTS.iter().map(|t| json!(t)))
                {
                    let mut other = good.clone();
                    other[name] = value.clone();
                    found.push((format!("with {name} = {value}"), other));
                }
            }
        }
        _ => {}
    }
    found
}

/// A good value of what a field of our records holds.
fn example(document: &Document, schema: &Schema) -> Value {
    let reference = match schema {
        Schema::Ref { r#ref } => r#ref,
        Schema::Union { refs, .. } => &refs[0],
        _ => return json!("text"),
    };
    let (there, _) = catalog().resolve(document, reference).unwrap();
    match (there.id.as_str(), reference.split('#').nth(1)) {
        ("com.atproto.repo.strongRef", _) => json!({ "cid": CBOR,
            "uri": "at://did:plc:vs3hnzq2daqbszxlysywzy54/fm.plyr.track/3lfvhszifvc2c" }),
        ("com.atproto.label.defs", _) => {
            json!({ "$type": reference, "values": [{ "val": "sexual" }] })
        }
        (_, Some("featuredArtist")) => json!({ "did": "did:plc:t44345nyd7jmxfs5hxs4doch",
            "handle": "guest.test", "displayName": "Guest" }),
        (_, Some("supportGate")) => json!({ "type": "any" }),
        (_, Some("listItem")) => {
            json!({ "subject": example(document, &Schema::Ref {
                r#ref: "com.atproto.repo.strongRef".to_owned() }) })
        }
        other => panic!("no example of {other:?}"),
    }
}

/// Changes one place of a value: takes away, puts in, exchanges.
pub fn mutate(value: &mut Value, chance: &mut Chance) {
    let odd = odd_values();
    let any = |chance: &mut Chance| match chance.below(2) {
        0 => json!(chance.pick(TEXTS)),
        _ => chance.pick(&odd).clone(),
    };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let names: Vec<String> = fields.keys().cloned().collect();
            let name = chance.pick(&names).clone();
            match chance.below(8) {
                0 => drop(fields.remove(&name)),
                1 => drop(fields.insert("unknown".to_owned(), any(chance))),
                2 => {
                    let from = chance.pick(&names).clone();
                    let other = fields[&from].clone();
                    fields.insert(name, other);
                }
                3 => drop(fields.insert(name, any(chance))),
                _ => mutate(fields.get_mut(&name).unwrap(), chance),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let place = chance.below(items.len());
            match chance.below(4) {
                0 => drop(items.remove(place)),
                1 => items.push(any(chance)),
                _ => mutate(&mut items[place], chance),
            }
        }
        Value::String(text) if chance.below(2) == 0 => {
            let place = chance.below(text.len() + 1);
            let place = (0..=place).rev().find(|at| text.is_char_boundary(*at));
            text.insert_str(place.unwrap_or_default(), chance.pick::<&str>(TEXTS));
        }
        other => *other = any(chance),
    }
}
