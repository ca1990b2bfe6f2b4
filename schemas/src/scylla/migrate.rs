//! Migrations: numbered, embedded in the binary, applied by one migrator at a time, recorded in
//! the keyspace. What a keyspace is at is asked by everybody who opens it.

use std::time::{Duration, Instant};

use scylla::client::session::Session;
use scylla::errors::ExecutionError;
use scylla::response::query_result::{QueryResult, QueryRowsResult};
use scylla::serialize::row::SerializeRow;
use scylla::value::{CqlValue, Row};

use super::cql::{connect, failed, is_passing};
use super::options::ScyllaOptions;
use crate::store::StoreError;

struct Migration {
    number: u32,
    name: &'static str,
    text: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "0001_network.cql",
        text: include_str!("../../cql/0001_network.cql"),
    },
    Migration {
        number: 2,
        name: "0002_derived.cql",
        text: include_str!("../../cql/0002_derived.cql"),
    },
    Migration {
        number: 3,
        name: "0003_log.cql",
        text: include_str!("../../cql/0003_log.cql"),
    },
    Migration {
        number: 4,
        name: "0004_repos.cql",
        text: include_str!("../../cql/0004_repos.cql"),
    },
    Migration {
        number: 5,
        name: "0005_passes.cql",
        text: include_str!("../../cql/0005_passes.cql"),
    },
    Migration {
        number: 6,
        name: "0006_hides.cql",
        text: include_str!("../../cql/0006_hides.cql"),
    },
    Migration {
        number: 7,
        name: "0007_blobs.cql",
        text: include_str!("../../cql/0007_blobs.cql"),
    },
    Migration {
        number: 8,
        name: "0008_own.cql",
        text: include_str!("../../cql/0008_own.cql"),
    },
];
/// What only ScyllaDB knows.
const SCYLLADB: &str = include_str!("../../cql/scylladb.cql");

/// The schema's version that this binary works with.
pub const FORMAT: u32 = 8;

/// How long another migrator is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(180);

/// How a new keyspace spreads its data. An existing one keeps what it has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replication {
    /// Copies in each datacenter: `("dc1", 3)`; empty for one factor everywhere.
    pub datacenters: Vec<(String, u8)>,
    /// Copies where no datacenters are named.
    pub factor: u8,
    /// ScyllaDB's tablets; none leaves the server's default. Cassandra knows none.
    pub tablets: Option<bool>,
}

impl Default for Replication {
    fn default() -> Replication {
        Replication {
            datacenters: Vec::new(),
            factor: 3,
            tablets: None,
        }
    }
}

impl Replication {
    fn statement(&self, keyspace: &str) -> Result<String, StoreError> {
        let mut copies = String::new();
        for (name, factor) in &self.datacenters {
            let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if name.is_empty() || !name.chars().all(is_name) {
                return Err(StoreError::Unusable {
                    path: keyspace.to_owned(),
                    problem: format!("`{name}` is no name of a datacenter: letters, digits, - _ ."),
                });
            }
            copies.push_str(&format!(", '{name}': {factor}"));
        }
        if self.datacenters.is_empty() {
            copies = format!(", 'replication_factor': {}", self.factor);
        }
        let tablets = match self.tablets {
            None => String::new(),
            Some(enabled) => format!(" AND tablets = {{'enabled': {enabled}}}"),
        };
        Ok(format!(
            "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = \
             {{'class': 'NetworkTopologyStrategy'{copies}}}{tablets}"
        ))
    }
}

const OWN: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS migrations (one int, number int, name text, applied_at bigint,
        PRIMARY KEY ((one), number))",
    "CREATE TABLE IF NOT EXISTS migration_lock (one int, holder text, PRIMARY KEY ((one)))",
    "CREATE TABLE IF NOT EXISTS settings (name text, value text, PRIMARY KEY ((name)))",
];

/// The statements of a file: split at semicolons, without comments.
fn statements(text: &str) -> Vec<String> {
    let without: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .collect();
    let statements = without.join("\n");
    let statements = statements.split(';').map(str::trim);
    statements
        .filter(|statement| !statement.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A schema change may take a busy cluster long.
const STATEMENT: Duration = Duration::from_secs(120);
/// How long a statement is tried again. A node that missed a schema change asks for it a minute
/// later (Cassandra's `schema_pull_interval_ms`); until then it answers INCOMPATIBLE_SCHEMA.
const PATIENCE: Duration = Duration::from_secs(150);
/// Between tries.
const WAIT: Duration = Duration::from_secs(1);
/// Tries of the whole migration.
const TRIES: usize = 3;

async fn session(options: &ScyllaOptions) -> Result<Session, StoreError> {
    let mut patient = options.clone();
    patient.statement_timeout = STATEMENT;
    connect(&patient).await
}

/// One statement, tried again while what stands in its way may pass: all of ours may be repeated.
async fn ask(
    session: &Session,
    doing: &'static str,
    text: &str,
    values: impl SerializeRow,
) -> Result<QueryResult, StoreError> {
    let began = Instant::now();
    loop {
        let problem = match session.query_unpaged(text, &values).await {
            Ok(answer) => return Ok(answer),
            Err(problem) => problem,
        };
        let passes = is_passing(&problem)
            // What was changed is changed; the nodes don't know of it yet.
            || matches!(problem, ExecutionError::SchemaAgreementError(_));
        if !passes || began.elapsed() + WAIT >= PATIENCE {
            return Err(failed(doing, problem));
        }
        tracing::warn!(%problem, doing, "the schema can't be asked or changed yet; trying again");
        tokio::time::sleep(WAIT).await;
    }
}

/// The rows of one statement.
async fn rows(
    session: &Session,
    doing: &'static str,
    text: &str,
    values: impl SerializeRow,
) -> Result<QueryRowsResult, StoreError> {
    let answer = ask(session, doing, text, values).await?;
    answer
        .into_rows_result()
        .map_err(|problem| failed(doing, problem))
}

async fn run(session: &Session, text: &str) -> Result<(), StoreError> {
    ask(session, "change the schema", text, ()).await.map(drop)
}

/// Whether the keyspace has a table.
async fn has_table(session: &Session, keyspace: &str, table: &str) -> Result<bool, StoreError> {
    let asked = "SELECT table_name FROM system_schema.tables
        WHERE keyspace_name = ? AND table_name = ?";
    let found = rows(session, "read the schema", asked, (keyspace, table)).await?;
    Ok(found.rows_num() > 0)
}

/// The version of the keyspace; 0 where it isn't there yet.
async fn version(session: &Session, keyspace: &str) -> Result<u32, StoreError> {
    if !has_table(session, keyspace, "migrations").await? {
        return Ok(0);
    }
    let asked = format!("SELECT number FROM {keyspace}.migrations WHERE one = 0");
    let found = rows(session, "read the migrations", &asked, ()).await?;
    let rows = found
        .rows::<(i32,)>()
        .map_err(|problem| failed("read the migrations", problem))?;
    let mut newest = 0;
    for row in rows {
        let (number,) = row.map_err(|problem| failed("read the migrations", problem))?;
        newest = newest.max(u32::try_from(number).unwrap_or(0));
    }
    Ok(newest)
}

/// Refuses a keyspace that is newer, older, or of another namespace; then uses it.
pub(super) async fn check(session: &Session, options: &ScyllaOptions) -> Result<(), StoreError> {
    let (path, known) = (options.url(), FORMAT);
    let found = version(session, &options.keyspace).await?;
    if found > known {
        return Err(StoreError::NewerFormat { path, found, known });
    }
    if found < known {
        return Err(StoreError::OlderFormat { path, found, known });
    }
    enter(session, options).await?;
    check_namespace(session, options).await
}

async fn enter(session: &Session, options: &ScyllaOptions) -> Result<(), StoreError> {
    let used = session.use_keyspace(&options.keyspace, false).await;
    used.map_err(|problem| failed("use the keyspace", problem))
}

async fn check_namespace(session: &Session, options: &ScyllaOptions) -> Result<(), StoreError> {
    let asked = "SELECT value FROM settings WHERE name = 'namespace'";
    let found = rows(session, "read the settings", asked, ()).await?;
    let held = found
        .maybe_first_row::<(String,)>()
        .map_err(|problem| failed("read the settings", problem))?;
    let asked = options.namespace.to_string();
    match held {
        Some((held,)) if held != asked => Err(StoreError::Unusable {
            path: options.url(),
            problem: format!("it holds namespace {held}, not {asked}; choose another keyspace"),
        }),
        _ => Ok(()),
    }
}

/// What [`migrate`] would do, statement by statement; empty when nothing.
pub async fn plan(
    options: &ScyllaOptions,
    replication: &Replication,
) -> Result<Vec<String>, StoreError> {
    let session = session(options).await?;
    let found = version(&session, &options.keyspace).await?;
    if found > FORMAT {
        let (path, known) = (options.url(), FORMAT);
        return Err(StoreError::NewerFormat { path, found, known });
    }
    let mut plan = Vec::new();
    if !has_table(&session, &options.keyspace, "migrations").await? {
        plan.push(replication.statement(&options.keyspace)?);
        plan.extend(OWN.iter().map(|statement| (*statement).to_owned()));
    }
    for migration in MIGRATIONS.iter().filter(|one| one.number > found) {
        plan.push(format!("-- {}", migration.name));
        plan.extend(statements(migration.text));
    }
    if found < FORMAT && is_scylladb(&session).await? {
        plan.push("-- scylladb.cql".to_owned());
        plan.extend(statements(SCYLLADB));
    }
    Ok(plan)
}

/// Empties every table of a keyspace; for tests: a keyspace for each takes a node seconds and
/// memory.
#[doc(hidden)]
pub async fn empty(options: &ScyllaOptions) -> Result<(), StoreError> {
    let session = session(options).await?;
    enter(&session, options).await?;
    for migration in MIGRATIONS {
        let statements = statements(migration.text);
        let tables = statements.iter().filter_map(|statement| {
            let rest = statement.strip_prefix("CREATE TABLE IF NOT EXISTS ")?;
            rest.split_whitespace().next()
        });
        for table in tables {
            let any = session
                .query_unpaged(format!("SELECT * FROM {table} LIMIT 1"), ())
                .await;
            let any = any.map_err(|problem| failed("look into a table", problem))?;
            let rows = any.into_rows_result().map(|rows| rows.rows_num());
            // A row that was written and deleted again counts as one too.
            if rows.is_ok_and(|rows| rows > 0) || table == "versions" || table == "log_streams" {
                run(&session, &format!("TRUNCATE {table}")).await?;
            }
        }
    }
    Ok(())
}

/// Only ScyllaDB has this table.
async fn is_scylladb(session: &Session) -> Result<bool, StoreError> {
    has_table(session, "system_schema", "scylla_tables").await
}

/// Creates the keyspace where there is none and brings it to this binary's version. Waits for
/// another migrator, and for all nodes to agree on each step. Answers the migrations applied.
pub async fn migrate(
    options: &ScyllaOptions,
    replication: &Replication,
) -> Result<Vec<&'static str>, StoreError> {
    let mut tried = 1;
    loop {
        let problem = match migrate_once(options, replication).await {
            // Every step may be done again. Nodes that have just come up don't know one another.
            Err(problem @ StoreError::Engine { .. }) if tried < TRIES => problem,
            done => return done,
        };
        tracing::warn!(%problem, "the migration broke off; beginning it again");
        tried += 1;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn migrate_once(
    options: &ScyllaOptions,
    replication: &Replication,
) -> Result<Vec<&'static str>, StoreError> {
    let session = session(options).await?;
    let found = version(&session, &options.keyspace).await?;
    if found > FORMAT {
        let (path, known) = (options.url(), FORMAT);
        return Err(StoreError::NewerFormat { path, found, known });
    }
    run(&session, &replication.statement(&options.keyspace)?).await?;
    enter(&session, options).await?;
    for statement in OWN {
        run(&session, statement).await?;
    }
    let holder = format!("{:016x}", rand::random::<u64>());
    lock(&session, options, &holder).await?;
    let applied = apply(&session, options, &holder).await;
    let unlock = "DELETE FROM migration_lock WHERE one = 0 IF holder = ?";
    if let Err(problem) = session.query_unpaged(unlock, (&holder,)).await {
        tracing::warn!(%problem, "the migration's lock was not removed; it ends by itself in 60 s");
    }
    applied
}

async fn apply(
    session: &Session,
    options: &ScyllaOptions,
    holder: &str,
) -> Result<Vec<&'static str>, StoreError> {
    let mut applied = Vec::new();
    // Read again under the lock: somebody may have been faster.
    let found = version(session, &options.keyspace).await?;
    for migration in MIGRATIONS.iter().filter(|one| one.number > found) {
        for statement in statements(migration.text) {
            hold(session, options, holder).await?;
            run(session, &statement).await?;
        }
        let agreed = session.await_schema_agreement().await;
        agreed.map_err(|problem| failed("wait for the nodes to agree", problem))?;
        let record = "INSERT INTO migrations (one, number, name, applied_at) VALUES (0, ?, ?, ?)";
        let values = (migration.number as i32, migration.name, super::now());
        ask(session, "record a migration", record, values).await?;
        applied.push(migration.name);
    }
    if !applied.is_empty() && is_scylladb(session).await? {
        for statement in statements(SCYLLADB) {
            run(session, &statement).await?;
        }
    }
    let name = "INSERT INTO settings (name, value) VALUES ('namespace', ?) IF NOT EXISTS";
    let namespace = (options.namespace.to_string(),);
    ask(session, "write the settings", name, namespace).await?;
    check_namespace(session, options).await?;
    Ok(applied)
}

/// One lightweight transaction; whether it took place.
async fn took(session: &Session, text: &str, holder: &str) -> Result<bool, StoreError> {
    let answer = rows(session, "take the migration's lock", text, (holder,)).await?;
    let row = answer
        .first_row::<Row>()
        .map_err(|problem| failed("take the migration's lock", problem))?;
    // Refused, it answers who holds it: ourselves, where a first try took it unheard.
    let is_ours = |value: &CqlValue| match value {
        CqlValue::Boolean(applied) => *applied,
        CqlValue::Text(held) => held == holder,
        _ => false,
    };
    Ok(row.columns.iter().flatten().any(is_ours))
}

async fn lock(session: &Session, options: &ScyllaOptions, holder: &str) -> Result<(), StoreError> {
    let began = Instant::now();
    let text = "INSERT INTO migration_lock (one, holder) VALUES (0, ?) IF NOT EXISTS USING TTL 60";
    let mut look = tokio::time::interval(Duration::from_millis(500));
    while !took(session, text, holder).await? {
        if began.elapsed() > LOCK_PATIENCE {
            return Err(StoreError::Unusable {
                path: options.url(),
                problem: "another migrator holds its lock; let it end, then try again".to_owned(),
            });
        }
        look.tick().await;
    }
    Ok(())
}

/// Holds on to the lock for another minute, or stops.
async fn hold(session: &Session, options: &ScyllaOptions, holder: &str) -> Result<(), StoreError> {
    let text = format!(
        "UPDATE migration_lock USING TTL 60 SET holder = '{holder}' WHERE one = 0 IF holder = ?"
    );
    if took(session, &text, holder).await? {
        return Ok(());
    }
    Err(StoreError::Unusable {
        path: options.url(),
        problem: "the migration's lock was lost; run the migration again".to_owned(),
    })
}
