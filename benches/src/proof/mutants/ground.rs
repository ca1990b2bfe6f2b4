//! Where mutants are tried: a copy of the tree that stays from run to run, beside a warm target
//! folder of its own. Only files that differ are written, so that cargo builds what changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::patch::{Filter, Mutant};

type Failure = Box<dyn std::error::Error>;

/// A build, the first one of all crates too.
const LONGEST_BUILD: Duration = Duration::from_secs(1_800);
/// With them every package is built with the same features, whichever is tested: nothing that they
/// all stand on is built twice. Their libraries are built beside the one that is asked for.
const COMPANIONS: [&str; 2] = ["plyr", "plyr-benches"];
/// Tests that start a cluster are not needed.
const LEFT_OUT: &str = "over_a_cluster";

/// The copy and its target folder.
pub struct Ground {
    workspace: PathBuf,
    tree: PathBuf,
    target: PathBuf,
}

/// A test program.
pub struct Program {
    executable: PathBuf,
    /// Where cargo would run it.
    folder: PathBuf,
}

/// What came of tests.
pub enum Ran {
    /// So many passed.
    Passed(usize),
    /// The first that failed, or how the program ended without saying.
    Failed(String),
    /// They did not end in time.
    Hung,
}

impl Ground {
    /// Makes the copy what the workspace is now, uncommitted changes and all.
    pub async fn level(workspace: &Path, folder: &Path) -> Result<Ground, Failure> {
        let ground = Ground {
            workspace: workspace.to_owned(),
            tree: folder.join("tree"),
            target: folder.join("target"),
        };
        let listing = [
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ];
        let listed = git(workspace, &listing).await?;
        let is_there = |file: &PathBuf| workspace.join(file).is_file();
        let files = listed.split('\0').filter(|name| !name.is_empty());
        let files: BTreeSet<PathBuf> = files.map(PathBuf::from).filter(is_there).collect();
        for file in &files {
            ground.restore(file)?;
        }
        let mut folders = vec![ground.tree.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if !files.contains(path.strip_prefix(&ground.tree)?) {
                    std::fs::remove_file(path)?;
                }
            }
        }
        Ok(ground)
    }

    /// Makes one file what it is in the workspace.
    fn restore(&self, file: &Path) -> Result<(), Failure> {
        let (from, to) = (self.workspace.join(file), self.tree.join(file));
        let held = std::fs::read(&to).ok();
        if held.is_some() && held == std::fs::read(&from).ok() {
            return Ok(());
        }
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::copy(&from, &to)
            .map(drop)
            .map_err(|problem| format!("{}: {problem}", from.display()).into())
    }

    /// Applies a mutant's patch to the copy.
    pub async fn apply(&self, mutant: &Mutant) -> Result<(), Failure> {
        let patch = self.workspace.join(&mutant.path);
        let applied = Command::new("git")
            .arg("apply")
            .arg(&patch)
            .current_dir(&self.tree)
            // Within another checkout git would leave out what it thinks is outside.
            .env(
                "GIT_CEILING_DIRECTORIES",
                self.tree.parent().unwrap_or(&self.tree),
            )
            .output()
            .await?;
        let same = |file: &PathBuf| {
            let (own, copy) = (self.workspace.join(file), self.tree.join(file));
            std::fs::read(own).ok() == std::fs::read(copy).ok()
        };
        if !applied.status.success() || mutant.files.iter().any(same) {
            let said = String::from_utf8_lossy(&applied.stderr);
            let fix = "write it anew against the tree as it is";
            return Err(format!("{} does not apply; {fix}: {said}", mutant.name).into());
        }
        Ok(())
    }

    /// Takes a mutant back.
    pub fn revert(&self, mutant: &Mutant) -> Result<(), Failure> {
        mutant.files.iter().try_for_each(|file| self.restore(file))
    }

    /// Builds the program that holds these tests.
    pub async fn build(&self, filter: &Filter) -> Result<Program, Failure> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["test", "--no-run", "--package", &filter.package]);
        for companion in COMPANIONS
            .into_iter()
            .filter(|name| *name != filter.package)
        {
            command.args(["--package", companion]);
        }
        command
            .args(&filter.target)
            .args(["--quiet", "--message-format=json-render-diagnostics"])
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            // Nobody debugs a mutant; without it a program is linked in half the time.
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let built = tokio::time::timeout(LONGEST_BUILD, command.output()).await;
        let built = built.map_err(|_| format!("the build of {filter} never ends"))??;
        if !built.status.success() {
            let said = String::from_utf8_lossy(&built.stderr);
            return Err(format!("{filter} does not build:\n{said}").into());
        }
        let said = String::from_utf8_lossy(&built.stdout);
        let mut programs = said.lines().filter_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            message["profile"]["test"].as_bool().filter(|test| *test)?;
            if !is_of(&filter.package, message["package_id"].as_str()?) {
                return None;
            }
            let executable = PathBuf::from(message["executable"].as_str()?);
            let folder = Path::new(message["manifest_path"].as_str()?)
                .parent()?
                .to_owned();
            Some(Program { executable, folder })
        });
        match (programs.next(), programs.next()) {
            (Some(program), None) => Ok(program),
            _ => Err(
                format!("{filter} is not one test program; name a target of the package").into(),
            ),
        }
    }

    /// Runs the tests.
    pub async fn run(
        &self,
        program: &Program,
        filter: &Filter,
        limit: Duration,
    ) -> Result<Ran, Failure> {
        let mut command = Command::new(&program.executable);
        command
            .args([&filter.names, "--skip", LEFT_OUT])
            .current_dir(&program.folder)
            .env("CARGO_MANIFEST_DIR", &program.folder)
            // A test may build a tool.
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let Ok(ran) = tokio::time::timeout(limit, command.output()).await else {
            return Ok(Ran::Hung);
        };
        let ran = ran?;
        let said = String::from_utf8_lossy(&ran.stdout);
        if ran.status.success() {
            return Ok(Ran::Passed(passed(&said)));
        }
        let failed = failed(&said).map(str::to_owned);
        Ok(Ran::Failed(
            failed.unwrap_or_else(|| ran.status.to_string()),
        ))
    }
}

/// Whether what was built is of the package that was asked for: of the same kind and name one of a
/// companion's may be built as well. A package's id ends with its name and version, or with the
/// version alone where its folder has its name.
pub fn is_of(package: &str, id: &str) -> bool {
    let Some((folder, rest)) = id.rsplit_once('#') else {
        return false;
    };
    match rest.split_once('@') {
        Some((name, _)) => name == package,
        None => folder
            .rsplit_once('/')
            .is_some_and(|(_, name)| name == package),
    }
}

/// How many tests passed, as the test program says.
pub fn passed(said: &str) -> usize {
    let result = said
        .lines()
        .find_map(|line| line.strip_prefix("test result: ok. "));
    let number = result.and_then(|rest| rest.split(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The first test that failed: the list of them is the last that the program says.
pub fn failed(said: &str) -> Option<&str> {
    let (_, list) = said.rsplit_once("\nfailures:\n")?;
    list.lines()
        .next()
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

/// Asks git about a checkout.
pub async fn git(folder: &Path, words: &[&str]) -> Result<String, Failure> {
    let asked = Command::new("git")
        .args(words)
        .current_dir(folder)
        .output()
        .await?;
    if !asked.status.success() {
        let said = String::from_utf8_lossy(&asked.stderr);
        return Err(format!("git {}: {said}", words.join(" ")).into());
    }
    Ok(String::from_utf8(asked.stdout)?)
}

/// The commit that a checkout holds, in short. An error where anything but `apart` differs from it:
/// what was tried then is no commit's.
pub async fn clean_revision(folder: &Path, apart: &str) -> Result<String, Failure> {
    let words = [
        "status",
        "--porcelain",
        "-z",
        "--no-renames",
        "--untracked-files=all",
    ];
    let status = git(folder, &words).await?;
    // Two letters, a space, the path.
    let changed = status.split('\0').filter_map(|entry| entry.get(3..));
    let changed: Vec<&str> = changed.filter(|path| *path != apart).collect();
    if !changed.is_empty() {
        let told = "differs from the last commit, whose hash would stand beside the figures; \
                    commit or stash it, or leave --write out";
        return Err(format!("{} {told}", changed.join(", ")).into());
    }
    let revision = git(folder, &["rev-parse", "--short", "HEAD"]).await?;
    Ok(revision.trim().to_owned())
}
