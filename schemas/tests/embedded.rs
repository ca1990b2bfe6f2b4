//! The embedded engine keeps what every engine must, and what only it promises.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // in helpers of tests

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use plyr_lexicons::Verdict;
use plyr_schemas::FaultHook;
use plyr_schemas::conformance::{
    self, BlobPlace, BlobStore, BoxError, Checked, Place, Spoilt, blob_cid,
};
use plyr_schemas::embedded::{BEFORE_COMMIT, EmbeddedOptions, EmbeddedStore};
use plyr_schemas::tables::{self, Key};
use plyr_schemas::{
    Account, AccountState, Blob, BlobRows, Body, Change, Index, IndexEntry, LogPosition,
    LogSubject, Pass, Position, Store, StoreError, StreamCursor, store_conformance,
};
use serde_json::json;
use tokio::runtime::Handle;

struct Folder(tempfile::TempDir);

fn folder() -> Folder {
    Folder(tempfile::tempdir().unwrap())
}

impl Folder {
    fn options(&self) -> EmbeddedOptions {
        EmbeddedOptions::new(self.0.path().to_owned(), "fm.plyr".parse().unwrap())
    }

    /// The store before lets go of the folder when its writer has ended.
    async fn open_as(&self, options: &EmbeddedOptions) -> Result<EmbeddedStore, StoreError> {
        let mut tries = 0;
        loop {
            match EmbeddedStore::open(options.clone()) {
                Err(StoreError::Locked { .. } | StoreError::Engine { .. }) if tries < 1_000_000 => {
                    tries += 1;
                    tokio::task::yield_now().await;
                }
                opened => return opened,
            }
        }
    }
}

impl Folder {
    /// Rows of a sort as the engine beneath keeps them, once the store has let go of them.
    async fn keyspace(&self, of: &str) -> Result<(fjall::Database, fjall::Keyspace), BoxError> {
        let mut tries = 0;
        loop {
            match fjall::Database::builder(self.0.path().join("store")).open() {
                Err(_) if tries < 1_000_000 => {
                    tries += 1;
                    tokio::task::yield_now().await;
                }
                opened => {
                    let database = opened?;
                    let keyspace = database.keyspace(of, Default::default)?;
                    return Ok((database, keyspace));
                }
            }
        }
    }
}

#[async_trait::async_trait]
impl Place for Folder {
    async fn open(&self, fault: Option<FaultHook>) -> Result<Arc<dyn Store>, StoreError> {
        let mut options = self.options();
        options.fault = fault;
        Ok(Arc::new(self.open_as(&options).await?))
    }
}

store_conformance! {
    folder();
    i02_any_order_ends_in_one_state,
    i02_the_greater_standing_wins_at_one_rev,
    i02_a_tie_ends_alike_in_either_order,
    i02_two_writers_end_as_one,
    i03_two_writers_one_dying_end_as_one,
    i03_a_crash_between_steps_loses_nothing,
    i04_a_delete_is_remembered,
    i04_at_or_below_the_floor_nothing_is_applied,
    i05_the_latest_version_decides,
    i07_an_actor_likes_once,
    i08_hidden_accounts_count_nowhere,
    i08_a_proof_beneath_counts_nowhere,
    i11_pages_of_a_repo_are_bounded,
    i15_pages_neither_skip_nor_repeat,
    i15_the_quarantine_neither_skips_nor_repeats,
    a_handle_belongs_to_its_newest_proof,
    the_log_names_what_changed,
    what_changes_back_is_named_again,
    a_handle_that_moves_names_both,
    whoever_is_liked_is_named,
    a_cursor_is_durable,
    what_was_refused_is_released,
    i02_a_repo_is_what_was_asked_last,
    i03_due_repos_are_kept_until_they_are_done,
    what_is_held_of_a_repo_is_listed_by_key,
    i02_a_due_check_only_goes_on,
    i02_a_handle_goes_to_the_newest_proof_in_any_order,
    i03_an_erasing_cut_off_anywhere_is_finished,
    i04_an_erased_account_is_gone_and_may_come_back,
    what_was_observed_is_answered,
    a_blobs_row_is_compared_and_set,
    of_many_writers_of_a_blob_one_wins_each_round,
    i03_blobs_are_due_as_their_rows_say,
    i15_blobs_are_listed_whole,
    what_was_seen_of_audio_is_kept,
    a_blob_leads_to_the_records_that_name_it,
    i03_a_hide_cut_off_anywhere_is_finished,
    i08_the_latest_hide_holds,
    i08_what_is_hidden_shows_and_counts_nowhere,
    i08_what_is_hidden_stays_hidden,
    i08_what_one_process_hides_no_other_shows,
}

#[async_trait::async_trait]
impl BlobPlace for Folder {
    async fn open_blobs(&self) -> Result<Arc<dyn BlobStore>, StoreError> {
        Ok(Arc::new(self.open_as(&self.options()).await?))
    }
}

fn cursor(position: u64) -> Vec<Change> {
    let (source, recent) = ("wss://one".to_owned(), Vec::new());
    vec![Change::Cursor(StreamCursor {
        source,
        position,
        recent,
    })]
}

#[tokio::test]
async fn a_disk_nearly_full_stops_writes_and_not_reads() -> Checked {
    let folder = folder();
    let free = Arc::new(AtomicU64::new(100));
    let mut options = folder.options();
    options.reserve_bytes = 50;
    let probe = free.clone();
    options.probe = Some(Arc::new(move |_| Ok(probe.load(Ordering::SeqCst))));
    let store = EmbeddedStore::open(options)?;
    assert!(store.rejudge(|_| ()).await?.done);
    store.apply(cursor(1)).await?;
    free.store(49, Ordering::SeqCst);
    assert!(matches!(
        store.apply(cursor(2)).await,
        Err(StoreError::DiskFull { .. })
    ));
    assert!(matches!(
        store.writable(),
        Err(StoreError::DiskFull { free_bytes: 49, .. })
    ));
    let held = store.snapshot().await?.cursor("wss://one").await?;
    assert_eq!(held.map(|cursor| cursor.position), Some(1));
    let blob = Blob::wanted(blob_cid(1), 1);
    let refused = store.replace_blob(blob.clone()).await;
    assert!(matches!(refused, Err(StoreError::DiskFull { .. })));
    assert_eq!(store.blobs(&[blob.cid]).await?, [None]);
    // What a start asks for goes on too: these rules have judged everything.
    assert!(store.rejudge(|_| ()).await?.done);
    free.store(50, Ordering::SeqCst);
    store.apply(cursor(3)).await?;
    let held = store.snapshot().await?.cursor("wss://one").await?;
    assert_eq!(held.map(|cursor| cursor.position), Some(3));
    store.close().await?;
    Ok(())
}

/// Those who follow the log hear of nothing that no disk has.
#[tokio::test]
async fn i03_followers_hear_of_what_was_written_alone() -> Checked {
    let folder = folder();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let opened: Arc<OnceLock<Arc<EmbeddedStore>>> = Arc::default();
    let (here, store, heads) = (Handle::current(), opened.clone(), seen.clone());
    let mut options = folder.options();
    options.fault = Some(Arc::new(move |point| {
        if point == BEFORE_COMMIT
            && let Some(store) = store.get()
        {
            let head = here.block_on(store.log_head()).unwrap();
            heads.lock().unwrap().push(head.to_string());
        }
        false
    }));
    let store = opened.get_or_init(|| Arc::new(EmbeddedStore::open(options).unwrap()));
    let account = |asked_at, state| {
        Change::Account(Account {
            did: "did:plc:a".parse().unwrap(),
            state,
            since: asked_at,
            asked_at,
        })
    };
    for (asked_at, state) in [(1, AccountState::Active), (2, AccountState::TakenDown)] {
        store.apply(vec![account(asked_at, state)]).await?;
    }
    let head = store.log_head().await?;
    let (stream, number) = head.iter().next().unwrap();
    assert_eq!(number, 2);
    assert_eq!(
        *seen.lock().unwrap(),
        [String::new(), format!("{stream}.1")]
    );
    store.close().await?;
    Ok(())
}

/// Many likes that are written together name their subject once, and none where as many were taken
/// back.
#[tokio::test]
async fn likes_written_together_name_their_subject_once() -> Checked {
    let folder = folder();
    let store = folder.open_as(&folder.options()).await?;
    let (subject, _) = conformance::a_like()?;
    let cid = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";
    let like = json!({ "subject": { "uri": subject, "cid": cid } });
    let of = |actor: &str, at: i64| {
        let uri = format!("at://did:plc:{actor}/fm.plyr.like/x");
        conformance::put(&uri.parse().unwrap(), at, &like).unwrap()
    };
    let taken_back = |actor: &str| match of(actor, 2) {
        Change::Version(mut like) => {
            like.body = Body::Delete;
            Change::Version(like)
        }
        other => other,
    };
    let named = async |changes: Vec<Change>| -> Result<usize, StoreError> {
        let head = store.log_head().await?;
        store.apply(changes).await?;
        let entries = store.log_after(&head, 1_000).await?;
        let subject = LogSubject::Record(subject.parse().unwrap());
        let named = entries.iter().filter(|entry| entry.subject == subject);
        Ok(named.count())
    };
    let many: Vec<Change> = (0..50).map(|n| of(&format!("a{n}"), 1)).collect();
    assert_eq!(named(many.clone()).await?, 1);
    assert_eq!(named(many).await?, 0, "nothing has changed");
    assert_eq!(named(vec![of("b", 1), taken_back("a7")]).await?, 0);
    assert_eq!(named(vec![of("c", 1), taken_back("c")]).await?, 0);
    assert_eq!(named(vec![taken_back("b")]).await?, 1);
    store.close().await?;
    Ok(())
}

/// The log of each store is told from that of any other, by a name it keeps.
#[tokio::test]
async fn a_log_keeps_its_name_and_shares_it_with_no_other() -> Checked {
    let (this, that) = (folder(), folder());
    let (_, change) = conformance::a_like()?;
    let mut heads = Vec::new();
    for folder in [&this, &that] {
        let store = folder.open_as(&folder.options()).await?;
        store.apply(vec![change.clone()]).await?;
        heads.push(store.log_head().await?);
        store.close().await?;
    }
    assert!(!heads[0].covers(&heads[1]) && !heads[1].covers(&heads[0]));
    let store = this.open_as(&this.options()).await?;
    assert_eq!(store.log_head().await?, heads[0]);
    store.close().await?;
    drop(store);

    // An older store has no name yet. What was at a position of its log before begins anew.
    {
        let (database, network) = this.keyspace("network").await?;
        network.remove(Key::of(&tables::META).text("stream").into_bytes())?;
        database.persist(fjall::PersistMode::SyncAll)?;
    }
    let mut named = Vec::new();
    for _ in 0..2 {
        let store = this.open_as(&this.options()).await?;
        let head = store.log_head().await?;
        named.push(head);
        let before: LogPosition = "log.1".parse()?;
        let entries = store.log_after(&before, 10).await?;
        let first = entries.first().map(|entry| entry.number);
        assert_eq!(
            first,
            Some(1),
            "another log's position counts for something"
        );
        store.close().await?;
    }
    assert_eq!(named[0], named[1]);
    assert!(!named[0].covers(&heads[0]));
    Ok(())
}

/// Changes that the test below waits for, one after another.
const SYNCED: u64 = 20;

/// Runs a test once more, told by a variable that it is watched; answers which of some calls it
/// made, with the paths of what they are about. None without strace.
fn watch(test: &str, variable: &str, calls: &str) -> Result<Option<String>, BoxError> {
    let told = tempfile::NamedTempFile::new()?;
    let watched = std::process::Command::new("strace")
        .args(["-f", "-qq", "-y", "-s", "4096", "-e"])
        .arg(format!("trace={calls}"))
        .arg("-o")
        .arg(told.path())
        .arg(std::env::current_exe()?)
        .args(["--exact", test])
        .env(variable, "1")
        .output();
    let watched = match watched {
        Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: the kernel's calls are seen with strace");
            return Ok(None);
        }
        watched => watched?,
    };
    assert!(watched.status.success(), "{watched:?}");
    Ok(Some(std::fs::read_to_string(told.path())?))
}

/// What is answered was handed to the disk before: as the kernel saw it, each commit is synced.
#[tokio::test]
async fn i03_what_is_answered_was_synced() -> Checked {
    const WATCHED: &str = "PLYR_WATCHED_BY_STRACE";
    if std::env::var_os(WATCHED).is_some() {
        let folder = folder();
        let store = EmbeddedStore::open(folder.options())?;
        for position in 1..=SYNCED {
            store.apply(cursor(position)).await?;
        }
        // Nothing that closing it syncs may count.
        std::process::exit(0);
    }
    let watching = watch(
        "i03_what_is_answered_was_synced",
        WATCHED,
        "fdatasync,fsync",
    );
    let Some(told) = watching? else {
        return Ok(());
    };
    let syncs = told.lines().filter(|line| line.contains("fdatasync("));
    assert!(syncs.count() as u64 >= SYNCED, "{told}");
    Ok(())
}

/// A new store gets its name when all names within it are durable; then so is its own, at the
/// latest by the next start.
#[tokio::test]
async fn i03_the_names_of_a_new_store_were_synced() -> Checked {
    const WATCHED: &str = "PLYR_NAMES_WATCHED_BY_STRACE";
    if std::env::var_os(WATCHED).is_some() {
        let folder = folder();
        for _ in 0..2 {
            let store = folder.open_as(&folder.options()).await?;
            store.close().await?;
            drop(store);
            // A start that is tried twice syncs twice.
            drop(folder.keyspace("network").await?);
        }
        return Ok(());
    }
    let test = "i03_the_names_of_a_new_store_were_synced";
    let calls = "fsync,mkdir,mkdirat,rename,renameat,renameat2";
    let Some(told) = watch(test, WATCHED, calls)? else {
        return Ok(());
    };
    let lines: Vec<&str> = told.lines().collect();
    let named = |line: &str| {
        let name = line.rsplit('"').nth(1)?;
        let is_name = line.contains("mkdir") || line.contains("rename");
        Some(std::path::PathBuf::from(name)).filter(|_| is_name && !line.contains(" = -1"))
    };
    let syncs = |lines: &[&str], folder: &std::path::Path| {
        let folder = format!("<{}>)", folder.display());
        let is_sync = |line: &&&str| line.contains("fsync(") && line.contains(&folder);
        lines.iter().filter(is_sync).count()
    };
    let takes_its_name = |line: &&str| named(line).is_some_and(|name| name.ends_with("store"));
    let done = lines.iter().position(takes_its_name);
    let done = done.ok_or("the store was not given its name")?;
    let within = lines[..done].iter().enumerate();
    let within = within.filter_map(|(place, line)| Some((place, named(line)?)));
    let within: Vec<_> = within
        .filter(|(_, name)| {
            name.components()
                .any(|part| part.as_os_str() == "store.new")
        })
        .filter(|(_, name)| !name.ends_with("store.new"))
        .collect();
    assert!(within.len() > 4, "{told}");
    for (place, name) in within {
        let folder = name.parent().ok_or("a name has a folder")?;
        let synced = syncs(&lines[place..done], folder);
        assert!(synced > 0, "{} in {told}", name.display());
    }
    let store = named(lines[done]).ok_or("the store has a name")?;
    let folder = store.parent().ok_or("the store has a folder")?;
    // By the making and by the start after it.
    assert_eq!(syncs(&lines[done..], folder), 2, "{told}");
    Ok(())
}

#[tokio::test]
async fn a_folder_in_use_or_of_another_namespace_is_refused() -> Checked {
    let folder = folder();
    let store = EmbeddedStore::open(folder.options())?;
    let second = EmbeddedStore::open(folder.options());
    let holder = format!("pid {}", std::process::id());
    assert!(matches!(&second, Err(StoreError::Locked { holder: by, .. }) if *by == holder));
    store.close().await?;
    drop(store);
    let mut other = folder.options();
    other.namespace = "fm.plyr.dev".parse()?;
    assert!(matches!(
        EmbeddedStore::open(other),
        Err(StoreError::Unusable { .. })
    ));
    Ok(())
}

/// What older rules said is judged again, both ways; a stop in between loses nothing.
#[tokio::test]
async fn new_rules_judge_everything_again() -> Checked {
    let folder = folder();
    let mut options = folder.options();
    options.rules -= 1;
    let store = EmbeddedStore::open(options.clone())?;
    assert!(store.rejudge(|_| ()).await?.done);
    let (good, bad) = (serde_json::json!("t"), serde_json::json!(7));
    let mut changes = vec![
        conformance::wrongly("good", &good, Verdict::Invalid)?,
        conformance::wrongly("bad", &bad, Verdict::Valid)?,
    ];
    for number in 0..1_200 {
        let rkey = format!("more{number}");
        changes.push(conformance::wrongly(&rkey, &good, Verdict::Invalid)?);
    }
    store.apply(changes).await?;
    let head = store.log_head().await?;
    store.close().await?;
    drop(store);

    options.rules += 1;
    let store = folder.open_as(&options).await?;
    // Cut off after the first go, then begun again.
    let begun = tokio::sync::Notify::new();
    tokio::select! {
        done = store.rejudge(|_| begun.notify_one()) => assert!(done?.done),
        () = begun.notified() => {}
    }
    store.close().await?;
    drop(store);
    let store = folder.open_as(&options).await?;
    let mut goes = 0;
    let done = store.rejudge(|_| goes += 1).await?;
    assert_eq!((done.judged, goes), (1_202, 3));
    assert!(
        done.changed <= 702,
        "what was judged before was judged again: {done:?}"
    );
    let snapshot = store.snapshot().await?;
    assert_eq!(snapshot.totals().await?.sums.tracks, 1_201);
    let refused = snapshot.quarantine(None, 10).await?;
    assert_eq!(refused.len(), 1);
    assert!(refused[0].id.ends_with("/bad"), "{refused:?}");
    let told = store.log_after(&head, 2_000).await?;
    assert_eq!(told.len(), 1_202, "a change of verdict isn't told");
    let again = store.rejudge(|_| ()).await?;
    assert_eq!((again.judged, again.done), (0, true));
    store.close().await?;
    Ok(())
}

/// A store that a program kept which knew no uses of blobs has them once it is opened.
#[tokio::test]
async fn i01_an_older_store_gets_the_rows_that_records_derive_since() -> Checked {
    const TRACKS: i64 = 2_500;
    let folder = folder();
    let (audio, rare) = (blob_cid(1), blob_cid(2));
    let store = folder.open_as(&folder.options()).await?;
    store.apply(conformance::tracks(TRACKS, &audio)?).await?;
    store.apply(conformance::tracks(1, &rare)?).await?;
    let expected = conformance::uses_of(&store, &audio).await?;
    assert_eq!(expected.len(), 100);
    store.close().await?;
    drop(store);
    {
        let (database, derived) = folder.keyspace("derived").await?;
        for row in derived.prefix([tables::BLOB_USES.tag]) {
            derived.remove(row.key()?)?;
        }
        let network = database.keyspace("network", Default::default)?;
        network.remove(Key::of(&tables::META).text("derivations").into_bytes())?;
        database.persist(fjall::PersistMode::SyncAll)?;
    }
    let store = folder.open_as(&folder.options()).await?;
    assert_eq!(conformance::uses_of(&store, &audio).await?, [""; 0]);
    // Cut off after a piece, and gone on with.
    let piece = store.pass(Pass::Derivations, None).await?;
    assert!(!piece.is_done() && piece.mended > 0, "{piece:?}");
    store.close().await?;
    drop(store);
    let store = folder.open_as(&folder.options()).await?;
    let written = store.rejudge(|_| ()).await?.written;
    assert_eq!(written, TRACKS as u64 + 1);
    assert_eq!(conformance::uses_of(&store, &audio).await?, expected);
    assert_eq!(conformance::uses_of(&store, &rare).await?.len(), 1);
    assert_eq!(store.rejudge(|_| ()).await?.written, 0);
    let again = conformance::run(&store, Pass::All).await?;
    assert_eq!((again.mended, again.unreadable), (0, 0), "{again:?}");
    store.close().await?;
    Ok(())
}

#[async_trait::async_trait]
impl Spoilt for Folder {
    async fn derived(&self) -> Result<Vec<String>, BoxError> {
        let derived = self.keyspace("derived").await?;
        let rows = derived.1.iter().map(|row| {
            let (key, cell) = row.into_inner()?;
            Ok(format!("{:?} {:?}", key.as_ref(), cell.as_ref()))
        });
        rows.collect()
    }

    async fn spoil(&self) -> Result<(), BoxError> {
        let (database, derived) = self.keyspace("derived").await?;
        let mut rows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for row in derived.iter() {
            let (key, cell) = row.into_inner()?;
            rows.push((key.to_vec(), cell.to_vec()));
        }
        let used = conformance::used()?.to_string();
        let used = Key::of(&tables::COUNTS).text(&used).into_bytes();
        let counted = [
            tables::COUNTS.tag,
            tables::ACTOR_TOTALS.tag,
            tables::TOTALS.tag,
        ];
        for (number, (key, cell)) in rows.iter().enumerate() {
            let is_sum = counted.contains(&key[0]);
            let is_live = key.windows(8).any(|part| part == b"plc:live");
            match number % 7 {
                _ if *key == used || key[0] == tables::TOTALS.tag || is_live => {}
                0 => derived.remove(key.as_slice())?,
                1 if is_sum => derived.insert(key.as_slice(), [9u8, 9])?,
                _ => {}
            }
            if is_sum && number % 7 > 1 || *key == used {
                let mut cell = cell.clone();
                let last = cell.len() - 9;
                cell[last] = cell[last].wrapping_add(3);
                derived.insert(key.as_slice(), cell)?;
            }
        }
        let of_nobody = "at://did:plc:nobody/fm.plyr.track/x".parse()?;
        let of_somebody = conformance::used()?;
        for uri in [&of_nobody, &of_somebody] {
            let subject = Index::SubjectLikers(of_somebody.to_string());
            for index in [Index::LatestTracks, subject] {
                let position = Position {
                    major: 7,
                    minor: 7,
                    uri: uri.clone(),
                };
                let row = IndexEntry { index, position };
                derived.insert(tables::entry(&row).into_bytes(), [1u8])?;
            }
            let invalid = Key::of(&tables::INVALID).number(-1).number(0).record(uri);
            derived.insert(invalid.into_bytes(), [1u8])?;
        }
        derived.insert([tables::ACTOR_TRACKS.tag, 0xff, 0, 1], [1u8])?;
        let counts = [vec![1], vec![1; 24]].concat();
        let nobody = Key::of(&tables::COUNTS).text("at://did:plc:nobody/x/y");
        derived.insert(nobody.into_bytes(), counts)?;
        let totals = [vec![1], vec![1; 64]].concat();
        for key in [
            Key::of(&tables::ACTOR_TOTALS).text("did:plc:nobody"),
            Key::of(&tables::TOTALS),
        ] {
            derived.insert(key.into_bytes(), &totals)?;
        }
        database.persist(fjall::PersistMode::SyncAll)?;
        Ok(())
    }
}

#[tokio::test]
async fn i01_a_rebuild_makes_what_is_derived_as_it_was() -> Checked {
    conformance::i01_a_rebuild_makes_what_is_derived_as_it_was(&folder()).await
}

#[tokio::test]
async fn i01_a_copy_is_the_same() -> Checked {
    plyr_schemas::conformance::i01_a_copy_is_the_same(&folder(), &folder()).await
}
