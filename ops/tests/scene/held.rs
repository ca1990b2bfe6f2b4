//! What a store holds, as far as a cut of the power could take it back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use plyr_lexicons::Namespace;
use plyr_schemas::Store;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::full_dump::full_dump;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::RunError;

/// Greatest revs; they sort as text.
#[derive(Default)]
pub struct Held {
    /// Of each record, by at-uri.
    versions: BTreeMap<String, String>,
    /// Of each repo's collection, as `did/collection`.
    floors: BTreeMap<String, String>,
    /// At-uris and revs that were refused.
    refused: BTreeSet<(String, String)>,
    /// Where each source is read on.
    pub cursors: BTreeMap<String, u64>,
}

impl Held {
    /// Reads a full dump.
    fn of(dump: &str) -> Result<Held, RunError> {
        let mut held = Held::default();
        for line in dump.lines() {
            let row: Value = serde_json::from_str(line).map_err(RunError::broken)?;
            let text = |name: &str| row[name].as_str().map(str::to_owned);
            if text("refused").is_some() {
                let refused = text("uri").zip(text("rev"));
                held.refused.extend(refused);
                continue;
            }
            let (place, rev) = if let (Some(uri), Some(rev)) = (text("version"), text("rev")) {
                (held.versions.entry(uri).or_default(), rev)
            } else if let (Some(did), Some(collection), Some(rev)) =
                (text("repo"), text("collection"), text("floor"))
            {
                let floor = held.floors.entry(format!("{did}/{collection}"));
                (floor.or_default(), rev)
            } else {
                continue;
            };
            if *place < rev {
                *place = rev;
            }
        }
        Ok(held)
    }

    /// Whether a version is held, or a later one, or a floor that it lies under.
    pub fn covers(&self, uri: &str, rev: &str) -> bool {
        let key = uri.trim_start_matches("at://");
        let range = key.rsplit_once('/').map_or(key, |(range, _)| range);
        let version = self.versions.get(uri);
        let reached = version.into_iter().chain(self.floors.get(range));
        reached.max().is_some_and(|held| held.as_str() >= rev)
    }

    /// Whether a version was refused.
    pub fn refused(&self, uri: &str, rev: &str) -> bool {
        let version = (uri.to_owned(), rev.to_owned());
        self.refused.contains(&version)
    }

    /// How many versions there are.
    pub fn count(&self) -> usize {
        self.versions.len()
    }

    /// Something that another one holds and this one does not.
    pub fn lacks(&self, other: &Held) -> Option<String> {
        let versions = other.versions.iter();
        let lost = versions.filter(|(uri, rev)| !self.covers(uri, rev));
        let lost = lost.map(|(uri, rev)| {
            let now = self.versions.get(uri);
            format!("{uri} was answered at {rev}, and is now at {now:?}")
        });
        let floors = other.floors.iter();
        let sunk = floors.filter(|(range, rev)| self.floors.get(*range) < Some(rev));
        let sunk = sunk.map(|(range, rev)| format!("the floor {rev} of {range} has sunk"));
        let mut all: Vec<String> = lost.chain(sunk).collect();
        let first = all.pop()?;
        Some(format!("{first} (and {} more)", all.len()))
    }

    /// Opens a data folder, as a start would, and reads what it holds.
    pub async fn in_folder(folder: &Path, namespace: &Namespace) -> Result<Held, RunError> {
        let options = EmbeddedOptions::new(folder.to_owned(), namespace.clone());
        let closed = |problem: &dyn std::fmt::Display| {
            RunError::Never(format!("the folder can't be opened: {problem}"))
        };
        let store = EmbeddedStore::open(options).map_err(|problem| closed(&problem))?;
        let whole = store.whole().await.map_err(|problem| closed(&problem))?;
        let mut dump = Vec::new();
        let dumped = full_dump(whole.as_ref(), &mut dump, folder).await;
        dumped.map_err(|problem| closed(&problem))?;
        let mut held = Held::of(&String::from_utf8_lossy(&dump))?;
        let cursors = whole.all_cursors().await;
        for cursor in cursors.map_err(|problem| closed(&problem))? {
            held.cursors.insert(cursor.source, cursor.position);
        }
        drop(whole);
        store.close().await.map_err(|problem| closed(&problem))?;
        Ok(held)
    }

    /// Asks the server that holds a data folder. Not by the command, which would open the folder
    /// itself where the server has gone.
    pub async fn answered(folder: &Path) -> Result<Held, String> {
        let told = ask(folder).await.map_err(|problem| problem.to_string())?;
        Held::of(&told).map_err(|problem| problem.to_string())
    }
}

/// The full dump over the control socket: blocks behind their lengths, then how it went.
async fn ask(folder: &Path) -> std::io::Result<String> {
    /// Set in the length of a block that is none of the answer.
    const TELLS: u32 = 1 << 31;
    let mut stream = UnixStream::connect(folder.join("control.sock")).await?;
    stream
        .write_all(b"{\"command\":\"dump\",\"full\":true}\n")
        .await?;
    let mut told = Vec::new();
    loop {
        let length = stream.read_u32().await?;
        if length == 0 {
            break;
        }
        let mut block = vec![0; (length & !TELLS) as usize];
        stream.read_exact(&mut block).await?;
        if length & TELLS == 0 {
            told.append(&mut block);
        }
    }
    let mut verdict = String::new();
    stream.read_to_string(&mut verdict).await?;
    match verdict.contains("\"ok\":true") {
        true => Ok(String::from_utf8_lossy(&told).into_owned()),
        false => Err(std::io::Error::other(verdict)),
    }
}
