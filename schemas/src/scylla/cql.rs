//! The session: prepared statements, retries around what the driver leaves, bounded concurrency.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream::{Buffered, Iter, TryCollect};
use futures_util::{StreamExt, TryStreamExt, stream};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::deserialize::row::DeserializeRow;
use scylla::errors::{ExecutionError, RequestAttemptError};
use scylla::policies::speculative_execution::SimpleSpeculativeExecutionPolicy;
use scylla::response::PagingState;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency};
use scylla::value::{CqlValue, Row};
use tokio::sync::Semaphore;

use super::NAME;
use super::options::ScyllaOptions;
use super::statements::{Statement, Sureness};
use super::swaps::{Swap, Swapped};
use crate::store::StoreError;

/// Rows of a page at most.
const PAGE: usize = 2_000;
/// Partitions written, or statements of one call read, at once.
pub const AT_ONCE: usize = 48;
/// Statements of one batch; all are of one partition.
const BATCH: usize = 50;
/// Bytes of one batch, roughly.
const BATCH_BYTES: usize = 48 << 10;
/// How long a statement waits for its turn before it is turned away.
const TURN: Duration = Duration::from_secs(1);
/// First wait between tries; doubles.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// Longest wait between tries.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// A value of a row.
pub trait Cell {
    /// As the driver takes it.
    fn cell(self) -> CqlValue;
}

impl Cell for &str {
    fn cell(self) -> CqlValue {
        CqlValue::Text(self.to_owned())
    }
}
impl Cell for String {
    fn cell(self) -> CqlValue {
        CqlValue::Text(self)
    }
}
impl Cell for i32 {
    fn cell(self) -> CqlValue {
        CqlValue::Int(self)
    }
}
impl Cell for i64 {
    fn cell(self) -> CqlValue {
        CqlValue::BigInt(self)
    }
}
impl Cell for Vec<u8> {
    fn cell(self) -> CqlValue {
        CqlValue::Blob(self)
    }
}

/// One write: a statement and its values.
#[derive(Clone, Debug)]
pub struct Write {
    pub statement: Statement,
    pub values: Vec<CqlValue>,
}

macro_rules! write {
    ($statement:ident; $($value:expr),* $(,)?) => {
        $crate::scylla::cql::Write {
            statement: $crate::scylla::statements::Statement::$statement,
            values: vec![$($crate::scylla::cql::Cell::cell($value)),*],
        }
    };
}
pub(crate) use write;

/// A session over one keyspace with everything prepared.
pub struct Cql {
    session: Session,
    prepared: HashMap<Statement, PreparedStatement>,
    swaps: HashMap<Swap, PreparedStatement>,
    turns: Semaphore,
    read_patience: Duration,
    write_patience: Duration,
    statements: AtomicU64,
}

/// An error of the driver, in the store's words.
pub fn failed(doing: &'static str, problem: impl ToString) -> StoreError {
    StoreError::Engine {
        engine: NAME,
        doing,
        detail: problem.to_string(),
    }
}

/// Opens a session, trying until the patience for it ends: the driver gives up at once.
pub async fn connect(options: &ScyllaOptions) -> Result<Session, StoreError> {
    let began = Instant::now();
    let mut wait = FIRST_WAIT;
    loop {
        let speculation = SimpleSpeculativeExecutionPolicy {
            max_retry_count: 1,
            retry_interval: Duration::from_millis(200),
        };
        let profile = ExecutionProfile::builder()
            .consistency(Consistency::LocalQuorum)
            .request_timeout(Some(options.statement_timeout))
            .speculative_execution_policy(Some(Arc::new(speculation)))
            .build();
        let session = SessionBuilder::new()
            .known_nodes(&options.nodes)
            .default_execution_profile_handle(profile.into_handle())
            .connection_timeout(Duration::from_secs(3))
            .keepalive_interval(Duration::from_secs(2))
            .keepalive_timeout(Duration::from_secs(3))
            .build()
            .await;
        let nodes = options.nodes.join(", ");
        match session {
            Ok(session) => return Ok(session),
            Err(problem) if began.elapsed() + wait >= options.connect_patience => {
                let detail = problem.to_string();
                return Err(StoreError::Unreachable { nodes, detail });
            }
            Err(problem) => {
                tracing::warn!(%nodes, %problem, "no cql node answers; trying again");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}

/// Whether the same statement may succeed when it is tried again.
pub fn is_passing(problem: &ExecutionError) -> bool {
    use scylla::errors::DbError;
    match problem {
        ExecutionError::ConnectionPoolError(_)
        | ExecutionError::RequestTimeout(_)
        | ExecutionError::EmptyPlan => true,
        ExecutionError::LastAttemptError(problem) => match problem {
            RequestAttemptError::BrokenConnectionError(_)
            | RequestAttemptError::UnableToAllocStreamId => true,
            RequestAttemptError::DbError(problem, _) => matches!(
                problem,
                DbError::Unavailable { .. }
                    | DbError::WriteTimeout { .. }
                    | DbError::ReadTimeout { .. }
                    | DbError::WriteFailure { .. }
                    | DbError::ReadFailure { .. }
                    | DbError::Overloaded
                    | DbError::IsBootstrapping
                    | DbError::ServerError
                    | DbError::TruncateError
                    | DbError::RateLimitReached { .. }
            ),
            _ => false,
        },
        _ => false,
    }
}

impl Cql {
    /// Prepares every statement over a session that uses the keyspace.
    pub async fn prepare(session: Session, options: &ScyllaOptions) -> Result<Cql, StoreError> {
        let mut prepared = HashMap::new();
        for statement in Statement::ALL {
            let ready = session.prepare(statement.text()).await;
            let mut ready = ready.map_err(|problem| failed("prepare a statement", problem))?;
            ready.set_is_idempotent(true);
            ready.set_consistency(match statement.sureness() {
                Sureness::Quorum => Consistency::LocalQuorum,
                Sureness::One => Consistency::LocalOne,
            });
            prepared.insert(*statement, ready);
        }
        let mut swaps = HashMap::new();
        for swap in Swap::ALL {
            let ready = session.prepare(swap.text()).await;
            let mut ready = ready.map_err(|problem| failed("prepare a statement", problem))?;
            // Sent twice at once, the second would see what the first has done.
            ready.set_is_idempotent(false);
            ready.set_consistency(match swap.is_read() {
                // Ends what was begun before it.
                true => Consistency::LocalSerial,
                false => Consistency::LocalQuorum,
            });
            ready.set_serial_consistency(Some(SerialConsistency::LocalSerial));
            swaps.insert(*swap, ready);
        }
        Ok(Cql {
            session,
            prepared,
            swaps,
            turns: Semaphore::new(options.most_statements),
            read_patience: options.read_patience,
            write_patience: options.write_patience,
            statements: AtomicU64::new(0),
        })
    }

    /// Statements sent so far, for measurements.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// How long a write is tried again.
    pub fn write_patience(&self) -> Duration {
        self.write_patience
    }

    /// One statement that compares and sets. Tried again it compares again.
    pub async fn swap(&self, swap: Swap, values: &[CqlValue]) -> Result<Swapped, StoreError> {
        let ready = self.swaps.get(&swap);
        let ready = ready.ok_or_else(|| failed("find a statement", "it was not prepared"))?;
        let tries = AtomicU64::new(0);
        let once = || {
            tries.fetch_add(1, Ordering::Relaxed);
            self.session.execute_unpaged(ready, values)
        };
        let answer = self.tried("compare and set", self.write_patience, once);
        let answer = answer.await?.into_rows_result();
        let answer = answer.map_err(|problem| failed("read a row", problem))?;
        let row = answer.maybe_first_row::<Row>();
        let row = row.map_err(|problem| failed("read a row", problem))?;
        Ok(Swapped {
            columns: row.map_or_else(Vec::new, |row| row.columns),
            is_first: tries.load(Ordering::Relaxed) == 1,
        })
    }

    /// The driver's own figures, into ours. Latencies are those of the last minutes.
    pub fn report(&self) {
        let figures = self.session.get_metrics();
        let gauge = |name: &'static str, value: u64| metrics::gauge!(name).set(value as f64);
        let errors = figures.get_errors_unpaged_num() + figures.get_errors_manually_paged_num();
        gauge("plyr_cql_errors", errors);
        gauge("plyr_cql_retries", figures.get_retries_num());
        gauge("plyr_cql_statements", self.statements());
        gauge("plyr_cql_connections", figures.get_total_connections());
        gauge(
            "plyr_cql_connection_timeouts",
            figures.get_connection_timeouts(),
        );
        gauge("plyr_cql_request_timeouts", figures.get_request_timeouts());
        let latency = |quantile: &'static str, milliseconds: u64| {
            let seconds = milliseconds as f64 / 1e3;
            metrics::gauge!("plyr_cql_latency_seconds", "quantile" => quantile).set(seconds);
        };
        // None while nothing was sent.
        if let Ok(latencies) = figures.get_snapshot() {
            latency("0.5", latencies.median);
            latency("0.99", latencies.percentile_99);
            latency("0.999", latencies.percentile_99_9);
            latency("1", latencies.max);
        }
    }

    fn prepared(&self, statement: Statement) -> Result<&PreparedStatement, StoreError> {
        let ready = self.prepared.get(&statement);
        ready.ok_or_else(|| failed("find a statement", "it was not prepared"))
    }

    /// Tries until it succeeds, can't, or the patience ends.
    async fn tried<T, F>(
        &self,
        doing: &'static str,
        patience: Duration,
        mut once: impl FnMut() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, ExecutionError>>,
    {
        let began = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            // A queue's length is bounded by its wait.
            let turn = tokio::time::timeout(TURN, self.turns.acquire()).await;
            let Ok(Ok(_turn)) = turn else {
                metrics::counter!("plyr_store_shed_total").increment(1);
                return Err(StoreError::Overloaded {
                    engine: NAME,
                    detail: "too many statements are under way".to_owned(),
                });
            };
            self.statements.fetch_add(1, Ordering::Relaxed);
            let problem = match once().await {
                Ok(answer) => return Ok(answer),
                Err(problem) => problem,
            };
            if !is_passing(&problem) {
                return Err(failed(doing, problem));
            }
            if began.elapsed() + wait >= patience {
                let detail = format!("could not {doing}: {problem}");
                let engine = NAME;
                return Err(StoreError::Overloaded { engine, detail });
            }
            metrics::counter!("plyr_store_retries_total").increment(1);
            tracing::debug!(%problem, doing, "a statement failed; trying again");
            let jitter = rand::random_range(0.5..1.0);
            tokio::time::sleep(wait.mul_f64(jitter)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Rows of one statement, at most `limit`, page after page.
    pub async fn read<R>(
        &self,
        statement: Statement,
        values: impl SerializeRow,
        limit: usize,
    ) -> Result<Vec<R>, StoreError>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata>,
    {
        let mut ready = self.prepared(statement)?.clone();
        ready.set_page_size(limit.clamp(1, PAGE) as i32);
        let mut rows = Vec::new();
        let mut state = PagingState::start();
        loop {
            let page = self.tried("read", self.read_patience, || {
                let state = state.clone();
                self.session.execute_single_page(&ready, &values, state)
            });
            let (page, next) = page.await?;
            let page = page
                .into_rows_result()
                .map_err(|problem| failed("read rows", problem))?;
            let page = page
                .rows::<R>()
                .map_err(|problem| failed("read rows", problem))?;
            for row in page {
                rows.push(row.map_err(|problem| failed("read a row", problem))?);
                if rows.len() >= limit {
                    return Ok(rows);
                }
            }
            match next.into_paging_control_flow() {
                std::ops::ControlFlow::Break(()) => return Ok(rows),
                std::ops::ControlFlow::Continue(next) => state = next,
            }
        }
    }

    /// The first row of one statement.
    pub async fn first<R>(
        &self,
        statement: Statement,
        values: impl SerializeRow,
    ) -> Result<Option<R>, StoreError>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata>,
    {
        Ok(self.read(statement, values, 1).await?.pop())
    }

    /// Writes, grouped by partition, partitions in parallel. When it returns all are acknowledged;
    /// on error any part of them may be.
    pub async fn write(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let mut groups: HashMap<(Option<String>, i64), Vec<Write>> = HashMap::new();
        for write in writes {
            let ready = self.prepared(write.statement)?;
            let token = ready
                .calculate_token(&write.values)
                .map_err(|problem| failed("place a row", problem))?;
            let table = ready.get_table_name().map(str::to_owned);
            let key = (table, token.map_or(0, |token| token.value()));
            groups.entry(key).or_default().push(write);
        }
        let batches = groups.into_values().flat_map(split);
        all(batches.map(|batch| self.write_batch(batch))).await?;
        Ok(())
    }

    async fn write_batch(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        if let [write] = writes.as_slice() {
            let ready = self.prepared(write.statement)?;
            let once = || self.session.execute_unpaged(ready, &write.values);
            let written = self.tried("write", self.write_patience, once);
            return written.await.map(|_| ());
        }
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.set_is_idempotent(true);
        batch.set_consistency(Consistency::LocalQuorum);
        let mut values = Vec::with_capacity(writes.len());
        for write in writes {
            batch.append_statement(self.prepared(write.statement)?.clone());
            values.push(write.values);
        }
        let once = || self.session.batch(&batch, &values);
        let written = self.tried("write", self.write_patience, once);
        written.await.map(|_| ())
    }
}

/// Batches of a partition's writes, none too large.
fn split(writes: Vec<Write>) -> Vec<Vec<Write>> {
    let size = |write: &Write| -> usize {
        let bytes = |value: &CqlValue| match value {
            CqlValue::Blob(blob) => blob.len(),
            CqlValue::Text(text) => text.len(),
            _ => 8,
        };
        write.values.iter().map(bytes).sum()
    };
    let mut batches: Vec<Vec<Write>> = vec![Vec::new()];
    let mut bytes = 0;
    for write in writes {
        bytes += size(&write);
        let full = batches.last().is_some_and(|batch| batch.len() >= BATCH);
        let begun = batches.last().is_some_and(|batch| !batch.is_empty());
        if full || (begun && bytes > BATCH_BYTES) {
            batches.push(Vec::new());
            bytes = size(&write);
        }
        if let Some(batch) = batches.last_mut() {
            batch.push(write);
        }
    }
    batches
}

/// Futures run in parallel, boundedly, answered in their order.
pub type All<T, F> = TryCollect<Buffered<Iter<std::vec::IntoIter<F>>>, Vec<T>>;

/// Runs futures in parallel, boundedly, and answers in their order. The type names no iterator:
/// a closure's lifetimes would keep the caller from being `Send`.
pub fn all<T, F>(futures: impl IntoIterator<Item = F>) -> All<T, F>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let futures: Vec<F> = futures.into_iter().collect();
    stream::iter(futures).buffered(AT_ONCE).try_collect()
}
