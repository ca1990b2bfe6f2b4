//! Signing keys, from a seed.

use atrium_crypto::keypair::{Did as _, P256Keypair, Secp256k1Keypair};
use multibase::Base;
use sha2::{Digest, Sha256};

use crate::story::Curve;

/// A key of either curve.
pub enum Key {
    K256(Secp256k1Keypair),
    P256(P256Keypair),
}

impl Key {
    /// The key that a text decides.
    pub fn of(text: &str, curve: Curve) -> Result<Key, String> {
        let secret = Sha256::digest(format!("plyr simnet key {text}"));
        match curve {
            Curve::K256 => Secp256k1Keypair::import(&secret).map(Key::K256),
            Curve::P256 => P256Keypair::import(&secret).map(Key::P256),
        }
        .map_err(|problem| problem.to_string())
    }

    /// The signature over a message.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Key::K256(pair) => pair.sign(message),
            Key::P256(pair) => pair.sign(message),
        }
        .map_err(|problem| problem.to_string())
    }

    /// As modern documents write it.
    pub fn multikey(&self) -> String {
        let did = match self {
            Key::K256(pair) => pair.did(),
            Key::P256(pair) => pair.did(),
        };
        did.trim_start_matches("did:key:").to_owned()
    }

    /// Type and point as documents of the older shape write them. (They mostly gave the point
    /// whole; compressed ones were seen too, and need no arithmetic here.)
    pub fn legacy(&self) -> (&'static str, String) {
        let kind = match self {
            Key::K256(_) => "EcdsaSecp256k1VerificationKey2019",
            Key::P256(_) => "EcdsaSecp256r1VerificationKey2019",
        };
        let point = match multibase::decode(self.multikey()) {
            // Two bytes say which curve it is.
            Ok((_, bytes)) => multibase::encode(Base::Base58Btc, bytes.get(2..).unwrap_or(&[])),
            Err(_) => String::new(),
        };
        (kind, point)
    }
}
