//! A new store. The engine makes its folder in many steps and doesn't open one that was cut off
//! between them: so it is made under another name, and takes its own when it is whole and durable.

use std::fs::File;
use std::path::Path;

use fjall::Database;

use super::folder::unusable;
use super::layers::{Engine, failed};
use crate::store::StoreError;

/// Where the engine lives in the data folder.
pub const STORE: &str = "store";
/// Where it is made.
const DRAFT: &str = "store.new";

/// Makes the store of a data folder that has none. May be cut off anywhere: then it is made again.
pub fn create(folder: &Path) -> Result<(), StoreError> {
    let (store, draft) = (folder.join(STORE), folder.join(DRAFT));
    let problem = |problem: std::io::Error| unusable(folder, format!("{DRAFT}: {problem}"));
    let sync = || File::open(folder).and_then(|folder| folder.sync_all());
    if store.exists() {
        // A kill between the renaming and its sync left a name that a cut could still take back.
        return sync().map_err(problem);
    }
    if draft.exists() {
        std::fs::remove_dir_all(&draft).map_err(problem)?;
    }
    let database = Database::builder(&draft).worker_threads(1).open();
    let database = database.map_err(|problem| failed("make a store", &problem))?;
    drop(Engine::open(database)?);
    sync_folders(&draft).map_err(problem)?;
    std::fs::rename(&draft, &store).map_err(problem)?;
    sync().map_err(problem)
}

/// Makes the names in a folder durable, and those in its folders: the engine leaves out some.
fn sync_folders(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::{EmbeddedOptions, EmbeddedStore};

    type Checked = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn i03_a_store_whose_making_was_cut_off_anywhere_is_made_again() -> Checked {
        for left in ["", "lock", "0.jnl", "version"] {
            let folder = tempfile::tempdir()?;
            let options = EmbeddedOptions::new(folder.path().to_owned(), "fm.plyr".parse()?);
            super::super::folder::prepare(folder.path(), &options.namespace)?;
            let draft = folder.path().join(DRAFT);
            std::fs::create_dir_all(draft.join("keyspaces"))?;
            if !left.is_empty() {
                File::create(draft.join(left))?;
            }
            drop(EmbeddedStore::open(options)?);
            assert!(!draft.exists() && folder.path().join(STORE).exists());
        }
        Ok(())
    }
}
