//! Reading in windows: each is fetched whole and checked before any of it is handed on, and the
//! next is fetched when it is asked for. So a slow listener holds a window in memory and nothing
//! open, and a window that is cut off can be fetched again.

use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use super::Bucket;
use super::failure::Failure;
use crate::error::ObjectsError;
use crate::key::ObjectKey;
use crate::objects::{PIECE, Reading, cut};

pub(super) const DOING: &str = "read an object";
/// Bytes of the first window: a piece, so that it is there soon.
const FIRST_WINDOW: u64 = PIECE as u64;
/// Bytes of the others.
const WINDOW: u64 = 1 << 20;

/// A window as it came.
struct Window {
    /// The whole object's bytes.
    size: u64,
    etag: Option<String>,
    bytes: Bytes,
}

/// What is still to be read.
struct Rest {
    bucket: Arc<Bucket>,
    place: String,
    etag: Option<String>,
    held: Bytes,
    /// What comes after what is held.
    left: Range<u64>,
}

pub(super) async fn read(
    bucket: &Arc<Bucket>,
    key: &ObjectKey,
    range: Option<Range<u64>>,
) -> Result<Option<Reading>, Failure> {
    let asked = range.unwrap_or(0..u64::MAX);
    let place = bucket.place(key);
    let length = asked.end.saturating_sub(asked.start).min(FIRST_WINDOW);
    let is_sensible = i64::try_from(asked.start).is_ok();
    let first = match length > 0 && is_sensible {
        true => bucket.window(&place, asked.start, length, None).await,
        false => return bucket.read_nothing(key).await,
    };
    let first = match first {
        Ok(first) => first,
        Err(failure) if failure.is_absent() => return Ok(None),
        Err(failure) if failure.is_range() => return bucket.read_nothing(key).await,
        Err(failure) => return Err(failure),
    };
    let whole = cut(Some(asked), first.size);
    let rest = Rest {
        bucket: bucket.clone(),
        place,
        etag: first.etag,
        left: whole.start + first.bytes.len() as u64..whole.end,
        held: first.bytes,
    };
    Ok(Some(Reading {
        size: first.size,
        bytes: stream::try_unfold(rest, Rest::next).boxed(),
    }))
}

impl Rest {
    async fn next(mut self) -> Result<Option<(Bytes, Rest)>, ObjectsError> {
        if self.held.is_empty() {
            let length = (self.left.end - self.left.start).min(WINDOW);
            if length == 0 {
                return Ok(None);
            }
            let etag = self.etag.as_deref();
            let window = self
                .bucket
                .window(&self.place, self.left.start, length, etag);
            let window = window.await.map_err(|failure| {
                let failure = match failure.is_absent() || failure.is_precondition() {
                    true => Failure::said("it was deleted or replaced meanwhile"),
                    false => failure,
                };
                failure.told(&self.bucket.name, DOING)
            })?;
            self.held = window.bytes;
            self.left.start += length;
        }
        let piece = self.held.split_to(self.held.len().min(PIECE));
        Ok(Some((piece, self)))
    }
}

impl Bucket {
    /// Reads nothing of an object, if that is there.
    async fn read_nothing(&self, key: &ObjectKey) -> Result<Option<Reading>, Failure> {
        let found = self.find(key).await?;
        Ok(found.map(|found| Reading {
            size: found.size,
            bytes: stream::empty().boxed(),
        }))
    }

    /// Fetches a window: `length` bytes from `start`, or up to the object's end.
    async fn window(
        &self,
        place: &str,
        start: u64,
        length: u64,
        etag: Option<&str>,
    ) -> Result<Window, Failure> {
        let mut tries = 1;
        loop {
            let last = start.saturating_add(length - 1);
            let asking = self.client.get_object().bucket(&self.bucket);
            let asking = asking
                .key(place)
                .range(format!("bytes={start}-{last}"))
                .set_if_match(etag.map(str::to_owned));
            // The library tries this again by itself; what comes after the head it doesn't.
            let answer = asking.send().await.map_err(Failure::of)?;
            let collected = timeout(self.patience.transfer, collect(answer, start, length));
            match collected.await {
                Ok(Ok(window)) => return Ok(window),
                Ok(Err(failure)) if tries >= self.patience.tries => return Err(failure),
                Err(_) if tries >= self.patience.tries => {
                    return Err(Failure::said("its bytes took too long"));
                }
                Ok(Err(_)) | Err(_) => tries += 1,
            }
        }
    }
}

/// Reads a window's bytes, and holds it to what was asked.
async fn collect(mut answer: GetObjectOutput, start: u64, length: u64) -> Result<Window, Failure> {
    let range = answer.content_range().and_then(content_range);
    let Some((range, size)) = range else {
        return Err(Failure::said(
            "it did not answer with the range it was asked for",
        ));
    };
    let expected = cut(Some(start..start.saturating_add(length)), size);
    if range != expected {
        let detail = format!("it answered with bytes {range:?} of {size}, not {expected:?}");
        return Err(Failure::said(detail));
    }
    let length = expected.end - expected.start;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    while let Some(piece) = answer.body.next().await {
        let piece = piece.map_err(|problem| Failure::said(format!("it broke off: {problem}")))?;
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > length {
            break;
        }
    }
    if bytes.len() as u64 != length {
        let detail = format!("{} bytes came instead of {length}", bytes.len());
        return Err(Failure::said(detail));
    }
    Ok(Window {
        size,
        etag: answer.e_tag().map(str::to_owned),
        bytes: bytes.into(),
    })
}

/// Reads `bytes 0-9/100` as the range and the whole's size.
fn content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let end = last.parse::<u64>().ok()?.checked_add(1)?;
    Some((first.parse().ok()?..end, size.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_read_as_they_are_written() {
        assert_eq!(content_range("bytes 0-9/100"), Some((0..10, 100)));
        let others = [
            "bytes */100",
            "bytes 0-9/*",
            "0-9/100",
            "bytes 0-18446744073709551615/1",
        ];
        for text in others {
            assert_eq!(content_range(text), None, "{text}");
        }
    }
}
