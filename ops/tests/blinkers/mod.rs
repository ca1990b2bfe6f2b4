//! Stands before a real Jetstream v1 and passes on all it says but one collection, as long as it
//! is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::{accept_hdr_async, connect_async};

type Failed = Box<dyn std::error::Error + Send + Sync>;

pub struct Blinkers {
    /// Where it listens (`ws://…`).
    pub url: String,
    are_on: Arc<AtomicBool>,
}

impl Blinkers {
    /// Starts before a Jetstream (`ws://…`); hides a collection.
    pub async fn before(
        jetstream: &str,
        collection: &'static str,
    ) -> Result<Blinkers, std::io::Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("ws://{}", listener.local_addr()?);
        let are_on = Arc::new(AtomicBool::new(true));
        let (jetstream, shared) = (jetstream.to_owned(), are_on.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass_on(
                    stream,
                    jetstream.clone(),
                    collection,
                    shared.clone(),
                ));
            }
        });
        Ok(Blinkers { url, are_on })
    }

    /// From now on everything passes.
    pub fn take_off(&self) {
        self.are_on.store(false, Ordering::Relaxed);
    }
}

async fn pass_on(
    client: TcpStream,
    jetstream: String,
    collection: &'static str,
    are_on: Arc<AtomicBool>,
) -> Result<(), Failed> {
    let mut asked = String::new();
    #[allow(clippy::result_large_err)]
    let handshake = |request: &Request, response: Response| {
        if request.uri().path() != "/subscribe" {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::NOT_FOUND;
            return Err(refusal);
        }
        // Uncompressed, to be read here.
        asked = request.uri().to_string().replace("compress=true", "");
        Ok(response)
    };
    let mut client = accept_hdr_async(client, handshake).await?;
    let (mut host, _) = connect_async(format!("{jetstream}{asked}")).await?;
    let hidden = format!("\"collection\":\"{collection}\"");
    loop {
        tokio::select! {
            said = host.next() => match said {
                Some(Ok(Message::Text(text))) => {
                    if !(are_on.load(Ordering::Relaxed) && text.contains(&hidden)) {
                        client.send(Message::Text(text)).await?;
                    }
                }
                Some(Ok(_)) => {}
                _ => return Ok(()),
            },
            // Pings are answered by reading.
            heard = client.next() => match heard {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => {}
            },
        }
    }
}
