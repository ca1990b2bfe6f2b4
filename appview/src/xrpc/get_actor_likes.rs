//! `fm.plyr.feed.getActorLikes`: the tracks an actor likes, newest like first; each track once.

use plyr_lexicons::generated::fm_plyr_feed_defs::LikedTrackView;
use plyr_lexicons::generated::fm_plyr_feed_get_actor_likes::Output;
use plyr_lexicons::typed::{Fields, List};
use plyr_lexicons::{Collection, RecordUri};
use plyr_schemas::Index;

use crate::App;
use crate::actor;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::page::{self, Wanted};
use crate::view::{present, shown};

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let did = actor::resolve(app, snapshot.as_ref(), &parameters.actor("actor")?).await?;
    let list = ListName::new("fm.plyr.feed.getActorLikes", &[did.as_str()]);
    let wanted = Wanted {
        list: &list,
        index: Index::ActorLikes(did.clone()),
        after: list.position(parameters.optional("cursor"))?,
        limit: parameters.limit(),
        once_an_actor: false,
    };
    let page = page::fill(&app.namespace, snapshot.as_ref(), wanted).await?;
    let subject_of = |row: &crate::view::Hydrated| -> Option<RecordUri> {
        let uri: RecordUri = plyr_schemas::index::subject_of(&row.value)?.parse().ok()?;
        let collection = app.namespace.collection(uri.collection.as_str());
        (collection == Some(Collection::Track)).then_some(uri)
    };
    let likes: Vec<_> = page
        .rows
        .into_iter()
        .filter_map(|row| Some((subject_of(&row)?, row)))
        .collect();
    let subjects: Vec<RecordUri> = likes.iter().map(|(subject, _)| subject.clone()).collect();
    let pairs: Vec<_> = subjects
        .iter()
        .map(|uri| (uri.to_string(), did.clone()))
        .collect();
    let tracks = shown(&app.namespace, snapshot.as_ref(), &subjects);
    let firsts = async { Ok(snapshot.first_likes(&pairs).await?) };
    let (mut tracks, firsts) = tokio::try_join!(tracks, firsts)?;
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
            track: present::track(track),
            other: Fields::new(),
        });
    }
    Ok(Output {
        likes: List(views),
        cursor: page.cursor,
        other: Fields::new(),
    })
}
