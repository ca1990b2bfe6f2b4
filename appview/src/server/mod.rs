//! The server: warp's routes under an accept loop of our own, so that every wait has an end.

mod accept;
mod line;
pub mod respond;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use plyr_lexicons::Ipld;
use plyr_outbound::Outbound;
use plyr_schemas::Store;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use url::Url;
use warp::Filter;
use warp::http::{HeaderMap, Method, StatusCode};
use warp::reply::Response;

use crate::coverage::Coverage;
use crate::dispatch::Answer;
use crate::error::{AppViewError, XrpcError};
use crate::input::{self, Body, Peer};
use crate::media::{self, OpenBodies};
use crate::search::Search;
use crate::{App, AppViewConfig, dispatch, pages};
pub use line::Line;
use respond::Caller;

/// Requests worked on at the same time; more are told to come back.
const IN_FLIGHT: usize = 512;
/// One request, all its work.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest query string, in bytes: a hundred long at-uris. (hyper itself ends at 64 KiB.)
const LONGEST_QUERY: usize = 48 << 10;

/// The AppView, bound and ready to serve.
pub struct AppView {
    listener: TcpListener,
    address: SocketAddr,
    connections: usize,
    app: Arc<App>,
}

impl AppView {
    /// Binds the address.
    pub async fn bind(
        config: AppViewConfig,
        store: Arc<dyn Store>,
        outbound: Outbound,
    ) -> Result<AppView, AppViewError> {
        let unusable = |problem| AppViewError::Listen {
            address: config.listen,
            problem,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        let public_url = match config.public_url {
            Some(url) => url,
            None => Url::parse(&format!("http://localhost:{}", address.port()))
                .map_err(AppViewError::PublicUrl)?,
        };
        let app = Arc::new(App {
            store,
            outbound,
            namespace: config.namespace,
            public_url,
            coverage: Coverage::new(config.sources),
            search: Search::new(config.search),
            blobs: config.blobs,
            media_origins: config.media_origins,
            cdn_url: config.cdn_url,
            open: Arc::new(OpenBodies::new()),
            admin: config.admin,
            asking: Arc::new(Semaphore::new(IN_FLIGHT)),
        });
        Ok(AppView {
            listener,
            address,
            connections: config.connections,
            app,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until cancelled; open requests finish first.
    pub async fn serve(self, cancel: CancellationToken) {
        let app = self.app;
        let served = CancellationToken::new();
        let watching = tokio::spawn(media::watch(app.clone(), served.clone()));
        let query = warp::query::raw().or(warp::any().map(String::new)).unify();
        let routes = warp::method()
            .and(warp::path::full())
            .and(query)
            .and(warp::header::headers_cloned())
            .and(warp::ext::optional::<Line>())
            .and(warp::ext::optional::<Peer>())
            .and(warp::body::stream().map(Body::new))
            .then(
                move |verb,
                      path: warp::path::FullPath,
                      query: String,
                      headers,
                      line,
                      peer,
                      body| {
                    let app = app.clone();
                    async move {
                        let asking = Asking::new(verb, headers, line, peer);
                        answer(&app, path.as_str(), &query, &asking, body).await
                    }
                },
            );
        accept::serve(self.listener, routes.boxed(), self.connections, cancel).await;
        served.cancel();
        if let Err(problem) = watching.await {
            tracing::error!(%problem, "what watches over open bodies broke off");
        }
    }
}

/// A request, besides what it asks for.
pub struct Asking {
    pub verb: Method,
    pub headers: HeaderMap,
    pub caller: Caller,
    /// The connection it came over.
    pub line: Line,
    /// Who is at its other end.
    pub peer: Peer,
}

impl Asking {
    fn new(verb: Method, headers: HeaderMap, line: Option<Line>, peer: Option<Peer>) -> Asking {
        Asking {
            caller: Caller::of(&verb, &headers),
            verb,
            headers,
            line: line.unwrap_or_default(),
            peer: peer.unwrap_or_default(),
        }
    }
}

/// Answers any request at all.
async fn answer(app: &App, path: &str, query: &str, asking: &Asking, body: Body) -> Response {
    let began = std::time::Instant::now();
    if asking.verb == Method::OPTIONS {
        return respond::preflight();
    }
    // Bytes have a patience of their own, and give their place up where they are waited for: those
    // who wait, and who are sent a body, have others.
    let is_bytes = path
        .strip_prefix("/xrpc/")
        .is_some_and(dispatch::answers_bytes);
    let work = async {
        let _place = match is_bytes {
            true => None,
            false => Some(app.asking_place()?),
        };
        if query.len() > LONGEST_QUERY {
            let message = format!("the query has more than {LONGEST_QUERY} bytes");
            return Err(XrpcError::new(
                StatusCode::URI_TOO_LONG,
                "InvalidRequest",
                message,
            ));
        }
        let input = match path.strip_prefix("/xrpc/") {
            Some(method) => input::take(app, method, asking, body).await?,
            None => None,
        };
        route(app, path, query, asking, input).await
    };
    let patience = match is_bytes {
        true => media::PATIENCE,
        false => PATIENCE,
    };
    let guarded = std::panic::AssertUnwindSafe(work).catch_unwind();
    let outcome = match tokio::time::timeout(patience, guarded).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => {
            tracing::error!(path, "a request broke off");
            let message = "something went wrong here";
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Err(XrpcError::new(status, "InternalServerError", message))
        }
        Err(_) => Err(XrpcError::overloaded()),
    };
    let response = outcome.unwrap_or_else(|problem| respond::error(&problem, &asking.caller));
    let known = path
        .strip_prefix("/xrpc/")
        .filter(|nsid| plyr_lexicons::method(nsid).is_some());
    metrics::histogram!(
        "plyr_xrpc_seconds",
        "method" => known.unwrap_or("other").to_owned(),
        "status" => response.status().as_str().to_owned()
    )
    .record(began.elapsed());
    response
}

/// The answer to a request that names no path.
fn no_path(verb: &Method, headers: &HeaderMap) -> Response {
    let problem = XrpcError::invalid(format!("{verb} is not answered here"));
    respond::error(&problem, &Caller::of(verb, headers))
}

async fn route(
    app: &App,
    path: &str,
    query: &str,
    asking: &Asking,
    input: Option<Ipld>,
) -> Result<Response, XrpcError> {
    let (verb, caller) = (&asking.verb, &asking.caller);
    if let Some(method) = path
        .strip_prefix("/xrpc/")
        .filter(|name| *name != "_health")
    {
        return match dispatch::dispatch(app, method, query, asking, input).await? {
            Answer::Value(value) => respond::answer(&value, caller),
            Answer::Bytes(response) => Ok(*response),
        };
    }
    if !matches!(*verb, Method::GET | Method::HEAD) {
        let message = format!("Incorrect HTTP method ({verb}) expected GET");
        return Err(XrpcError::invalid(message));
    }
    match path {
        "/xrpc/_health" => health(app, caller).await,
        "/" => {
            let totals = app.store.snapshot().await?.totals().await?;
            let page = pages::home(&totals);
            Ok(respond::body(
                page.into_bytes(),
                "text/html; charset=utf-8",
                caller,
            ))
        }
        "/status" => {
            let page = pages::status::page(app).await?;
            Ok(respond::body(
                page.into_bytes(),
                "text/html; charset=utf-8",
                caller,
            ))
        }
        "/robots.txt" => Ok(respond::body(
            pages::ROBOTS.into(),
            "text/plain; charset=utf-8",
            caller,
        )),
        "/.well-known/did.json" => Ok(respond::json(
            &pages::did_document(app),
            StatusCode::OK,
            caller,
        )),
        _ if pages::track::is_of(path) => pages::track::answer(app, path, asking).await,
        _ => {
            let message = "there is nothing here; / says what there is";
            Err(XrpcError::new(StatusCode::NOT_FOUND, "NotFound", message))
        }
    }
}

async fn health(app: &App, caller: &Caller) -> Result<Response, XrpcError> {
    let read = async { app.store.snapshot().await?.totals().await };
    if let Err(problem) = read.await {
        tracing::error!(%problem, "the store does not answer");
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(XrpcError::new(
            status,
            "Unhealthy",
            "the store does not answer",
        ));
    }
    let version = serde_json::json!({ "version": env!("CARGO_PKG_VERSION") });
    Ok(respond::json(&version, StatusCode::OK, caller))
}
