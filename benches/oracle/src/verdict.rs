//! Whether a record is right, by the words of its lexicon, record type by record type.

use serde_json::{Map, Value};
use unicode_segmentation::UnicodeSegmentation;

use crate::format::{is_at_uri, is_cid, is_datetime, is_did, is_language, is_uri};

/// Whether a text has a format.
type Format = fn(&str) -> bool;

/// What is said of a record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// Keeps every rule.
    Valid,
    /// Exceeds lengths, and breaks nothing else.
    Tolerated,
    /// Breaks a rule.
    Invalid,
}

impl Verdict {
    /// As the dump writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Tolerated => "tolerated",
            Verdict::Invalid => "invalid",
        }
    }
}

/// Judges a record of one of the five collections of `fm.plyr`.
pub fn judge(collection: &str, value: &Value) -> Verdict {
    let Value::Object(fields) = value else {
        return Verdict::Invalid;
    };
    let mut seen = Seen::default();
    seen.must(fields.get("$type").and_then(Value::as_str) == Some(collection));
    match collection {
        "fm.plyr.track" => track(&mut seen, fields),
        "fm.plyr.like" => {
            seen.subject(fields);
            seen.text(fields, "createdAt", true, is_datetime);
        }
        "fm.plyr.comment" => comment(&mut seen, fields),
        "fm.plyr.list" => list(&mut seen, fields),
        "fm.plyr.actor.profile" => {
            seen.short(fields, "bio", false, 0, 2560, Some(256));
            seen.text(fields, "avatar", false, is_uri);
            seen.text(fields, "createdAt", true, is_datetime);
            seen.text(fields, "updatedAt", false, is_datetime);
        }
        _ => seen.must(false),
    }
    seen.verdict()
}

fn track(seen: &mut Seen, fields: &Map<String, Value>) {
    seen.short(fields, "title", true, 1, 256, None);
    seen.short(fields, "artist", true, 1, 256, None);
    seen.short(fields, "fileType", true, 1, 16, None);
    seen.text(fields, "createdAt", true, is_datetime);
    seen.text(fields, "audioUrl", false, is_uri);
    seen.text(fields, "imageUrl", false, is_uri);
    seen.blob(fields, "audioBlob");
    seen.blob(fields, "cover");
    seen.short(fields, "album", false, 0, 256, None);
    seen.short(fields, "description", false, 0, 5000, None);
    seen.short(fields, "isrc", false, 0, 12, None);
    seen.text(fields, "language", false, is_language);
    seen.words(fields, "genres", 5);
    seen.words(fields, "tags", 10);
    seen.whole(fields, "duration", false);
    if let Some(features) = fields.get("features") {
        seen.each(features, 10, |seen, feature| {
            seen.text(feature, "did", true, is_did);
            seen.short(feature, "handle", false, 0, 256, None);
            seen.short(feature, "displayName", false, 0, 256, None);
        });
    }
    if let Some(gate) = fields.get("supportGate") {
        match gate {
            Value::Object(gate) => seen.short(gate, "type", true, 0, usize::MAX, None),
            _ => seen.must(false),
        }
    }
    if let Some(labels) = fields.get("labels") {
        self_labels(seen, labels);
    }
}

/// An open union: what names another type is let alone.
fn self_labels(seen: &mut Seen, labels: &Value) {
    let Value::Object(labels) = labels else {
        return seen.must(false);
    };
    let Some(Value::String(name)) = labels.get("$type") else {
        return seen.must(false);
    };
    if name != "com.atproto.label.defs#selfLabels" {
        return;
    }
    match labels.get("values") {
        Some(values) => seen.each(values, 10, |seen, label| {
            seen.short(label, "val", true, 0, 128, None);
        }),
        None => seen.must(false),
    }
}

fn comment(seen: &mut Seen, fields: &Map<String, Value>) {
    seen.subject(fields);
    seen.short(fields, "text", true, 1, 1000, None);
    seen.whole(fields, "timestampMs", true);
    seen.text(fields, "createdAt", true, is_datetime);
    seen.text(fields, "updatedAt", false, is_datetime);
}

fn list(seen: &mut Seen, fields: &Map<String, Value>) {
    seen.short(fields, "name", false, 0, 256, Some(64));
    seen.short(fields, "description", false, 0, 5000, None);
    seen.blob(fields, "cover");
    seen.short(fields, "listType", false, 0, usize::MAX, None);
    seen.text(fields, "createdAt", true, is_datetime);
    seen.text(fields, "updatedAt", false, is_datetime);
    match fields.get("items") {
        Some(items) => seen.each(items, 500, |seen, item| seen.subject(item)),
        None => seen.must(false),
    }
}

/// What was found wrong so far.
#[derive(Default)]
struct Seen {
    broken: bool,
    too_long: bool,
}

impl Seen {
    fn verdict(&self) -> Verdict {
        match (self.broken, self.too_long) {
            (true, _) => Verdict::Invalid,
            (false, true) => Verdict::Tolerated,
            (false, false) => Verdict::Valid,
        }
    }

    fn must(&mut self, holds: bool) {
        self.broken |= !holds;
    }

    /// A text of so many bytes, and so many graphemes at most.
    fn short(
        &mut self,
        fields: &Map<String, Value>,
        name: &str,
        required: bool,
        least: usize,
        most: usize,
        graphemes: Option<usize>,
    ) {
        match fields.get(name) {
            None => self.must(!required),
            Some(Value::String(text)) => {
                self.must(text.len() >= least);
                self.too_long |= text.len() > most;
                let long = |most: usize| text.graphemes(true).count() > most;
                self.too_long |= graphemes.is_some_and(long);
            }
            Some(_) => self.must(false),
        }
    }

    /// A text of a format.
    fn text(&mut self, fields: &Map<String, Value>, name: &str, required: bool, is_format: Format) {
        match fields.get(name) {
            None => self.must(!required),
            Some(Value::String(text)) => self.must(is_format(text)),
            Some(_) => self.must(false),
        }
    }

    /// A whole number from 0, as large as JSON keeps.
    fn whole(&mut self, fields: &Map<String, Value>, name: &str, required: bool) {
        match fields.get(name) {
            None => self.must(!required),
            Some(value) => self.must(value.as_u64().is_some_and(|number| number < 1 << 53)),
        }
    }

    /// An array of objects.
    fn each(
        &mut self,
        value: &Value,
        most: usize,
        mut rule: impl FnMut(&mut Seen, &Map<String, Value>),
    ) {
        let Value::Array(items) = value else {
            return self.must(false);
        };
        self.too_long |= items.len() > most;
        for item in items {
            match item {
                Value::Object(fields) => rule(self, fields),
                _ => self.must(false),
            }
        }
    }

    /// An array of words of 500 bytes and 50 graphemes at most.
    fn words(&mut self, fields: &Map<String, Value>, name: &str, most: usize) {
        let Some(value) = fields.get(name) else {
            return;
        };
        let Value::Array(words) = value else {
            return self.must(false);
        };
        self.too_long |= words.len() > most;
        for word in words {
            let field = Map::from_iter([(String::new(), word.clone())]);
            self.short(&field, "", true, 0, 500, Some(50));
        }
    }

    /// A `com.atproto.repo.strongRef` under `subject`.
    fn subject(&mut self, fields: &Map<String, Value>) {
        match fields.get("subject") {
            Some(Value::Object(subject)) => {
                self.text(subject, "uri", true, is_at_uri);
                self.text(subject, "cid", true, is_cid);
            }
            _ => self.must(false),
        }
    }

    /// A blob, as it is written today or was before.
    fn blob(&mut self, fields: &Map<String, Value>, name: &str) {
        let Some(value) = fields.get(name) else {
            return;
        };
        let Value::Object(blob) = value else {
            return self.must(false);
        };
        let cid = |text: Option<&Value>| text.and_then(Value::as_str).is_some_and(is_cid);
        let mime_type = blob.get("mimeType").and_then(Value::as_str);
        let has_mime_type = mime_type.is_some_and(|text| !text.is_empty());
        let is_today = blob.get("$type").and_then(Value::as_str) == Some("blob")
            && blob.len() == 4
            && cid(blob.get("ref").and_then(|link| link.get("$link")))
            && blob
                .get("size")
                .and_then(Value::as_i64)
                .is_some_and(|size| size >= -1);
        let is_legacy = blob.len() == 2 && cid(blob.get("cid"));
        self.must(has_mime_type && (is_today || is_legacy));
    }
}
