//! Signing keys as DID documents write them, in one form.

/// How a document may write a key.
const LEGACY_K256: &str = "EcdsaSecp256k1VerificationKey2019";
const LEGACY_P256: &str = "EcdsaSecp256r1VerificationKey2019";
/// Longer than any key in any base, in bytes.
const LONGEST: usize = 256;
/// Multicodec prefixes of compressed public keys.
const K256: [u8; 2] = [0xe7, 0x01];
const P256: [u8; 2] = [0x80, 0x24];

/// The key as a multikey (`z` and base58btc of multicodec prefix and compressed point): what modern
/// documents write and what follows `did:key:`. Legacy documents give the bare point, mostly not
/// compressed. None for a key that is neither.
pub fn multikey(kind: &str, multibase: &str) -> Option<String> {
    // Base58 takes time with the square of the length.
    if multibase.len() > LONGEST {
        return None;
    }
    let (_, bytes) = multibase::decode(multibase).ok()?;
    let key = match kind {
        LEGACY_K256 => [&K256[..], &compressed(&bytes)?].concat(),
        LEGACY_P256 => [&P256[..], &compressed(&bytes)?].concat(),
        _ => bytes,
    };
    let known = key.len() == 35 && (key.starts_with(&K256) || key.starts_with(&P256));
    known.then(|| multibase::encode(multibase::Base::Base58Btc, key))
}

/// A point of a curve over 256 bits, compressed (SEC 1, 2.3.3): the first coordinate and the parity
/// of the second.
fn compressed(point: &[u8]) -> Option<Vec<u8>> {
    match point {
        [2 | 3, x @ ..] if x.len() == 32 => Some(point.to_vec()),
        [4, coordinates @ ..] if coordinates.len() == 64 => {
            let parity = 2 + (coordinates[63] & 1);
            Some([&[parity], &coordinates[..32]].concat())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One account's key as captured from a PLC directory (`@did-plc/server` 0.0.1): what its log
    /// says, and what its DID document of the old shape says.
    const MODERN: &str = "zQ3shszez9bgVeQngHsEZQeZXLnCCbWUk3GHt3UbhmmUFxLsp";
    const LEGACY: &str = "zRSXUpFGvVnDGhhBgV1EPCdtNwGbEFBcSgQBHjVwpH3ja6VtsbNJSY2Ckuq4yccS5DGmC\
        zzsjEaKgPT9XfPMamFLv";

    #[test]
    fn one_key_has_one_form() {
        for (kind, text) in [("Multikey", MODERN), (LEGACY_K256, LEGACY)] {
            assert_eq!(multikey(kind, text).as_deref(), Some(MODERN), "{kind}");
        }
        let (_, bytes) = multibase::decode(LEGACY).unwrap();
        let other_base = multibase::encode(multibase::Base::Base16Lower, &bytes);
        assert_eq!(multikey(LEGACY_K256, &other_base).as_deref(), Some(MODERN));
        let p256 = multikey(LEGACY_P256, LEGACY).unwrap();
        assert!(p256.starts_with("zDna"), "{p256}");
    }

    #[test]
    fn what_is_no_key_is_none() {
        for (kind, text) in [
            ("Multikey", ""),
            ("Multikey", "zQ3sh"),
            ("Multikey", "Q3sh"),
            ("Multikey", LEGACY),
            (LEGACY_K256, MODERN),
            (LEGACY_K256, &"z".repeat(60_000)),
            ("Multikey", "\u{1f3b5}"),
        ] {
            assert_eq!(multikey(kind, text), None, "{kind} {}", text.len());
        }
    }
}
