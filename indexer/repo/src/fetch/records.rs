//! The records of a fetched state, page by page, out of its blocks.

use std::sync::Arc;

use bytes::Bytes;
use plyr_lexicons::{Cid, Collection};

use crate::blocks::{Blocks, cid_of, digest_of};
use crate::error::RepoError;
use crate::fetch::network::on_thread;
use crate::fetch::{Bounds, Entry};
use crate::range::Ranges;
use crate::walk::{Step, Walk, rkey_of};

/// The records, in the order of their keys in the tree.
pub struct Records {
    bounds: Arc<Bounds>,
    inner: Option<Inner>,
}

struct Inner {
    order: Order,
    blocks: Blocks,
    /// An entry that didn't fit into the page before.
    waiting: Option<Entry>,
}

/// Where the order of the records comes from.
pub enum Order {
    /// A tree.
    Tree(Walk, Arc<Ranges>),
    /// A listing.
    Listing(std::vec::IntoIter<(Collection, String, Cid)>),
}

impl Records {
    pub(super) fn new(order: Order, blocks: Blocks, bounds: Arc<Bounds>) -> Records {
        let waiting = None;
        let inner = Some(Inner {
            order,
            blocks,
            waiting,
        });
        Records { bounds, inner }
    }

    /// The next page, never an empty one; none at the end.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Entry>>, RepoError> {
        let inner = self.inner.take();
        let mut inner = inner.ok_or_else(|| RepoError::here("a page was given up half-way"))?;
        let bounds = self.bounds.clone();
        let (inner, page) = on_thread(move || {
            let page = inner.page(&bounds)?;
            Ok((inner, page))
        })
        .await?;
        self.inner = Some(inner);
        Ok((!page.is_empty()).then_some(page))
    }
}

impl Inner {
    fn page(&mut self, bounds: &Bounds) -> Result<Vec<Entry>, RepoError> {
        let (mut page, mut bytes) = (Vec::new(), 0);
        while page.len() < bounds.page_records {
            let Some(entry) = self.next()? else {
                break;
            };
            let size = entry.record.as_ref().map_or(0, Bytes::len) + entry.rkey.len();
            if bytes + size > bounds.page_bytes && !page.is_empty() {
                self.waiting = Some(entry);
                break;
            }
            bytes += size;
            page.push(entry);
        }
        Ok(page)
    }

    fn next(&mut self) -> Result<Option<Entry>, RepoError> {
        if let Some(entry) = self.waiting.take() {
            return Ok(Some(entry));
        }
        let entry = match &mut self.order {
            Order::Tree(walk, ranges) => next_entry(walk, ranges, &self.blocks)?,
            Order::Listing(records) => records.next().map(|(collection, rkey, cid)| Entry {
                collection,
                rkey,
                cid,
                record: None,
            }),
        };
        let Some(mut entry) = entry else {
            return Ok(None);
        };
        if let Some(digest) = digest_of(&entry.cid) {
            entry.record = self.blocks.get(&digest)?;
        }
        Ok(Some(entry))
    }
}

/// The next record of a tree of which all nodes are there; its bytes aren't looked for.
pub fn next_entry(
    walk: &mut Walk,
    ranges: &Ranges,
    blocks: &Blocks,
) -> Result<Option<Entry>, RepoError> {
    match walk.next(blocks)? {
        None => Ok(None),
        Some(Step::Record { range, key, cid }) => Ok(Some(Entry {
            collection: ranges.all()[range].collection,
            rkey: rkey_of(&key).unwrap_or_default().to_owned(),
            cid,
            record: None,
        })),
        Some(Step::Missing { node, .. } | Step::Within { node, .. }) => {
            Err(RepoError::MissingBlock(cid_of(&node)))
        }
    }
}
