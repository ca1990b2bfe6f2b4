//! What is asked of the network about a repo: the seam behind which its signed state is fetched
//! and proven.

use async_trait::async_trait;
use plyr_lexicons::{Cid, Did, Nsid, RecordKey, RecordUri};
use plyr_schemas::RepoHead;

/// Whose fault it is that a question has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// What the repo holds, or what its host made of it: asking again soon changes nothing.
    Content,
    /// The host, as a host: wait, and ask again.
    Host,
    /// The account has moved, is gone or is hidden.
    Account,
    /// More records than a repo may have.
    Quota,
    /// This machine.
    Here,
}

/// A question without an answer. It changes nothing of what is held.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Trouble {
    /// Whose fault it is.
    pub fault: Fault,
    /// A short name that never changes, for metrics and filters.
    pub reason: &'static str,
    /// A sentence for people.
    pub detail: String,
}

/// A state of our collections that was fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// The commit.
    pub head: RepoHead,
    /// A fingerprint of the nodes that bound our collections.
    pub range: Option<Vec<u8>>,
    /// Whether it was proven from the signature down. What was only listed never counts as
    /// verified.
    pub is_proven: bool,
}

/// A record of a state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its collection.
    pub collection: Nsid,
    /// Its key.
    pub rkey: RecordKey,
    /// Its CID.
    pub cid: Cid,
    /// Its bytes; they hash to the CID. None where they were left out because they are held.
    pub bytes: Option<Vec<u8>>,
}

/// What came of fetching.
pub enum Fetched {
    /// The nodes that bound our collections are those that were known.
    Unchanged(State),
    /// All records, in pages.
    Records(State, Box<dyn Pages>),
}

/// The records of a state in the order of (collection, rkey), every one of them or an error.
#[async_trait]
pub trait Pages: Send {
    /// The next ones; none at the end.
    async fn next(&mut self) -> Result<Vec<Entry>, Trouble>;
}

/// What a repo proves of one record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// The commit that proves it.
    pub head: RepoHead,
    /// The record; none where the repo proves that there is none.
    pub record: Option<(Cid, Vec<u8>)>,
}

/// The network.
#[async_trait]
pub trait Network: Send + Sync {
    /// The host that the DID's document names: its base URL. From a cache where it is fresh.
    async fn host(&self, did: &Did) -> Result<String, Trouble>;

    /// The repo's newest commit: one small request.
    async fn head(&self, did: &Did) -> Result<RepoHead, Trouble>;

    /// The state of our collections; `known` is the fingerprint of what was merged last.
    async fn fetch(&self, did: &Did, known: Option<&[u8]>) -> Result<Fetched, Trouble>;

    /// Proves one record, or that there is none.
    async fn prove(&self, uri: &RecordUri) -> Result<Proof, Trouble>;
}
