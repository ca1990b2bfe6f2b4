//! Lists of 50 out of the binary, on page 1 and far down, in stores of several sizes: the tenth
//! thousand should cost what the first costs. The nearest system's figures are those of 12,000
//! tracks.

use plyr_peers::Plyr;

use crate::load::{CLIENTS, measure};
use crate::report::Report;
use crate::{Arguments, Outcome, binary, fill, memory};

/// How far down lists are asked for in the nearest system's measurement.
const DEPTH: usize = 10_000;
/// Tracks of a page while going down.
const STRIDE: usize = 100;

/// The nearest system's figures, where there are any.
const THEIRS_FIRST: &str = "nearest system: 288/s, p50 27 ms, p99 53 ms";
const THEIRS_DEEP: &str = "nearest system: 40/s, p50 194 ms, p99 312 ms";
const THEIRS_TRACK: &str = "nearest system: 14400/s, p50 0.52 ms, p99 1.5 ms";
const THEIRS_MEMORY: &str = "nearest system: 171 MB";
const THEIRS_SIZE: usize = 12_000;

/// Runs the campaign.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    for size in &arguments.sizes {
        one_size(arguments, report, &binary, *size).await?;
    }
    Ok(())
}

async fn one_size(
    arguments: &Arguments,
    report: &mut Report,
    binary: &str,
    size: usize,
) -> Outcome {
    let folder = tempfile::tempdir()?;
    let data_dir = folder.path().join("data");
    fill::close(&data_dir, arguments.seed, size).await?;
    let plyr = binary::start_alone(binary, &data_dir).await?;
    let first = format!("{}/xrpc/fm.plyr.feed.getLatest?limit=50", plyr.appview);
    // With a page and a bit left below, so that every answer is full.
    let deep = if size > 10 * DEPTH / 2 {
        size / 10 * 9
    } else {
        DEPTH.min(size / 10 * 8)
    };
    let (cursor, middle) = go_down(&plyr, deep).await?;
    let below = format!("{first}&cursor={cursor}");
    let track = format!("{}/xrpc/fm.plyr.feed.getTrack?uri={middle}", plyr.appview);
    let [first, below, track] = measure([&first, &below, &track], arguments.run()).await?;
    let memory = memory::settled(&plyr).await?;
    plyr.stop().await?;

    let theirs = |figures: &'static str| {
        if size == THEIRS_SIZE {
            figures
        } else {
            "given"
        }
    };
    report.add(
        &format!("getLatest of 50, page 1, {size} tracks, {CLIENTS} connections"),
        first.to_string(),
        theirs(THEIRS_FIRST),
    );
    report.add(
        &format!("getLatest of 50 at position {deep}, {size} tracks"),
        below.to_string(),
        theirs(THEIRS_DEEP),
    );
    report.add(
        &format!("ratio position {deep} ÷ page 1, {size} tracks"),
        format!("{:.2}", below.rate / first.rate),
        if size == THEIRS_SIZE {
            "1; nearest system: 0.14"
        } else {
            "1"
        },
    );
    report.add(
        &format!("getTrack, {size} tracks, {CLIENTS} connections"),
        track.to_string(),
        theirs(THEIRS_TRACK),
    );
    report.add(
        &format!("resident memory after these lists, {size} tracks"),
        memory::megabytes(memory.now),
        theirs(THEIRS_MEMORY),
    );
    Ok(())
}

/// Turns pages until `depth` tracks lie above; answers the cursor there and the last track seen.
async fn go_down(
    plyr: &Plyr,
    depth: usize,
) -> Result<(String, String), Box<dyn std::error::Error>> {
    let mut cursor = String::new();
    let mut seen = 0;
    loop {
        let limit = STRIDE.min(depth - seen);
        let after = if cursor.is_empty() { "" } else { "&cursor=" };
        let query = format!("limit={limit}{after}{cursor}");
        let page = plyr.xrpc("fm.plyr.feed.getLatest", &query).await?;
        let tracks = page["tracks"].as_array().map_or(0, Vec::len);
        seen += tracks;
        let next = page["cursor"].as_str().filter(|_| tracks > 0);
        cursor = next.ok_or(format!("the list ends at {seen}"))?.to_owned();
        if seen >= depth {
            let last = page["tracks"][tracks - 1]["uri"].as_str();
            return Ok((cursor, last.unwrap_or_default().to_owned()));
        }
    }
}
