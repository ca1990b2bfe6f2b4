//! Asking the network: the one hardened HTTP client, DID documents, handles, and politeness per
//! host. No URL from a record is ever fetched, and what the network names is guarded.

mod archive;
mod client;
mod document;
mod guard;
mod handle;
mod key;
mod politeness;
mod resolver;
mod stream;
mod sync;

pub use archive::{ArchivePlan, ArchiveSegment, MOST_ARCHIVE_BLOCKS};
pub use client::{Outbound, OutboundConfig, OutboundError};
pub use document::{DidDocument, read_document};
pub use guard::is_public;
pub use handle::{read_texts, read_well_known};
pub use resolver::{Freshness, Lookup, RepoStatus};
pub use stream::Body;
pub use sync::{LatestCommit, ListedRecord, MOST_BLOCKS, RecordsPage, ReposPage};
