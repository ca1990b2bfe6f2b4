//! A PostgreSQL of our own: made in a temporary folder, reached by a socket in it, asked through
//! `psql`, and stopped when it is dropped. (If the bench is killed it goes on: its folder is named
//! `.tmp…` among the temporary ones, and `pg_ctl stop` ends it.)

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use crate::Failure;

/// Where Debian keeps its programs, the newest first.
const PLACES: [&str; 4] = [
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/lib/postgresql/14/bin",
];
/// It won't run as root; this account is there where its package is.
const ACCOUNT: &str = "postgres";
/// Written behind each answer.
const END: &str = "-- end of this answer";

pub struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    psql: Option<Psql>,
}

struct Psql {
    process: Child,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// The programs, if they are installed.
pub fn programs() -> Option<PathBuf> {
    let places = PLACES.map(PathBuf::from).into_iter();
    let mut whole = places.filter(|place| {
        let needed = ["initdb", "pg_ctl", "psql"];
        needed.iter().all(|program| place.join(program).exists())
    });
    whole.next()
}

impl Postgres {
    pub fn start(programs: &Path) -> Result<Postgres, Failure> {
        let folder = tempfile::tempdir()?;
        // The account makes its own folder in it.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
        let mut postgres = Postgres {
            programs: programs.to_owned(),
            folder,
            psql: None,
        };
        let data = postgres.data();
        let mut initdb = postgres.program("initdb");
        initdb.args([
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        run(initdb.args(["--username", ACCOUNT, "--pgdata"]).arg(&data))?;
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c fsync=off -c jit=off \
             -c shared_buffers=256MB",
            postgres.folder.path().display()
        );
        let log = postgres.folder.path().join("log");
        let mut start = postgres.program("pg_ctl");
        start.args(["--wait", "--silent", "--options", &options, "--log"]);
        run(start.arg(log).arg("--pgdata").arg(&data).arg("start"))?;
        postgres.psql = Some(postgres.connect()?);
        Ok(postgres)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program, as an account that isn't root.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        if !rustix::process::geteuid().is_root() {
            return Command::new(path);
        }
        let mut command = Command::new("runuser");
        command
            .args(["-u", ACCOUNT, "--"])
            .arg(path)
            .current_dir("/");
        command
    }

    fn connect(&self) -> Result<Psql, Failure> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"]);
        psql.args([
            "--set",
            "ON_ERROR_STOP=1",
            "--username",
            ACCOUNT,
            "--dbname",
            "postgres",
        ]);
        psql.arg("--host").arg(self.folder.path());
        psql.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = psql.spawn()?;
        let (words, answers) = process
            .stdin
            .take()
            .zip(process.stdout.take())
            .ok_or("no pipe")?;
        Ok(Psql {
            process,
            words,
            answers: BufReader::new(answers),
        })
    }

    /// Runs statements, each with its semicolon; the lines they answer.
    pub fn ask(&mut self, statements: &str) -> Result<Vec<String>, Failure> {
        let psql = self.psql.as_mut().ok_or("psql has not been started")?;
        writeln!(psql.words, "{statements}\n\\echo {END}")?;
        psql.words.flush()?;
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if psql.answers.read_line(&mut line)? == 0 {
                return Err("psql has ended; what it says is above".into());
            }
            let line = line.trim_end_matches('\n');
            if line == END {
                return Ok(lines);
            }
            lines.push(line.to_owned());
        }
    }

    /// Copies rows into a table: columns parted by tabs, with no tab or backslash in them.
    pub fn copy(&mut self, table: &str, rows: impl Iterator<Item = String>) -> Result<(), Failure> {
        let mut statements = format!("COPY {table} FROM STDIN;\n");
        for row in rows {
            statements.push_str(&row);
            statements.push('\n');
        }
        statements.push_str("\\.\n");
        self.ask(&statements).map(|_| ())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut psql) = self.psql.take() {
            drop(psql.words);
            // Its input has ended, and so does it.
            let _ = psql.process.wait();
        }
        let mut stop = self.program("pg_ctl");
        stop.args(["--silent", "--mode", "immediate", "--pgdata"]);
        if let Err(problem) = run(stop.arg(self.data()).arg("stop")) {
            let mut out = std::io::stderr().lock();
            let _ = writeln!(out, "PostgreSQL may still run: {problem}");
        }
    }
}

fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{command:?} failed: {status}").into()),
    }
}
