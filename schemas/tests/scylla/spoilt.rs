//! Looking into a keyspace, and spoiling what is derived there, by hand.

use plyr_schemas::conformance::{self, BoxError, Spoilt};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;

use super::Keyspace;

/// Columns of a feed's row, its cell and stamp.
type FeedRow = (
    String,
    i32,
    i32,
    i64,
    i64,
    String,
    String,
    String,
    Vec<u8>,
    i64,
);
type MemberRow = (String, i32, i32, String, String, Vec<u8>, i64);

const FEEDS: &str = "SELECT feed, bucket, shard, major, minor, did, collection, rkey, cell,
    WRITETIME(cell) FROM feeds";
const MEMBERS: &str = "SELECT subject, kind, shard, did, rkey, cell, WRITETIME(cell) FROM members";
const WRITE_FEED: &str = "INSERT INTO feeds
    (feed, bucket, shard, major, minor, did, collection, rkey, cell)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?";
const WRITE_MEMBER: &str = "INSERT INTO members (subject, kind, shard, did, rkey, cell)
    VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?";

macro_rules! rows {
    ($session:expr, $text:expr, $row:ty) => {{
        let answer = $session.query_unpaged($text, ()).await?;
        let answer = answer.into_rows_result()?;
        answer.rows::<$row>()?.collect::<Result<Vec<$row>, _>>()?
    }};
}

fn is_live(cell: &[u8]) -> bool {
    cell.last() == Some(&1)
}

fn is_something(cell: &[u8]) -> bool {
    cell.iter().any(|byte| *byte != 0)
}

/// Dead, by what decided it: later than the engine's own cell.
fn dead(cell: &[u8]) -> Vec<u8> {
    let mut cell = cell.to_vec();
    let length = cell.len();
    cell[length - 2] = 1;
    cell[length - 1] = 0;
    cell
}

impl Keyspace {
    pub(crate) async fn session(&self) -> Result<Session, BoxError> {
        let session = SessionBuilder::new().known_nodes(&self.0.nodes);
        let session = session.build().await?;
        session.use_keyspace(&self.0.keyspace, false).await?;
        Ok(session)
    }
}

#[async_trait::async_trait]
impl Spoilt for Keyspace {
    async fn derived(&self) -> Result<Vec<String>, BoxError> {
        let session = self.session().await?;
        let mut found = Vec::new();
        for row in rows!(session, FEEDS, FeedRow) {
            let (feed, bucket, shard, major, minor, did, collection, rkey, cell, _) = row;
            if is_live(&cell) {
                let at = (bucket, shard, major, minor, did, collection, rkey);
                found.push(format!("feed {feed} {at:?}"));
            }
        }
        for (subject, kind, shard, did, rkey, cell, _) in rows!(session, MEMBERS, MemberRow) {
            if is_live(&cell) {
                found.push(format!("member {subject} {kind} {shard} {did} {rkey}"));
            }
        }
        let text = "SELECT subject, kind, shard, cell FROM counts";
        for row in rows!(session, text, (String, i32, i32, Vec<u8>)) {
            if is_something(&row.3) {
                found.push(format!("count {row:?}"));
            }
        }
        let text = "SELECT shard, did, collection, cell FROM actor_totals";
        for row in rows!(session, text, (i32, String, String, Vec<u8>)) {
            if is_something(&row.3) {
                found.push(format!("published {row:?}"));
            }
        }
        for row in rows!(session, "SELECT shard, cell FROM totals", (i32, Vec<u8>)) {
            if is_something(&row.1) {
                found.push(format!("total {row:?}"));
            }
        }
        for row in rows!(session, "SELECT did, cell FROM hidden", (String, Vec<u8>)) {
            if is_live(&row.1) {
                found.push(format!("hidden {}", row.0));
            }
        }
        let text = "SELECT feed, bucket, shard FROM buckets";
        for row in rows!(session, text, (String, i32, i32)) {
            found.push(format!("bucket {row:?}"));
        }
        for row in rows!(
            session,
            "SELECT did, collection FROM repos",
            (String, String)
        ) {
            found.push(format!("repo {row:?}"));
        }
        found.sort_unstable();
        Ok(found)
    }

    async fn spoil(&self) -> Result<(), BoxError> {
        let session = self.session().await?;
        let used = conformance::used()?;
        for (number, row) in rows!(session, FEEDS, FeedRow).into_iter().enumerate() {
            let (feed, bucket, shard, major, minor, did, collection, rkey, cell, stamp) = row;
            let place = (feed, bucket, shard);
            let columns = (did, collection, rkey);
            let ((feed, bucket, shard), (did, collection, rkey)) = (&place, &columns);
            if number % 7 == 0 {
                let cell = dead(&cell);
                let row = (
                    feed, bucket, shard, major, minor, did, collection, rkey, cell, stamp,
                );
                session.query_unpaged(WRITE_FEED, row).await?;
            }
            if number % 7 == 1 {
                let text = "DELETE FROM feeds USING TIMESTAMP ? WHERE feed = ? AND bucket = ?
                    AND shard = ? AND major = ? AND minor = ? AND did = ? AND collection = ?
                    AND rkey = ?";
                let row = (
                    stamp + 5,
                    feed,
                    bucket,
                    shard,
                    major,
                    minor,
                    did,
                    collection,
                    rkey,
                );
                session.query_unpaged(text, row).await?;
            }
            if number % 7 == 2 {
                // Of a record that derives another row, and of one that isn't there.
                for (rkey, stamp) in [(rkey.as_str(), stamp), ("nothing", 5)] {
                    let minor = minor + 1;
                    let row = (
                        feed, bucket, shard, major, minor, did, collection, rkey, &cell, stamp,
                    );
                    session.query_unpaged(WRITE_FEED, row).await?;
                }
            }
        }
        let text = "DELETE FROM buckets USING TIMESTAMP 1 WHERE feed = 'latest_tracks'";
        session.query_unpaged(text, ()).await?;
        for (number, row) in rows!(session, MEMBERS, MemberRow).into_iter().enumerate() {
            let (subject, kind, shard, did, rkey, cell, stamp) = row;
            if number % 5 == 0 {
                let row = (&subject, kind, shard, &did, &rkey, dead(&cell), stamp);
                session.query_unpaged(WRITE_MEMBER, row).await?;
            }
            if number % 5 == 1 {
                let row = (&subject, kind, shard, &did, "nothing", &cell, stamp);
                session.query_unpaged(WRITE_MEMBER, row).await?;
            }
        }
        let text = "SELECT subject, kind, shard FROM counts";
        for (number, (subject, kind, shard)) in rows!(session, text, (String, i32, i32))
            .into_iter()
            .enumerate()
        {
            if number % 3 == 0 && subject != used.to_string() {
                let text = "DELETE FROM counts WHERE subject = ? AND kind = ? AND shard = ?";
                let row = (subject, kind, shard);
                session.query_unpaged(text, row).await?;
            } else if number % 3 == 1 {
                let text = "INSERT INTO counts (subject, kind, shard, cell) VALUES (?, ?, ?, ?)";
                let row = (subject, kind, shard, vec![0u8, 0, 0, 0, 0, 0, 0, 9]);
                session.query_unpaged(text, row).await?;
            }
        }
        for text in [
            "INSERT INTO counts (subject, kind, shard, cell)
                VALUES ('at://nobody', 0, 1, 0x0000000000000007)",
            "INSERT INTO totals (one, shard, cell) VALUES (0, 1, 0x00)",
        ] {
            session.query_unpaged(text, ()).await?;
        }
        let text = "SELECT shard, did FROM actor_totals";
        let shards = rows!(session, text, (i32, String));
        let text = "SELECT shard, did, collection FROM actor_totals";
        for (number, row) in rows!(session, text, (i32, String, String))
            .into_iter()
            .enumerate()
        {
            if number % 3 == 0 {
                let text =
                    "DELETE FROM actor_totals WHERE shard = ? AND did = ? AND collection = ?";
                session.query_unpaged(text, row).await?;
            } else if number % 3 == 1 {
                let text = "INSERT INTO actor_totals (shard, did, collection, cell)
                    VALUES (?, ?, ?, ?)";
                let row = (row.0, row.1, row.2, vec![1u8; 56]);
                session.query_unpaged(text, row).await?;
            }
        }
        for (did, hides) in [("did:plc:a", 1u8), ("did:plc:hidden", 0)] {
            let shard = shards.iter().find(|(_, of)| of == did);
            let shard = shard.map(|(shard, _)| *shard).ok_or("no such actor")?;
            let cell = [11i64.to_be_bytes().to_vec(), vec![hides]].concat();
            let text = "INSERT INTO hidden (shard, did, cell) VALUES (?, ?, ?) USING TIMESTAMP 11";
            session.query_unpaged(text, (shard, did, cell)).await?;
        }
        Ok(())
    }
}
