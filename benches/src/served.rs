//! The AppView of this process over any store, on a free port of loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use plyr_appview::{AppView, AppViewConfig};
use plyr_outbound::{Outbound, OutboundConfig};
use plyr_schemas::Store;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn std::error::Error>;

/// A running AppView.
pub struct Served {
    pub address: SocketAddr,
    cancel: CancellationToken,
    serving: JoinHandle<()>,
}

impl Served {
    /// Starts it; it asks nobody outside.
    pub async fn start(store: Arc<dyn Store>) -> Result<Served, Failure> {
        let outbound = Outbound::new(OutboundConfig {
            plc_url: "http://127.0.0.1:1".parse()?,
            handle_resolvers: Vec::new(),
            dev: true,
            contact: "bench".to_owned(),
        })?;
        let config = AppViewConfig {
            listen: "127.0.0.1:0".parse()?,
            public_url: None,
            namespace: "fm.plyr".parse()?,
            connections: 100,
            sources: None,
            search: None,
            blobs: None,
            media_origins: Vec::new(),
            cdn_url: None,
            admin: None,
        };
        let appview = AppView::bind(config, store, outbound).await?;
        let address = appview.address();
        let cancel = CancellationToken::new();
        let serving = tokio::spawn(appview.serve(cancel.clone()));
        Ok(Served {
            address,
            cancel,
            serving,
        })
    }

    /// Stops it, once open requests are answered.
    pub async fn stop(self) -> Result<(), Failure> {
        self.cancel.cancel();
        Ok(self.serving.await?)
    }
}
