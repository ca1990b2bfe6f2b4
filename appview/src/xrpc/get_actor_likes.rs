//! `fm.plyr.feed.getActorLikes`: the tracks an actor likes, newest like first; each track once.

use std::collections::HashMap;

use plyr_lexicons::generated::fm_plyr_feed_defs::LikedTrackView;
use plyr_lexicons::generated::fm_plyr_feed_get_actor_likes::Output;
use plyr_lexicons::typed::{Fields, List};
use plyr_lexicons::{Collection, Did, RecordUri};
use plyr_schemas::{Derived, Index, Position, Snapshot};

use crate::App;
use crate::actor;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::media::Shelf;
use crate::parameters::Parameters;
use crate::view::page::{self, MOST_BYTES, PASSES};
use crate::view::{Found, Hydrated, hydrate_within, present, shown};

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let did = actor::resolve(app, snapshot.as_ref(), &parameters.actor("actor")?).await?;
    let list = ListName::new("fm.plyr.feed.getActorLikes", &[did.as_str()]);
    let index = Index::ActorLikes(did.clone());
    let mut after = list.position(parameters.optional("cursor"))?;
    let limit = parameters.limit();
    let mut views = Vec::new();
    // Likes of what doesn't show are left out inside the loop, so that a page is full while there
    // is something.
    for _ in 0..PASSES {
        let room = limit - views.len();
        let looked = page::pass(
            &app.namespace,
            snapshot.as_ref(),
            &index,
            after.as_ref(),
            room,
            false,
        );
        let looked = looked.await?;
        let (shown, cut) = liked(app, snapshot.as_ref(), &did, looked.rows).await?;
        views.extend(shown);
        let is_cut = cut.is_some();
        after = cut.or_else(|| looked.last.filter(|_| looked.more));
        if after.is_none() || is_cut || views.len() >= limit {
            break;
        }
    }
    Ok(Output {
        likes: List(views),
        cursor: after.map(|position| list.after(&position)),
        other: Fields::new(),
    })
}

/// The likes whose tracks show, each with its track; and where the next page begins when the tracks
/// are too large for one.
async fn liked(
    app: &App,
    snapshot: &dyn Snapshot,
    did: &Did,
    rows: Vec<Hydrated>,
) -> Result<(Vec<LikedTrackView>, Option<Position>), XrpcError> {
    let subject_of = |row: &Hydrated| -> Option<RecordUri> {
        let uri: RecordUri = plyr_schemas::index::subject_of(&row.value)?.parse().ok()?;
        let collection = app.namespace.collection(uri.collection.as_str());
        (collection == Some(Collection::Track)).then_some(uri)
    };
    let likes: Vec<_> = rows
        .into_iter()
        .filter_map(|row| Some((subject_of(&row)?, row)))
        .collect();
    let subjects: Vec<RecordUri> = likes.iter().map(|(subject, _)| subject.clone()).collect();
    let pairs: Vec<_> = subjects
        .iter()
        .map(|uri| (uri.to_string(), did.clone()))
        .collect();
    let found = hydrate_within(&app.namespace, snapshot, &subjects, MOST_BYTES);
    let firsts = async { Ok(snapshot.first_likes(&pairs).await?) };
    let (found, firsts) = tokio::try_join!(found, firsts)?;
    let shelf = Shelf::look(app, snapshot, shown(&found)).await?;
    let fits = found.len();
    let cut = match fits.checked_sub(1).and_then(|last| likes.get(last)) {
        Some((_, last)) if fits < likes.len() => place(last),
        _ => None,
    };
    let mut tracks = HashMap::new();
    for (subject, found) in subjects.iter().zip(found) {
        if let Found::Shown(track) = found {
            tracks.insert(subject.clone(), *track);
        }
    }
    let mut views = Vec::new();
    for ((subject, like), first) in likes.into_iter().zip(firsts) {
        if first.as_ref() != Some(&like.record.uri) {
            continue;
        }
        // Taken out, so that a track stands once.
        let (Some(track), Some(like)) = (tracks.remove(&subject), present::like(like)) else {
            continue;
        };
        views.push(LikedTrackView {
            like,
            track: present::track(track, &shelf),
            other: Fields::new(),
        });
    }
    Ok((views, cut))
}

/// Where a like stands among its actor's.
fn place(like: &Hydrated) -> Option<Position> {
    let derived = Derived::of(&like.record.uri, like.collection, &like.value);
    let mut rows = derived.rows.into_iter();
    let row = rows.find(|row| matches!(row.index, Index::ActorLikes(_)));
    row.map(|row| row.position)
}
