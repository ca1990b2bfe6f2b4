//! Cells. Each begins with what decides a tie of two at one stamp: then the greater bytes win, on
//! every node. Truth: standing, content. Derived rows: the versions that decided.

use plyr_lexicons::{Cid, Judgement, Namespace, Reason, Rev, Verdict, data, validate};
use serde::{Deserialize, Serialize};

use crate::held::{Content, HeldVersion, current};
use crate::model::{Micros, Standing};
use crate::store::StoreError;

pub fn corrupt(table: &'static str, detail: impl ToString) -> StoreError {
    StoreError::Corrupt {
        table,
        detail: detail.to_string(),
    }
}

const fn standing(standing: Standing) -> u8 {
    match standing {
        Standing::Event => 0,
        Standing::Void => 1,
        Standing::Proven => 2,
    }
}

#[derive(Serialize, Deserialize)]
struct StoredReason(String, String, String);

/// What a version says: standing, CID (empty for a delete), the time it was first seen turned
/// round so that of two sights the earlier wins, and the record.
pub fn said(held: &HeldVersion) -> Vec<u8> {
    let cid = held
        .content
        .as_ref()
        .map_or(Vec::new(), |content| content.cid.to_bytes());
    let mut cell = vec![standing(held.standing), cid.len() as u8];
    cell.extend_from_slice(&cid);
    cell.extend_from_slice(&(i64::MAX - held.seen_at.max(0)).to_be_bytes());
    if let Some(content) = &held.content {
        cell.extend_from_slice(&content.bytes);
    }
    cell
}

/// What the rules say of it: their version, the CID they looked at, the verdict, the reasons.
pub fn judged(held: &HeldVersion) -> Result<Vec<u8>, StoreError> {
    let Some(content) = &held.content else {
        return Ok(plyr_lexicons::RULES_VERSION.to_be_bytes().to_vec());
    };
    let mut cell = content.rules.to_be_bytes().to_vec();
    let cid = content.cid.to_bytes();
    cell.push(cid.len() as u8);
    cell.extend_from_slice(&cid);
    cell.push(match content.judgement.verdict {
        Verdict::Valid => 0,
        Verdict::Tolerated => 1,
        Verdict::Invalid => 2,
    });
    let reasons = content.judgement.reasons.iter().map(|reason| {
        let Reason {
            path,
            rule,
            message,
        } = reason.clone();
        StoredReason(path, rule, message)
    });
    let reasons: Vec<_> = reasons.collect();
    if !reasons.is_empty() {
        serde_json::to_writer(&mut cell, &reasons).map_err(|p| corrupt("VERSIONS", p))?;
    }
    Ok(cell)
}

/// A version read back. Where the verdict is of other content (two at one stamp), it is judged
/// again.
pub fn version(
    namespace: &Namespace,
    collection: &str,
    said: &[u8],
    judged: &[u8],
) -> Result<HeldVersion, StoreError> {
    let cut = || corrupt("VERSIONS", "a cell is cut or of another layout");
    let (standing, cid, seen_at, bytes) = read_said(said).ok_or_else(cut)?;
    let content = match cid {
        [] => None,
        cid => {
            let (rules, judgement) = match read_judged(judged) {
                Some((rules, of, judgement)) if of == cid => (rules, judgement),
                _ => {
                    let judgement = judge(namespace, collection, bytes)?;
                    (plyr_lexicons::RULES_VERSION, judgement)
                }
            };
            Some(Content {
                cid: Cid::try_from(cid).map_err(|problem| corrupt("VERSIONS", problem))?,
                bytes: bytes.to_vec(),
                judgement,
                rules,
            })
        }
    };
    Ok(HeldVersion {
        standing,
        seen_at,
        content,
    })
}

fn judge(namespace: &Namespace, collection: &str, bytes: &[u8]) -> Result<Judgement, StoreError> {
    let value = data::from_cbor(bytes).map_err(|problem| corrupt("VERSIONS", problem))?;
    match namespace.collection(collection) {
        Some(collection) => Ok(validate::judge(namespace, collection, &value)),
        None => Err(corrupt("VERSIONS", "a collection of another namespace")),
    }
}

fn read_said(cell: &[u8]) -> Option<(Standing, &[u8], Micros, &[u8])> {
    let (&[standing, length], rest) = cell.split_first_chunk::<2>()?;
    let standing = match standing {
        0 => Standing::Event,
        1 => Standing::Void,
        2 => Standing::Proven,
        _ => return None,
    };
    let (cid, rest) = rest.split_at_checked(usize::from(length))?;
    let (seen_at, bytes) = rest.split_first_chunk::<8>()?;
    Some((
        standing,
        cid,
        i64::MAX - i64::from_be_bytes(*seen_at),
        bytes,
    ))
}

fn read_judged(cell: &[u8]) -> Option<(u16, &[u8], Judgement)> {
    let (rules, rest) = cell.split_first_chunk::<2>()?;
    let (&length, rest) = rest.split_first()?;
    let (cid, rest) = rest.split_at_checked(usize::from(length))?;
    let (&verdict, reasons) = rest.split_first()?;
    let verdict = match verdict {
        0 => Verdict::Valid,
        1 => Verdict::Tolerated,
        2 => Verdict::Invalid,
        _ => return None,
    };
    let stored: Vec<StoredReason> = match reasons {
        [] => Vec::new(),
        json => serde_json::from_slice(json).ok()?,
    };
    let reasons = stored.into_iter();
    let reasons = reasons.map(|StoredReason(path, rule, message)| Reason {
        path,
        rule,
        message,
    });
    let reasons = reasons.collect();
    let rules = u16::from_be_bytes(*rules);
    Some((rules, cid, Judgement { verdict, reasons }))
}

/// What decides a key's derived rows: greater for every greater set of its versions.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Decision {
    /// The write timestamp: the greatest over all versions of rev's microseconds plus one for a
    /// void version and two for a proven one, so that a void row beats what it voids and a proof
    /// beats the void.
    pub stamp: i64,
    /// (rev, standing) of each version from the newest down to the current one: decides among
    /// equal stamps, where several versions are made void one after the other.
    versions: Vec<u8>,
}

impl Decision {
    /// Of the versions that were read back; none where there are none.
    pub fn of(versions: &[(Rev, HeldVersion)]) -> Option<Decision> {
        let stamp = |(rev, held): &(Rev, HeldVersion)| {
            rev.micros()
                .saturating_add(i64::from(standing(held.standing)))
        };
        let stamp = versions.iter().map(stamp).max()?;
        let current = current(versions).map(|(rev, _)| *rev);
        let mut deciding: Vec<_> = versions
            .iter()
            .filter(|(rev, _)| current.is_none_or(|current| *rev >= current))
            .collect();
        deciding.sort_by_key(|(rev, _)| std::cmp::Reverse(*rev));
        let mut bytes = Vec::with_capacity(deciding.len() * 9);
        for (rev, held) in deciding {
            bytes.extend_from_slice(&rev.as_u64().to_be_bytes());
            bytes.push(standing(held.standing));
        }
        Some(Decision {
            stamp,
            versions: bytes,
        })
    }

    /// The cell of a row that this decision makes live or dead.
    pub fn cell(&self, live: bool) -> Vec<u8> {
        let mut cell = self.versions.clone();
        cell.push(u8::from(live));
        cell
    }
}

/// Whether a derived row, or another cell that ends so, is live.
pub fn is_live(cell: &[u8]) -> bool {
    cell.last() == Some(&1)
}

/// Numbers, big-endian.
pub fn numbers(values: &[u64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect()
}

/// Numbers read back.
pub fn read_numbers<const N: usize>(
    table: &'static str,
    cell: &[u8],
) -> Result<[u64; N], StoreError> {
    if cell.len() != N * 8 {
        return Err(corrupt(table, "of another layout"));
    }
    let mut out = [0; N];
    for (slot, chunk) in out.iter_mut().zip(cell.as_chunks::<8>().0) {
        *slot = u64::from_be_bytes(*chunk);
    }
    Ok(out)
}

/// A stamped register: the stamp, then JSON.
pub fn register<T: Serialize>(
    table: &'static str,
    stamp: i64,
    value: &T,
) -> Result<Vec<u8>, StoreError> {
    let mut cell = stamp.to_be_bytes().to_vec();
    serde_json::to_writer(&mut cell, value).map_err(|problem| corrupt(table, problem))?;
    Ok(cell)
}

/// A register read back.
pub fn read_register<T: for<'a> Deserialize<'a>>(
    table: &'static str,
    cell: &[u8],
) -> Result<(i64, T), StoreError> {
    let (stamp, json) = cell
        .split_first_chunk::<8>()
        .ok_or_else(|| corrupt(table, "a cell is cut"))?;
    let value = serde_json::from_slice(json).map_err(|problem| corrupt(table, problem))?;
    Ok((i64::from_be_bytes(*stamp), value))
}
