//! Frames in memory: decoded and routed; and decoded, judged and hashed. One core.

use std::hint::black_box;
use std::str::FromStr;
use std::time::Instant;

use plyr_lexicons::{Collection, Namespace, data, validate};

use crate::report::Report;
use crate::{Arguments, corpus};

/// Rounds over the corpus; the best counts, since the machine is shared.
const ROUNDS: usize = 5;

/// Runs the campaign.
pub fn run(arguments: &Arguments, report: &mut Report) -> Result<(), Box<dyn std::error::Error>> {
    let entries = corpus::tracks(arguments.seed, arguments.records.min(50_000))?;
    let frames: Vec<String> = entries.iter().map(corpus::frame).collect();
    let namespace = Namespace::from_str("fm.plyr")?;

    let routed = best_rate(frames.len(), || {
        for text in &frames {
            black_box(plyr_indexer::frame::decode(black_box(text.as_bytes())));
        }
    });
    let parsed = best_rate(frames.len(), || {
        for text in &frames {
            black_box(serde_json::from_str::<serde_json::Value>(black_box(text)).is_ok());
        }
    });
    let judged = best_rate(entries.len(), || {
        for entry in &entries {
            let Ok(record) = data::from_json(black_box(entry.json.as_bytes())) else {
                continue;
            };
            let Ok(cbor) = data::to_cbor(&record) else {
                continue;
            };
            black_box(data::cid_of(&cbor));
            black_box(validate::judge(&namespace, Collection::Track, &record));
        }
    });
    report.add(
        "decode + route of frames",
        format!("{routed:.0}/s"),
        "≥ 300,000/s",
    );
    report.add(
        "the same frames into serde_json::Value",
        format!("{parsed:.0}/s"),
        "compared",
    );
    report.add(
        "decode + CID + validate",
        format!("{judged:.0}/s"),
        "≥ 50,000/s a core",
    );
    Ok(())
}

fn best_rate(count: usize, mut round: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        round();
        best = best.min(began.elapsed().as_secs_f64());
    }
    count as f64 / best
}
