//! Whole views: what each must say of its record, by the words of its lexicon, and whether it does.
//! Left alone are `rev` and `indexedAt`, which depend on when an instance heard of a record, and
//! pictures.

use serde_json::{Value, json};
use unicode_segmentation::UnicodeSegmentation;

use crate::answers::Ask;
use crate::compare::{Asked, Disagreement};
use crate::expected::{COMMENT, LIKE, LIST, Shown, TRACK, reference, time};
use crate::verdict::Verdict;

/// The largest integer that the protocol lets JSON say.
const LARGEST: u64 = (1 << 53) - 1;
/// Labels of a track, and the bytes of one.
const MOST_LABELS: usize = 10;
const LONGEST_LABEL: usize = 128;

/// What stands for a handle where none is proven.
const UNPROVEN: &str = "handle.invalid";

/// A field of a view and what it must say; null where it must not be there.
type Field = (&'static str, Value);

/// A text cut to lengths, in bytes and in graphemes, at a character's border.
fn cut(text: &Value, most_bytes: usize, most_graphemes: usize) -> Value {
    let Some(text) = text.as_str() else {
        return Value::Null;
    };
    let mut text: String = text.graphemes(true).take(most_graphemes).collect();
    while text.len() > most_bytes {
        text.pop();
    }
    json!(text)
}

/// Labels the author gave: each once, in order.
fn labels(record: &Value) -> Value {
    let labels = &record["labels"];
    if labels["$type"] != "com.atproto.label.defs#selfLabels" {
        return Value::Null;
    }
    let mut given: Vec<Value> = Vec::new();
    let values = labels["values"].as_array();
    for label in values.into_iter().flatten().take(MOST_LABELS) {
        let label = cut(&label["val"], LONGEST_LABEL, usize::MAX);
        if label != "" && !given.contains(&label) {
            given.push(label);
        }
    }
    match given.is_empty() {
        true => Value::Null,
        false => json!(given),
    }
}

impl<A: Ask> Asked<'_, A> {
    /// What a view of a record must say.
    fn said_of(&self, one: &Shown) -> Vec<Field> {
        let record = &one.held.value;
        let is_tolerated = one.verdict == Verdict::Tolerated;
        let mut said = vec![
            ("uri", json!(one.uri)),
            ("cid", json!(one.held.cid)),
            ("record", record.clone()),
            ("sortAt", json!(time(one.sort_at))),
            ("tolerated", json!(is_tolerated.then_some(true))),
        ];
        let own: Vec<Field> = match one.collection.as_str() {
            TRACK => self.said_of_track(one),
            LIKE => vec![("subject", reference(&record["subject"]))],
            COMMENT => vec![
                ("subject", reference(&record["subject"])),
                ("text", cut(&record["text"], 1_000, usize::MAX)),
                ("timestampMs", record["timestampMs"].clone()),
            ],
            LIST => vec![
                ("name", cut(&record["name"], 256, 64)),
                ("listType", record["listType"].clone()),
                ("itemCount", json!(record["items"].as_array().map(Vec::len))),
            ],
            _ => Vec::new(),
        };
        said.extend(own);
        said
    }

    fn said_of_track(&self, one: &Shown) -> Vec<Field> {
        let record = &one.held.value;
        let [likes, comments, lists] = self.counts.get(&one.uri).copied().unwrap_or_default();
        // What can't be written isn't there.
        let seconds = record["duration"].as_u64();
        let millis = seconds.and_then(|seconds| seconds.checked_mul(1_000));
        vec![
            ("title", cut(&record["title"], 256, usize::MAX)),
            (
                "durationMs",
                json!(millis.filter(|millis| *millis <= LARGEST)),
            ),
            ("labels", labels(record)),
            ("likeCount", json!(likes)),
            ("commentCount", json!(comments)),
            ("listCount", json!(lists)),
        ]
    }

    /// A view of the record at an address, in whatever answer it comes: all that it says, and who
    /// made it.
    pub(crate) fn view(&self, uri: &str, view: &Value) -> Result<(), Disagreement> {
        let Some(one) = self.expected.shown.get(uri) else {
            return self.same(&format!("view of {uri}"), &"none", view);
        };
        self.fields(&format!("view of {uri}"), &self.said_of(one), view)?;
        let name = cut(&json!(self.network.name_of(&one.did)), 640, 64);
        let author = [
            ("did", json!(one.did)),
            ("handle", json!(self.network.handle_of(&one.did))),
            ("displayName", name),
        ];
        let whose = format!("author in the view of {uri}");
        self.fields(&whose, &author, &view["author"])
    }

    /// A profile view: whose, how they are called, their record and their numbers.
    pub(crate) fn profile_view(&self, did: &str, view: &Value) -> Result<(), Disagreement> {
        let sums = self.expected.sums_of(did);
        let record = self.expected.profile(did).map(|one| &one.held.value);
        // Who holds nothing may never have been asked about.
        let may_be_unmet = !self.is_met(did);
        let handle = match may_be_unmet && view["handle"] == UNPROVEN {
            true => UNPROVEN,
            false => self.network.handle_of(did),
        };
        let name = match may_be_unmet && view.get("displayName").is_none() {
            true => Value::Null,
            false => cut(&json!(self.network.name_of(did)), 640, 64),
        };
        let bio = record.map(|record| cut(&record["bio"], 2_560, 256));
        let expected = [
            ("did", json!(did)),
            ("handle", json!(handle)),
            ("displayName", name),
            ("bio", json!(bio)),
            ("record", json!(record)),
            ("trackCount", json!(sums.tracks)),
            ("albumCount", json!(sums.lists[1])),
            ("playlistCount", json!(sums.lists[2])),
            ("likeCount", json!(sums.likes)),
            ("commentCount", json!(sums.comments)),
            ("durationSeconds", json!(sums.seconds)),
        ];
        self.fields(&format!("profile of {did}"), &expected, view)
    }

    /// Whether a view says what each of some fields must say.
    fn fields(&self, whose: &str, expected: &[Field], view: &Value) -> Result<(), Disagreement> {
        for (field, expected) in expected {
            let answered = match (*field, view.get(field)) {
                // As good as nothing said.
                ("tolerated", Some(Value::Bool(false))) => None,
                // A reference may say more than where it leads to.
                ("subject", Some(subject)) => Some(reference(subject)),
                (_, answered) => answered.cloned(),
            };
            let expected = (!expected.is_null()).then_some(expected);
            if answered.as_ref() == expected {
                continue;
            }
            let told =
                |value: Option<&Value>| value.map_or("no such field".to_owned(), Value::to_string);
            return Err(Disagreement {
                question: format!("{field} in the {whose}"),
                expected: told(expected),
                answered: told(answered.as_ref()),
            });
        }
        Ok(())
    }
}
