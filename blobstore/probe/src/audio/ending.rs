//! What Matroska says and its reader doesn't tell: which kind it is, and what is dropped at the
//! end.

use crate::foreign::ForeignBytes;
use crate::prober::ProbeError;

/// Elements that are stepped over, in all: about three hours of blocks.
const MOST_ELEMENTS: usize = 2_000_000;

const EBML: u32 = 0x1a45_dfa3;
const DOC_TYPE: u32 = 0x4282;
const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const BLOCK_GROUP: u32 = 0xa0;
const SIMPLE_BLOCK: u32 = 0xa3;
const DISCARD_PADDING: u32 = 0x75a2;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ending {
    /// Whether it calls itself WebM.
    pub(super) is_webm: bool,
    /// Nanoseconds of the last block that don't sound.
    pub(super) discard: u64,
    /// Whether the last block was reached.
    pub(super) is_whole: bool,
}

/// Steps over the elements of a file (RFC 8794, RFC 9559). Those that hold others are stepped into,
/// so that their lengths, often not known, don't matter.
pub(super) fn of(bytes: &ForeignBytes) -> Result<Ending, ProbeError> {
    let mut ending = Ending::default();
    let mut at = 0;
    for _ in 0..MOST_ELEMENTS {
        if at >= bytes.length() {
            ending.is_whole = at == bytes.length();
            break;
        }
        let head = bytes.piece(at, 12)?;
        let Some((id, size, header)) = element(&head) else {
            break;
        };
        at += header;
        match id {
            SIMPLE_BLOCK | BLOCK_GROUP => ending.discard = 0,
            DISCARD_PADDING => ending.discard = signed(&bytes.piece(at, 8)?, size),
            DOC_TYPE => ending.is_webm = bytes.piece(at, 8)?.starts_with(b"webm"),
            _ => {}
        }
        if matches!(id, EBML | SEGMENT | CLUSTER | BLOCK_GROUP) {
            continue;
        }
        let Some(size) = size else {
            break;
        };
        at = at.saturating_add(size);
    }
    Ok(ending)
}

/// An element's number, its length where known, and the length of both.
fn element(head: &[u8]) -> Option<(u32, Option<u64>, u64)> {
    let length = head.first()?.leading_zeros() as usize + 1;
    if length > 4 {
        return None;
    }
    let id = head
        .get(..length)?
        .iter()
        .fold(0, |id, byte| id << 8 | u32::from(*byte));
    let rest = &head[length..];
    let first = *rest.first()?;
    let width = first.leading_zeros() as usize + 1;
    if width > 8 {
        return None;
    }
    let bits = 7 * width as u32;
    let size = rest
        .get(..width)?
        .iter()
        .fold(0u64, |size, byte| size << 8 | u64::from(*byte));
    let size = size & ((1 << bits) - 1);
    let is_known = size != (1 << bits) - 1;
    Some((id, is_known.then_some(size), (length + width) as u64))
}

/// A signed number of so many bytes; what is negative drops nothing.
fn signed(bytes: &[u8], size: Option<u64>) -> u64 {
    let Some(size @ 1..=8) = size else {
        return 0;
    };
    let Some(number) = bytes.get(..size as usize) else {
        return 0;
    };
    if number[0] & 0x80 != 0 {
        return 0;
    }
    number
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
