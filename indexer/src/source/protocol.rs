//! The two protocols of Jetstream: how each is asked, where a stored cursor stands in it, and its
//! frames.

use plyr_lexicons::Namespace;
use plyr_schemas::StreamCursor;
use url::Url;

use super::connection::LARGEST;
use super::overlap::{Overlap, Unit};
use crate::frame::{self, Frame};

/// Which protocol a host speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// `/subscribe`, whose cursors are times.
    V1,
    /// `network.bsky.jetstream.subscribeEvents`, whose cursors are the host's own numbers.
    V2,
}

/// Cursors below it are a v2 host's numbers, the others are times in microseconds since 1970 (as
/// v2 tells them apart itself: `specs/notes/2026-05-27-cursor-replay-design.md` of Jetstream).
const FIRST_TIME: u64 = 1_000_000_000_000_000;
/// What v2 offers itself by.
pub const SUBPROTOCOL: &str = "xrpc.v1.json";
/// How much earlier a stream is begun where a time told by one clock is asked of another, in
/// microseconds.
const EARLIER: u64 = 60 * 1_000_000;

/// Where a stream is to begin, and by what is seen whether it goes on where it stopped.
pub struct Start {
    /// What the host is asked for.
    pub cursor: u64,
    /// What has to come again.
    pub overlap: Overlap,
    /// Whether it can't go on: the stored cursor means nothing to this protocol.
    pub is_gap: bool,
}

impl Protocol {
    /// Its name in logs and in coverage.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::V1 => "jetstream v1",
            Protocol::V2 => "jetstream v2",
        }
    }

    /// The dictionary its frames are compressed with.
    pub const fn dictionary(self) -> &'static [u8] {
        match self {
            Protocol::V1 => include_bytes!("subscribe.zdict"),
            Protocol::V2 => include_bytes!("events.zdict"),
        }
    }

    /// Its address. `is_limited` leaves too large frames out, `is_zipped` asks for compressed ones.
    pub fn address(
        self,
        host: &Url,
        namespace: &Namespace,
        cursor: u64,
        is_limited: bool,
        is_zipped: bool,
    ) -> Url {
        let (path, wanted, zipped) = match self {
            Protocol::V1 => ("/subscribe", "wantedCollections", ("compress", "true")),
            Protocol::V2 => (
                "/xrpc/network.bsky.jetstream.subscribeEvents",
                "collections",
                ("zstdDictionary", "20260811"),
            ),
        };
        let mut url = host.clone();
        url.set_path(path);
        let nsids = namespace.nsids().iter();
        url.query_pairs_mut()
            .extend_pairs(nsids.map(|nsid| (wanted, nsid.as_str())))
            .append_pair("cursor", &cursor.to_string());
        if is_zipped {
            url.query_pairs_mut().append_pair(zipped.0, zipped.1);
        }
        if is_limited {
            url.query_pairs_mut()
                .append_pair("maxMessageSizeBytes", &LARGEST.to_string());
        }
        url
    }

    /// Where to begin after a stored cursor; without one, from as far back as the host keeps.
    pub fn start(self, stored: Option<&StreamCursor>) -> Start {
        let beginning = |is_gap| Start {
            cursor: match self {
                Protocol::V1 => 1,
                Protocol::V2 => FIRST_TIME,
            },
            overlap: Overlap::none(),
            is_gap,
        };
        let Some(StreamCursor {
            position, recent, ..
        }) = stored
        else {
            return beginning(false);
        };
        let (cursor, unit) = match (self, *position) {
            // It spoke v2 before; what it is now knows nothing of that cursor.
            (Protocol::V1, position) if position < FIRST_TIME => return beginning(true),
            (Protocol::V1, position) => (position, Unit::Time),
            (Protocol::V2, position) if position < FIRST_TIME => (position, Unit::Number),
            // It spoke v1 before; v2 takes times too.
            (Protocol::V2, position) => (position.saturating_sub(EARLIER), Unit::Time),
        };
        Start {
            cursor,
            overlap: Overlap::new(*position, unit, recent.clone()),
            is_gap: false,
        }
    }

    /// The host's own number that a stored cursor is, if it is one.
    pub fn number(stored: &StreamCursor) -> Option<u64> {
        Some(stored.position).filter(|position| *position < FIRST_TIME)
    }

    /// Whether a stored cursor is a time that is still to come.
    pub fn is_ahead(cursor: u64, now: i64) -> bool {
        cursor >= FIRST_TIME && !super::intake::is_plausible(cursor, now)
    }

    /// Decodes one frame.
    pub fn decode(self, bytes: &[u8]) -> Frame<'_> {
        match self {
            Protocol::V1 => frame::decode(bytes),
            Protocol::V2 => frame::decode_event(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(position: u64) -> StreamCursor {
        StreamCursor {
            source: "ws://host".to_owned(),
            position,
            recent: vec![1, 2],
        }
    }

    #[test]
    fn a_cursor_is_asked_for_in_the_words_of_the_protocol() {
        let time = 1_795_408_880_116_172;
        for (protocol, position, cursor, is_gap) in [
            (Protocol::V1, None, 1, false),
            (Protocol::V2, None, FIRST_TIME, false),
            (Protocol::V1, Some(time), time, false),
            (Protocol::V1, Some(70), 1, true),
            (Protocol::V2, Some(70), 70, false),
            (Protocol::V2, Some(time), time - EARLIER, false),
        ] {
            let stored = position.map(stored);
            let start = protocol.start(stored.as_ref());
            let expected = (cursor, is_gap);
            assert_eq!(
                (start.cursor, start.is_gap),
                expected,
                "{protocol:?} {position:?}"
            );
        }
    }

    #[test]
    fn a_time_to_come_is_told_from_a_number() {
        let now = 1_795_408_880_116_172;
        assert!(Protocol::is_ahead(u64::MAX, now));
        assert!(!Protocol::is_ahead(1_795_408_880_116_172, now));
        assert!(!Protocol::is_ahead(70, 1));
    }
}
