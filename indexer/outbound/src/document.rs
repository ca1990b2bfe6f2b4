//! DID documents, modern and legacy.

use plyr_lexicons::{Did, Handle};
use serde::Deserialize;
use url::Url;

use crate::key::multikey;

/// What we read of a DID document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DidDocument {
    /// Equal to the DID asked for (checked).
    pub did: Did,
    /// The `#atproto_pds` service's endpoint, without a trailing slash.
    pub pds: Option<String>,
    /// The `#atproto` key as a multikey, whichever way the document writes it.
    pub signing_key: Option<String>,
    /// The first `at://` of `alsoKnownAs` that is a handle, in lower case; not proven by itself.
    pub handle: Option<Handle>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDocument {
    id: String,
    #[serde(default)]
    also_known_as: Vec<String>,
    #[serde(default)]
    verification_method: Vec<RawKey>,
    #[serde(default)]
    service: Vec<RawService>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawKey {
    id: String,
    #[serde(default)]
    r#type: String,
    public_key_multibase: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawService {
    id: String,
    r#type: String,
    service_endpoint: serde_json::Value,
}

/// Reads a document and checks that it is the one asked for.
pub fn read_document(did: &Did, json: &[u8]) -> Result<DidDocument, String> {
    let raw: RawDocument = serde_json::from_slice(json).map_err(|problem| problem.to_string())?;
    if raw.id != did.as_str() {
        return Err(format!(
            "the document is {}'s",
            raw.id.chars().take(128).collect::<String>()
        ));
    }
    let named = |id: &str, fragment: &str| {
        id.strip_prefix(did.as_str())
            .unwrap_or(id)
            .strip_prefix('#')
            == Some(fragment)
    };
    let service = raw.service.iter().find(|service| {
        named(&service.id, "atproto_pds") && service.r#type == "AtprotoPersonalDataServer"
    });
    let pds = service
        .and_then(|service| service.service_endpoint.as_str())
        .and_then(origin);
    let signing_key = raw
        .verification_method
        .iter()
        .find(|key| named(&key.id, "atproto"))
        .and_then(|key| multikey(&key.r#type, key.public_key_multibase.as_deref()?));
    let handle = raw
        .also_known_as
        .iter()
        .find_map(|name| Handle::new(name.strip_prefix("at://")?.to_lowercase()).ok());
    Ok(DidDocument {
        did: did.clone(),
        pds,
        signing_key,
        handle,
    })
}

/// A PDS is an origin and nothing more, written as a URL's parser understood it: what is joined to
/// it later can't make another address of it.
fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let bare = matches!(url.scheme(), "https" | "http")
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    bare.then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "zQ3shMkeStrqJEvy95xb3CyBcuMKafpTfqRD8eeqLzhVXnHVb";

    #[test]
    fn modern_and_legacy_documents_are_read() {
        let did = Did::new("did:plc:slqhb5krekxahmuhnt2e5mlg".to_owned()).unwrap();
        for (key, service) in [("#atproto", "#atproto_pds"), ("", "")] {
            let full = |fragment: &str, own: &str| {
                if fragment.is_empty() {
                    format!("{}#{own}", did.as_str())
                } else {
                    fragment.into()
                }
            };
            let json = serde_json::json!({
                "id": did.as_str(),
                "alsoKnownAs": ["https://example.com", "at://Alice.test"],
                "verificationMethod": [{ "id": full(key, "atproto"), "type": "Multikey",
                    "controller": did.as_str(), "publicKeyMultibase": KEY }],
                "service": [{ "id": full(service, "atproto_pds"),
                    "type": "AtprotoPersonalDataServer",
                    "serviceEndpoint": "http://localhost:2583/" }],
            });
            let document = read_document(&did, json.to_string().as_bytes()).unwrap();
            assert_eq!(document.pds.as_deref(), Some("http://localhost:2583"));
            assert_eq!(document.signing_key.as_deref(), Some(KEY));
            assert!(document.handle.is_some());
        }
    }

    #[test]
    fn a_pds_is_an_origin() {
        let one = Some("https://pds.example:8443");
        for (text, origin_of_it) in [
            ("https://pds.example:8443", one),
            ("HTTPS://PDS.example:8443/", one),
            ("https:\\\\pds.example:8443\\", one),
            (" https://pds.exa\nmple:8443 ", one),
            ("https://pds.example:443", Some("https://pds.example")),
            ("https://user@pds.example", None),
            ("https://:secret@pds.example", None),
            ("https://pds.example/path", None),
            ("https://pds.example?query", None),
            ("ftp://pds.example", None),
            ("pds.example", None),
        ] {
            assert_eq!(origin(text).as_deref(), origin_of_it, "{text:?}");
        }
    }

    #[test]
    fn a_strangers_document_is_refused() {
        let did = Did::new("did:plc:slqhb5krekxahmuhnt2e5mlg".to_owned()).unwrap();
        assert!(read_document(&did, br#"{"id":"did:plc:other"}"#).is_err());
        assert!(read_document(&did, b"<html>").is_err());
    }

    /// Captured documents, and the old shape of one of them.
    #[test]
    fn captured_documents_give_the_key_of_their_log() {
        let Some(shared) = std::env::var_os("PLYR_SHARED") else {
            println!("skipped: captured documents need PLYR_SHARED");
            return;
        };
        let folder = std::path::Path::new(&shared).join("fixtures/pds-0.5.35/dids");
        let read = |name: &str| -> serde_json::Value {
            let text = std::fs::read(folder.join(name)).unwrap();
            serde_json::from_slice(&text).unwrap()
        };
        for name in [
            "alice-0",
            "alice-1-handle",
            "bob-9-final",
            "dave-0",
            "dave-1-migrated",
        ] {
            let (document, log) = (
                read(&format!("{name}.doc.json")),
                read(&format!("{name}.data.json")),
            );
            let did = Did::new(document["id"].as_str().unwrap().to_owned()).unwrap();
            let found = read_document(&did, document.to_string().as_bytes()).unwrap();
            let told = log["verificationMethods"]["atproto"].as_str().unwrap();
            assert_eq!(found.signing_key.as_deref(), told.strip_prefix("did:key:"));
            assert_eq!(
                found.pds.as_deref(),
                log["services"]["atproto_pds"]["endpoint"].as_str()
            );
            // The old shape: ids without the DID, the bare point. (Its own PLC directory wrote
            // it, see the tests of the keys.)
            let mut old = document.clone();
            old["verificationMethod"][0]["id"] = "#atproto".into();
            old["verificationMethod"][0]["type"] = "EcdsaSecp256k1VerificationKey2019".into();
            let (_, key) = multibase::decode(found.signing_key.as_deref().unwrap()).unwrap();
            let point = multibase::encode(multibase::Base::Base58Btc, &key[2..]);
            old["verificationMethod"][0]["publicKeyMultibase"] = point.into();
            assert_eq!(
                read_document(&did, old.to_string().as_bytes()).unwrap(),
                found
            );
        }
    }
}
