//! The PLC directory: DID documents, modern and of the older shape.

use std::sync::Arc;

use serde_json::{Value, json};

use super::http::{Answering, Question, Reply};
use crate::network::Shared;
use crate::world::{Account, Labeler, Standing};

/// The directory.
pub struct Directory(pub Arc<Shared>);

impl Answering for Directory {
    fn answer(&self, question: &Question) -> Reply {
        let did = question.path.trim_start_matches('/').replace("%3A", ":");
        if did == "_health" {
            return Reply::json(200, &json!({ "version": env!("CARGO_PKG_VERSION") }));
        }
        let world = self.0.world();
        match world.account(&did) {
            Some(account) if account.standing == Standing::Deleted => {
                let message = format!("DID not available: {did}");
                Reply::json(404, &json!({ "message": message }))
            }
            Some(account) => {
                let mut document = document(account, self.0.host(account.host));
                let labeler = world.labeler().filter(|labeler| labeler.did == did);
                if let Some(labeler) = labeler {
                    offer_labels(&mut document, labeler, self.0.labeler());
                }
                Reply::json(200, &document)
            }
            None => {
                let message = format!("DID not registered: {did}");
                Reply::json(404, &json!({ "message": message }))
            }
        }
    }
}

fn document(account: &Account, host: &str) -> Value {
    let did = &account.did;
    let (id, kind, key) = if account.legacy {
        let (kind, key) = account.legacy_key();
        ("#atproto".to_owned(), kind, key)
    } else {
        (format!("{did}#atproto"), "Multikey", account.multikey())
    };
    let context: &[&str] = match account.legacy {
        true => &["https://www.w3.org/ns/did/v1"],
        false => &[
            "https://www.w3.org/ns/did/v1",
            "https://w3id.org/security/multikey/v1",
            "https://w3id.org/security/suites/secp256k1-2019/v1",
        ],
    };
    json!({
        "@context": context,
        "id": did,
        "alsoKnownAs": [format!("at://{}", account.handle)],
        "verificationMethod": [{
            "id": id, "type": kind, "controller": did, "publicKeyMultibase": key,
        }],
        "service": [{
            "id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": host,
        }],
    })
}

/// The key and the service by which who labels is found.
fn offer_labels(document: &mut Value, labeler: &Labeler, url: &str) {
    let did = &labeler.did;
    let key = json!({
        "id": format!("{did}#atproto_label"), "type": "Multikey", "controller": did,
        "publicKeyMultibase": labeler.multikey(),
    });
    let service = json!({
        "id": "#atproto_labeler", "type": "AtprotoLabeler", "serviceEndpoint": url,
    });
    for (list, one) in [("verificationMethod", key), ("service", service)] {
        if let Value::Array(all) = &mut document[list] {
            all.push(one);
        }
    }
}
