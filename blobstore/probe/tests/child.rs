//! Children: what they answer, and what comes of those that a file would kill.

// How a child is made to misbehave isn't built into what ships.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests

mod files;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use files::{fixture, options, prober, wav};
use plyr_probe::{Fact, Misbehaviour, ProbeError, Prober, ProberOptions};

#[tokio::test]
async fn a_child_answers_for_audio_and_for_images() {
    let prober = prober();
    let Fact::Audio(facts) = prober.audio(&fixture("tone.flac")).await.unwrap() else {
        panic!("no audio");
    };
    assert_eq!((&*facts.codec, facts.frames), ("flac", 44_100));
    let Fact::Refused(refusal) = prober.audio(&fixture("spoof.html")).await.unwrap() else {
        panic!("audio");
    };
    assert_eq!(refusal.word, "notAudio");
    let sizes = [(32, true), (16, false)];
    let (fact, images) = prober.image(&fixture("cover.jpg"), &sizes).await.unwrap();
    assert!(matches!(fact, Fact::Image(_)), "{fact:?}");
    let made: Vec<u32> = images.iter().map(|image| image.pixels).collect();
    assert_eq!(made, [32, 16]);
    for image in images {
        assert!(image.bytes.starts_with(b"RIFF") && image.bytes[8..].starts_with(b"WEBP"));
    }
    let (fact, images) = prober.image(&fixture("tone.mp3"), &sizes).await.unwrap();
    assert!(matches!(fact, Fact::Refused(_)) && images.is_empty());
}

async fn misbehaves(options: ProberOptions, how: Misbehaviour) -> ProbeError {
    let file = fixture("tone.mp3");
    Prober::new(options)
        .misbehave(how, &file)
        .await
        .unwrap_err()
}

fn died(problem: ProbeError, how: &str) {
    match problem {
        ProbeError::Died { how: told } if told.contains(how) => {}
        other => panic!("{other:?} and not {how}"),
    }
}

fn not_tried(problem: ProbeError, why: &str) {
    match problem {
        ProbeError::NotTried { detail } if detail.contains(why) => {}
        other => panic!("{other:?} and not {why}"),
    }
}

#[tokio::test]
async fn i11_a_child_that_takes_memory_dies_of_it() {
    died(
        misbehaves(options(), Misbehaviour::EatMemory).await,
        "memory",
    );
}

#[tokio::test]
async fn i11_a_child_that_takes_time_dies_of_it() {
    let options = ProberOptions {
        cpu: Duration::from_secs(1),
        ..options()
    };
    died(
        misbehaves(options, Misbehaviour::EatTime).await,
        "processor time",
    );
}

#[tokio::test]
async fn i11_a_child_that_waits_is_ended() {
    let options = ProberOptions {
        wall: Duration::from_millis(700),
        ..options()
    };
    died(misbehaves(options, Misbehaviour::Hang).await, "longer than");
}

#[tokio::test]
async fn i11_a_child_that_says_too_much_is_not_listened_to() {
    died(
        misbehaves(options(), Misbehaviour::Babble).await,
        "more than",
    );
}

#[tokio::test]
async fn a_panic_is_told_from_an_answer() {
    died(misbehaves(options(), Misbehaviour::Panic).await, "panicked");
}

#[tokio::test]
async fn what_has_nothing_to_do_with_the_content_is_not_held_against_it() {
    let file = fixture("tone.mp3");
    not_tried(
        prober().audio(&fixture("nothing")).await.unwrap_err(),
        "opened",
    );
    let missing = ProberOptions {
        program: PathBuf::from("/nothing/there"),
        ..options()
    };
    not_tried(
        Prober::new(missing).audio(&file).await.unwrap_err(),
        "started",
    );
    for other in ["/bin/true", "/bin/false"] {
        let other = ProberOptions {
            program: PathBuf::from(other),
            ..options()
        };
        not_tried(
            Prober::new(other).audio(&file).await.unwrap_err(),
            "is it this program",
        );
    }
    not_tried(
        misbehaves(options(), Misbehaviour::FailToRead).await,
        "could not read",
    );
    // Reading a folder fails, whatever its length.
    let folder = fixture("");
    assert!(matches!(
        prober().audio(&folder).await,
        Err(ProbeError::NotTried { .. })
    ));
    let sizes = [(5000, true)];
    not_tried(
        prober()
            .image(&fixture("cover.jpg"), &sizes)
            .await
            .unwrap_err(),
        "ask for",
    );
    not_tried(
        prober()
            .image(&fixture("cover.jpg"), &[(1, true); 9])
            .await
            .unwrap_err(),
        "ask for",
    );
}

#[tokio::test]
async fn a_child_writes_no_files() {
    died(
        misbehaves(options(), Misbehaviour::WriteFile).await,
        "signal 25",
    );
}

#[tokio::test]
async fn i11_no_more_children_than_there_are_places() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asked");
    std::fs::write(&path, b"x").unwrap();
    let options = ProberOptions {
        program: fixture("one-at-a-time.sh"),
        at_once: 1,
        ..options()
    };
    let prober = Prober::new(options);
    let asked = (0..12).map(|_| {
        let (prober, path) = (prober.clone(), path.clone());
        tokio::spawn(async move { prober.audio(&path).await })
    });
    for ended in asked.collect::<Vec<_>>() {
        not_tried(ended.await.unwrap().unwrap_err(), "code 3");
    }
    let others: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(others, ["asked"]);
}

/// Two hours of CD sound, 1.2 GB that are not on the disk: little memory, and exact.
#[tokio::test]
async fn i14_memory_is_flat_in_the_length_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.wav");
    let frames = 2 * 60 * 60 * 44_100 + 1;
    let claimed = frames * 4;
    let head = wav(1, 2, 44_100, 16, claimed, &[]);
    let file = File::create(&path).unwrap();
    file.write_all_at(&head, 0).unwrap();
    file.set_len(head.len() as u64 + u64::from(claimed))
        .unwrap();
    let options = ProberOptions {
        memory: 96 << 20,
        ..options()
    };
    let prober = Prober::new(options);
    let Fact::Audio(facts) = prober.audio(&path).await.unwrap() else {
        panic!("no audio");
    };
    assert_eq!((facts.frames, facts.exact), (u64::from(frames), true));
    // The same cut short, which is to be read from its beginning to its end.
    file.set_len(head.len() as u64 + u64::from(claimed) * 3 / 4)
        .unwrap();
    let Fact::Audio(facts) = prober.audio(&path).await.unwrap() else {
        panic!("no audio");
    };
    assert_eq!(
        (facts.frames, facts.exact),
        (u64::from(frames) * 3 / 4, false)
    );
}

#[tokio::test]
async fn more_than_a_day_is_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("day.wav");
    for (seconds, is_refused) in [(24 * 60 * 60, true), (24 * 60 * 60 - 1, false)] {
        let claimed = seconds * 8_000;
        let head = wav(1, 1, 8_000, 8, claimed, &[]);
        let file = File::create(&path).unwrap();
        file.write_all_at(&head, 0).unwrap();
        file.set_len(head.len() as u64 + u64::from(claimed))
            .unwrap();
        let fact = prober().audio(&path).await.unwrap();
        let refused = matches!(&fact, Fact::Refused(refusal) if refusal.word == "tooLarge");
        assert_eq!(refused, is_refused, "{fact:?}");
    }
}
