//! What a host speaks is found by asking it for v2; who doesn't know of it is asked for v1.

use plyr_lexicons::Namespace;
use plyr_schemas::StreamCursor;
use url::Url;

use super::Patience;
use super::connection::Connection;
use super::protocol::{Protocol, SUBPROTOCOL, Start};
use crate::IndexerError;

/// What is asked.
pub struct Asking<'a> {
    /// Whom.
    pub url: &'a Url,
    /// Which collections.
    pub namespace: &'a Namespace,
    /// Whether too large frames are to be left out.
    pub is_limited: bool,
    /// How long it may take.
    pub patience: Patience,
}

/// A stream that has been opened.
pub struct Opened {
    pub connection: Connection,
    pub protocol: Protocol,
    pub start: Start,
}

impl Asking<'_> {
    /// Opens the stream after a stored cursor, however the host wants to be asked.
    pub async fn open(&self, stored: Option<&StreamCursor>) -> Result<Opened, IndexerError> {
        let mut start = Protocol::V2.start(stored);
        let mut is_zipped = true;
        loop {
            let problem = match self.connect(Protocol::V2, &start, is_zipped).await {
                Ok(connection) => {
                    return Ok(Opened {
                        connection,
                        protocol: Protocol::V2,
                        start,
                    });
                }
                Err(problem) => problem,
            };
            match &problem {
                problem if is_unknown(problem) => break,
                IndexerError::Refused {
                    name: Some(name),
                    body,
                    ..
                } if name == "CursorTooOld" && !start.is_gap => {
                    tracing::warn!(host = %self.url, body, "the host keeps less than is missing");
                    start = Protocol::V2.start(None);
                    start.is_gap = true;
                }
                IndexerError::Refused {
                    name: Some(name),
                    body,
                    ..
                } if name == "UnknownZstdDictionary" && is_zipped => {
                    tracing::info!(host = %self.url, body, "the stream comes uncompressed");
                    is_zipped = false;
                }
                _ => return Err(problem),
            }
        }
        let start = Protocol::V1.start(stored);
        let connection = self.connect(Protocol::V1, &start, true).await?;
        Ok(Opened {
            connection,
            protocol: Protocol::V1,
            start,
        })
    }

    async fn connect(
        &self,
        protocol: Protocol,
        start: &Start,
        is_zipped: bool,
    ) -> Result<Connection, IndexerError> {
        let (cursor, is_limited) = (start.cursor, self.is_limited);
        let address = protocol.address(self.url, self.namespace, cursor, is_limited, is_zipped);
        let subprotocol = match protocol {
            Protocol::V1 => None,
            Protocol::V2 => Some(SUBPROTOCOL),
        };
        Connection::open(&address, subprotocol, self.patience).await
    }
}

/// Whether an answer says that the host doesn't know of v2.
fn is_unknown(problem: &IndexerError) -> bool {
    match problem {
        IndexerError::NotOffered => true,
        IndexerError::Refused { status, name, .. } => {
            let names_a_method_missing = name.as_deref() == Some("MethodNotImplemented");
            matches!(status, 404 | 405 | 501) || names_a_method_missing
        }
        _ => false,
    }
}
