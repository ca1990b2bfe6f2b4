//! Actors' pictures: those that were taken down here are linked nowhere.

use std::collections::HashSet;

use plyr_lexicons::data::cid_of_text;
use plyr_lexicons::{Cid, Did};
use plyr_schemas::{Actor, Snapshot};

use crate::error::XrpcError;
use crate::media;

/// Takes the pictures away that the operator hides: one round, and none where nobody has one.
pub async fn without_hidden(
    snapshot: &dyn Snapshot,
    actors: &mut [Actor],
) -> Result<(), XrpcError> {
    let pictures: HashSet<(Did, Cid)> = actors.iter().filter_map(picture).collect();
    let pictures: Vec<(Did, Cid)> = pictures.into_iter().collect();
    let hidden = media::hidden(snapshot, &pictures).await?;
    if hidden.is_empty() {
        return Ok(());
    }
    let hidden: HashSet<(Did, Cid)> = hidden.into_iter().collect();
    for actor in actors {
        if picture(actor).is_some_and(|picture| hidden.contains(&picture)) {
            actor.avatar = None;
        }
    }
    Ok(())
}

fn picture(actor: &Actor) -> Option<(Did, Cid)> {
    let cid = cid_of_text(actor.avatar.as_deref()?)?;
    Some((actor.did.clone(), cid))
}
