//! `fm.plyr.actor.getProfiles`: several actors, in the order asked.

use plyr_lexicons::generated::fm_plyr_actor_defs::ProfileView;
use plyr_lexicons::generated::fm_plyr_actor_get_profiles::Output;
use plyr_lexicons::typed::{Fields, List};
use plyr_lexicons::{AtIdentifier, Collection, Did, RecordKey, RecordUri};
use plyr_schemas::Snapshot;

use crate::App;
use crate::actor::Few;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::{Found, Hidden, avatars, hydrate, present};

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let mut few = Few::new(app, snapshot.as_ref());
    let mut dids = Vec::new();
    for text in parameters.texts("actors") {
        let named: AtIdentifier = text
            .parse()
            .map_err(|_| XrpcError::invalid("actors: holds no DID and no handle"))?;
        dids.extend(few.resolve(&named).await?);
    }
    let shown = profiles(app, snapshot.as_ref(), &dids).await?;
    Ok(Output {
        profiles: List(shown.into_iter().flatten().collect()),
        other: Fields::new(),
    })
}

/// Profile views in the order asked, or why an actor does not show.
pub async fn profiles(
    app: &App,
    snapshot: &dyn Snapshot,
    dids: &[Did],
) -> Result<Vec<Result<ProfileView, Hidden>>, XrpcError> {
    let rkey = RecordKey::new("self".to_owned()).map_err(XrpcError::invalid)?;
    let collection = app.namespace.nsid(Collection::Profile);
    let address = |did: &Did| RecordUri::new(did.clone(), collection.clone(), rkey.clone());
    let uris: Vec<RecordUri> = dids.iter().map(address).collect();
    let actors = async {
        let mut actors = snapshot.actors(dids).await?;
        avatars::without_hidden(snapshot, &mut actors).await?;
        Ok(actors)
    };
    let totals = async { Ok(snapshot.actor_totals(dids).await?) };
    let records = hydrate(&app.namespace, snapshot, &uris);
    let (actors, totals, records) = tokio::try_join!(actors, totals, records)?;
    let rows = actors.iter().zip(&totals).zip(records);
    let view = rows.map(|((actor, totals), record)| {
        if !actor.state.is_visible() {
            return Err(Hidden::Account(actor.state));
        }
        let record = match record {
            Found::Shown(hydrated) => Some(*hydrated),
            Found::Hidden(_) | Found::Nothing => None,
        };
        Ok(present::profile(actor, totals, record))
    });
    Ok(view.collect())
}
