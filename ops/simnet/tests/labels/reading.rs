//! The strict reader of frames and labels.
//! Specs: <https://atproto.com/specs/event-stream>, <https://atproto.com/specs/label>.

use std::collections::BTreeMap;

use atrium_crypto::verify::verify_signature;
use plyr_lexicons::{Ipld, data};
use serde_json::Value;

type Error = Box<dyn std::error::Error>;

/// A frame.
#[derive(Debug)]
pub enum Frame {
    Labels { seq: u64, labels: Vec<Label> },
    Info { name: String, message: String },
    Error { error: String, message: String },
}

/// A label, with the bytes that are signed.
#[derive(Clone, Debug)]
pub struct Label {
    pub uri: String,
    pub cid: Option<String>,
    pub val: String,
    pub neg: bool,
    pub exp: Option<String>,
    unsigned: Vec<u8>,
    sig: Vec<u8>,
}

impl Frame {
    /// All of it but what no two runs share.
    pub fn shape(&self) -> String {
        match self {
            Frame::Labels { seq, labels } => {
                let labels: Vec<String> = labels.iter().map(Label::shape).collect();
                format!("{seq}: {}", labels.join(", "))
            }
            Frame::Info { name, message } => format!("{name}: {message}"),
            Frame::Error { error, message } => format!("{error}: {message}"),
        }
    }
}

impl Label {
    /// All of it but what no two runs share.
    pub fn shape(&self) -> String {
        let of = self.uri.split('/').nth(3).unwrap_or("account");
        let (cid, exp) = (self.cid.is_some(), self.exp.is_some());
        let (val, neg) = (&self.val, self.neg);
        format!("{of} cid {cid} {val} neg {neg} exp {exp}")
    }

    /// Whether this key, a did:key, signed it.
    pub fn check(&self, key: &str) -> Result<(), String> {
        let checked = verify_signature(key, &self.unsigned, &self.sig);
        checked.map_err(|problem| format!("{problem} {self:?}"))
    }
}

/// The key that a labeler's document names for labels, as a did:key.
pub fn label_key(document: &Value) -> Result<String, Error> {
    let did = document["id"].as_str().ok_or("no id")?;
    let methods = document["verificationMethod"].as_array();
    let mut methods = methods.ok_or("no keys")?.iter();
    let id = format!("{did}#atproto_label");
    let key = methods.find(|method| method["id"] == id.as_str());
    let key = key.and_then(|method| method["publicKeyMultibase"].as_str());
    Ok(format!("did:key:{}", key.ok_or("no key for labels")?))
}

type Fields = BTreeMap<String, Ipld>;

fn map(value: Ipld) -> Result<Fields, Error> {
    match value {
        Ipld::Map(fields) => Ok(fields),
        other => Err(format!("no map: {other:?}").into()),
    }
}

fn text(fields: &mut Fields, name: &str) -> Result<Option<String>, Error> {
    match fields.remove(name) {
        Some(Ipld::String(text)) => Ok(Some(text)),
        None => Ok(None),
        Some(other) => Err(format!("{name} is no text: {other:?}").into()),
    }
}

fn needed(fields: &mut Fields, name: &str) -> Result<String, Error> {
    Ok(text(fields, name)?.ok_or_else(|| format!("{name} is missing"))?)
}

/// Nothing else may be in it.
fn end(fields: &Fields) -> Result<(), Error> {
    match fields.is_empty() {
        true => Ok(()),
        false => Err(format!("more than there may be: {fields:?}").into()),
    }
}

fn time(text: &str) -> Result<(), Error> {
    chrono::DateTime::parse_from_rfc3339(text)?;
    Ok(())
}

/// Reads a frame: two values of canonical DAG-CBOR, header and body, and nothing beside them.
pub fn read(frame: &[u8]) -> Result<Frame, Error> {
    // Of all beginnings one alone is a value.
    let whole = |end: &usize| data::from_canonical(&frame[..*end]).is_ok();
    let end_of_header = (1..frame.len()).find(whole).ok_or("no header")?;
    let mut header = map(data::from_canonical(&frame[..end_of_header])?)?;
    let mut body = map(data::from_canonical(&frame[end_of_header..])?)?;
    let op = header.remove("op").ok_or("no op")?;
    let kind = text(&mut header, "t")?;
    end(&header)?;
    let read = match (op, kind.as_deref()) {
        (Ipld::Integer(1), Some("#labels")) => {
            let seq = match body.remove("seq") {
                Some(Ipld::Integer(seq)) => u64::try_from(seq)?,
                other => return Err(format!("no seq: {other:?}").into()),
            };
            let labels = match body.remove("labels") {
                Some(Ipld::List(labels)) => labels,
                other => return Err(format!("no labels: {other:?}").into()),
            };
            let labels: Result<Vec<Label>, Error> = labels.iter().map(read_label).collect();
            Frame::Labels {
                seq,
                labels: labels?,
            }
        }
        (Ipld::Integer(1), Some("#info")) => Frame::Info {
            name: needed(&mut body, "name")?,
            message: needed(&mut body, "message")?,
        },
        (Ipld::Integer(-1), None) => Frame::Error {
            error: needed(&mut body, "error")?,
            message: needed(&mut body, "message")?,
        },
        other => return Err(format!("no such frame: {other:?}").into()),
    };
    end(&body)?;
    Ok(read)
}

/// Reads a label.
pub fn read_label(value: &Ipld) -> Result<Label, Error> {
    let mut fields = map(value.clone())?;
    let sig = match fields.remove("sig") {
        Some(Ipld::Bytes(sig)) if sig.len() == 64 => sig,
        other => return Err(format!("no signature: {other:?}").into()),
    };
    let unsigned = data::to_cbor(&Ipld::Map(fields.clone()))?;
    if fields.remove("ver") != Some(Ipld::Integer(1)) {
        return Err("another version".into());
    }
    let neg = match fields.remove("neg") {
        None => false,
        Some(Ipld::Bool(true)) => true,
        other => return Err(format!("neg is {other:?}").into()),
    };
    let label = Label {
        uri: needed(&mut fields, "uri")?,
        cid: text(&mut fields, "cid")?,
        val: needed(&mut fields, "val")?,
        neg,
        exp: text(&mut fields, "exp")?,
        unsigned,
        sig,
    };
    time(&needed(&mut fields, "cts")?)?;
    label.exp.as_deref().map(time).transpose()?;
    if !needed(&mut fields, "src")?.starts_with("did:") {
        return Err("src is no DID".into());
    }
    let is_uri = label.uri.starts_with("did:") || label.uri.starts_with("at://did:");
    if !is_uri || label.val.is_empty() || label.val.len() > 128 {
        return Err(format!("{} is said of {}", label.val, label.uri).into());
    }
    if let Some(cid) = &label.cid {
        data::cid_of_text(cid).ok_or("no CID")?;
    }
    end(&fields)?;
    Ok(label)
}
