//! Comparing an index with the store: every document with the one that would be made now, both
//! ways.

use std::collections::HashMap;
use std::sync::Arc;

use plyr_lexicons::Namespace;
use plyr_schemas::Store;
use plyr_search::{Index, Key, Live, SearchError};

use super::KeepError;
use super::blocking;
use super::look::Looker;
use super::scan::Scan;

/// Subjects that are named of each sort.
const MOST_NAMED: usize = 100;

/// What is wrong with an index. Of each sort the first hundred are named.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Differences {
    /// Documents of the store that were compared.
    pub compared: u64,
    /// Subjects that differ, all sorts together.
    pub count: u64,
    /// Subjects that the index lacks.
    pub missing: Vec<String>,
    /// Subjects whose document is another than the store gives.
    pub different: Vec<String>,
    /// Subjects that the index has and shouldn't.
    pub extra: Vec<String>,
    /// Subjects that the index has more than once.
    pub twice: Vec<String>,
}

impl Differences {
    fn add(&mut self, sort: fn(&mut Differences) -> &mut Vec<String>, subject: String) {
        self.count += 1;
        let named = sort(self);
        if named.len() < MOST_NAMED {
            named.push(subject);
        }
    }
}

/// Compares what the last commit of an index holds with the store, which nobody should write to
/// meanwhile. Takes 32 bytes of memory for each document.
///
/// # Errors
/// When the store or the index can't be read.
pub async fn check(
    store: Arc<dyn Store>,
    namespace: Namespace,
    index: &Index,
) -> Result<Differences, KeepError> {
    let searcher = index.searcher();
    let (held, mut differences) = {
        let searcher = searcher.clone();
        blocking(move || {
            let mut differences = Differences::default();
            let mut held: HashMap<Key, u64> = HashMap::new();
            for document in searcher.documents() {
                let (subject, fingerprint) = document?;
                if held.insert(Key::of(&subject), fingerprint).is_some() {
                    differences.add(|all| &mut all.twice, subject);
                }
            }
            Ok((held, differences))
        })
        .await?
    };
    let mut rest = held;
    let looker = Looker::new(store.clone(), namespace, Arc::new(Live::default()));
    let whole = store.whole().await?;
    let mut scan = Scan::new();
    while let Some(page) = scan.next(&looker, whole.as_ref()).await? {
        for document in page {
            differences.compared += 1;
            match rest.remove(&Key::of(&document.subject)) {
                None => differences.add(|all| &mut all.missing, document.subject),
                Some(held) if held != document.fingerprint() => {
                    differences.add(|all| &mut all.different, document.subject);
                }
                Some(_) => {}
            }
        }
        tokio::task::yield_now().await;
    }
    if rest.is_empty() {
        return Ok(differences);
    }
    blocking(move || {
        for document in searcher.documents() {
            let (subject, _) = document?;
            if rest.remove(&Key::of(&subject)).is_some() {
                differences.add(|all| &mut all.extra, subject);
            }
        }
        Ok::<_, SearchError>(differences)
    })
    .await
}
