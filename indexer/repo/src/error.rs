//! What can go wrong with a repo, and whose fault it is.

use plyr_lexicons::{Cid, Did};
use plyr_outbound::OutboundError;

/// Why a repo could not be proven or fetched.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RepoError {
    /// The commit is another repo's.
    #[error("the host served {served}'s repo when asked for {}", asked.as_str())]
    WrongRepo {
        /// Whose repo was asked for.
        asked: Did,
        /// Whose it is, as the commit says (cut).
        served: String,
    },
    /// The CAR ends in the middle.
    #[error("the CAR is truncated: {0}")]
    Truncated(String),
    /// Bytes don't hash to the CID they came with.
    #[error("a block is not what its CID {0} says")]
    WrongCid(Cid),
    /// A block that the tree names isn't there, though asked for.
    #[error("the block {0} is missing")]
    MissingBlock(Cid),
    /// The tree goes on below its lowest layer.
    #[error("the tree is too deep: {0}")]
    TooDeep(String),
    /// The tree is not the one that its keys make: order, layers, prefixes or empty nodes.
    #[error("the tree is malformed: {0}")]
    Tree(String),
    /// The bytes are no CAR, no commit, or no node.
    #[error("malformed: {0}")]
    Malformed(String),
    /// The commit isn't signed by the account's key, not even by the one its document names now.
    #[error("the commit's signature is not the account's: {0}")]
    Signature(String),
    /// Larger than we read.
    #[error("too large: {what} over {limit}")]
    TooLarge {
        /// What is.
        what: &'static str,
        /// How large it may be, in bytes or blocks.
        limit: u64,
    },
    /// More records in our collections than a repo may have.
    #[error("more than {limit} records in our collections")]
    OverQuota {
        /// How many it may have.
        limit: u64,
    },
    /// The host says that it doesn't serve this repo: `RepoNotFound`, `RepoDeactivated`,
    /// `RepoTakendown` or `RepoSuspended`.
    #[error("the host doesn't serve the repo: {0}")]
    Unavailable(String),
    /// The DID's document names another host by now.
    #[error("the repo has moved to {0}")]
    Moved(String),
    /// The DID has no document, or none with a key of a kind we know.
    #[error("there is no signing key: {0}")]
    NoKey(String),
    /// The repo went on while it was read, again and again.
    #[error("the repo kept changing while it was read: {0}")]
    Restless(String),
    /// The host can't be asked, or answered nonsense; its repos may be as good as ever.
    #[error(transparent)]
    Host(#[from] OutboundError),
    /// The DID document can't be asked for; without it nothing is said about the repo.
    #[error("the DID document can't be had: {0}")]
    Directory(OutboundError),
    /// This machine: no room for temporary files, or a task that ended early.
    #[error("on this machine: {0}")]
    Here(String),
}

/// Whose fault it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// What the repo holds, or what its host made of it: asking again soon changes nothing.
    Content,
    /// The host, as a host: wait, and ask again.
    Host,
    /// The account has moved, is gone or is hidden: a check of the account is due.
    Account,
    /// This machine.
    Here,
}

impl RepoError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            RepoError::Host(_) | RepoError::Restless(_) | RepoError::Directory(_) => Fault::Host,
            RepoError::Unavailable(_) | RepoError::Moved(_) | RepoError::NoKey(_) => Fault::Account,
            RepoError::Here(_) => Fault::Here,
            _ => Fault::Content,
        }
    }

    /// A short name that never changes, for metrics and filters.
    pub fn reason(&self) -> &'static str {
        match self {
            RepoError::WrongRepo { .. } => "wrong-repo",
            RepoError::Truncated(_) => "truncated",
            RepoError::WrongCid(_) => "wrong-cid",
            RepoError::MissingBlock(_) => "missing-block",
            RepoError::TooDeep(_) => "too-deep",
            RepoError::Tree(_) => "tree",
            RepoError::Malformed(_) => "malformed",
            RepoError::Signature(_) => "signature",
            RepoError::TooLarge { .. } => "too-large",
            RepoError::OverQuota { .. } => "over-quota",
            RepoError::Unavailable(_) => "unavailable",
            RepoError::Moved(_) => "moved",
            RepoError::NoKey(_) => "no-key",
            RepoError::Restless(_) => "restless",
            RepoError::Host(_) => "host",
            RepoError::Directory(_) => "directory",
            RepoError::Here(_) => "here",
        }
    }

    pub(crate) fn here(problem: impl std::fmt::Display) -> RepoError {
        RepoError::Here(problem.to_string())
    }
}
