//! A mutant as it is kept: a head that says what it breaks, which invariant must catch it and by
//! which tests, then the patch. And which of all mutants a run tries.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where mutants are kept, from the workspace's folder.
pub const FOLDER: &str = "benches/mutants";

/// Tests, in the words of `cargo test`: `-p PACKAGE`, one target, and what their names hold.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Filter {
    /// Whose tests.
    pub package: String,
    /// `--lib`, `--bin NAME` or `--test NAME`.
    pub target: Vec<String>,
    /// What the tests' names hold.
    pub names: String,
}

impl Filter {
    fn read(text: &str) -> Result<Filter, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (package, target, names) = match words.as_slice() {
            ["-p", package, "--lib", names] => (package, vec!["--lib"], names),
            ["-p", package, kind @ ("--bin" | "--test"), target, names] => {
                (package, vec![*kind, *target], names)
            }
            _ => {
                let fix = "write it like `-p plyr-schemas --test embedded i04_a_delete`: a \
                           package, one of --lib, --bin NAME and --test NAME, and a part of the \
                           tests' names";
                return Err(format!("`test: {text}` names no tests; {fix}"));
            }
        };
        Ok(Filter {
            package: (*package).to_owned(),
            target: target.into_iter().map(str::to_owned).collect(),
            names: (*names).to_owned(),
        })
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let target = self.target.join(" ");
        write!(to, "-p {} {target} {}", self.package, self.names)
    }
}

/// One deliberate bug.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mutant {
    /// Its file's name, without what follows the dot.
    pub name: String,
    /// What it breaks, in a sentence.
    pub breaks: String,
    /// The invariant that must catch it, like `I4`.
    pub invariant: String,
    /// The tests that must fail.
    pub filter: Filter,
    /// The files it changes, from the workspace's folder.
    pub files: Vec<PathBuf>,
    /// Its own file, from there too.
    pub path: PathBuf,
}

impl Mutant {
    /// Reads a mutant; an error says what to write.
    pub fn read(name: &str, text: &str) -> Result<Mutant, String> {
        let head = |key: &str| {
            let line = text.lines().take_while(|line| !line.starts_with("--- "));
            let mut values = line.filter_map(|line| line.strip_prefix(key));
            let value = values.next().map(str::trim).filter(|one| !one.is_empty());
            let lacks = || format!("{name}: its head has no `{key} …` before the patch");
            value.map(str::to_owned).ok_or_else(lacks)
        };
        let changed = text.lines().filter_map(|line| line.strip_prefix("+++ b/"));
        let files: Vec<PathBuf> = changed.map(PathBuf::from).collect();
        if files.is_empty() {
            return Err(format!(
                "{name}: it changes no file; end it with a unified diff"
            ));
        }
        let filter = Filter::read(&head("test:")?).map_err(|why| format!("{name}: {why}"))?;
        Ok(Mutant {
            name: name.to_owned(),
            breaks: head("breaks:")?,
            invariant: head("invariant:")?,
            filter,
            files,
            path: Path::new(FOLDER).join(format!("{name}.patch")),
        })
    }

    /// All mutants of a workspace, by name.
    pub fn all(workspace: &Path) -> Result<Vec<Mutant>, String> {
        let folder = workspace.join(FOLDER);
        let broken = |problem: std::io::Error| format!("{}: {problem}", folder.display());
        let mut mutants = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(broken)? {
            let path = entry.map_err(broken)?.path();
            let name = path.file_stem().and_then(|name| name.to_str());
            let Some(name) = name.filter(|_| path.extension().is_some_and(|end| end == "patch"))
            else {
                continue;
            };
            let text = std::fs::read_to_string(&path).map_err(broken)?;
            mutants.push(Mutant::read(name, &text)?);
        }
        mutants.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(mutants)
    }
}

/// Which mutants a run tries.
#[derive(Default)]
pub struct Choice<'a> {
    /// These; none for all, or for what the rest says.
    pub names: &'a [String],
    /// Those of files among these, where only changes count.
    pub changed: Option<BTreeSet<PathBuf>>,
    /// At most so many of them.
    pub at_most: usize,
    /// So many besides.
    pub rotation: usize,
    /// Where the choice among many begins: another number, other mutants.
    pub turn: usize,
}

impl Choice<'_> {
    /// The chosen ones, those of one filter beside one another: they need the fewest builds.
    pub fn of(&self, all: &[Mutant]) -> Result<Vec<Mutant>, String> {
        let mut chosen: Vec<Mutant> = Vec::new();
        for name in self.names {
            let found = all.iter().find(|mutant| mutant.name == *name);
            let unknown = || format!("there is no mutant {name}; their files are in {FOLDER}");
            chosen.push(found.ok_or_else(unknown)?.clone());
        }
        if self.names.is_empty() && self.changed.is_none() && self.rotation == 0 {
            chosen = all.to_vec();
        }
        if let Some(changed) = &self.changed {
            let touches = |mutant: &&Mutant| {
                let own = changed.contains(&mutant.path);
                own || mutant.files.iter().any(|file| changed.contains(file))
            };
            let touched: Vec<&Mutant> = all.iter().filter(touches).collect();
            take(&mut chosen, &touched, self.at_most, self.turn);
        }
        let rest: Vec<&Mutant> = all.iter().filter(|one| !chosen.contains(one)).collect();
        take(&mut chosen, &rest, self.rotation, self.turn);
        chosen.sort_by(|one, other| (&one.filter, &one.name).cmp(&(&other.filter, &other.name)));
        chosen.dedup();
        Ok(chosen)
    }
}

/// Takes `count` of them in a ring; the next turn goes on where this one ends.
fn take(chosen: &mut Vec<Mutant>, of: &[&Mutant], count: usize, turn: usize) {
    let count = count.min(of.len());
    let begin = turn.checked_mul(count).unwrap_or(turn);
    let ring = (0..count).filter_map(|step| of.get((begin + step) % of.len()));
    chosen.extend(ring.map(|mutant| (*mutant).clone()));
}
