//! DID documents, and what answers for a handle.

use std::sync::LazyLock;

use plyr_lexicons::{Did, Handle, Ipld, data};
use plyr_outbound::{DidDocument, read_document, read_texts, read_well_known};
use plyr_repo::Commit;
use serde_json::{Value, json};
use url::Url;

/// A commit that nobody signed.
static COMMIT: LazyLock<Commit> = LazyLock::new(|| {
    let text = |text: &str| Ipld::String(text.to_owned());
    let fields = [
        ("did", text("did:plc:slqhb5krekxahmuhnt2e5mlg")),
        ("version", Ipld::Integer(3)),
        ("data", Ipld::Link(data::cid_of(b"a node"))),
        ("rev", text("3lfvhszifvc2c")),
        ("prev", Ipld::Null),
        ("sig", Ipld::Bytes(vec![1; 64])),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    let block = data::to_cbor(&Ipld::Map(fields.into())).expect("a commit is written");
    Commit::read(&block).expect("a commit is read")
});

/// Reads the bytes as the document of the DID that it says it is of, and as what answers for a
/// handle. What is read of a document is the same in its modern form; a PDS is an origin that
/// requests can be made under; a key can be asked, whatever it is; and a handle is in lower case.
pub fn did_documents(bytes: &[u8]) {
    drop(read_well_known(bytes));
    let text = String::from_utf8_lossy(bytes);
    let texts = text.lines().map(str::to_owned);
    if let Some(did) = read_texts(texts) {
        assert!(
            text.contains(&format!("did={}", did.as_str())),
            "another DID"
        );
    }
    let said: Option<Value> = serde_json::from_slice(bytes).ok();
    let did = said.as_ref().and_then(|said| said["id"].as_str());
    let Some(did) = did.and_then(|did| Did::new(did.to_owned()).ok()) else {
        return;
    };
    let stranger = Did::new("did:web:stranger.example".to_owned()).expect("a DID");
    assert!(did == stranger || read_document(&stranger, bytes).is_err());
    let Ok(document) = read_document(&did, bytes) else {
        return;
    };
    assert_eq!(document.did, did);
    if let Some(pds) = &document.pds {
        is_origin(pds);
    }
    if let Some(key) = &document.signing_key {
        assert!(key.starts_with('z'), "{key}");
        assert!(COMMIT.check_signature(key).is_err(), "{key} signed it");
    }
    if let Some(handle) = &document.handle {
        let lower = handle.as_str().to_lowercase();
        assert_eq!(handle.as_str(), lower);
        assert!(Handle::new(lower).is_ok());
    }
    let modern = serde_json::to_vec(&modern(&document)).expect("JSON is written");
    assert_eq!(read_document(&did, &modern), Ok(document));
}

/// A request to a method there goes to the same host, and to no other path.
fn is_origin(pds: &str) {
    let origin = Url::parse(pds).expect("a PDS has a URL");
    let method = format!("{pds}/xrpc/com.atproto.sync.getHead?did=did:plc:a");
    let method = Url::parse(&method).expect("its method has a URL");
    assert_eq!(method.origin(), origin.origin(), "{pds:?}");
    assert_eq!(method.path(), "/xrpc/com.atproto.sync.getHead", "{pds:?}");
    assert!(
        method.username().is_empty() && method.password().is_none(),
        "{pds:?}"
    );
    assert_eq!(method.query(), Some("did=did:plc:a"), "{pds:?}");
}

fn modern(document: &DidDocument) -> Value {
    let DidDocument {
        did,
        pds,
        signing_key,
        handle,
    } = document;
    let handles = handle
        .iter()
        .map(|handle| format!("at://{}", handle.as_str()));
    let keys = signing_key
        .iter()
        .map(|key| json!({ "id": "#atproto", "type": "Multikey", "publicKeyMultibase": key }));
    let services = pds.iter().map(|pds| {
        let kind = "AtprotoPersonalDataServer";
        json!({ "id": "#atproto_pds", "type": kind, "serviceEndpoint": pds })
    });
    json!({
        "id": did.as_str(),
        "alsoKnownAs": handles.collect::<Vec<_>>(),
        "verificationMethod": keys.collect::<Vec<_>>(),
        "service": services.collect::<Vec<_>>(),
    })
}
