//! One index in one folder: opened with a verdict, written by one writer, read by any number of
//! searchers. What a commit covers is in the commit itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tantivy::directory::MmapDirectory;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy, NoMergePolicy};
use tantivy::store::Compressor;
use tantivy::{IndexSettings, IndexWriter, TantivyDocument, Term};

use crate::document::Document;
use crate::error::SearchError;
use crate::layout::{Layout, Texts, VERSION};
use crate::searcher::Searcher;
use crate::verdict::{Fault, covered, damage, position_of};

/// The file beside an index that tells its version.
const VERSION_FILE: &str = "version";
/// Bytes of a block of stored addresses: small, since a page reads a few of many blocks.
const STORE_BLOCK: usize = 8 << 10;
/// Segments of about one size that are merged into one. A query costs by segments, writing by how
/// often a document is merged: with 4 there are half as many as with 8, for half as much again.
const ALIKE: usize = 4;
/// Share of deleted documents from which segments are merged.
const MOST_DELETED: f32 = 0.25;

/// What was found where an index should be.
#[derive(Debug)]
pub enum Opened {
    /// A whole index of this version.
    Ready(Index),
    /// Nothing.
    Missing,
    /// An index of another version. To be built anew; until then it may serve, if it has all that
    /// searches need.
    OtherVersion {
        /// The version it has.
        found: String,
        /// The index, to search in. It can be written too if its schema is still the same.
        serving: Option<Index>,
    },
    /// Something that is no whole index: files are missing, cut or changed.
    Corrupt {
        /// What is wrong, for people.
        reason: String,
    },
}

/// An index. Cheap to clone; all clones see the same.
#[derive(Clone)]
pub struct Index {
    inner: tantivy::Index,
    texts: Texts,
    /// How documents are written; none in an index of another schema.
    layout: Option<Arc<Layout>>,
    folder: PathBuf,
    searcher: Arc<RwLock<Arc<Searcher>>>,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Memory and threads of a writer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WriterBudget {
    /// Bytes of documents kept in memory before they are written out, over all threads.
    pub memory: usize,
    /// Threads that cut documents into words.
    pub threads: usize,
}

impl WriterBudget {
    /// For following the log: a few hundred documents a second.
    pub const LIVE: WriterBudget = WriterBudget {
        memory: 48 << 20,
        threads: 1,
    };
    /// For building an index as fast as two cores can.
    pub const BULK: WriterBudget = WriterBudget {
        memory: 256 << 20,
        threads: 2,
    };
}

impl Index {
    /// Makes an empty index in a folder, which must be empty or not exist.
    pub fn create(folder: &Path) -> Result<Index, SearchError> {
        fs::create_dir_all(folder).map_err(SearchError::file(folder))?;
        let version = folder.join(VERSION_FILE);
        let written = fs::write(&version, format!("{VERSION}\n"));
        written.map_err(SearchError::file(&version))?;
        sync(&version)?;
        let layout = Layout::new();
        let settings = IndexSettings {
            docstore_compression: Compressor::Lz4,
            docstore_blocksize: STORE_BLOCK,
            ..IndexSettings::default()
        };
        let directory = MmapDirectory::open(folder).map_err(tantivy::TantivyError::from)?;
        let inner = tantivy::Index::create(directory, layout.schema.clone(), settings)?;
        Index::around(inner, layout.texts, Some(layout), folder)
    }

    /// Opens what is in a folder. Every file of every segment is read once and compared with its
    /// checksum, and so is the position; the rest of what names the segments has none.
    ///
    /// # Errors
    /// When it can't be told what is there: files may not be read, or too many are open. Nothing
    /// has to be built anew for that.
    pub fn open(folder: &Path) -> Result<Opened, SearchError> {
        let exists = folder.try_exists().map_err(SearchError::file(folder))?;
        if !exists {
            return Ok(Opened::Missing);
        }
        let version = folder.join(VERSION_FILE);
        let found = match fs::read(&version) {
            Ok(found) => {
                let found = String::from_utf8_lossy(&found);
                found.trim().chars().take(40).collect::<String>()
            }
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {
                let reason = format!("{} is missing", version.display());
                return Ok(Opened::Corrupt { reason });
            }
            Err(problem) => return Err(SearchError::file(&version)(problem)),
        };
        let is_ours = found == VERSION.to_string();
        let opened = Index::open_whole(folder, is_ours);
        if !is_ours {
            let serving = match opened {
                Ok(index) => Some(index),
                Err(Fault::Damaged(_)) => None,
                Err(Fault::Unreadable(problem)) => return Err(problem),
            };
            return Ok(Opened::OtherVersion { found, serving });
        }
        match opened {
            Ok(index) => Ok(Opened::Ready(index)),
            Err(Fault::Damaged(reason)) => Ok(Opened::Corrupt { reason }),
            Err(Fault::Unreadable(problem)) => Err(problem),
        }
    }

    fn open_whole(folder: &Path, is_ours: bool) -> Result<Index, Fault> {
        let inner = tantivy::Index::open_in_dir(folder)?;
        let schema = inner.schema();
        let layout = Some(Layout::new()).filter(|layout| layout.schema == schema);
        let texts = match &layout {
            Some(layout) => Some(layout.texts),
            None if is_ours => None,
            None => Texts::of(&schema),
        };
        let Some(texts) = texts else {
            let reason = "its fields are not what searches need";
            return Err(Fault::Damaged(reason.to_owned()));
        };
        damage(&inner, folder)?;
        Ok(Index::around(inner, texts, layout, folder)?)
    }

    fn around(
        inner: tantivy::Index,
        texts: Texts,
        layout: Option<Layout>,
        folder: &Path,
    ) -> Result<Index, SearchError> {
        if let Some(layout) = &layout {
            layout.register(&inner);
        }
        let searcher = Searcher::open(&inner, texts)?;
        Ok(Index {
            inner,
            texts,
            layout: layout.map(Arc::new),
            folder: folder.to_owned(),
            searcher: Arc::new(RwLock::new(Arc::new(searcher))),
        })
    }

    /// The folder it is in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The position that the last commit covers, as it was handed to [`Writer::commit`]; none
    /// before the first one.
    ///
    /// # Errors
    /// When it can't be read, or is not as it was written.
    pub fn position(&self) -> Result<Option<String>, SearchError> {
        let Some(payload) = self.inner.load_metas()?.payload else {
            return Ok(None);
        };
        let position = position_of(&payload).ok_or(SearchError::Position)?;
        Ok(Some(position.to_owned()))
    }

    /// Whether it can be written: it has this version's schema, if not its version.
    pub fn can_be_written(&self) -> bool {
        self.layout.is_some()
    }

    /// The one writer of the index.
    ///
    /// # Errors
    /// When there is a writer already, in this process or another, and when it has another schema.
    pub fn writer(&self, budget: WriterBudget) -> Result<Writer, SearchError> {
        let layout = self.layout.clone().ok_or(SearchError::OtherSchema)?;
        let threads = budget.threads.max(1);
        let options = IndexWriterOptions::builder()
            .num_worker_threads(threads)
            .memory_budget_per_thread((budget.memory / threads).max(16 << 20))
            .num_merge_threads(1)
            .build();
        let inner: IndexWriter<TantivyDocument> = self.inner.writer_with_options(options)?;
        inner.set_merge_policy(merging());
        Ok(Writer {
            inner,
            layout,
            index: self.clone(),
        })
    }

    /// What the last commit that was loaded holds. A searcher sees no later commit: ask for one for
    /// each request.
    pub fn searcher(&self) -> Arc<Searcher> {
        self.searcher
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Makes one segment of all that was committed, for an index that was just built: every word of
    /// a query is looked for in each segment's dictionary, which costs the most where it may have
    /// typos. It takes as much room again for a while. What fails leaves the index as it was.
    ///
    /// # Errors
    /// When there is a writer, or the disk is full.
    pub fn compact(&self) -> Result<(), SearchError> {
        let mut merging = self.writer(WriterBudget::LIVE)?.inner;
        merging.set_merge_policy(Box::new(NoMergePolicy));
        let segments = self.inner.searchable_segment_ids()?;
        if segments.len() > 1 {
            merging.merge(&segments).wait()?;
        }
        merging.wait_merging_threads()?;
        self.reload()
    }

    /// Loads the last commit, for [`Index::searcher`]. A writer does so itself.
    pub fn reload(&self) -> Result<(), SearchError> {
        let searcher = Arc::new(Searcher::open(&self.inner, self.texts)?);
        *self
            .searcher
            .write()
            .unwrap_or_else(PoisonError::into_inner) = searcher;
        Ok(())
    }
}

/// Writes documents. What was not committed is lost with the process.
pub struct Writer {
    inner: IndexWriter<TantivyDocument>,
    layout: Arc<Layout>,
    index: Index,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl Writer {
    /// Writes a document in the place of any other of its subject.
    pub fn put(&mut self, document: &Document) -> Result<(), SearchError> {
        self.delete(&document.subject);
        self.add(document)
    }

    /// Writes a document of a subject that the index doesn't hold: for building a new index, where
    /// nothing has to be looked for first.
    pub fn add(&mut self, document: &Document) -> Result<(), SearchError> {
        let written = self.layout.written(document);
        self.inner.add_document(written)?;
        Ok(())
    }

    /// Takes a subject's document away, if there is one.
    pub fn delete(&mut self, subject: &str) {
        let term = Term::from_field_text(self.layout.texts.subject, subject);
        self.inner.delete_term(term);
    }

    /// Makes everything written so far durable and searchable, with the position in the log that it
    /// covers. Either all of it is there after a kill, or nothing; a cut of the power may leave
    /// what has to be built anew.
    pub fn commit(&mut self, position: &str) -> Result<(), SearchError> {
        let mut prepared = self.inner.prepare_commit()?;
        prepared.set_payload(&covered(position));
        prepared.commit()?;
        // The library renames what names the segments, and leaves it to us to make that durable.
        sync(&self.index.folder)?;
        self.index.reload()
    }

    /// Forgets what was written since the last commit.
    pub fn rollback(&mut self) -> Result<(), SearchError> {
        self.inner.rollback()?;
        // The library has begun a writer anew, with a policy of its own.
        self.inner.set_merge_policy(merging());
        Ok(())
    }

    /// Waits for merges under way, at the end of a build.
    pub fn finish(self) -> Result<(), SearchError> {
        let index = self.index;
        self.inner.wait_merging_threads()?;
        index.reload()
    }
}

/// When segments are merged: also those of which a part was deleted.
fn merging() -> Box<LogMergePolicy> {
    let mut merging = LogMergePolicy::default();
    merging.set_min_num_segments(ALIKE);
    merging.set_del_docs_ratio_before_merge(MOST_DELETED);
    Box::new(merging)
}

/// Makes what was written to a file, or the entries of a folder, durable.
pub(crate) fn sync(path: &Path) -> Result<(), SearchError> {
    let file = fs::File::open(path).map_err(SearchError::file(path))?;
    file.sync_all().map_err(SearchError::file(path))
}
