//! The operator's own state: the journal of one machine, and what the store is told of it.

#![allow(clippy::unwrap_used)] // in helpers of tests

mod refusing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plyr_lexicons::RecordUri;
use plyr_schemas::conformance::{self, BoxError, Checked, put};
use plyr_schemas::embedded::{BEFORE_COMMIT, EmbeddedOptions, EmbeddedStore};
use plyr_schemas::own::{Acted, Action, Asked, OwnError, Patience, Verb};
use plyr_schemas::{
    Change, FaultHook, FileJournal, HiddenSubject, Hide, Own, OwnJournal, Store, StoreError,
};
use refusing::Refusing;
use serde_json::json;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn path(folder: &Path) -> PathBuf {
    folder.join("own/journal.ndjson")
}

fn track() -> RecordUri {
    "at://did:plc:a/fm.plyr.track/one".parse().unwrap()
}

fn asked(action: Verb) -> Asked {
    Asked {
        action,
        subject: HiddenSubject::Record(track()),
        by: "alice".to_owned(),
        reason: None,
        reference: None,
        force: false,
    }
}

/// A data folder whose store is open.
async fn open(folder: &Path, fault: Option<FaultHook>) -> Result<(Own, Arc<dyn Store>), BoxError> {
    let mut options = EmbeddedOptions::new(folder.to_owned(), "fm.plyr".parse()?);
    options.fault = fault;
    open_with(options).await
}

async fn open_with(options: EmbeddedOptions) -> Result<(Own, Arc<dyn Store>), BoxError> {
    let mut tries = 0;
    let store = loop {
        match EmbeddedStore::open(options.clone()) {
            // The one before lets go of the folder when its writer has ended.
            Err(StoreError::Locked { .. } | StoreError::Engine { .. }) if tries < 1_000_000 => {
                tries += 1;
                tokio::task::yield_now().await;
            }
            opened => break opened?,
        }
    };
    let store: Arc<dyn Store> = Arc::new(store);
    let journal = Arc::new(FileJournal::open(&options.folder)?);
    Ok((Own::new(journal, store.clone()), store))
}

fn journal(folder: &Path) -> Result<Arc<dyn OwnJournal>, BoxError> {
    Ok(Arc::new(FileJournal::open(folder)?))
}

async fn is_hidden(store: &dyn Store) -> Result<bool, StoreError> {
    let subjects = [HiddenSubject::Record(track())];
    let hidden = store.snapshot().await?.hidden(&subjects).await?;
    Ok(hidden[0])
}

#[tokio::test]
async fn i01_what_an_operator_did_is_kept() -> Checked {
    let folder = folder();
    let open = async || journal(folder.path());
    conformance::i01_what_an_operator_did_is_kept(open).await
}

#[tokio::test]
async fn i14_a_long_journal_is_handed_over_whole() -> Checked {
    let folder = folder();
    let open = async || journal(folder.path());
    conformance::i14_a_long_journal_is_handed_over_whole(open).await
}

#[tokio::test]
async fn i01_a_journal_is_copied_once() -> Checked {
    let (one, two) = (folder(), folder());
    let from = FileJournal::open(one.path())?;
    let to = FileJournal::open(two.path())?;
    conformance::i01_a_journal_is_copied_once(&from, &to).await
}

#[tokio::test]
async fn i03_a_line_that_was_cut_off_counts_for_nothing() -> Checked {
    let folder = folder();
    let (own, store) = open(folder.path(), None).await?;
    own.act(asked(Verb::Takedown)).await?;
    store.close().await?;
    drop((own, store));
    let path = path(folder.path());
    let whole = std::fs::read(&path)?;
    // Cut anywhere in what came next, up to its newline.
    let line = String::from_utf8(whole.clone())?;
    for end in 1..line.trim_end().len() {
        std::fs::write(&path, [&whole[..], &whole[..end]].concat())?;
        let journal = FileJournal::open(folder.path())?;
        assert_eq!(std::fs::read(&path)?, whole, "cut at {end}");
        assert_eq!(journal.standing().await?.len(), 1);
    }
    // What is noted next stands in a line of its own.
    std::fs::write(&path, [&whole[..], b"{\"id\""].concat())?;
    let (own, _store) = open(folder.path(), None).await?;
    own.act(asked(Verb::Restore)).await?;
    let lines = std::fs::read_to_string(&path)?;
    assert_eq!(lines.lines().count(), 2);
    assert!(FileJournal::open(folder.path()).is_ok());
    Ok(())
}

#[tokio::test]
async fn i12_a_journal_that_cant_be_read_is_refused_with_its_line() -> Checked {
    let folder = folder();
    let (own, store) = open(folder.path(), None).await?;
    for verb in [Verb::Takedown, Verb::Restore, Verb::Takedown] {
        own.act(asked(verb)).await?;
    }
    store.close().await?;
    drop((own, store));
    let path = path(folder.path());
    let whole = std::fs::read_to_string(&path)?;
    let lines: Vec<&str> = whole.lines().collect();
    let long = "x".repeat(1 << 20);
    let unknown = lines[1].replace("restore", "forgive");
    let nobody = lines[1].replace("at://did:plc:a/fm.plyr.track/one", "alice");
    for broken in [
        "",
        "{}",
        "\u{0}\u{0}",
        &lines[1][..40],
        &long,
        &unknown,
        &nobody,
    ] {
        let text = [lines[0], broken, lines[2], ""].join("\n");
        std::fs::write(&path, &text)?;
        let refused = FileJournal::open(folder.path()).err();
        let told = refused.ok_or("it was taken")?.to_string();
        assert!(told.contains("own/journal.ndjson"), "{told}");
        assert!(told.contains("line 2"), "{told}");
        assert_eq!(std::fs::read_to_string(&path)?, text, "left as it was");
    }
    Ok(())
}

#[tokio::test]
async fn i08_an_action_is_noted_and_the_store_follows() -> Checked {
    let folder = folder();
    let (own, store) = open(folder.path(), None).await?;
    let record = json!({ "title": "t", "artist": "A", "fileType": "mp3" });
    store.apply(vec![put(&track(), 1, &record)?]).await?;
    let Acted { before, noted } = own.act(asked(Verb::Takedown)).await?;
    assert_eq!(before, None);
    let noted = noted.ok_or("nothing was noted")?;
    assert_eq!((noted.action, noted.by.as_str()), (Verb::Takedown, "alice"));
    assert!(is_hidden(store.as_ref()).await?);
    assert_eq!(store.snapshot().await?.totals().await?.sums.tracks, 0);

    let acted = own.act(asked(Verb::Restore)).await?;
    assert_eq!(acted.before.as_ref(), Some(&noted));
    assert!(acted.noted.is_some_and(|restored| restored.at > noted.at));
    assert!(!is_hidden(store.as_ref()).await?);
    assert_eq!(store.snapshot().await?.totals().await?.sums.tracks, 1);
    // There is nothing to restore.
    assert_eq!(own.act(asked(Verb::Restore)).await?.noted, None);
    Ok(())
}

/// A journal of a backup, beside a store that was told more since.
#[tokio::test]
async fn i08_what_a_store_hides_since_an_older_journal_can_be_restored() -> Checked {
    let folder = folder();
    let (own, store) = open(folder.path(), None).await?;
    own.act(asked(Verb::Takedown)).await?;
    own.act(asked(Verb::Restore)).await?;
    let backup = std::fs::read(path(folder.path()))?;
    own.act(asked(Verb::Takedown)).await?;
    store.close().await?;
    drop((own, store));
    std::fs::write(path(folder.path()), backup)?;

    let (own, store) = open(folder.path(), None).await?;
    own.tell_what_is_missing().await?;
    let subject = HiddenSubject::Record(track());
    assert!(is_hidden(store.as_ref()).await?);
    assert!(own.is_hidden_unnoted(&subject).await?);
    assert!(own.act(asked(Verb::Restore)).await?.noted.is_some());
    assert!(!is_hidden(store.as_ref()).await?);
    assert!(!own.is_hidden_unnoted(&subject).await?);
    Ok(())
}

/// The CID of a record's version is no blob's: nothing would be hidden by it.
#[tokio::test]
async fn i08_what_no_blob_can_be_is_not_said_to_be_taken_down() -> Checked {
    let folder = folder();
    let (own, _store) = open(folder.path(), None).await?;
    let cid = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i".parse()?;
    for did in [None, Some(track().did)] {
        let mut of_record = asked(Verb::Takedown);
        of_record.subject = HiddenSubject::Blob { did, cid };
        let told = own.act(of_record).await.unwrap_err();
        assert!(told.to_string().contains("at-uri"), "{told}");
    }
    Ok(())
}

/// A journal that was lost, beside a store that was told.
#[tokio::test]
async fn i08_what_the_store_alone_knows_to_be_hidden_can_be_restored() -> Checked {
    let folder = folder();
    let (own, store) = open(folder.path(), None).await?;
    own.act(asked(Verb::Takedown)).await?;
    // Told by a machine whose clock is an hour ahead, and behind others of more than a page.
    let ahead = chrono::Utc::now().timestamp_micros() + 3_600_000_000;
    let mut hides = vec![(HiddenSubject::Record(track()), ahead)];
    for number in 0..600 {
        let uri = format!("at://did:plc:a/fm.plyr.track/a{number:03}");
        hides.push((HiddenSubject::Record(uri.parse()?), 1));
    }
    let hide = |(subject, at)| {
        let hidden = true;
        Change::Hide(Hide {
            subject,
            hidden,
            at,
        })
    };
    store.apply(hides.into_iter().map(hide).collect()).await?;
    store.close().await?;
    drop((own, store));
    std::fs::remove_file(path(folder.path()))?;

    let (own, store) = open(folder.path(), None).await?;
    own.tell_what_is_missing().await?;
    let subject = HiddenSubject::Record(track());
    assert!(is_hidden(store.as_ref()).await?);
    assert!(own.is_hidden_unnoted(&subject).await?);
    let acted = own.act(asked(Verb::Restore)).await?;
    assert!(acted.noted.is_some_and(|restored| restored.at > ahead));
    assert!(!is_hidden(store.as_ref()).await?);
    assert!(!own.is_hidden_unnoted(&subject).await?);
    // Of what nobody hides there is nothing to note.
    let mut other = asked(Verb::Restore);
    other.subject = HiddenSubject::Actor(track().did);
    assert_eq!(own.act(other).await?.noted, None);
    Ok(())
}

#[tokio::test]
async fn what_was_deleted_for_good_isnt_restored_by_the_way() -> Checked {
    let folder = folder();
    let (own, store) = open(folder.path(), None).await?;
    let mut deleting = asked(Verb::DeleteTrack);
    deleting.reason = Some("a court".to_owned());
    own.act(deleting).await?;
    // The weaker one changes nothing, and so lifts nothing.
    assert_eq!(own.act(asked(Verb::Takedown)).await?.noted, None);
    let refused = own.act(asked(Verb::Restore)).await.err();
    let told = refused.ok_or("it was restored")?.to_string();
    assert!(
        told.contains("a court") && told.contains("--force"),
        "{told}"
    );
    assert!(is_hidden(store.as_ref()).await?);
    let mut insisting = asked(Verb::Restore);
    insisting.force = true;
    own.act(insisting).await?;
    assert!(!is_hidden(store.as_ref()).await?);

    let mut account = asked(Verb::DeleteTrack);
    account.subject = HiddenSubject::Actor(track().did);
    assert!(matches!(own.act(account).await, Err(OwnError::Refused(_))));
    let mut chatty = asked(Verb::Takedown);
    chatty.reason = Some("x".repeat(4_001));
    let refused = own.act(chatty).await.err().ok_or("it was taken")?;
    assert!(
        refused.to_string().contains("4000 are the most"),
        "{refused}"
    );
    Ok(())
}

#[tokio::test]
async fn i08_a_store_that_was_not_told_or_is_lost_is_told_before_it_serves() -> Checked {
    let folder = folder();
    let dying: FaultHook = Arc::new(|point| point == BEFORE_COMMIT);
    let (own, store) = open(folder.path(), Some(dying)).await?;
    let noted = own.act(asked(Verb::Takedown)).await;
    assert!(matches!(noted, Err(OwnError::NotTold(_))), "{noted:?}");
    drop((own, store));

    let (own, store) = open(folder.path(), None).await?;
    assert!(!is_hidden(store.as_ref()).await?, "nobody told it");
    assert_eq!(own.tell_what_is_missing().await?, 1);
    assert!(is_hidden(store.as_ref()).await?);
    assert_eq!(own.tell_what_is_missing().await?, 0, "it knows");
    store.close().await?;
    drop((own, store));

    std::fs::remove_dir_all(folder.path().join("store"))?;
    std::fs::remove_file(folder.path().join("format.json"))?;
    let (own, store) = open(folder.path(), None).await?;
    assert_eq!(own.tell_what_is_missing().await?, 1);
    assert!(is_hidden(store.as_ref()).await?);
    own.act(asked(Verb::Restore)).await?;
    assert_eq!(own.tell_what_is_missing().await?, 0);
    Ok(())
}

/// What has to be taken down is taken down out of the reserve, also at a start; the rest waits.
#[tokio::test]
async fn i08_a_disk_nearly_full_keeps_nothing_from_being_taken_down() -> Checked {
    let folder = folder();
    let free = Arc::new(AtomicU64::new(100));
    let mut options = EmbeddedOptions::new(folder.path().to_owned(), "fm.plyr".parse()?);
    options.reserve_bytes = 50;
    let probe = free.clone();
    options.probe = Some(Arc::new(move |_| Ok(probe.load(Ordering::SeqCst))));
    let (own, store) = open_with(options.clone()).await?;
    let record = json!({ "title": "t", "artist": "A", "fileType": "mp3" });
    store.apply(vec![put(&track(), 1, &record)?]).await?;
    free.store(49, Ordering::SeqCst);
    own.act(asked(Verb::Takedown)).await?;
    assert!(is_hidden(store.as_ref()).await?);
    assert_eq!(store.snapshot().await?.totals().await?.sums.tracks, 0);
    // Together with a hide nothing else is written.
    let hide = Change::Hide(Hide {
        subject: HiddenSubject::Actor(track().did),
        hidden: true,
        at: 1,
    });
    for changes in [
        vec![put(&track(), 2, &record)?],
        vec![hide, put(&track(), 2, &record)?],
        Vec::new(),
    ] {
        let refused = store.apply(changes).await;
        assert!(matches!(refused, Err(StoreError::DiskFull { .. })));
    }
    store.close().await?;
    drop((own, store));

    let noted = journal(folder.path())?;
    let other = Action {
        id: "0000000000000001".to_owned(),
        at: 1,
        by: "alice".to_owned(),
        action: Verb::Takedown,
        subject: HiddenSubject::Actor(track().did),
        reason: None,
        reference: None,
    };
    noted.append(&other).await?;
    drop(noted);
    let (own, store) = open_with(options).await?;
    assert_eq!(own.tell_what_is_missing().await?, 1);
    let actor = [HiddenSubject::Actor(track().did)];
    assert_eq!(store.snapshot().await?.hidden(&actor).await?, [true]);
    Ok(())
}

/// Who can't be told now is told as soon as that goes.
#[tokio::test]
async fn i08_a_store_that_takes_nothing_for_a_while_is_told_later() -> Checked {
    let folder = folder();
    let (_own, store) = open(folder.path(), None).await?;
    let refusing = Arc::new(Refusing::over(store.clone()));
    let journal = journal(folder.path())?;
    let patience = Patience {
        wait: Duration::from_millis(1),
        later: Duration::from_millis(1),
    };
    let over = |store| Own::new(journal.clone(), store).with_patience(patience);
    let own = over(refusing.clone());
    let noted = own.act(asked(Verb::Takedown)).await;
    assert!(matches!(noted, Err(OwnError::NotTold(_))), "{noted:?}");
    assert!(noted.is_err_and(|problem| problem.is_passing()));
    assert!(!is_hidden(store.as_ref()).await?);
    let held = own.standing(&HiddenSubject::Record(track())).await?;
    assert!(held.is_some(), "it is noted");
    refusing.take_again();
    refusing.took(1).await?;
    assert!(is_hidden(store.as_ref()).await?);

    // A start that can't tell it goes on, and tells it later too.
    own.act(asked(Verb::Restore)).await?;
    refusing.refuse();
    let noted = own.act(asked(Verb::Takedown)).await;
    assert!(noted.is_err_and(|problem| problem.is_passing()));
    let started = over(refusing.clone());
    let told = started.tell_what_is_missing().await;
    assert!(told.is_err_and(|problem| problem.is_passing()));
    started.tell_later();
    started.tell_later();
    drop(own);
    refusing.take_again();
    refusing.took(3).await?;
    assert!(is_hidden(store.as_ref()).await?);
    Ok(())
}
