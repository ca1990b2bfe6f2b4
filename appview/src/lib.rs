//! From the store to people: XRPC methods over the store's snapshots, and the few pages a service
//! shows of itself. One endpoint is one file, named after its method.

mod actor;
mod admin;
mod coverage;
mod cursor;
mod dispatch;
mod error;
mod input;
mod media;
mod pages;
mod parameters;
mod search;
mod server;
mod view;
mod xrpc;

use std::net::SocketAddr;
use std::sync::Arc;

use plyr_blobstore::{Blobstore, MediaPolicy};
use plyr_lexicons::Namespace;
use plyr_outbound::Outbound;
use plyr_schemas::{Own, Store};
use plyr_search::Live;
use tokio::sync::Semaphore;
use url::Url;

pub use admin::Admin;
pub use coverage::{AskSources, SourceReport};
pub use cursor::ListName;
pub use error::{AppViewError, XrpcError};
pub use pages::address::of as record_of_path;
pub use server::AppView;

/// What the AppView needs to know.
#[derive(Clone)]
pub struct AppViewConfig {
    /// Where to listen; port 0 picks one.
    pub listen: SocketAddr,
    /// What links and did.json say; none for `http://localhost:<port>`.
    pub public_url: Option<Url>,
    /// Whose records.
    pub namespace: Namespace,
    /// Connections at the same time; more wait.
    pub connections: usize,
    /// What is known of the streams, where this process follows them.
    pub sources: Option<AskSources>,
    /// The search index that this process keeps; none where it keeps none.
    pub search: Option<Arc<Live>>,
    /// What serves bytes; none where this process has none.
    pub blobs: Option<Blobstore>,
    /// Origins whose links in records are handed to clients, as unverified.
    pub media_origins: Vec<Url>,
    /// Where the public may read what may be served now, if anywhere.
    pub cdn_url: Option<Url>,
    /// What the admin methods work with; without it they refuse.
    pub admin: Option<Arc<Admin>>,
}

/// What every handler works with.
pub struct App {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) outbound: Outbound,
    pub(crate) namespace: Namespace,
    pub(crate) public_url: Url,
    pub(crate) coverage: coverage::Coverage,
    pub(crate) search: search::Search,
    pub(crate) blobs: Option<Blobstore>,
    pub(crate) media_origins: Vec<Url>,
    pub(crate) cdn_url: Option<Url>,
    pub(crate) open: Arc<media::OpenBodies>,
    pub(crate) admin: Option<Arc<Admin>>,
    /// Places of requests that are worked on.
    pub(crate) asking: Arc<Semaphore>,
}

impl App {
    /// A place to work on a request, if there is one.
    pub(crate) fn asking_place(&self) -> Result<media::Place, XrpcError> {
        media::place_of(&self.asking)
    }

    /// Whether bytes that are asked for are fetched.
    pub(crate) fn fetches(&self) -> bool {
        let policy = self.blobs.as_ref().map(Blobstore::policy);
        policy.is_some_and(|policy| policy != MediaPolicy::Off)
    }

    /// The operator's own state, for methods that only the operator gets to.
    pub(crate) fn own(&self) -> Result<&Own, XrpcError> {
        let admin = self.admin.as_ref();
        let admin = admin.ok_or_else(|| XrpcError::invalid("admin methods are closed here"))?;
        Ok(admin.own())
    }
}
