//! `fm.plyr.graph.getList`: a list and its items in order; what is missing stays in its place.

use plyr_lexicons::generated::fm_plyr_graph_defs::{
    Hidden, ListItemView, ListItemViewItem, NotFound,
};
use plyr_lexicons::generated::fm_plyr_graph_get_list::Output;
use plyr_lexicons::typed::{Fields, List};
use plyr_lexicons::{Collection, Ipld, RecordUri};

use crate::App;
use crate::actor::resolve_uri;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::media::Shelf;
use crate::parameters::Parameters;
use crate::view::page::MOST_BYTES;
use crate::view::{Found, hydrate, hydrate_within, present, shown};

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
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
    let page: Vec<&Ipld> = items.iter().skip(start).take(parameters.limit()).collect();
    let subjects: Vec<Option<RecordUri>> = page
        .iter()
        .map(|item| plyr_schemas::index::subject_of(item)?.parse().ok())
        .collect();
    let uris: Vec<RecordUri> = subjects.iter().flatten().cloned().collect();
    let found = hydrate_within(&app.namespace, snapshot.as_ref(), &uris, MOST_BYTES);
    let found = found.await?;
    let shelf = Shelf::look(app, snapshot.as_ref(), shown(&found)).await?;
    let mut found = found.into_iter();
    let (mut views, mut bytes, mut end) = (Vec::new(), 0, start);
    for (item, subject) in page.into_iter().zip(subjects) {
        if bytes >= MOST_BYTES {
            break;
        }
        let found = match subject {
            None => None,
            Some(_) => match found.next() {
                // Too large for this page: the next one begins with it.
                None => break,
                found => found,
            },
        };
        end += 1;
        if let Some(Found::Shown(hydrated)) = &found {
            bytes += hydrated.record.bytes.len();
        }
        views.extend(entry(item, found, &shelf));
    }
    let cursor = (end < items.len()).then(|| name.seal(&end.to_string()));
    Ok(Output {
        items: List(views),
        list: present::list(*list),
        cursor,
        other: Fields::new(),
    })
}

/// `fm.plyr.graph.defs#listItemView`
fn entry(item: &Ipld, found: Option<Found>, shelf: &Shelf) -> Option<ListItemView> {
    let subject = present::subject(item)?;
    let uri = subject.uri.clone();
    let item = match found {
        Some(Found::Shown(hydrated)) if hydrated.collection == Collection::Track => {
            ListItemViewItem::TrackView(present::track(*hydrated, shelf))
        }
        Some(Found::Hidden(why)) => ListItemViewItem::Hidden(Hidden {
            uri,
            reason: why.word().to_owned(),
            other: Fields::new(),
        }),
        _ => ListItemViewItem::NotFound(NotFound {
            uri,
            other: Fields::new(),
        }),
    };
    Some(ListItemView {
        subject,
        item,
        other: Fields::new(),
    })
}
