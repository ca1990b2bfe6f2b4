//! getTrack and a page of 50 over HTTP, beside a plain warp handler that answers the same bytes
//! under warp's own server, in one run.

use std::net::SocketAddr;

use plyr_schemas::Store;
use warp::Filter;

use crate::corpus::Corpus;
use crate::load::{CLIENTS, measure};
use crate::report::Report;
use crate::served::Served;
use crate::{Arguments, fill};

/// Runs the campaign.
pub async fn run(
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Box<dyn std::error::Error>> {
    let (seed, count) = (arguments.seed, arguments.records);
    let folder = tempfile::tempdir()?;
    let store = fill::open(folder.path(), seed, count).await?;
    let middle = Corpus::new(seed)?.nth(count / 2);
    let middle = middle.ok_or("no record to ask for")??.uri;
    let served = Served::start(store.clone()).await?;
    let address = served.address;

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
        let ours = format!("http://{address}{path}");
        let plain = serve_plain(reqwest::get(&ours).await?.text().await?)?;
        let plain = format!("http://{plain}{path}");
        let [ours, bare] = measure([&ours, &plain], arguments.run()).await?;
        report.add(
            &format!("{name} at {count} tracks, {CLIENTS} connections"),
            ours.to_string(),
            "absolute",
        );
        report.add(
            "a plain warp handler with the same bytes",
            bare.to_string(),
            "compared",
        );
        report.add(
            &format!("ratio {name} ÷ plain handler"),
            format!("{:.2}", ours.rate / bare.rate),
            "given",
        );
    }
    served.stop().await?;
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
