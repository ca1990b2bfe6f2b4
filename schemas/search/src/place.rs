//! The folder of indexes: each in a folder of its own (`v1-7`: version, number), and a file that
//! names the one that serves. A new one is built beside it and takes its place in one step.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::SearchError;
use crate::index::{Index, Opened, sync};
use crate::layout::VERSION;

/// The file that names the index that serves.
const CURRENT: &str = "current";

/// A folder of indexes. One process at a time may build in it.
#[derive(Clone, Debug)]
pub struct Place {
    root: PathBuf,
}

impl Place {
    /// The folder, which needn't exist yet.
    pub fn new(root: &Path) -> Place {
        Place {
            root: root.to_owned(),
        }
    }

    /// Opens the index that serves, with a verdict.
    pub fn open(&self) -> Result<Opened, SearchError> {
        let Some(name) = self.serving()? else {
            return Ok(Opened::Missing);
        };
        if number_of(&name).is_none() {
            let reason = format!("{} names no index", self.root.join(CURRENT).display());
            return Ok(Opened::Corrupt { reason });
        }
        match Index::open(&self.root.join(&name))? {
            Opened::Missing => Ok(Opened::Corrupt {
                reason: format!("{name} is named but missing"),
            }),
            opened => Ok(opened),
        }
    }

    /// Removes whatever an interrupted build left, and older indexes that couldn't be removed. To
    /// be asked for while nothing is built.
    ///
    /// # Errors
    /// The first that can't be removed, to be told: all that can be are removed, and the index that
    /// serves isn't touched. Nothing is removed where nobody knows which one serves.
    pub fn sweep(&self) -> Result<(), SearchError> {
        let serving = self.serving()?;
        let exists = self.root.try_exists();
        match exists.map_err(SearchError::file(&self.root))? {
            true => self.remove_all_but(serving.as_deref()),
            false => Ok(()),
        }
    }

    /// Begins a new index beside the one that serves. What an earlier build left is removed, as far
    /// as it can be: see [`Building::left`].
    ///
    /// # Errors
    /// When a new folder can't be made, or nobody knows which one serves.
    pub fn build(&self) -> Result<Building, SearchError> {
        fs::create_dir_all(&self.root).map_err(SearchError::file(&self.root))?;
        // Where it can't be read nobody knows which folder serves, and none may be removed.
        let serving = self.serving()?;
        let numbers = self.names()?.into_iter();
        let last = numbers.filter_map(|name| number_of(&name)).max();
        let last = last.unwrap_or(0);
        let left = self.remove_all_but(serving.as_deref()).err();
        let name = format!("v{VERSION}-{}", last + 1);
        let index = Index::create(&self.root.join(&name))?;
        Ok(Building {
            place: self.clone(),
            name,
            index,
            left,
        })
    }

    /// What `current` names, whatever that is; none where there is no such file.
    fn serving(&self) -> Result<Option<String>, SearchError> {
        let current = self.root.join(CURRENT);
        match fs::read(&current) {
            Ok(name) => Ok(Some(String::from_utf8_lossy(&name).trim().to_owned())),
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(problem) => Err(SearchError::file(&current)(problem)),
        }
    }

    fn names(&self) -> Result<Vec<String>, SearchError> {
        let mut names = Vec::new();
        let wrong = || SearchError::file(&self.root);
        for entry in fs::read_dir(&self.root).map_err(wrong())? {
            let name = entry.map_err(wrong())?.file_name();
            let name = name.to_string_lossy().into_owned();
            if number_of(&name).is_some() {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Removes all others that can be removed; the first problem.
    fn remove_all_but(&self, serving: Option<&str>) -> Result<(), SearchError> {
        let mut outcome = Ok(());
        for name in self.names()? {
            if Some(name.as_str()) != serving {
                outcome = outcome.and(self.remove(&name));
            }
        }
        outcome
    }

    fn remove(&self, name: &str) -> Result<(), SearchError> {
        let folder = self.root.join(name);
        fs::remove_dir_all(&folder).map_err(SearchError::file(&folder))
    }
}

/// An index that is built beside the one that serves.
#[derive(Debug)]
pub struct Building {
    place: Place,
    name: String,
    index: Index,
    left: Option<SearchError>,
}

impl Building {
    /// The new index, to be written.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Why an older index is still on disk, if so: to be logged. It is in nobody's way.
    pub fn left(&self) -> Option<&SearchError> {
        self.left.as_ref()
    }

    /// Gives the new index up and removes it. Its writer must be gone by now.
    ///
    /// # Errors
    /// When it can't be removed. The next build, or a [`Place::sweep`], tries again.
    pub fn discard(self) -> Result<(), SearchError> {
        let Building {
            place, name, index, ..
        } = self;
        drop(index);
        place.remove(&name)
    }

    /// Puts it in the place of the one that served, durably, and removes that one. Searchers of the
    /// old one go on until they are dropped; its writer must be gone by now.
    ///
    /// # Errors
    /// When it doesn't serve. An older one that can't be removed is no error: see [`Served::left`].
    pub fn serve(self) -> Result<Served, SearchError> {
        let root = &self.place.root;
        sync(self.index.folder())?;
        sync(root)?;
        let next = root.join("current.next");
        let mut file = fs::File::create(&next).map_err(SearchError::file(&next))?;
        let written = writeln!(file, "{}", self.name).and_then(|()| file.sync_all());
        written.map_err(SearchError::file(&next))?;
        let current = root.join(CURRENT);
        fs::rename(&next, &current).map_err(SearchError::file(&current))?;
        sync(root)?;
        let left = self.place.remove_all_but(Some(&self.name)).err();
        let index = self.index;
        Ok(Served { index, left })
    }
}

/// An index that serves now.
#[derive(Debug)]
pub struct Served {
    /// The index.
    pub index: Index,
    /// Why an older one is still on disk, if so: to be logged. The next build removes it.
    pub left: Option<SearchError>,
}

/// The number in the name of an index's folder, `v<version>-<number>`.
fn number_of(name: &str) -> Option<u64> {
    let (version, number) = name.strip_prefix('v')?.split_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(version) && is_number(number)).then(|| number.parse().ok())?
}
