//! The server: warp's routes under an accept loop of our own, so that every wait has an end.

mod accept;
mod respond;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
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
use crate::error::{AppViewError, XrpcError};
use crate::{App, AppViewConfig, dispatch, pages};
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
    places: Arc<Semaphore>,
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
        });
        let places = Arc::new(Semaphore::new(IN_FLIGHT));
        Ok(AppView {
            listener,
            address,
            connections: config.connections,
            app,
            places,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until cancelled; open requests finish first.
    pub async fn serve(self, cancel: CancellationToken) {
        let (app, places) = (self.app, self.places);
        let query = warp::query::raw().or(warp::any().map(String::new)).unify();
        let routes = warp::method()
            .and(warp::path::full())
            .and(query)
            .and(warp::header::headers_cloned())
            .then(move |verb: Method, path: warp::path::FullPath, query: String, headers| {
                let (app, places) = (app.clone(), places.clone());
                async move { answer(&app, &places, verb, path.as_str(), &query, &headers).await }
            });
        accept::serve(self.listener, routes.boxed(), self.connections, cancel).await;
    }
}

/// Answers any request at all.
async fn answer(
    app: &App,
    places: &Semaphore,
    verb: Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
) -> Response {
    let began = std::time::Instant::now();
    let caller = Caller::of(&verb, headers);
    if verb == Method::OPTIONS {
        return respond::preflight();
    }
    let work = async {
        let Ok(_place) = places.try_acquire() else {
            return Err(XrpcError::overloaded());
        };
        if query.len() > LONGEST_QUERY {
            let message = format!("the query has more than {LONGEST_QUERY} bytes");
            return Err(XrpcError::new(
                StatusCode::URI_TOO_LONG,
                "InvalidRequest",
                message,
            ));
        }
        route(app, &verb, path, query, &caller).await
    };
    let guarded = std::panic::AssertUnwindSafe(work).catch_unwind();
    let outcome = match tokio::time::timeout(PATIENCE, guarded).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => {
            tracing::error!(path, "a request broke off");
            let message = "something went wrong here";
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Err(XrpcError::new(status, "InternalServerError", message))
        }
        Err(_) => Err(XrpcError::overloaded()),
    };
    let response = outcome.unwrap_or_else(|problem| respond::error(&problem, &caller));
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
    verb: &Method,
    path: &str,
    query: &str,
    caller: &Caller,
) -> Result<Response, XrpcError> {
    if let Some(method) = path
        .strip_prefix("/xrpc/")
        .filter(|name| *name != "_health")
    {
        let answer = dispatch::dispatch(app, verb, method, query).await?;
        return respond::answer(&answer, caller);
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
