//! Frames of Jetstream, plain and compressed, and blocks of its archive.

use std::cell::RefCell;

use plyr_indexer::check::{Checked, LARGEST_RECORD, Operation, check};
use plyr_indexer::frame::{Commit, Frame};
use plyr_indexer::{Block, Protocol, Unzip, Unzipped};
use plyr_lexicons::{Namespace, Verdict, data, validate};
use plyr_schemas::{Body, Derived};

/// Bytes that a frame may have here, unzipped: fewer than in production, so that a small input
/// reaches the bound.
const LARGEST: usize = 1 << 20;
/// The clock that revs are held against: in the year 2030.
const NOW: i64 = 1_900_000_000_000_000;
/// What a word of a host, or of a parser about what it was given, may come to, in characters.
const LONGEST_WORD: usize = 300;

thread_local! {
    static UNZIP: RefCell<[Unzip; 2]> = RefCell::new(
        [Protocol::V1, Protocol::V2].map(|protocol| {
            Unzip::new(protocol.dictionary(), LARGEST).expect("a dictionary of ours")
        })
    );
}

/// Reads the bytes as a frame of either protocol, as it is and compressed, and as a block of an
/// archive. Every frame has an answer; what becomes a version has its record's CID, an address
/// that is read again, and rows that the record derives; and what is refused has the same name
/// at every replay.
pub fn frames(bytes: &[u8]) {
    for (place, protocol) in [Protocol::V1, Protocol::V2].into_iter().enumerate() {
        heard(protocol.decode(bytes));
        UNZIP.with_borrow_mut(|unzip| match unzip[place].unzip(bytes) {
            Unzipped::Frame(frame) => {
                assert!(frame.len() <= LARGEST, "larger than a frame may be");
                heard(protocol.decode(frame));
            }
            Unzipped::TooLarge | Unzipped::Broken(_) => {}
        });
    }
    archived(bytes);
}

fn heard(frame: Frame<'_>) {
    match frame {
        Frame::Commit(commit) => committed(commit),
        Frame::Notice { name, message } => {
            let longest = name.chars().count().max(message.chars().count());
            assert!(longest <= LONGEST_WORD, "a notice of {longest} characters");
        }
        Frame::Ended { problem } => {
            let length = problem.chars().count();
            assert!(
                length <= 2 * LONGEST_WORD + 2,
                "an end of {length} characters"
            );
        }
        Frame::Trigger(_) | Frame::Unknown { .. } | Frame::Malformed { .. } => {}
    }
}

fn committed(commit: Commit<'_>) {
    let namespace: Namespace = "fm.plyr".parse().expect("a namespace");
    let operation = Operation::from(commit);
    let checked = check(&namespace, "a host", &operation, NOW);
    let again = check(&namespace, "a host", &operation, NOW);
    assert!(checked == again, "judged in two ways");
    let (version, verdict) = match checked {
        Checked::Version(version, verdict) => (version, verdict),
        Checked::OutOfScope => {
            assert!(namespace.collection(&operation.collection).is_none());
            return;
        }
        Checked::Quarantined(entry) => {
            assert!(!entry.reason.is_empty() && entry.detail.chars().count() <= LONGEST_WORD);
            return;
        }
    };
    assert_eq!(version.uri.to_string().parse(), Ok(version.uri.clone()));
    assert_eq!(version.rev.to_string(), operation.rev);
    let Body::Record {
        cid,
        bytes,
        judgement,
        derived,
    } = &version.body
    else {
        assert!(operation.is_delete, "a record became a delete");
        return;
    };
    assert!(!operation.is_delete, "a delete became a record");
    assert!(bytes.len() <= LARGEST_RECORD);
    assert_eq!(Some(cid.to_string()), operation.cid);
    assert_eq!(data::cid_of(bytes), *cid, "kept under another CID");
    // What the repo itself would be read as, which ends in the same state.
    let record = data::from_canonical(bytes).expect("what is kept is canonical");
    let collection = namespace.collection(version.uri.collection.as_str());
    let collection = collection.expect("what is kept is in a collection of ours");
    assert_eq!(validate::judge(&namespace, collection, &record), *judgement);
    assert_eq!(judgement.verdict, verdict);
    let expected = match verdict {
        Verdict::Invalid => Derived::default(),
        Verdict::Valid | Verdict::Tolerated => Derived::of(&version.uri, collection, &record),
    };
    assert_eq!(*derived, expected, "other rows than the record's");
}

fn archived(bytes: &[u8]) {
    let Ok(block) = Block::read(bytes) else {
        return;
    };
    for row in block.rows() {
        assert!(row.did.len() <= usize::from(u16::MAX));
        assert!(row.collection.len() <= usize::from(u8::MAX));
    }
}
