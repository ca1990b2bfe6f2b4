//! The distributed engine keeps what every engine must, over a real one-node cluster.

#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests

mod behind;
mod dropped;
mod spoilt;

use std::sync::Arc;
use std::time::Duration;

use plyr_peers::{Cluster, wait_until};
use plyr_schemas::conformance::{self, BlobPlace, BlobStore, BoxError, Checked, Place, blob_cid};
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::scylla::{
    AFTER_LOG, AFTER_READ_BACK, AFTER_TRUTH, Replication, ScyllaOptions, ScyllaStore, empty,
    migrate, plan,
};
use plyr_schemas::{FaultHook, FileJournal, OwnJournal, Pass, Store, StoreError};
use tokio::sync::OnceCell;

/// One cluster for all cases; it ends with the process.
static CLUSTER: OnceCell<Option<Cluster>> = OnceCell::const_new();
static MIGRATED: OnceCell<()> = OnceCell::const_new();

async fn cluster() -> Result<Option<&'static Cluster>, BoxError> {
    let started = CLUSTER.get_or_try_init(|| Cluster::start(1)).await?;
    Ok(started.as_ref())
}

struct Keyspace(ScyllaOptions);

fn one_copy() -> Replication {
    Replication {
        factor: 1,
        ..Replication::default()
    }
}

/// A keyspace, not yet migrated; none where there is no cluster.
async fn new_keyspace(name: &str) -> Result<Option<Keyspace>, BoxError> {
    let Some(cluster) = cluster().await? else {
        return Ok(None);
    };
    let url = cluster.url(name);
    let mut options = ScyllaOptions::parse(&url, "fm.plyr".parse()?)?;
    options.settle_after = Duration::from_millis(10);
    options.settle_again = Duration::from_millis(300);
    // A node of a busy machine may stand still.
    options.read_patience = Duration::from_secs(60);
    Ok(Some(Keyspace(options)))
}

/// The keyspace of the cases, migrated and empty: making one takes a busy node many seconds.
async fn keyspace() -> Result<Option<Keyspace>, BoxError> {
    let Some(place) = new_keyspace("cases").await? else {
        return Ok(None);
    };
    let copies = one_copy();
    let migrated = || async { migrate(&place.0, &copies).await.map(|_| ()) };
    MIGRATED.get_or_try_init(migrated).await?;
    empty(&place.0).await?;
    Ok(Some(place))
}

#[async_trait::async_trait]
impl Place for Keyspace {
    async fn open(&self, fault: Option<FaultHook>) -> Result<Arc<dyn Store>, StoreError> {
        let mut options = self.0.clone();
        options.fault = fault;
        Ok(Arc::new(ScyllaStore::open(options).await?))
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// Cases run one after another: they share two cores with the cluster.
static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() -> Checked {
                let _turn = ONE.lock().await;
                let Some(place) = keyspace().await? else { return Ok(()) };
                conformance::$case(&place).await
            }
        )*
    };
}

cases! {
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
    i11_pages_of_a_repo_are_bounded,
    i15_pages_neither_skip_nor_repeat,
    a_handle_belongs_to_its_newest_proof,
    the_log_names_what_changed,
    what_changes_back_is_named_again,
    a_handle_that_moves_names_both,
    what_beat_an_observation_is_named_with_it,
    who_lost_a_handle_that_was_given_up_is_named,
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
impl BlobPlace for Keyspace {
    async fn open_blobs(&self) -> Result<Arc<dyn BlobStore>, StoreError> {
        Ok(Arc::new(ScyllaStore::open(self.0.clone()).await?))
    }
}

/// Rows that records derive since an older program wrote them are written once, by whoever comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i01_an_older_keyspace_gets_the_rows_that_records_derive_since() -> Checked {
    let _turn = ONE.lock().await;
    let Some(place) = keyspace().await? else {
        return Ok(());
    };
    let store = place.open(None).await?;
    let audio = blob_cid(1);
    store.apply(conformance::tracks(40, &audio)?).await?;
    let expected = conformance::uses_of(store.as_ref(), &audio).await?;
    assert_eq!(expected.len(), 40);
    store.close().await?;
    let session = place.session().await?;
    for table in ["feeds", "buckets"] {
        session
            .query_unpaged(format!("TRUNCATE {table}"), ())
            .await?;
    }
    let store = place.open(None).await?;
    assert_eq!(conformance::uses_of(store.as_ref(), &audio).await?, [""; 0]);
    let written = conformance::run(store.as_ref(), Pass::Derivations).await?;
    assert!(written.mended >= 40, "{written:?}");
    assert_eq!(
        conformance::uses_of(store.as_ref(), &audio).await?,
        expected
    );
    let again = conformance::run(store.as_ref(), Pass::Derivations).await?;
    assert_eq!(again.began, written.began, "it was done once more");
    store.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_apply_once_and_are_planned_before() -> Checked {
    let _turn = ONE.lock().await;
    let Some(place) = new_keyspace("migrated").await? else {
        return Ok(());
    };
    let early = ScyllaStore::open(place.0.clone()).await;
    assert!(matches!(
        early,
        Err(StoreError::OlderFormat { found: 0, .. })
    ));
    let planned = plan(&place.0, &one_copy()).await?;
    assert!(
        planned
            .iter()
            .any(|line| line.starts_with("CREATE KEYSPACE"))
    );
    assert!(
        planned
            .iter()
            .any(|line| line.contains("CREATE TABLE IF NOT EXISTS versions"))
    );
    // Three migrators at once: together they apply each migration once.
    let copies = one_copy();
    let (one, two, three) = tokio::join!(
        migrate(&place.0, &copies),
        migrate(&place.0, &copies),
        migrate(&place.0, &copies)
    );
    let mut applied: Vec<_> = [one?, two?, three?].concat();
    applied.sort_unstable();
    assert_eq!(
        applied,
        [
            "0001_network.cql",
            "0002_derived.cql",
            "0003_log.cql",
            "0004_repos.cql",
            "0005_passes.cql",
            "0006_hides.cql",
            "0007_blobs.cql",
            "0008_own.cql"
        ]
    );
    assert!(plan(&place.0, &one_copy()).await?.is_empty());
    ScyllaStore::open(place.0.clone()).await?.close().await?;
    let mut other = place.0.clone();
    other.namespace = "fm.plyr.dev".parse()?;
    let refused = ScyllaStore::open(other).await;
    assert!(matches!(refused, Err(StoreError::Unusable { .. })));
    Ok(())
}

async fn journal(place: &Keyspace) -> Result<Arc<dyn OwnJournal>, BoxError> {
    Ok(Arc::new(ScyllaStore::open(place.0.clone()).await?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i01_what_an_operator_did_is_kept() -> Checked {
    let _turn = ONE.lock().await;
    let Some(place) = keyspace().await? else {
        return Ok(());
    };
    let open = async || journal(&place).await;
    conformance::i01_what_an_operator_did_is_kept(open).await?;
    empty(&place.0).await?;
    conformance::i14_a_long_journal_is_handed_over_whole(open).await?;
    empty(&place.0).await?;
    let folder = tempfile::tempdir()?;
    let file = FileJournal::open(folder.path())?;
    conformance::i01_a_journal_is_copied_once(&file, open().await?.as_ref()).await?;
    empty(&place.0).await?;
    let folder = tempfile::tempdir()?;
    let file = FileJournal::open(folder.path())?;
    conformance::i01_a_journal_is_copied_once(open().await?.as_ref(), &file).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_liked_is_named() -> Checked {
    let _turn = ONE.lock().await;
    let Some(mut place) = keyspace().await? else {
        return Ok(());
    };
    place.0.settle_again = Duration::from_secs(3_600);
    conformance::whoever_is_liked_is_named(&place).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i01_a_rebuild_makes_what_is_derived_as_it_was() -> Checked {
    let _turn = ONE.lock().await;
    let Some(mut place) = keyspace().await? else {
        return Ok(());
    };
    place.0.left_behind = Duration::from_millis(500);
    conformance::i01_a_rebuild_makes_what_is_derived_as_it_was(&place).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_rules_judge_everything_again() -> Checked {
    let _turn = ONE.lock().await;
    let Some(mut new) = keyspace().await? else {
        return Ok(());
    };
    new.0.left_behind = Duration::from_millis(500);
    let mut old = Keyspace(new.0.clone());
    old.0.rules -= 1;
    conformance::new_rules_judge_everything_again(&old, &new, AFTER_READ_BACK).await
}

struct Folder(tempfile::TempDir);

#[async_trait::async_trait]
impl Place for Folder {
    async fn open(&self, _: Option<FaultHook>) -> Result<Arc<dyn Store>, StoreError> {
        let namespace = "fm.plyr".parse().unwrap();
        let options = EmbeddedOptions::new(self.0.path().to_owned(), namespace);
        Ok(Arc::new(EmbeddedStore::open(options)?))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i01_a_copy_is_the_same_from_one_engine_to_the_other() -> Checked {
    let _turn = ONE.lock().await;
    let Some(place) = keyspace().await? else {
        return Ok(());
    };
    conformance::i01_a_copy_is_the_same(&place, &Folder(tempfile::tempdir()?)).await?;
    empty(&place.0).await?;
    conformance::i01_a_copy_is_the_same(&Folder(tempfile::tempdir()?), &place).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn i04_a_floor_that_moves_in_between_is_told() -> Checked {
    let _turn = ONE.lock().await;
    let Some(place) = keyspace().await? else {
        return Ok(());
    };
    conformance::i04_a_floor_that_moves_in_between_is_told(&place, AFTER_TRUTH).await
}

/// A process that dies after its log entry has counted nothing and swept nothing: another does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i03_what_a_dead_process_left_undone_is_taken_over() -> Checked {
    let _turn = ONE.lock().await;
    let Some(mut place) = keyspace().await? else {
        return Ok(());
    };
    place.0.left_behind = Duration::from_millis(500);
    let (like, change) = conformance::a_like()?;
    let mut counting_late = Keyspace(place.0.clone());
    counting_late.0.settle_after = Duration::from_secs(3_600);
    let dying = counting_late
        .open(Some(Arc::new(|point| point == AFTER_LOG)))
        .await?;
    let died = dying.apply(vec![change]).await;
    assert!(matches!(died, Err(StoreError::Closed)));
    drop(dying);
    let living = place.open(None).await?;
    let question = || async {
        let snapshot = living
            .snapshot()
            .await
            .map_err(|problem| problem.to_string())?;
        let counts = snapshot.counts(std::slice::from_ref(&like)).await;
        let counts = counts.map_err(|problem| problem.to_string())?;
        (counts[0].likes == 1)
            .then_some(())
            .ok_or(format!("{counts:?}"))
    };
    wait_until("the like is counted", question).await?;
    living.close().await?;
    Ok(())
}
