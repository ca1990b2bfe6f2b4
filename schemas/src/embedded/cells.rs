//! Cells: the values of rows, each behind a byte that names its layout.

use plyr_lexicons::{Cid, Judgement, Reason, Verdict};
use serde::{Deserialize, Serialize};

use crate::held::{Content, HeldVersion};
use crate::model::{ActorTotals, Counts, Standing};
use crate::numbers::{of_totals, totals_of};
use crate::store::StoreError;

const LAYOUT: u8 = 1;
const DELETE: u8 = 0;
const RECORD: u8 = 1;

#[derive(Serialize, Deserialize)]
struct StoredReason(String, String, String);

pub fn corrupt(table: &'static str, detail: impl ToString) -> StoreError {
    StoreError::Corrupt {
        table,
        detail: detail.to_string(),
    }
}

impl HeldVersion {
    pub fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let standing = match self.standing {
            Standing::Event => 0,
            Standing::Void => 1,
            Standing::Proven => 2,
        };
        let mut cell = vec![LAYOUT, standing, DELETE];
        cell.extend_from_slice(&self.seen_at.to_be_bytes());
        let Some(content) = &self.content else {
            return Ok(cell);
        };
        cell[2] = RECORD;
        let verdict = match content.judgement.verdict {
            Verdict::Valid => 0,
            Verdict::Tolerated => 1,
            Verdict::Invalid => 2,
        };
        cell.extend_from_slice(&content.rules.to_be_bytes());
        cell.push(verdict);
        let reasons = match content.judgement.reasons.as_slice() {
            [] => Vec::new(),
            reasons => {
                let stored: Vec<StoredReason> = reasons
                    .iter()
                    .map(|reason| {
                        let Reason {
                            path,
                            rule,
                            message,
                        } = reason.clone();
                        StoredReason(path, rule, message)
                    })
                    .collect();
                serde_json::to_vec(&stored).map_err(|problem| corrupt("VERSIONS", problem))?
            }
        };
        for part in [reasons, content.cid.to_bytes()] {
            let length = u32::try_from(part.len()).map_err(|p| corrupt("VERSIONS", p))?;
            cell.extend_from_slice(&length.to_be_bytes());
            cell.extend_from_slice(&part);
        }
        cell.extend_from_slice(&content.bytes);
        Ok(cell)
    }

    pub fn decode(cell: &[u8]) -> Result<HeldVersion, StoreError> {
        read_version(cell)
            .ok_or_else(|| corrupt("VERSIONS", "the cell is cut or of another layout"))
    }

    /// The standing alone, without reading the rest.
    pub fn standing_of(cell: &[u8]) -> Result<Standing, StoreError> {
        let read = cell.split_first_chunk::<2>();
        let read = read.filter(|([layout, _], _)| *layout == LAYOUT);
        read.and_then(|([_, standing], _)| standing_from(*standing))
            .ok_or_else(|| corrupt("VERSIONS", "the cell is cut or of another layout"))
    }

    /// The CID alone, without reading the record; none for a delete.
    pub fn cid_of(cell: &[u8]) -> Result<Option<Cid>, StoreError> {
        let cut = || corrupt("VERSIONS", "the cell is cut or of another layout");
        if cell.get(2).ok_or_else(cut)? == &DELETE {
            return Ok(None);
        }
        // Layout, standing, kind, time, rules, verdict; then the reasons, then the CID.
        let rest = cell.get(3 + 8 + 2 + 1..).ok_or_else(cut)?;
        let cid = part(rest).and_then(|(_, rest)| part(rest));
        let (cid, _) = cid.ok_or_else(cut)?;
        let cid = Cid::try_from(cid);
        cid.map(Some)
            .map_err(|problem| corrupt("VERSIONS", problem))
    }
}

fn standing_from(byte: u8) -> Option<Standing> {
    match byte {
        0 => Some(Standing::Event),
        1 => Some(Standing::Void),
        2 => Some(Standing::Proven),
        _ => None,
    }
}

fn read_version(cell: &[u8]) -> Option<HeldVersion> {
    let (&[layout, standing, kind], rest) = cell.split_first_chunk::<3>()?;
    let (seen_at, rest) = rest.split_first_chunk::<8>()?;
    let standing = standing_from(standing)?;
    let seen_at = i64::from_be_bytes(*seen_at);
    if layout != LAYOUT {
        return None;
    }
    if kind == DELETE {
        return Some(HeldVersion {
            standing,
            seen_at,
            content: None,
            swept: false,
        });
    }
    let (rules, rest) = rest.split_first_chunk::<2>()?;
    let (&verdict, rest) = rest.split_first()?;
    let verdict = match verdict {
        0 => Verdict::Valid,
        1 => Verdict::Tolerated,
        2 => Verdict::Invalid,
        _ => return None,
    };
    let (reasons, rest) = part(rest)?;
    let (cid, bytes) = part(rest)?;
    let reasons = match reasons {
        [] => Vec::new(),
        json => serde_json::from_slice::<Vec<StoredReason>>(json)
            .ok()?
            .into_iter()
            .map(|StoredReason(path, rule, message)| Reason {
                path,
                rule,
                message,
            })
            .collect(),
    };
    let content = Content {
        cid: Cid::try_from(cid).ok()?,
        bytes: bytes.to_vec(),
        judgement: Judgement { verdict, reasons },
        rules: u16::from_be_bytes(*rules),
    };
    Some(HeldVersion {
        standing,
        seen_at,
        content: Some(content),
        swept: false,
    })
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// A row of numbers, behind the layout.
fn numbers<const N: usize>(cell: &[u8], table: &'static str) -> Result<[u64; N], StoreError> {
    match cell.split_first() {
        Some((&LAYOUT, rest)) => crate::numbers::read_numbers(table, rest),
        _ => Err(corrupt(table, "of another layout")),
    }
}

fn row(values: &[u64]) -> Vec<u8> {
    [vec![LAYOUT], crate::numbers::numbers(values)].concat()
}

pub fn encode_counts(counts: &Counts) -> Vec<u8> {
    row(&[counts.likes, counts.comments, counts.lists])
}

pub fn decode_counts(cell: &[u8]) -> Result<Counts, StoreError> {
    let [likes, comments, lists] = numbers(cell, "COUNTS")?;
    Ok(Counts {
        likes,
        comments,
        lists,
    })
}

/// Totals of an actor, or of the network with the number of artists behind them.
pub fn encode_totals(totals: &ActorTotals, artists: u64) -> Vec<u8> {
    let mut values = of_totals(totals).to_vec();
    values.push(artists);
    row(&values)
}

pub fn decode_totals(cell: &[u8]) -> Result<(ActorTotals, u64), StoreError> {
    let [totals @ .., artists]: [u64; 8] = numbers(cell, "TOTALS")?;
    Ok((totals_of(totals), artists))
}

/// Rows that are read rarely: JSON behind the layout byte.
pub fn encode<T: Serialize>(table: &'static str, value: &T) -> Result<Vec<u8>, StoreError> {
    let mut cell = vec![LAYOUT];
    serde_json::to_writer(&mut cell, value).map_err(|problem| corrupt(table, problem))?;
    Ok(cell)
}

pub fn decode<T: for<'a> Deserialize<'a>>(
    table: &'static str,
    cell: &[u8],
) -> Result<T, StoreError> {
    match cell.split_first() {
        Some((&LAYOUT, json)) => {
            serde_json::from_slice(json).map_err(|problem| corrupt(table, problem))
        }
        _ => Err(corrupt(table, "of another layout")),
    }
}
