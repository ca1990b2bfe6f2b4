//! getTrack and a page of 50 over HTTP, beside a plain warp handler that answers the same bytes
//! under warp's own server, in one run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plyr_appview::{AppView, AppViewConfig};
use plyr_outbound::{Outbound, OutboundConfig};
use plyr_schemas::Store;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use tokio_util::sync::CancellationToken;
use warp::Filter;

use crate::report::Report;
use crate::{Arguments, corpus};

const BATCH: usize = 500;
const CLIENTS: usize = 8;
const RUN: Duration = Duration::from_secs(5);

/// Requests a second, and latencies in milliseconds.
struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
}

/// Runs the campaign.
pub async fn run(
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Box<dyn std::error::Error>> {
    let entries = corpus::tracks(arguments.seed, arguments.records)?;
    let folder = tempfile::tempdir()?;
    let options = EmbeddedOptions::new(folder.path().to_owned(), "fm.plyr".parse()?);
    let store = Arc::new(EmbeddedStore::open(options)?);
    for chunk in entries.chunks(BATCH) {
        store
            .apply(
                chunk
                    .iter()
                    .map(corpus::version)
                    .collect::<Result<_, _>>()?,
            )
            .await?;
    }
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
    };
    let appview = AppView::bind(config, store.clone(), outbound).await?;
    let address = appview.address();
    let cancel = CancellationToken::new();
    let serving = tokio::spawn(appview.serve(cancel.clone()));

    let middle = &entries[entries.len() / 2].uri;
    let calls = [
        (
            "getTrack",
            format!("/xrpc/fm.plyr.feed.getTrack?uri={middle}"),
        ),
        (
            "getLatest, 50 tracks",
            "/xrpc/fm.plyr.feed.getLatest?limit=50".to_owned(),
        ),
    ];
    for (name, path) in calls {
        let ours = measure(address, &path).await?;
        let body = reqwest::get(format!("http://{address}{path}"))
            .await?
            .text()
            .await?;
        let plain = serve_plain(body)?;
        let bare = measure(plain, &path).await?;
        report.add(
            &format!("{name} at {} tracks, {CLIENTS} connections", entries.len()),
            format!(
                "{:.0}/s, p50 {:.2} ms, p99 {:.2} ms",
                ours.rate, ours.p50, ours.p99
            ),
            "absolute",
        );
        report.add(
            "a plain warp handler with the same bytes",
            format!(
                "{:.0}/s, p50 {:.2} ms, p99 {:.2} ms",
                bare.rate, bare.p50, bare.p99
            ),
            "compared",
        );
        report.add(
            &format!("ratio {name} ÷ plain handler"),
            format!("{:.2}", ours.rate / bare.rate),
            "given",
        );
    }
    cancel.cancel();
    serving.await?;
    store.close().await?;
    Ok(())
}

/// A server that answers everything with the same text.
fn serve_plain(body: String) -> Result<SocketAddr, Box<dyn std::error::Error>> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let routes = warp::any()
        .map(move || warp::reply::with_header(body.clone(), "content-type", "application/json"));
    tokio::spawn(warp::serve(routes).incoming(listener).run());
    Ok(address)
}

/// A closed loop of a few connections for some seconds.
async fn measure(address: SocketAddr, path: &str) -> Result<Measured, Box<dyn std::error::Error>> {
    let mut clients = Vec::new();
    let began = Instant::now();
    for _ in 0..CLIENTS {
        let url = format!("http://{address}{path}");
        clients.push(tokio::spawn(async move {
            let client = reqwest::Client::builder().no_gzip().build()?;
            let mut times = Vec::new();
            while began.elapsed() < RUN {
                let asked = Instant::now();
                let answer = client.get(&url).send().await?.error_for_status()?;
                answer.bytes().await?;
                times.push(asked.elapsed().as_secs_f64() * 1000.0);
            }
            Ok::<_, reqwest::Error>(times)
        }));
    }
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await??);
    }
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok(Measured {
        rate,
        p50: at(0.5),
        p99: at(0.99),
    })
}
