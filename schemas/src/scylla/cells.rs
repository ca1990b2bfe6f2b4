//! Cells. Each begins with what decides a tie of two at one stamp: then the greater bytes win, on
//! every node. A version's rank is part of its key, a derived row's cell names what decided it.

use plyr_lexicons::{Cid, Judgement, Reason, Rev, Verdict};
use serde::{Deserialize, Serialize};

use crate::held::{Content, HeldVersion, current, wins_its_rev};
use crate::model::Standing;
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

/// What settles a tie at one rev, as bytes: the standing, the CID's length (0 for a delete), the
/// CID.
pub fn rank(held: &HeldVersion) -> Vec<u8> {
    let cid = held
        .content
        .as_ref()
        .map_or(Vec::new(), |content| content.cid.to_bytes());
    let mut rank = vec![standing(held.standing), cid.len() as u8];
    rank.extend_from_slice(&cid);
    rank
}

/// The time a version was first seen, turned round so that of two sights the earlier wins, and the
/// record.
pub fn said(held: &HeldVersion) -> Vec<u8> {
    let mut cell = (i64::MAX - held.seen_at.max(0)).to_be_bytes().to_vec();
    if let Some(content) = &held.content {
        cell.extend_from_slice(&content.bytes);
    }
    cell
}

/// What the rules say of it: their version, the verdict, the reasons.
pub fn judged(held: &HeldVersion) -> Result<Vec<u8>, StoreError> {
    let Some(content) = &held.content else {
        return Ok(plyr_lexicons::RULES_VERSION.to_be_bytes().to_vec());
    };
    let mut cell = content.rules.to_be_bytes().to_vec();
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

/// What stands in `said` and in `judged` once a version's bytes are gone: greater than all else.
pub const ERASED: &[u8] = &[0xff];

/// A version read back.
pub fn version(
    rank: &[u8],
    said: &[u8],
    judged: &[u8],
    swept: bool,
) -> Result<HeldVersion, StoreError> {
    let cut = || corrupt("VERSIONS", "a cell is cut or of another layout");
    let (standing, cid) = read_rank(rank).ok_or_else(cut)?;
    if said == ERASED {
        let content = match cid {
            [] => None,
            cid => Some(Content {
                cid: Cid::try_from(cid).map_err(|problem| corrupt("VERSIONS", problem))?,
                bytes: Vec::new(),
                judgement: Judgement {
                    verdict: Verdict::Valid,
                    reasons: Vec::new(),
                },
                rules: plyr_lexicons::RULES_VERSION,
            }),
        };
        return Ok(HeldVersion {
            standing,
            seen_at: 0,
            content,
            swept: true,
        });
    }
    let (seen_at, bytes) = said.split_first_chunk::<8>().ok_or_else(cut)?;
    let content = match cid {
        [] => None,
        cid => {
            let (rules, judgement) = read_judged(judged).ok_or_else(cut)?;
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
        seen_at: i64::MAX - i64::from_be_bytes(*seen_at),
        content,
        swept,
    })
}

/// The standing and the CID of a rank, the CID empty for a delete.
pub fn read_rank(rank: &[u8]) -> Option<(Standing, &[u8])> {
    let (&[standing, length], cid) = rank.split_first_chunk::<2>()?;
    let standing = match standing {
        0 => Standing::Event,
        1 => Standing::Void,
        2 => Standing::Proven,
        _ => return None,
    };
    (cid.len() == usize::from(length)).then_some((standing, cid))
}

fn read_judged(cell: &[u8]) -> Option<(u16, Judgement)> {
    let (rules, rest) = cell.split_first_chunk::<2>()?;
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
    Some((rules, Judgement { verdict, reasons }))
}

/// What decides a key's derived rows: greater for every greater set of its versions.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Decision {
    /// The write timestamp: the microseconds of the key's newest rev, void ones included.
    pub stamp: i64,
    /// (rev, rank, swept) of each version that counts, from the newest down to the current one,
    /// then the rules that judged the current one. The list only ever grows as versions come, turn
    /// void, are proven or swept, and so decides among equal stamps; of one list the newest rules.
    decided_by: Vec<u8>,
}

/// Stands before the rules: less than the first byte of any rev since 1974, so that a longer list
/// of versions is greater.
const RULES: u8 = 2;

impl Decision {
    /// Of the versions that were read back; none where there are none.
    pub fn of(versions: &[(Rev, HeldVersion)]) -> Option<Decision> {
        let stamp = versions.iter().map(|(rev, _)| rev.micros()).max()?;
        let newest = current(versions);
        let current = newest.map(|(rev, _)| *rev);
        let mut deciding: Vec<_> = versions
            .iter()
            .filter(|version| current.is_none_or(|current| version.0 >= current))
            .filter(|version| wins_its_rev(versions, version))
            .collect();
        deciding.sort_by_key(|(rev, _)| std::cmp::Reverse(*rev));
        let mut bytes = Vec::with_capacity(deciding.len() * 46);
        for (rev, held) in deciding {
            bytes.extend_from_slice(&rev.as_u64().to_be_bytes());
            bytes.extend_from_slice(&rank(held));
            bytes.push(u8::from(held.swept));
        }
        let content = newest.and_then(|(_, held)| held.content.as_ref());
        bytes.push(RULES);
        bytes.extend_from_slice(&content.map_or(0, |content| content.rules).to_be_bytes());
        Some(Decision {
            stamp,
            decided_by: bytes,
        })
    }

    /// The cell of a row that this decision makes live or dead.
    pub fn cell(&self, live: bool) -> Vec<u8> {
        self.mending(0, live)
    }

    /// The same, written by the mending of a rebuild over what this very decision left wrong.
    fn mending(&self, times: u8, live: bool) -> Vec<u8> {
        let mut cell = self.decided_by.clone();
        cell.extend_from_slice(&[times, u8::from(live)]);
        cell
    }

    /// The stamp and the cell that make a row live or dead over what it holds, and that give way to
    /// whatever comes later.
    pub fn over(&self, held: Option<(i64, &[u8])>, live: bool) -> (i64, Vec<u8>) {
        let plain = (self.stamp, self.cell(live));
        let Some((stamp, cell)) = held else {
            return plain;
        };
        if (plain.0, plain.1.as_slice()) > (stamp, cell) {
            return plain;
        }
        // Decided alike and yet wrong: by a process that derives otherwise.
        let times = cell.strip_prefix(self.decided_by.as_slice());
        if let Some([times, _]) = times
            && stamp == self.stamp
            && let Some(times) = times.checked_add(1)
        {
            return (stamp, self.mending(times, live));
        }
        // No version that is there decided it.
        (stamp.saturating_add(1), self.cell(live))
    }
}

/// Whether a derived row, or another cell that ends so, is live.
pub fn is_live(cell: &[u8]) -> bool {
    cell.last() == Some(&1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mends_a_row_wins_over_it_and_gives_way_to_what_comes_later() {
        let delete = |rev: i64| {
            let held = HeldVersion {
                standing: Standing::Event,
                seen_at: 5,
                content: None,
                swept: false,
            };
            (Rev::from_micros(1_700_000_000_000_000 + rev, 0), held)
        };
        let now = Decision::of(&[delete(5)]).unwrap();
        let later = Decision::of(&[delete(6), delete(5)]).unwrap();
        let older = (now.stamp - 9, vec![1]);
        let same = (now.stamp, now.cell(true));
        let again = (now.stamp, now.over(Some((same.0, &same.1)), false).1);
        let strange = (now.stamp, vec![0xff]);
        for (stamp, cell) in [older, same, again, strange] {
            for live in [false, true] {
                let (mends_at, mends) = now.over(Some((stamp, &cell)), live);
                assert!((mends_at, &mends) > (stamp, &cell), "{cell:?}");
                assert_eq!(is_live(&mends), live);
                for said in [false, true] {
                    assert!((later.stamp, later.cell(said)) > (mends_at, mends.clone()));
                }
            }
        }
        assert_eq!(now.over(None, true), (now.stamp, now.cell(true)));
    }
}
