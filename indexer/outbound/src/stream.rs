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
/// What no answer may take longer than.
pub(crate) const LONGEST: Duration = Duration::from_secs(1800);

/// An answer's body as it arrives. Dropping it ends the request.
pub struct Body {
    url: String,
    response: reqwest::Response,
    began: Instant,
    read: u64,
    largest: u64,
    _place: Place,
}

impl Body {
    pub(crate) fn new(
        url: String,
        response: reqwest::Response,
        largest: u64,
        place: Place,
    ) -> Body {
        Body {
            url,
            response,
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

    /// What was read so far, in bytes after decompression.
    pub fn read(&self) -> u64 {
        self.read
    }
}
