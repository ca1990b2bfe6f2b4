//! What answers for a handle: TXT records, and the well-known of its host. Not proven by itself:
//! the DID's document must name the handle too.

use plyr_lexicons::Did;

/// What a TXT record of a handle's name begins with.
const PREFIX: &str = "did=";

/// The DID that the TXT records of `_atproto.<handle>` name; none where they name none, or several.
/// Spec: <https://atproto.com/specs/handle#handle-resolution>.
pub fn read_texts(texts: impl IntoIterator<Item = String>) -> Option<Did> {
    let named = texts
        .into_iter()
        .filter_map(|text| Some(text.strip_prefix(PREFIX)?.to_owned()));
    let mut dids: Vec<String> = named.collect();
    dids.dedup();
    match dids.as_slice() {
        [did] => Did::new(did.clone()).ok(),
        _ => None,
    }
}

/// The DID that a body of `/.well-known/atproto-did` names; blanks around it don't matter.
pub fn read_well_known(body: &[u8]) -> Option<Did> {
    let text = String::from_utf8_lossy(body);
    Did::new(text.trim().to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "did:plc:slqhb5krekxahmuhnt2e5mlg";

    #[test]
    fn one_did_is_named_or_none() {
        let read = |texts: &[&str]| read_texts(texts.iter().map(|text| (*text).to_owned()));
        let one = format!("did={ONE}");
        let other = "did=did:web:example.com";
        assert_eq!(read(&[&one]).unwrap().as_str(), ONE);
        assert_eq!(read(&["v=spf1", &one, &one]).unwrap().as_str(), ONE);
        assert_eq!(read(&[&one, other, &one]), None);
        for nobody in [&[][..], &["v=spf1"], &[ONE], &["did=nobody"]] {
            assert_eq!(read(nobody), None, "{nobody:?}");
        }
    }

    #[test]
    fn a_well_known_is_a_did_and_blanks() {
        let read = |body: &str| read_well_known(body.as_bytes());
        assert_eq!(read(&format!(" {ONE}\r\n")).unwrap().as_str(), ONE);
        for nothing in ["", "<html>", &format!("{ONE} {ONE}")] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }
}
