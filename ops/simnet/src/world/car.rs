//! CAR files. Spec: <https://ipld.io/specs/transport/car/carv1/>.

use plyr_lexicons::{Cid, Ipld, data};

/// A CAR of these roots and blocks.
pub fn of(roots: &[Cid], blocks: &[(Cid, &[u8])]) -> Vec<u8> {
    let roots = roots.iter().map(|root| Ipld::Link(*root)).collect();
    let fields = [("roots", Ipld::List(roots)), ("version", Ipld::Integer(1))];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    // A map of links and a number is always DAG-CBOR.
    let header = data::to_cbor(&Ipld::Map(fields.into_iter().collect())).unwrap_or_default();
    let size: usize = blocks.iter().map(|(_, block)| block.len() + 42).sum();
    let mut out = Vec::with_capacity(header.len() + size + 10);
    section(&mut out, &[&header]);
    for (cid, block) in blocks {
        section(&mut out, &[&cid.to_bytes(), block]);
    }
    out
}

fn section(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}
