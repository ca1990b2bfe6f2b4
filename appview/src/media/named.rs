//! What a record names: its audio, its picture, and whether its author asks for support first. A
//! blob's CID is all that is believed of it.

use plyr_lexicons::{Cid, Collection, Ipld};
pub use plyr_schemas::is_gated;
use plyr_schemas::{BlobRole, blobs_of};

use crate::view::Hydrated;

/// What a blob is named as.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    Audio,
    Image,
}

/// The blob that a record that shows names in a role.
pub fn blob_of(hydrated: &Hydrated, role: Role) -> Option<Cid> {
    blob_in(hydrated.collection, &hydrated.value, role)
}

/// The same of a record's value.
pub fn blob_in(collection: Collection, value: &Ipld, role: Role) -> Option<Cid> {
    let is_it = |of: BlobRole| match role {
        Role::Audio => of == BlobRole::Audio,
        Role::Image => matches!(of, BlobRole::Cover | BlobRole::Avatar),
    };
    let named = blobs_of(collection, value);
    let blob = named.into_iter().find(|blob| is_it(blob.role))?;
    Some(blob.cid)
}
