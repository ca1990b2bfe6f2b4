//! From the store to people: XRPC methods over the store's snapshots, and the few pages a service
//! shows of itself. One endpoint is one file, named after its method.

mod actor;
mod coverage;
mod cursor;
mod dispatch;
mod error;
mod pages;
mod parameters;
mod server;
mod view;
mod xrpc;

use std::net::SocketAddr;
use std::sync::Arc;

use plyr_lexicons::Namespace;
use plyr_outbound::Outbound;
use plyr_schemas::Store;
use url::Url;

pub use coverage::{AskSources, SourceReport};
pub use cursor::ListName;
pub use error::{AppViewError, XrpcError};
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
}

/// What every handler works with.
pub struct App {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) outbound: Outbound,
    pub(crate) namespace: Namespace,
    pub(crate) public_url: Url,
    pub(crate) coverage: coverage::Coverage,
}
