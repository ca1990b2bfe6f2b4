//! What the archive of a Jetstream v2 is asked for (`network.bsky.jetstream.planSnapshot` and
//! `getBlock`). The host is one that the operator configured; its answers are bounded all the same.

use plyr_lexicons::Nsid;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::client::{Named, Outbound, OutboundError};
use crate::politeness::Kind;
use crate::resolver::xrpc;
use crate::sync::{malformed, parse};

/// Largest page of a plan, in bytes: hosts name tens of thousands of segments or ranges in one.
const LARGEST_PLAN: usize = 8 << 20;
/// Largest block, in bytes as sent: thousands of records, compressed.
const LARGEST_BLOCK: u64 = 32 << 20;
/// What the number of a block in its segment stays below: what Jetstream itself puts up with.
pub const MOST_ARCHIVE_BLOCKS: u64 = 1 << 20;

/// A page of what in an archive may hold rows of some collections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArchivePlan {
    /// The host's number of the last row that this page accounts for.
    pub planned_through: u64,
    /// The number of the last row that is archived, at most what was asked for.
    pub sealed_tip: u64,
    /// In the order of their rows.
    pub segments: Vec<ArchiveSegment>,
}

/// Blocks of one segment of an archive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArchiveSegment {
    /// What the segment is asked for by.
    pub name: String,
    /// The number of its last row.
    pub last_row: u64,
    /// Ranges of blocks, both ends included, below [`MOST_ARCHIVE_BLOCKS`]; none for all of them.
    pub blocks: Option<Vec<(u64, u64)>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlanQuestion<'a> {
    kinds: [&'static str; 1],
    collections: Vec<&'a str>,
    after_seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    before_seq: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlanAnswer {
    planned_through_seq: u64,
    sealed_tip_seq: u64,
    segments: Vec<SegmentAnswer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SegmentAnswer {
    name: String,
    max_seq: u64,
    mode: String,
    #[serde(default)]
    blocks: Vec<RangeAnswer>,
}

#[derive(Deserialize)]
struct RangeAnswer {
    first: u64,
    last: u64,
}

impl Outbound {
    /// A page of what may hold records of collections, after a row and up to another, by the
    /// host's own numbers. The first page is asked for without an end and names it (`sealed_tip`);
    /// the next ones are asked for after what the last one accounted for, with that end.
    pub async fn plan_archive(
        &self,
        host: &Url,
        collections: &[Nsid],
        after: u64,
        before: Option<u64>,
    ) -> Result<ArchivePlan, OutboundError> {
        let url = xrpc(host.as_str(), "network.bsky.jetstream.planSnapshot", &[]);
        let question = PlanQuestion {
            kinds: ["commit"],
            collections: collections.iter().map(|nsid| nsid.as_str()).collect(),
            after_seq: after,
            before_seq: before,
        };
        let answer = self
            .post(Named::ByOperator, &url, &question, LARGEST_PLAN)
            .await?;
        read_plan(&url, &answer)
    }

    /// A block of a segment, as it is kept: one zstd frame. An error of status 404 with the detail
    /// `BlockNotFound` where the segment has fewer.
    pub async fn archive_block(
        &self,
        host: &Url,
        segment: &str,
        block: u64,
    ) -> Result<Vec<u8>, OutboundError> {
        let number = block.to_string();
        let parameters = [("segment", segment), ("blockIndex", number.as_str())];
        let url = xrpc(
            host.as_str(),
            "network.bsky.jetstream.getBlock",
            &parameters,
        );
        let opened = self.open(Named::ByOperator, Kind::Stream, &url, LARGEST_BLOCK);
        let mut body = opened.await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = body.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

fn read_plan(url: &str, body: &[u8]) -> Result<ArchivePlan, OutboundError> {
    let said: PlanAnswer = parse(url, body)?;
    let (through, tip) = (said.planned_through_seq, said.sealed_tip_seq);
    // Beyond it a number can't be asked for again.
    if i64::try_from(tip).is_err() {
        return Err(malformed(url, &format!("a plan of {tip} rows")));
    }
    let segments = said.segments.into_iter().map(|segment| {
        let blocks = match segment.mode.as_str() {
            "blocks" => Some(read_ranges(url, &segment.blocks)?),
            // Whatever other ways there may be: all of its blocks can be asked for.
            _ => None,
        };
        Ok(ArchiveSegment {
            name: segment.name,
            last_row: segment.max_seq,
            blocks,
        })
    });
    Ok(ArchivePlan {
        planned_through: through.min(tip),
        sealed_tip: tip,
        segments: segments.collect::<Result<_, OutboundError>>()?,
    })
}

fn read_ranges(url: &str, ranges: &[RangeAnswer]) -> Result<Vec<(u64, u64)>, OutboundError> {
    // In ascending order, none twice: no plan asks for more blocks than there are.
    let mut next = 0;
    let ranges = ranges.iter().map(|RangeAnswer { first, last }| {
        if *first < next || first > last || *last >= MOST_ARCHIVE_BLOCKS {
            return Err(malformed(url, &format!("blocks {first} to {last}")));
        }
        next = last + 1;
        Ok((*first, *last))
    });
    ranges.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<ArchivePlan, OutboundError> {
        read_plan("http://host", json.as_bytes())
    }

    #[test]
    fn a_plan_names_whole_segments_and_ranges() {
        let plan = read(
            r#"{"plannedThroughSeq":9,"sealedTipSeq":20,"stats":{},"segments":[
                {"name":"one","index":0,"checksum":"","minSeq":1,"maxSeq":5,"mode":"segment"},
                {"name":"two","index":1,"checksum":"","minSeq":6,"maxSeq":12,"mode":"blocks",
                    "blocks":[{"first":0,"last":0},{"first":3,"last":4}]}]}"#,
        );
        let segment = |name: &str, last_row, blocks| ArchiveSegment {
            name: name.to_owned(),
            last_row,
            blocks,
        };
        let expected = ArchivePlan {
            planned_through: 9,
            sealed_tip: 20,
            segments: vec![
                segment("one", 5, None),
                segment("two", 12, Some(vec![(0, 0), (3, 4)])),
            ],
        };
        assert_eq!(plan, Ok(expected));
    }

    #[test]
    fn a_plan_that_cannot_be_followed_is_refused() {
        let with = |through: &str, tip: &str, segments: &str| {
            let rest = format!(r#""sealedTipSeq":{tip},"segments":[{segments}]"#);
            read(&format!(r#"{{"plannedThroughSeq":{through},{rest}}}"#))
        };
        let blocks = |ranges: &str| {
            format!(r#"{{"name":"s","maxSeq":1,"mode":"blocks","blocks":[{ranges}]}}"#)
        };
        assert!(with("1", "1", "").is_ok());
        assert!(with("1", "1", &blocks(r#"{"first":2,"last":2}"#)).is_ok());
        let refused = [
            with("-1", "1", ""),
            with("1", "9223372036854775808", ""),
            with("1", "1", &blocks(r#"{"first":2,"last":1}"#)),
            with(
                "1",
                "1",
                &blocks(r#"{"first":0,"last":4},{"first":4,"last":5}"#),
            ),
            with("1", "1", &blocks(r#"{"first":0,"last":4294967296}"#)),
            read("{}"),
            read(""),
        ];
        for plan in refused {
            assert!(
                matches!(plan, Err(OutboundError::Malformed { .. })),
                "{plan:?}"
            );
        }
    }
}
