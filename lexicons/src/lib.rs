//! The language: every lexicon document of the namespace, the Rust types made from them,
//! record validation, and the protocol's own words as types, with DAG-CBOR and CIDs.

pub mod at_uri;
pub mod collection;
pub mod data;
pub mod document;
#[rustfmt::skip]
#[allow(clippy::large_enum_variant)] // a union holds its members as they are
pub mod generated;
pub mod method;
pub mod own_fields;
pub mod rev;
pub mod sort_at;
pub mod typed;
pub mod validate;
pub mod verdict;

pub use at_uri::{AtUri, AtUriError, RecordUri};
pub use atrium_api::types::string::{AtIdentifier, Did, Handle, Nsid, RecordKey};
pub use collection::{Collection, Namespace, NamespaceError};
pub use ipld_core::{cid::Cid, ipld::Ipld};
pub use method::{Method, MethodKind, method, methods};
pub use rev::{Rev, RevError};
pub use sort_at::SortAt;
pub use typed::Typed;
pub use verdict::{Judgement, RULES_VERSION, Reason, Verdict};
