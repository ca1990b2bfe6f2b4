//! What the network's labeler says of accounts and records, signed.
//! Spec: <https://atproto.com/specs/label>.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use plyr_lexicons::{Cid, Ipld, data};

use super::key::Key;
use crate::story::Curve;

/// The only version of the format.
const VERSION: i128 = 1;

/// A label.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// Who says it.
    pub src: String,
    /// Of what: a record's at-uri, or an account's DID.
    pub uri: String,
    /// Of that version of a record alone.
    pub cid: Option<Cid>,
    /// What is said.
    pub val: String,
    /// Whether it takes back what was said.
    pub neg: bool,
    /// When it was said, in microseconds since 1970, by the story's clock.
    pub cts: i64,
    /// Until when it holds.
    pub exp: Option<i64>,
}

/// A label with its signature, as the data model has it.
pub type Signed = Arc<Ipld>;

/// A labeler, and all it says, by number. What it says of a thing takes the place of what it said
/// of the same before, under another number, as Ozone has it.
pub struct Labeler {
    /// Whose it is.
    pub did: String,
    key: Key,
    rows: BTreeMap<u64, (Label, Signed)>,
    /// The number of what holds, by uri, CID and value.
    newest: HashMap<(String, Option<Cid>, String), u64>,
    /// The greatest number there was.
    last: u64,
}

impl Labeler {
    pub(super) fn new(did: &str) -> Result<Labeler, String> {
        Ok(Labeler {
            did: did.to_owned(),
            key: Key::of(&format!("{did} labels"), Curve::K256)?,
            rows: BTreeMap::new(),
            newest: HashMap::new(),
            last: 0,
        })
    }

    pub(super) fn say(&mut self, label: Label) -> Result<(), String> {
        let signed = signed(&label, &self.key)?;
        self.last += 1;
        let of = (label.uri.clone(), label.cid, label.val.clone());
        if let Some(before) = self.newest.insert(of, self.last) {
            self.rows.remove(&before);
        }
        self.rows.insert(self.last, (label, signed));
        Ok(())
    }

    /// The key that labels are verified with, as a multikey.
    pub fn multikey(&self) -> String {
        self.key.multikey()
    }

    /// The greatest number so far; 0 before the first.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// What is said and holds, with its number, after a number.
    pub fn after(&self, number: u64) -> impl Iterator<Item = (u64, &Label, &Signed)> {
        let rows = self.rows.range(number.saturating_add(1)..);
        rows.map(|(number, (label, signed))| (*number, label, signed))
    }

    /// The number before the first of those that the newest so many have.
    pub fn before_newest(&self, most: usize) -> u64 {
        let beyond = self.rows.len().checked_sub(most);
        let last = beyond.and_then(|beyond| self.rows.keys().nth(beyond.checked_sub(1)?));
        last.copied().unwrap_or(0)
    }

    /// The label as a stranger would sign it who would like to be this labeler.
    pub fn forged(&self, label: &Label) -> Result<Signed, String> {
        let forged = Label {
            val: "!takedown".to_owned(),
            neg: false,
            ..label.clone()
        };
        signed(&forged, &Key::of("a stranger", Curve::K256)?)
    }
}

fn signed(label: &Label, key: &Key) -> Result<Signed, String> {
    let text = |text: &str| Ipld::String(text.to_owned());
    let mut fields = vec![
        ("ver", Ipld::Integer(VERSION)),
        ("src", text(&label.src)),
        ("uri", text(&label.uri)),
        ("val", text(&label.val)),
        ("cts", time(label.cts)),
    ];
    if let Some(cid) = &label.cid {
        fields.push(("cid", text(&cid.to_string())));
    }
    // What isn't so is left out.
    if label.neg {
        fields.push(("neg", Ipld::Bool(true)));
    }
    if let Some(exp) = label.exp {
        fields.push(("exp", time(exp)));
    }
    let fields = fields.into_iter();
    let mut fields: BTreeMap<String, Ipld> = fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let unsigned = data::to_cbor(&Ipld::Map(fields.clone()));
    let unsigned = unsigned.map_err(|problem| problem.to_string())?;
    fields.insert("sig".to_owned(), Ipld::Bytes(key.sign(&unsigned)?));
    Ok(Arc::new(Ipld::Map(fields)))
}

fn time(micros: i64) -> Ipld {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    Ipld::String(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(uri: &str, val: &str, neg: bool) -> Label {
        Label {
            src: "did:plc:labeler".to_owned(),
            uri: uri.to_owned(),
            cid: None,
            val: val.to_owned(),
            neg,
            cts: 1,
            exp: None,
        }
    }

    #[test]
    fn what_is_said_again_of_the_same_takes_its_place_under_a_new_number() {
        let mut labeler = Labeler::new("did:plc:labeler").unwrap();
        for (uri, val, neg) in [
            ("did:plc:a", "spam", false),
            ("did:plc:a", "!hide", false),
            ("did:plc:b", "spam", false),
            ("did:plc:a", "spam", true),
        ] {
            labeler.say(label(uri, val, neg)).unwrap();
        }
        let rows: Vec<(u64, &str, bool)> = labeler
            .after(0)
            .map(|(number, label, _)| (number, label.val.as_str(), label.neg))
            .collect();
        assert_eq!(
            rows,
            [(2, "!hide", false), (3, "spam", false), (4, "spam", true)]
        );
        assert_eq!(labeler.last(), 4);
        let kept = [0, 1, 2, 3, 4].map(|most| labeler.before_newest(most));
        assert_eq!(kept, [4, 3, 2, 0, 0]);
    }
}
