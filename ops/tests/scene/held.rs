//! What a store holds, as far as a kill or a cut of the power could take it back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use plyr_lexicons::Namespace;
use plyr_schemas::Store;
use plyr_schemas::embedded::{EmbeddedOptions, EmbeddedStore};
use plyr_schemas::full_dump::full_dump;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::RunError;

/// What one version of a record says. Of two at one rev the greater standing counts.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Said {
    standing: Standing,
    /// None for a delete.
    cid: Option<String>,
}

/// How sure a version is, as the store has it; in its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Standing {
    Event,
    Void,
    Proven,
}

/// Revs sort as text.
#[derive(Default)]
pub struct Held {
    /// Of each record, by at-uri: its versions by rev.
    versions: BTreeMap<String, BTreeMap<String, Said>>,
    /// Of each repo's collection, as `did/collection`.
    floors: BTreeMap<String, String>,
    /// Accounts that are deleted: what they made is erased one day, and their floors stay above it.
    deleted: BTreeSet<String>,
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
            } else if let (Some(uri), Some(rev)) = (text("version"), text("rev")) {
                let standing = match text("standing").as_deref() {
                    Some("event") => Standing::Event,
                    Some("void") => Standing::Void,
                    Some("proven") => Standing::Proven,
                    other => return Err(RunError::broken(format!("standing {other:?} in {line}"))),
                };
                let cid = row["says"]["cid"].as_str().map(str::to_owned);
                let said = Said { standing, cid };
                held.versions.entry(uri).or_default().insert(rev, said);
            } else if let (Some(did), Some(collection), Some(rev)) =
                (text("repo"), text("collection"), text("floor"))
            {
                held.floors.insert(format!("{did}/{collection}"), rev);
            } else if row["account"]["state"] == "deleted" {
                held.deleted.extend(text("actor"));
            }
        }
        Ok(held)
    }

    fn floor(&self, uri: &str) -> Option<&String> {
        let key = uri.trim_start_matches("at://");
        self.floors
            .get(key.rsplit_once('/').map_or(key, |(range, _)| range))
    }

    /// Whether what was told at a rev is dealt with: it is held, or a later version, or it lies
    /// under a floor. (At or below a floor nothing is applied: the state that the floor stands for
    /// says what holds instead.)
    pub fn covers(&self, uri: &str, rev: &str) -> bool {
        let newest = self
            .versions
            .get(uri)
            .and_then(|all| all.keys().next_back());
        let reached = newest.into_iter().chain(self.floor(uri));
        reached.max().is_some_and(|held| held.as_str() >= rev)
    }

    /// Whether a version that was answered is still what it was, or was rightly superseded: by a
    /// later version (one that is void supersedes nothing), or at its rev by one of greater
    /// standing. A merge writes what differs at a later rev and leaves the rest alone, so a floor
    /// takes no record away: it stands for the memory of a delete, and of what never was (I4). A
    /// record goes with its account alone.
    fn keeps(&self, uri: &str, rev: &str, said: &Said) -> bool {
        let nothing = BTreeMap::new();
        let held = self.versions.get(uri).unwrap_or(&nothing);
        let (same, later) = (held.get(rev), held.range::<str, _>(after(rev)));
        let is_same = |held: &Said| *held == *said || held.standing > said.standing;
        let mut later = later.map(|(_, held)| held.standing);
        if same.is_some_and(is_same) || later.any(|standing| standing != Standing::Void) {
            return true;
        }
        if self.floor(uri).is_none_or(|floor| floor.as_str() < rev) {
            return false;
        }
        let is_record = said.cid.is_some() && said.standing != Standing::Void;
        match is_record {
            true => {
                let did = uri.trim_start_matches("at://").split('/').next();
                self.deleted.contains(did.unwrap_or_default())
            }
            // What was deleted, and is remembered no more, must not have come back.
            false => held.values().all(|held| held.cid.is_none()),
        }
    }

    /// Whether a version was refused.
    pub fn refused(&self, uri: &str, rev: &str) -> bool {
        let version = (uri.to_owned(), rev.to_owned());
        self.refused.contains(&version)
    }

    /// How many records there are, deleted ones too.
    pub fn count(&self) -> usize {
        self.versions.len()
    }

    /// Something that another one holds and this one does not.
    pub fn lacks(&self, other: &Held) -> Option<String> {
        let each = |(uri, all): (&'_ String, &'_ BTreeMap<String, Said>)| {
            let lost = all.iter().filter(|(rev, said)| !self.keeps(uri, rev, said));
            let now = self.versions.get(uri);
            let told = lost.map(|(rev, said)| {
                format!("{uri} was answered at {rev} as {said:?}, and now there is {now:?}")
            });
            told.collect::<Vec<_>>()
        };
        let lost = other.versions.iter().flat_map(each);
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
        let dumped = full_dump(whole.as_ref(), None, &mut dump, folder).await;
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

    /// What a folder holds, looked at in a copy: the folder itself stays as it is.
    pub async fn in_copy_of(folder: &Path, namespace: &Namespace) -> Result<Held, RunError> {
        let scratch = tempfile::tempdir().map_err(RunError::broken)?;
        let copy = scratch.path().join("copy");
        copy_folder(folder, &copy).map_err(RunError::broken)?;
        Held::in_folder(&copy, namespace).await
    }

    /// Asks the server that holds a data folder. Not by the command, which would open the folder
    /// itself where the server has gone.
    pub async fn answered(folder: &Path) -> Result<Held, String> {
        let told = ask(folder).await.map_err(|problem| problem.to_string())?;
        Held::of(&told).map_err(|problem| problem.to_string())
    }
}

/// What versions come after a rev.
fn after(rev: &str) -> (Bound<&str>, Bound<&str>) {
    (Bound::Excluded(rev), Bound::Unbounded)
}

/// Copies files and folders; sockets are left out.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// What a server answers while it lives, and whether its folder holds it once it has died: streams
/// and repos that are asked again would heal a loss.
pub struct Witness {
    folder: PathBuf,
    namespace: Namespace,
    answered: Option<Held>,
    /// Versions that were answered before a death and looked for after it.
    pub looked_for: usize,
}

impl Witness {
    /// Of a data folder.
    pub fn of(folder: &Path, namespace: &Namespace) -> Witness {
        Witness {
            folder: folder.to_owned(),
            namespace: namespace.clone(),
            answered: None,
            looked_for: 0,
        }
    }

    /// Asks the server. What was answered before counts on where it dies meanwhile. Answers how
    /// many records there were.
    pub async fn ask(&mut self) -> usize {
        if let Ok(held) = Held::answered(&self.folder).await {
            self.answered = Some(held);
        }
        self.answered.as_ref().map_or(0, Held::count)
    }

    /// The server has died, and nothing was started since: all that was answered must be there.
    pub async fn look(&mut self) -> Result<(), RunError> {
        // Nothing was answered, and there may be no store yet.
        let Some(answered) = self.answered.take() else {
            return Ok(());
        };
        let held = Held::in_copy_of(&self.folder, &self.namespace).await?;
        if let Some(lost) = held.lacks(&answered) {
            return Err(RunError::Never(format!("after a kill {lost}")));
        }
        self.looked_for += answered.count();
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "at://did:plc:a/fm.plyr.like/1";

    fn version(rev: &str, standing: &str, cid: Option<&str>) -> String {
        let says = cid.map(|cid| serde_json::json!({ "cid": cid }));
        let line = serde_json::json!({ "version": URI, "rev": rev, "standing": standing,
            "says": says });
        line.to_string()
    }

    fn floor(rev: &str) -> String {
        let line = serde_json::json!({ "repo": "did:plc:a", "collection": "fm.plyr.like",
            "floor": rev });
        line.to_string()
    }

    fn held(lines: &[String]) -> Held {
        Held::of(&lines.join("\n")).unwrap()
    }

    #[test]
    fn i03_what_was_answered_is_kept_or_rightly_superseded() {
        let record = || version("b", "event", Some("x"));
        let delete = || version("b", "event", None);
        let is_lost = |answered: String, now: &[String]| held(now).lacks(&held(&[answered]));
        // Still there, or later, or the same rev by proof.
        for now in [
            vec![record()],
            vec![version("c", "event", None)],
            vec![version("c", "proven", Some("y"))],
            vec![version("b", "proven", Some("y"))],
            vec![version("b", "void", None)],
            vec![record(), floor("d")],
        ] {
            assert_eq!(is_lost(record(), &now), None, "{now:?}");
        }
        // Gone, another record at its rev, older, or above it only what never was. A floor takes no
        // record away.
        for now in [
            vec![],
            vec![floor("d")],
            vec![version("b", "event", Some("y"))],
            vec![version("b", "event", None), floor("d")],
            vec![version("a", "proven", Some("x")), floor("d")],
            vec![version("c", "void", None), floor("d")],
        ] {
            assert!(is_lost(record(), &now).is_some(), "{now:?}");
        }
        // With its account it goes.
        let gone = r#"{"actor":"did:plc:a","account":{"state":"deleted"}}"#.to_owned();
        assert_eq!(is_lost(record(), &[floor("d"), gone.clone()]), None);
        assert!(is_lost(record(), &[gone]).is_some());
        // A delete is remembered until the floor has passed it, and then has not come back.
        assert_eq!(is_lost(delete(), &[floor("b")]), None);
        for now in [
            vec![],
            vec![floor("a")],
            vec![version("a", "proven", Some("x")), floor("d")],
        ] {
            assert!(is_lost(delete(), &now).is_some(), "{now:?}");
        }
        // No floor sinks.
        assert_eq!(is_lost(floor("b"), &[floor("c")]), None);
        assert!(is_lost(floor("b"), &[floor("a")]).is_some());
    }
}
