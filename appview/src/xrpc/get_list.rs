//! `fm.plyr.graph.getList`: a list and its items in order; what is missing stays in its place.

use plyr_lexicons::{Collection, RecordUri, data};
use serde_json::{Map, Value, json};

use crate::App;
use crate::actor::resolve_uri;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::{Found, hydrate, present};

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Value, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let not_found = || XrpcError::declared("ListNotFound", "no list is held under this address");
    let uri = resolve_uri(app, snapshot.as_ref(), parameters.at_uri("uri")?).await?;
    let uri = uri.ok_or_else(not_found)?;
    if app.namespace.collection(uri.collection.as_str()) != Some(Collection::List) {
        return Err(not_found());
    }
    let name = ListName::new("fm.plyr.graph.getList", &[&uri.to_string()]);
    let start = match name.open(parameters.optional("cursor"))? {
        Some(place) => place
            .parse::<usize>()
            .map_err(|_| XrpcError::invalid("cursor: names no place"))?,
        None => 0,
    };
    let list = match hydrate(&app.namespace, snapshot.as_ref(), &[uri])
        .await?
        .pop()
    {
        Some(Found::Shown(list)) => list,
        Some(Found::Hidden(why)) => return Err(XrpcError::declared("ListHidden", why.word())),
        Some(Found::Nothing) | None => return Err(not_found()),
    };
    let items = present::items(&list.value);
    let page: Vec<_> = items.iter().skip(start).take(parameters.limit()).collect();
    let subjects: Vec<Option<RecordUri>> = page
        .iter()
        .map(|item| plyr_schemas::index::subject_of(item)?.parse().ok())
        .collect();
    let uris: Vec<RecordUri> = subjects.iter().flatten().cloned().collect();
    let mut found = hydrate(&app.namespace, snapshot.as_ref(), &uris)
        .await?
        .into_iter();
    let mut views: Vec<Value> = Vec::new();
    for (item, subject) in page.iter().zip(subjects) {
        let found = subject.and_then(|_| found.next());
        views.push(entry(item, found.as_ref()));
    }
    let end = start + page.len();
    let cursor = (end < items.len()).then(|| name.seal(&end.to_string()));
    let mut answer = present::answer("items", views, cursor);
    answer["list"] = present::list(&list).into();
    Ok(answer)
}

/// `fm.plyr.graph.defs#listItemView`
fn entry(item: &plyr_lexicons::Ipld, found: Option<&Found>) -> Value {
    let mut subject = data::to_json(item);
    let subject = subject
        .get_mut("subject")
        .map(Value::take)
        .unwrap_or_default();
    let uri = subject.get("uri").cloned().unwrap_or_default();
    let (kind, mut view) = match found {
        Some(Found::Shown(hydrated)) if hydrated.collection == Collection::Track => {
            ("fm.plyr.feed.defs#trackView", present::track(hydrated))
        }
        Some(Found::Hidden(why)) => {
            let hidden = [
                ("uri".to_owned(), uri),
                ("reason".to_owned(), why.word().into()),
            ];
            ("fm.plyr.graph.defs#hidden", Map::from_iter(hidden))
        }
        _ => (
            "fm.plyr.graph.defs#notFound",
            Map::from_iter([("uri".to_owned(), uri)]),
        ),
    };
    view.insert("$type".to_owned(), kind.into());
    json!({ "subject": subject, "item": view })
}
