//! Answers that are read as they come: bounded in bytes, in silence and in slowness.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::client::{OutboundError, root_cause};
use crate::politeness::Place;

/// How long a host may be silent.
const SILENCE: Duration = Duration::from_secs(15);
/// What an answer may take before its speed counts.
const GRACE: Duration = Duration::from_secs(20);
/// Slower on the whole than this, in bytes a second, is dripping.
const SLOWEST: u64 = 16 << 10;
/// What no answer may take longer than that doesn't say how long it is.
pub(crate) const LONGEST: Duration = Duration::from_secs(1800);
/// So many bytes more of its length, which it said before, give it a second more.
const A_SECOND_MORE: u64 = 256 << 10;
/// What no answer may take longer than, however long.
pub(crate) const LONGEST_OF_ALL: Duration = Duration::from_secs(4 * 3600);

/// An answer's body as it arrives. Dropping it ends the request.
pub struct Body {
    url: String,
    response: reqwest::Response,
    began: Instant,
    /// What it may take.
    longest: Duration,
    /// How long it says it is.
    length: Option<u64>,
    read: u64,
    largest: u64,
    _place: Place,
}

/// What an answer of that length may take.
fn longest(length: Option<u64>) -> Duration {
    let more = Duration::from_secs(length.unwrap_or_default() / A_SECOND_MORE);
    LONGEST.saturating_add(more).min(LONGEST_OF_ALL)
}

impl Body {
    pub(crate) fn new(
        url: String,
        response: reqwest::Response,
        largest: u64,
        place: Place,
    ) -> Body {
        let length = response.content_length();
        Body {
            url,
            response,
            longest: longest(length.map(|length| length.min(largest))),
            length,
            began: Instant::now(),
            read: 0,
            largest,
            _place: place,
        }
    }

    /// The next bytes; none at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, OutboundError> {
        let unreachable = |url: &str, detail: String| OutboundError::Unreachable {
            url: url.to_owned(),
            detail,
        };
        let left = self.longest.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            let detail = format!("not whole after {} s", self.longest.as_secs());
            return Err(unreachable(&self.url, detail));
        }
        let chunk = tokio::time::timeout(SILENCE, self.response.chunk()).await;
        let Ok(chunk) = chunk else {
            let detail = format!("silent for {} s within its answer", SILENCE.as_secs());
            return Err(unreachable(&self.url, detail));
        };
        let chunk = chunk.map_err(|problem| unreachable(&self.url, root_cause(&problem)))?;
        self.read += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if self.read > self.largest {
            return Err(OutboundError::Malformed {
                url: self.url.clone(),
                detail: format!("more than {} bytes", self.largest),
            });
        }
        let taken = self.began.elapsed();
        if taken > GRACE && self.read / taken.as_secs().max(1) < SLOWEST {
            let detail = format!("{} bytes in {} s", self.read, taken.as_secs());
            return Err(unreachable(&self.url, format!("too slow: {detail}")));
        }
        Ok(chunk)
    }

    /// How many bytes it says it has; none where it doesn't, or where they are compressed.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// What was read so far, in bytes after decompression.
    pub fn read(&self) -> u64 {
        self.read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_answer_may_take_longer() {
        assert_eq!(longest(None), LONGEST);
        // A gigabyte and a half at 300 KiB a second.
        let long = 1_536 << 20;
        let taken = Duration::from_secs(long / (300 << 10));
        assert!(taken > LONGEST && longest(Some(long)) > taken);
        assert_eq!(longest(Some(u64::MAX)), LONGEST_OF_ALL);
    }
}
