//! Memory of a process that does nothing but hold an index and answer.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use plyr_search::{Index, Opened};

use crate::Failure;
use crate::engines::plyr;

/// In bytes.
pub struct Resident {
    /// Of its own.
    pub own: u64,
    /// Pages of mapped files, which the kernel may take back.
    pub mapped: u64,
}

/// Asks another process of this program for its memory once it has answered everything typed.
pub fn of(folder: &Path, typed: &[String]) -> Result<Resident, Failure> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), typed.join("\n"))?;
    let mut program = Command::new(std::env::current_exe()?);
    let output = program
        .arg("resident")
        .arg(folder)
        .arg(file.path())
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("the process that holds the index failed: {said}").into());
    }
    let told = String::from_utf8(output.stdout)?;
    let mut numbers = told.split_whitespace().map(str::parse::<u64>);
    let (own, mapped) = numbers
        .next()
        .zip(numbers.next())
        .ok_or("it told nothing")?;
    Ok(Resident {
        own: own?,
        mapped: mapped?,
    })
}

/// The other process.
pub fn tell(folder: &Path, typed: &Path) -> Result<(), Failure> {
    let Opened::Ready(index) = Index::open(folder)? else {
        return Err(format!("{} holds no index of this version", folder.display()).into());
    };
    for query in fs::read_to_string(typed)?.lines() {
        // Spaces alone are no query; nothing is to be held for them.
        if !query.trim().is_empty() {
            plyr::typeahead(&index.searcher(), query)?;
        }
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.map(|count| count << 10)
    };
    let told = bytes("RssAnon:").zip(bytes("RssFile:"));
    let (own, mapped) = told.ok_or("the kernel tells no RssAnon and RssFile")?;
    Ok(writeln!(std::io::stdout().lock(), "{own} {mapped}")?)
}
