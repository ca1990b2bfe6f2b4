//! Every statement, declared once. All are prepared, idempotent, and each write carries the stamp
//! that decides it; a test walks the list.

/// How sure an answer must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sureness {
    /// LOCAL_QUORUM: what decides visibility, and every write.
    Quorum,
    /// LOCAL_ONE: hints and counts.
    One,
}

macro_rules! statements {
    ($($name:ident = $sureness:ident $text:expr;)*) => {
        /// A statement, by name.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Statement { $($name),* }

        impl Statement {
            /// All of them.
            pub const ALL: &[Statement] = &[$(Statement::$name),*];

            /// Its text in CQL.
            pub const fn text(self) -> &'static str {
                match self { $(Statement::$name => $text),* }
            }

            /// How sure its answer must be.
            pub const fn sureness(self) -> Sureness {
                match self { $(Statement::$name => Sureness::$sureness),* }
            }
        }
    };
}

statements! {
    ReadVersions = Quorum "SELECT rev, rank, said, judged, swept FROM versions
        WHERE did = ? AND collection = ? AND shard = ? AND rkey = ?";
    ReadRepoUp = Quorum "SELECT rkey, rev, rank, said, judged, swept FROM versions
        WHERE did = ? AND collection = ? AND shard = ? AND rkey > ?";
    ReadRepoDown = Quorum "SELECT rkey, rev, rank, said, judged, swept FROM versions
        WHERE did = ? AND collection = ? AND shard = ? AND rkey < ?
        ORDER BY rkey DESC, rev ASC, rank ASC";
    ReadKeys = Quorum "SELECT rkey, rev, rank, WRITETIME(said), swept FROM versions
        WHERE did = ? AND collection = ? AND shard = ? AND rkey > ?";
    ReadKey = Quorum "SELECT rev, rank, WRITETIME(said), swept FROM versions
        WHERE did = ? AND collection = ? AND shard = ? AND rkey = ?";
    ScanFirst = Quorum "SELECT DISTINCT did, collection, shard FROM versions";
    ScanNext = Quorum "SELECT DISTINCT did, collection, shard FROM versions
        WHERE token(did, collection, shard) > token(?, ?, ?)";
    WriteVersion = Quorum "INSERT INTO versions
        (did, collection, shard, rkey, rev, rank, said, judged)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?";
    WriteSwept = Quorum "INSERT INTO versions (did, collection, shard, rkey, rev, rank, swept)
        VALUES (?, ?, ?, ?, ?, ?, true) USING TIMESTAMP ?";
    RemoveVersion = Quorum "DELETE FROM versions USING TIMESTAMP ?
        WHERE did = ? AND collection = ? AND shard = ? AND rkey = ? AND rev = ? AND rank = ?";
    WriteJudged = Quorum "INSERT INTO versions (did, collection, shard, rkey, rev, rank, judged)
        VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?";
    ScanReposFirst = Quorum "SELECT DISTINCT did FROM repos";
    ScanReposNext = Quorum "SELECT DISTINCT did FROM repos WHERE token(did) > token(?)";
    ReadRepo = Quorum "SELECT collection FROM repos WHERE did = ?";
    WriteRepo = Quorum "INSERT INTO repos (did, collection, seen) VALUES (?, ?, true)
        USING TIMESTAMP ?";
    ReadFloor = Quorum "SELECT rev FROM floors WHERE did = ? AND collection = ?";
    WriteFloor = Quorum "INSERT INTO floors (did, collection, rev) VALUES (?, ?, ?)
        USING TIMESTAMP ?";
    ScanActorsFirst = Quorum "SELECT DISTINCT did FROM actors";
    ScanActorsNext = Quorum "SELECT DISTINCT did FROM actors WHERE token(did) > token(?)";
    ScanFloorsFirst = Quorum "SELECT DISTINCT did, collection FROM floors";
    ScanFloorsNext = Quorum "SELECT DISTINCT did, collection FROM floors
        WHERE token(did, collection) > token(?, ?)";
    ScanCursors = Quorum "SELECT DISTINCT source FROM cursors";
    ReadActor = Quorum "SELECT account, identity, bluesky FROM actors WHERE did = ?";
    WriteAccount = Quorum "INSERT INTO actors (did, account) VALUES (?, ?) USING TIMESTAMP ?";
    WriteIdentity = Quorum "INSERT INTO actors (did, identity) VALUES (?, ?) USING TIMESTAMP ?";
    WriteBluesky = Quorum "INSERT INTO actors (did, bluesky) VALUES (?, ?) USING TIMESTAMP ?";
    ReadHidden = Quorum "SELECT did, cell FROM hidden WHERE shard = ?";
    ReadHiddenOne = Quorum "SELECT cell FROM hidden WHERE shard = ? AND did = ?";
    WriteHidden = Quorum "INSERT INTO hidden (shard, did, cell) VALUES (?, ?, ?) USING TIMESTAMP ?";
    ReadHandle = Quorum "SELECT did, cell FROM handles WHERE handle = ?";
    WriteHandle = Quorum "INSERT INTO handles (handle, did, cell) VALUES (?, ?, ?)
        USING TIMESTAMP ?";
    ReadDue = Quorum "SELECT cell FROM due WHERE did = ?";
    WriteDue = Quorum "INSERT INTO due (did, cell) VALUES (?, ?) USING TIMESTAMP ?";
    ReadRepoState = Quorum "SELECT cell FROM repo_states WHERE shard = ? AND did = ?";
    ReadRepoStates = Quorum "SELECT did, cell FROM repo_states WHERE shard = ? AND did > ?";
    WriteRepoState = Quorum "INSERT INTO repo_states (shard, did, cell) VALUES (?, ?, ?)
        USING TIMESTAMP ?";
    ReadRepoDue = Quorum "SELECT cell FROM repo_due WHERE did = ?";
    WriteRepoDue = Quorum "INSERT INTO repo_due (did, cell) VALUES (?, ?) USING TIMESTAMP ?";
    ReadTold = Quorum "SELECT rev FROM repo_told WHERE did = ?";
    WriteTold = Quorum "INSERT INTO repo_told (did, rev) VALUES (?, ?) USING TIMESTAMP ?";
    ReadCursor = Quorum "SELECT cell FROM cursors WHERE source = ?";
    WriteCursor = Quorum "INSERT INTO cursors (source, cell) VALUES (?, ?) USING TIMESTAMP ?";
    ReadQuarantine = Quorum "SELECT cell FROM quarantine WHERE id = ?";
    WriteQuarantine = Quorum "INSERT INTO quarantine (id, cell) VALUES (?, ?) USING TIMESTAMP ?";
    ReadFeed = Quorum "SELECT major, minor, did, collection, rkey, cell FROM feeds
        WHERE feed = ? AND bucket = ? AND shard = ?
        AND (major, minor, did, collection, rkey) > (?, ?, ?, ?, ?)";
    WriteFeed = Quorum "INSERT INTO feeds
        (feed, bucket, shard, major, minor, did, collection, rkey, cell)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?";
    ReadFeedRow = Quorum "SELECT WRITETIME(cell), cell FROM feeds
        WHERE feed = ? AND bucket = ? AND shard = ?
        AND major = ? AND minor = ? AND did = ? AND collection = ? AND rkey = ?";
    ScanFeedsFirst = Quorum "SELECT DISTINCT feed, bucket, shard FROM feeds";
    ScanFeedsNext = Quorum "SELECT DISTINCT feed, bucket, shard FROM feeds
        WHERE token(feed, bucket, shard) > token(?, ?, ?)";
    ClearFeed = Quorum "DELETE FROM feeds USING TIMESTAMP ?
        WHERE feed = ? AND bucket = ? AND shard = ?";
    ReadBuckets = Quorum "SELECT bucket, shard FROM buckets WHERE feed = ? AND bucket >= ?";
    WriteBucket = Quorum "INSERT INTO buckets (feed, bucket, shard, seen) VALUES (?, ?, ?, true)
        USING TIMESTAMP ?";
    ClearBucket = Quorum "DELETE FROM buckets USING TIMESTAMP ?
        WHERE feed = ? AND bucket = ? AND shard = ?";
    ReadMembers = Quorum "SELECT did, rkey, cell FROM members
        WHERE subject = ? AND kind = ? AND shard = ? AND (did, rkey) > (?, ?)";
    ReadMembersOf = Quorum "SELECT rkey, cell FROM members
        WHERE subject = ? AND kind = ? AND shard = ? AND did = ?";
    WriteMember = Quorum "INSERT INTO members (subject, kind, shard, did, rkey, cell)
        VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?";
    ReadMember = Quorum "SELECT WRITETIME(cell), cell FROM members
        WHERE subject = ? AND kind = ? AND shard = ? AND did = ? AND rkey = ?";
    ScanMembersFirst = Quorum "SELECT DISTINCT subject, kind, shard FROM members";
    ScanMembersNext = Quorum "SELECT DISTINCT subject, kind, shard FROM members
        WHERE token(subject, kind, shard) > token(?, ?, ?)";
    ReadCount = Quorum "SELECT cell FROM counts WHERE subject = ? AND kind = ? AND shard = ?";
    ReadCountCells = Quorum "SELECT kind, shard, cell FROM counts WHERE subject = ?";
    ReadCounts = One "SELECT kind, cell FROM counts WHERE subject = ?";
    ReadSureCounts = Quorum "SELECT kind, cell FROM counts WHERE subject = ?";
    ScanCountsFirst = One "SELECT DISTINCT subject FROM counts";
    ScanCountsNext = One "SELECT DISTINCT subject FROM counts WHERE token(subject) > token(?)";
    WriteCounts = Quorum "INSERT INTO counts (subject, kind, shard, cell) VALUES (?, ?, ?, ?)
        USING TIMESTAMP ?";
    ReadActorTotals = One "SELECT cell FROM actor_totals WHERE shard = ? AND did = ?";
    ReadPublished = Quorum "SELECT cell FROM actor_totals
        WHERE shard = ? AND did = ? AND collection = ?";
    ReadPublishedAfter = Quorum "SELECT did, collection, cell FROM actor_totals
        WHERE shard = ? AND (did, collection) > (?, ?)";
    ReadShardTotals = Quorum "SELECT did, cell FROM actor_totals WHERE shard = ?";
    WriteActorTotals = Quorum "INSERT INTO actor_totals (shard, did, collection, cell)
        VALUES (?, ?, ?, ?) USING TIMESTAMP ?";
    ReadTotals = One "SELECT shard, cell FROM totals WHERE one = ?";
    WriteTotals = Quorum "INSERT INTO totals (one, shard, cell) VALUES (?, ?, ?) USING TIMESTAMP ?";
    ReadBlob = Quorum "SELECT stamp, cell FROM blobs WHERE cid = ?";
    ScanBlobsFirst = Quorum "SELECT DISTINCT cid FROM blobs";
    ScanBlobsNext = Quorum "SELECT DISTINCT cid FROM blobs WHERE token(cid) > token(?)";
    ReadSeenAudio = Quorum "SELECT cell FROM seen_audio
        WHERE shard = ? AND did = ? AND collection = ? AND rkey = ?";
    ReadSeenAudioAfter = Quorum "SELECT did, collection, rkey, cell FROM seen_audio
        WHERE shard = ? AND (did, collection, rkey) > (?, ?, ?)";
    WriteSeenAudio = Quorum "INSERT INTO seen_audio (shard, did, collection, rkey, cell)
        VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?";
    RemoveSeenAudio = Quorum "DELETE FROM seen_audio USING TIMESTAMP ?
        WHERE shard = ? AND did = ? AND collection = ? AND rkey = ?";
    ReadPass = Quorum "SELECT cell FROM passes WHERE name = ?";
    WritePass = Quorum "INSERT INTO passes (name, cell) VALUES (?, ?) USING TIMESTAMP ?";
    ScanOwnMonths = Quorum "SELECT DISTINCT month FROM own_actions";
    ReadOwnActions = Quorum "SELECT at, id, said FROM own_actions
        WHERE month = ? AND (at, id) > (?, ?)";
    WriteOwnAction = Quorum "INSERT INTO own_actions (month, at, id, said) VALUES (?, ?, ?, ?)
        USING TIMESTAMP ?";
    ReadHide = Quorum "SELECT cell FROM hides WHERE shard = ? AND subject = ?";
    ReadHides = Quorum "SELECT subject, cell FROM hides WHERE shard = ?";
    WriteHide = Quorum "INSERT INTO hides (shard, subject, cell) VALUES (?, ?, ?)
        USING TIMESTAMP ?";
    ReadHidesTold = Quorum "SELECT writer, number FROM hides_told WHERE one = ?";
    WriteHidesTold = Quorum "INSERT INTO hides_told (one, writer, number) VALUES (?, ?, ?)
        USING TTL 86400 AND TIMESTAMP ?";
    ReadToldHides = Quorum "SELECT number, subject, cell FROM told_hides
        WHERE writer = ? AND number > ?";
    WriteToldHide = Quorum "INSERT INTO told_hides (writer, number, subject, cell)
        VALUES (?, ?, ?, ?) USING TTL 172800 AND TIMESTAMP ?";
    ReadStreams = Quorum "SELECT stream, head, settled FROM log_streams WHERE one = ?";
    WriteStream = Quorum "INSERT INTO log_streams (one, stream, head) VALUES (?, ?, ?)
        USING TTL 1296000 AND TIMESTAMP ?";
    WriteSettled = Quorum "INSERT INTO log_streams (one, stream, settled) VALUES (?, ?, ?)
        USING TTL 1296000 AND TIMESTAMP ?";
    ReadLog = Quorum "SELECT number, subject, written_at FROM log
        WHERE stream = ? AND bucket = ? AND number > ?";
    WriteLog = Quorum "INSERT INTO log (stream, bucket, number, subject, written_at)
        VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A statement without a stamp of its own gets the server's clock and beats every rev.
    fn fault(text: &str) -> Option<&'static str> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        let is_read = text.starts_with("SELECT ");
        let is_write = text.starts_with("INSERT INTO ") || text.starts_with("DELETE FROM ");
        let stamps = text.matches("TIMESTAMP ?").count();
        if !is_read && !is_write {
            return Some("neither a read nor a write that says every column");
        }
        if stamps != usize::from(is_write) {
            return Some("a write without a stamp of its own, or a read with one");
        }
        for word in [
            "IF",
            "COUNTER",
            "FILTERING",
            "now()",
            "IN",
            "UPDATE",
            "null",
        ] {
            if words.contains(&word) {
                return Some("lightweight transaction, counter, scan, clock of the server, or IN");
            }
        }
        let is_scan = text.starts_with("SELECT DISTINCT ");
        let bound = text.contains(" WHERE ") || is_write || is_scan;
        (!bound).then_some("a scan")
    }

    #[test]
    fn i13_every_statement_is_stamped_and_bound_to_a_partition() {
        for statement in Statement::ALL {
            assert_eq!(fault(statement.text()), None, "{statement:?}");
        }
        for (text, why) in [
            ("INSERT INTO t (a) VALUES (?)", "no stamp"),
            (
                "UPDATE t USING TIMESTAMP ? SET a = ?",
                "an update leaves no row marker",
            ),
            ("INSERT INTO t (a) VALUES (?) IF NOT EXISTS", "lightweight"),
            ("SELECT a FROM t", "a scan"),
        ] {
            assert!(fault(text).is_some(), "{why}");
        }
    }

    #[test]
    fn a_write_is_never_at_less_than_quorum() {
        for statement in Statement::ALL {
            let is_read = statement.text().starts_with("SELECT ");
            assert!(
                is_read || statement.sureness() == Sureness::Quorum,
                "{statement:?}"
            );
        }
    }
}
