//! Where rows stand: the shard and the bucket that keep every partition bounded. Never changed for
//! data at rest: hash and numbers are part of the layout.

use plyr_lexicons::{Did, RecordUri};

use crate::index::{Index, Position};
use crate::model::Micros;
use crate::repo::Urgency;

/// Shards of a repo's collection.
pub const RECORD_SHARDS: i32 = 4;
/// Shards of a feed's bucket.
pub const FEED_SHARDS: i32 = 16;
/// Shards of actors, and of the sets that are counted.
pub const ACTOR_SHARDS: i32 = 256;

/// Shards of what the operator hides.
pub const HIDE_SHARDS: i32 = 16;

const DAY: Micros = 86_400_000_000;
const HOUR: Micros = 3_600_000_000;
/// Greatest bucket; what is beyond stands in the last one.
const LAST: i64 = 1_000_000;

/// FNV-1a, 64 bits, folded: the same on every machine and version.
fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    hash ^ (hash >> 32)
}

fn shard(text: &str, of: i32) -> i32 {
    (hash(text) % u64::from(of.unsigned_abs())) as i32
}

/// The shard of a record in its repo and collection.
pub fn record_shard(rkey: &str) -> i32 {
    shard(rkey, RECORD_SHARDS)
}

/// The shard of an actor.
pub fn actor_shard(did: &Did) -> i32 {
    shard(did.as_str(), ACTOR_SHARDS)
}

/// The shard of something that is hidden, by its text.
pub fn hide_shard(subject: &str) -> i32 {
    shard(subject, HIDE_SHARDS)
}

/// An ordered table as it stands in the cluster.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Feed {
    /// The name with the partition, unique over all feeds.
    pub name: String,
    stretch: Stretch,
}

/// How long a bucket is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Stretch {
    /// One bucket, one shard: bounded by a repo's quota.
    One,
    /// Newest first, this many microseconds.
    NewestFirst(i64),
    /// Rising, this many units.
    Rising(i64),
}

/// A bucket of a feed, and its shard. Orders as the feed's buckets do.
pub type Place = (i32, i32);

impl Feed {
    /// The feed of an index; none for the sets that are counted, which stand in `members`.
    pub fn of(index: &Index) -> Option<Feed> {
        let (name, stretch) = match index {
            Index::LatestTracks => ("latest_tracks".to_owned(), Stretch::NewestFirst(DAY)),
            Index::ActorTracks(did) => (format!("actor_tracks {}", did.as_str()), Stretch::One),
            Index::SubjectLikes(subject) => (
                format!("subject_likes {subject}"),
                Stretch::NewestFirst(28 * DAY),
            ),
            Index::SubjectLikers(_) => return None,
            Index::ActorLikes(did) => (format!("actor_likes {}", did.as_str()), Stretch::One),
            Index::SubjectCommentsByPosition(subject) => (
                format!("subject_comments_by_position {subject}"),
                Stretch::Rising(30_000),
            ),
            Index::SubjectCommentsByTime(subject) => (
                format!("subject_comments_by_time {subject}"),
                Stretch::NewestFirst(28 * DAY),
            ),
            Index::ActorLists(did) => (format!("actor_lists {}", did.as_str()), Stretch::One),
            Index::ActorListsOfType(did, list_type) => (
                format!("actor_lists_of_type {} {list_type}", did.as_str()),
                Stretch::One,
            ),
            Index::ListsWithItem(subject) => (
                format!("lists_with_item {subject}"),
                Stretch::NewestFirst(28 * DAY),
            ),
            // Whoever wants to may name one blob in any number of records and repos.
            Index::BlobUses(cid) => (format!("blob_uses {cid}"), Stretch::NewestFirst(28 * DAY)),
        };
        Some(Feed { name, stretch })
    }

    /// Current records that are invalid, newest seen first.
    pub fn invalid() -> Feed {
        let stretch = Stretch::NewestFirst(DAY);
        Feed {
            name: "invalid".to_owned(),
            stretch,
        }
    }

    /// Refused events, newest seen first.
    pub fn quarantine() -> Feed {
        let stretch = Stretch::NewestFirst(DAY);
        Feed {
            name: "quarantine".to_owned(),
            stretch,
        }
    }

    /// Checks by the time they are due.
    pub fn due() -> Feed {
        let stretch = Stretch::Rising(HOUR);
        Feed {
            name: "due".to_owned(),
            stretch,
        }
    }

    /// Repos of one urgency by the time they are due.
    pub fn due_repos(urgency: Urgency) -> Feed {
        let stretch = Stretch::Rising(HOUR);
        Feed {
            name: format!("repos_due {}", urgency as i64),
            stretch,
        }
    }

    /// Blobs by the time something is due of them: a row's actor column has the CID.
    pub fn due_blobs() -> Feed {
        let stretch = Stretch::Rising(HOUR);
        Feed {
            name: "blobs_due".to_owned(),
            stretch,
        }
    }

    /// Whether a feed of this name is derived from records.
    pub fn is_derived(name: &str) -> bool {
        const NAMES: [&str; 11] = [
            "latest_tracks",
            "actor_tracks",
            "subject_likes",
            "actor_likes",
            "subject_comments_by_position",
            "subject_comments_by_time",
            "actor_lists",
            "actor_lists_of_type",
            "lists_with_item",
            "blob_uses",
            "invalid",
        ];
        let first = name.split(' ').next().unwrap_or_default();
        NAMES.contains(&first)
    }

    /// Whether a derived feed of this name lists its buckets.
    pub fn lists_buckets(name: &str) -> bool {
        !name.starts_with("actor_")
    }

    /// Whether it lists its buckets; else all stands in (0, 0).
    pub fn is_bucketed(&self) -> bool {
        self.stretch != Stretch::One
    }

    /// The bucket of a sort key; rises with it.
    pub fn bucket(&self, major: i64) -> i32 {
        let bucket = match self.stretch {
            Stretch::One => 0,
            // Sort keys of newest-first feeds are negated times; nothing is older than 1970.
            Stretch::NewestFirst(stretch) => major.div_euclid(stretch).clamp(-LAST, 0),
            Stretch::Rising(stretch) => major.div_euclid(stretch).clamp(0, LAST),
        };
        bucket as i32
    }

    /// Where a row of an actor stands.
    pub fn place(&self, major: i64, did: &str) -> Place {
        match self.stretch {
            Stretch::One => (0, 0),
            _ => (self.bucket(major), shard(did, FEED_SHARDS)),
        }
    }
}

/// A position's columns, for statements.
pub fn columns(position: &Position) -> (i64, i64, &str, &str, &str) {
    let Position {
        major,
        minor,
        uri: RecordUri {
            did,
            collection,
            rkey,
        },
    } = position;
    (
        *major,
        *minor,
        did.as_str(),
        collection.as_str(),
        rkey.as_str(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_rise_with_their_sort_keys() {
        let mut keys = vec![
            i64::MIN,
            -DAY * 20_000,
            -DAY - 1,
            -DAY,
            -1,
            0,
            1,
            29_999,
            30_000,
            i64::MAX,
        ];
        keys.sort_unstable();
        let comments = Feed::of(&Index::SubjectCommentsByPosition("at://x".to_owned())).unwrap();
        for feed in [Feed::invalid(), Feed::due(), comments] {
            for pair in keys.windows(2) {
                assert!(
                    feed.bucket(pair[0]) <= feed.bucket(pair[1]),
                    "{feed:?} {pair:?}"
                );
            }
        }
    }

    #[test]
    fn a_feed_is_known_by_its_name() {
        let did = Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz".to_owned()).unwrap();
        let subject = || "at://x".to_owned();
        for index in [
            Index::LatestTracks,
            Index::ActorTracks(did.clone()),
            Index::SubjectLikes(subject()),
            Index::ActorLikes(did.clone()),
            Index::SubjectCommentsByPosition(subject()),
            Index::SubjectCommentsByTime(subject()),
            Index::ActorLists(did.clone()),
            Index::ActorListsOfType(did, "album".to_owned()),
            Index::ListsWithItem(subject()),
            Index::BlobUses("bafkrei".to_owned()),
        ] {
            let feed = Feed::of(&index).unwrap();
            assert!(Feed::is_derived(&feed.name), "{feed:?}");
            assert_eq!(Feed::lists_buckets(&feed.name), feed.is_bucketed());
        }
        assert!(Feed::is_derived(&Feed::invalid().name));
        assert!(!Feed::is_derived(&Feed::due().name));
        assert!(!Feed::is_derived(&Feed::due_blobs().name));
        assert!(!Feed::is_derived(&Feed::quarantine().name));
    }

    #[test]
    fn shards_are_what_they_were() {
        let did = Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz".to_owned()).unwrap();
        assert_eq!(actor_shard(&did), 86);
        assert_eq!(["self", "3kabcdefgh222", "x"].map(record_shard), [3, 2, 3]);
    }
}
