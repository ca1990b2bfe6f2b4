//! What machines ask: `/metrics` for Prometheus, `/live`, and `/ready` with what is missing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::error::OpsError;

const CONNECTIONS: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
const UPKEEP: Duration = Duration::from_secs(5);

/// Seconds, from a tenth of a millisecond to a hundred seconds.
const SECONDS: &[f64] = &[
    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
    10.0, 20.0, 50.0, 100.0,
];

/// Rounds to the store that a request takes.
const ROUNDS: &[f64] = &[1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 12.0];

/// What `/ready` says.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Readiness {
    /// Whether requests can be answered.
    pub ready: bool,
    /// What is missing or limping, each with its reason.
    pub missing: Vec<String>,
}

/// Asked anew for every `/ready`.
pub type AskReadiness = Arc<dyn Fn() -> Readiness + Send + Sync>;

/// Starts recording metrics for the whole process.
pub fn record() -> Result<PrometheusHandle, OpsError> {
    let problem = |detail: &dyn std::fmt::Display| {
        OpsError::Start(format!("metrics can't be recorded: {detail}"))
    };
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .map_err(|detail| problem(&detail))?
        .set_buckets_for_metric(Matcher::Full("plyr_store_rounds".to_owned()), ROUNDS)
        .map_err(|detail| problem(&detail))?
        .install_recorder()
        .map_err(|detail| problem(&detail))
}

/// The probes' own listener.
pub struct Probes {
    listener: TcpListener,
    address: SocketAddr,
    metrics: PrometheusHandle,
    readiness: AskReadiness,
}

impl Probes {
    /// Binds the address.
    pub async fn bind(
        address: SocketAddr,
        metrics: PrometheusHandle,
        readiness: AskReadiness,
    ) -> Result<Probes, OpsError> {
        let unusable = |problem: std::io::Error| {
            OpsError::Start(format!(
                "metrics-listen = {address}: {problem}; stop what listens there or choose another"
            ))
        };
        let listener = TcpListener::bind(address).await.map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        Ok(Probes {
            listener,
            address,
            metrics,
            readiness,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until cancelled.
    pub async fn serve(self, cancel: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut upkeep = tokio::time::interval(UPKEEP);
        loop {
            let accepted = tokio::select! {
                () = cancel.cancelled() => return,
                _ = upkeep.tick() => {
                    self.metrics.run_upkeep();
                    continue;
                }
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(problem) => {
                    tracing::warn!(%problem, "the metrics listener could not accept");
                    tokio::task::yield_now().await;
                    continue;
                }
            };
            let Ok(place) = places.clone().try_acquire_owned() else {
                tracing::warn!(%peer, "too many connections to the metrics listener, one refused");
                continue;
            };
            let metrics = self.metrics.clone();
            let readiness = self.readiness.clone();
            tokio::spawn(async move {
                let answer = service_fn(move |request| {
                    let response = respond(&request, &metrics, &readiness);
                    async move { Ok::<_, Infallible>(response) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_TIMEOUT)
                    .serve_connection(TokioIo::new(stream), answer);
                let mut connection = std::pin::pin!(connection);
                let life = tokio::time::timeout(CONNECTION_TIMEOUT, connection.as_mut());
                let ended = match life.await {
                    Ok(ended) => ended,
                    // Old enough: what is being asked is answered, and nothing after it.
                    Err(_) => {
                        connection.as_mut().graceful_shutdown();
                        let rest = tokio::time::timeout(HEADER_TIMEOUT, connection);
                        rest.await.unwrap_or(Ok(()))
                    }
                };
                if let Err(problem) = ended {
                    tracing::debug!(%peer, %problem, "probe connection ended");
                }
                drop(place);
            });
        }
    }
}

fn respond(
    request: &Request<Incoming>,
    metrics: &PrometheusHandle,
    readiness: &AskReadiness,
) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain",
            "only GET is answered\n".into(),
        );
    }
    match request.uri().path() {
        "/metrics" => text(
            StatusCode::OK,
            "text/plain; version=0.0.4",
            metrics.render(),
        ),
        "/live" => text(StatusCode::OK, "text/plain", "alive\n".to_owned()),
        "/ready" => {
            let state = readiness();
            let status = if state.ready {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            let body = serde_json::to_string(&state).unwrap_or_default();
            text(status, "application/json", body)
        }
        _ => text(
            StatusCode::NOT_FOUND,
            "text/plain",
            "/metrics, /live or /ready\n".to_owned(),
        ),
    }
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}
