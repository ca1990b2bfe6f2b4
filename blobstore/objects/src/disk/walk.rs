//! Listing: the folders in the order of keys, one at a time.

use std::fs;
use std::io;

use super::read::find;
use super::root::Root;
use crate::key::ObjectKey;
use crate::objects::Listed;

/// A page that is being filled.
pub(super) struct Page {
    prefix: String,
    after: Option<String>,
    limit: usize,
    listed: Vec<Listed>,
}

impl Page {
    pub(super) fn new(prefix: String, after: Option<String>, limit: usize) -> Page {
        Page {
            prefix,
            after,
            limit,
            listed: Vec::new(),
        }
    }

    /// Fills it.
    pub(super) fn walk(mut self, root: &Root) -> io::Result<Vec<Listed>> {
        self.walk_folder(root, "")?;
        Ok(self.listed)
    }

    /// `folder` is empty or ends with `/`.
    fn walk_folder(&mut self, root: &Root, folder: &str) -> io::Result<()> {
        for name in names(root, folder)? {
            if self.listed.len() >= self.limit {
                return Ok(());
            }
            let path = format!("{folder}{name}");
            if path.ends_with('/') {
                if self.leads_to_more(&path) {
                    self.walk_folder(root, &path)?;
                }
                continue;
            }
            let is_behind = self.after.as_ref().is_some_and(|after| path <= *after);
            if is_behind || !path.starts_with(&self.prefix) {
                continue;
            }
            let Some(key) = ObjectKey::read(&path) else {
                continue;
            };
            // None: deleted meanwhile.
            if let Some(found) = find(&root.path(&key))? {
                self.listed.push(Listed { key, found });
            }
        }
        Ok(())
    }

    /// Whether a folder may hold what the page asks for.
    fn leads_to_more(&self, folder: &str) -> bool {
        let is_asked = folder.starts_with(&self.prefix) || self.prefix.starts_with(folder);
        let is_behind = match &self.after {
            Some(after) => folder <= after.as_str() && !after.starts_with(folder),
            None => false,
        };
        is_asked && !is_behind && ObjectKey::may_lie_in(folder)
    }
}

/// What a folder holds, in the order of the keys: folders end with `/` and sort with it.
fn names(root: &Root, folder: &str) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(root.folder.join(folder)) {
        Ok(entries) => entries,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(problem) => return Err(problem),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        // What isn't text is no key.
        let Ok(mut name) = entry.file_name().into_string() else {
            continue;
        };
        match (kind.is_dir(), kind.is_file()) {
            (true, _) => name.push('/'),
            (_, true) => {}
            _ => continue,
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}
