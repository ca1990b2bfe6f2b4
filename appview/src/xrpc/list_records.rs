//! `com.atproto.repo.listRecords`: the records of a repo's collection, verbatim, by record key.

use plyr_lexicons::data;
use plyr_lexicons::generated::com_atproto_repo_list_records::{Output, Record};
use plyr_lexicons::typed::{Fields, List};
use plyr_schemas::{Most, RepoPage};

use crate::App;
use crate::actor;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::page::MOST_BYTES;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let did = match actor::resolve(app, snapshot.as_ref(), &parameters.actor("repo")?).await {
        Err(problem) if problem.name == "ActorNotFound" => {
            return Err(XrpcError::invalid(format!("repo: {}", problem.message)));
        }
        resolved => resolved?,
    };
    let collection = parameters.text("collection");
    // As the reference does: newest keys first, unless turned round.
    let newest_first = !parameters.flag("reverse");
    let order = if newest_first { "newest" } else { "oldest" };
    let name = ListName::new(
        "com.atproto.repo.listRecords",
        &[did.as_str(), collection, order],
    );
    let after = name.open(parameters.optional("cursor"))?;
    let limit = parameters.limit();
    let dids = [did.clone()];
    let most = Most {
        records: limit,
        bytes: MOST_BYTES,
    };
    let page = snapshot.repo_page(&did, collection, after.as_deref(), newest_first, most);
    let (mut page, actors) = tokio::try_join!(page, snapshot.actors(&dids))?;
    if actors.iter().any(|actor| !actor.state.is_visible()) {
        page = RepoPage::default();
    }
    let cursor = page.next.map(|last| name.seal(&last));
    let mut views = Vec::new();
    for record in page.records.iter().filter(|record| !record.hidden) {
        let Ok(value) = data::from_cbor(&record.bytes) else {
            tracing::error!(uri = %record.uri, "a kept record can't be read");
            continue;
        };
        views.push(Record {
            uri: record.uri.to_string(),
            cid: record.cid.to_string(),
            value,
            other: Fields::new(),
        });
    }
    Ok(Output {
        records: List(views),
        cursor,
        other: Fields::new(),
    })
}
