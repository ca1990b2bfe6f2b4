//! Edit lists of MP4, which its reader reads and doesn't tell: where in the media the sound begins.

use crate::foreign::ForeignBytes;
use crate::prober::ProbeError;

/// Boxes that are looked at within the table of contents, in all.
const MOST_BOXES: usize = 4_096;
/// Boxes beside it: two for each fragment, of which a day may have one each second.
const MOST_BESIDE: usize = 1 << 18;
/// Entries of an edit list that are read.
const MOST_ENTRIES: u32 = 16;

/// What the edit list of a track says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Edits {
    /// The first tick of the media that sounds (`media_time`, in the media's time scale). How long
    /// it sounds isn't taken from here: the list has it in the movie's scale, which is coarser.
    pub(super) start: u64,
    /// Whether the list is of more than one stretch of the media, which nobody adds up here.
    pub(super) is_patchwork: bool,
    /// Whether the file ends within one of its boxes.
    pub(super) is_cut: bool,
}

/// Of the track with that number; none of the boxes that are missing or spoilt are missed (ISO
/// 14496-12, 8.6.6).
pub(super) fn of(bytes: &ForeignBytes, track: u32) -> Result<Edits, ProbeError> {
    let mut boxes = Boxes::of(bytes);
    let movies = boxes.within(Span::whole(bytes), b"moov")?;
    // What wasn't looked through isn't known to be whole.
    let is_cut = boxes.is_cut || boxes.left == 0;
    boxes.left = MOST_BOXES;
    for movie in movies {
        for trak in boxes.within(movie, b"trak")? {
            if boxes.number_of(trak)? != Some(track) {
                continue;
            }
            for edits in boxes.within(trak, b"edts")? {
                if let Some(list) = boxes.within(edits, b"elst")?.first() {
                    return Ok(Edits {
                        is_cut,
                        ..boxes.list(*list)?
                    });
                }
            }
        }
    }
    Ok(Edits {
        is_cut,
        ..Edits::default()
    })
}

/// Whether there is a table of what is in the file; it stands at the end mostly.
pub(super) fn has_table(bytes: &ForeignBytes) -> Result<bool, ProbeError> {
    let tables = Boxes::of(bytes).within(Span::whole(bytes), b"moov")?;
    Ok(!tables.is_empty())
}

/// A box's content.
#[derive(Clone, Copy, Debug)]
struct Span {
    kind: [u8; 4],
    from: u64,
    to: u64,
}

impl Span {
    fn whole(bytes: &ForeignBytes) -> Span {
        Span {
            kind: *b"    ",
            from: 0,
            to: bytes.length(),
        }
    }
}

struct Boxes<'a> {
    bytes: &'a ForeignBytes,
    left: usize,
    /// Whether one was longer than what it is in.
    is_cut: bool,
}

impl<'a> Boxes<'a> {
    fn of(bytes: &'a ForeignBytes) -> Boxes<'a> {
        Boxes {
            bytes,
            left: MOST_BESIDE,
            is_cut: false,
        }
    }

    /// The boxes of a kind right within another.
    fn within(&mut self, outer: Span, kind: &[u8; 4]) -> Result<Vec<Span>, ProbeError> {
        let mut found = Vec::new();
        let mut at = outer.from;
        while at < outer.to && self.left > 0 {
            self.left -= 1;
            let Some(inner) = self.header(at, outer.to)? else {
                break;
            };
            if inner.kind == *kind {
                found.push(inner);
            }
            at = inner.to;
        }
        Ok(found)
    }

    fn header(&mut self, at: u64, end: u64) -> Result<Option<Span>, ProbeError> {
        let head = self.bytes.piece(at, 16)?;
        let Some((size, rest)) = head.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let Some((kind, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let (length, header) = match (u32::from_be_bytes(*size), rest.first_chunk::<8>()) {
            (0, _) => (end - at, 8),
            (1, Some(large)) => (u64::from_be_bytes(*large), 16),
            (length, _) => (u64::from(length), 8),
        };
        self.is_cut |= length > end - at;
        let to = at.saturating_add(length).min(end);
        let span = Span {
            kind: *kind,
            from: at + header,
            to,
        };
        Ok(Some(span).filter(|span| length >= header && span.from <= span.to))
    }

    /// The number of a track, out of its header.
    fn number_of(&mut self, trak: Span) -> Result<Option<u32>, ProbeError> {
        let headers = self.within(trak, b"tkhd")?;
        let Some(header) = headers.first() else {
            return Ok(None);
        };
        let content = self.bytes.piece(header.from, 24)?;
        // Times of creation and of change stand before it, longer in version 1.
        let at = if content.first() == Some(&1) { 20 } else { 12 };
        let number = content.get(at..).and_then(|rest| rest.first_chunk::<4>());
        Ok(number.map(|number| u32::from_be_bytes(*number)))
    }

    fn list(&self, list: Span) -> Result<Edits, ProbeError> {
        let content = self
            .bytes
            .piece(list.from, 8 + 20 * MOST_ENTRIES as usize)?;
        let Some((head, entries)) = content.split_first_chunk::<8>() else {
            return Ok(Edits::default());
        };
        let count = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let size = if head[0] == 1 { 20 } else { 12 };
        let starts = entries
            .chunks_exact(size)
            .take(count as usize)
            .map(|entry| {
                if head[0] == 1 {
                    entry[8..]
                        .first_chunk()
                        .map_or(-1, |time| i64::from_be_bytes(*time))
                } else {
                    entry[4..]
                        .first_chunk()
                        .map_or(-1, |time| i64::from(i32::from_be_bytes(*time)))
                }
            });
        // Entries of -1 are silence in front.
        let starts: Vec<u64> = starts
            .filter_map(|start| u64::try_from(start).ok())
            .collect();
        Ok(Edits {
            start: starts.first().copied().unwrap_or_default(),
            is_patchwork: starts.len() > 1 || count > MOST_ENTRIES,
            is_cut: false,
        })
    }
}
