//! Whether blobs are still named by what let them out. A record is decoded once a version, however
//! often it is asked.

use std::collections::{HashMap, HashSet};

use plyr_lexicons::{Cid, Did, Namespace, RecordUri, data};
use plyr_schemas::{Record, Snapshot};

use super::named::{Role, blob_in, is_gated};
use super::seen;
use super::which::{Named, NamedBy, avatars};
use crate::App;
use crate::error::XrpcError;
use crate::view::page::MOST_BYTES;

/// What records were found to name, from one look to the next.
#[derive(Default)]
pub struct Remembered {
    records: HashMap<RecordUri, (Cid, Names)>,
}

/// What a version of a record names.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
struct Names {
    /// None where its author asks for support first.
    audio: Option<Cid>,
    image: Option<Cid>,
}

impl Names {
    fn of(namespace: &Namespace, record: &Record) -> Names {
        let Some(collection) = namespace.collection(record.uri.collection.as_str()) else {
            return Names::default();
        };
        match data::from_cbor(&record.bytes) {
            Ok(value) => Names {
                audio: blob_in(collection, &value, Role::Audio).filter(|_| !is_gated(&value)),
                image: blob_in(collection, &value, Role::Image),
            },
            Err(problem) => {
                tracing::error!(uri = %record.uri, %problem, "a kept record can't be read");
                Names::default()
            }
        }
    }

    fn name(&self, named: &Named) -> bool {
        let blob = match named.role {
            Role::Audio => self.audio,
            Role::Image => self.image,
        };
        blob == Some(named.cid)
    }
}

impl Remembered {
    fn names(&mut self, namespace: &Namespace, record: &Record) -> Names {
        match self.records.get(&record.uri) {
            Some((cid, names)) if *cid == record.cid => *names,
            _ => {
                let names = Names::of(namespace, record);
                let known = (record.cid, names);
                self.records.insert(record.uri.clone(), known);
                names
            }
        }
    }
}

/// For each whether it is still named by what let it out, as of now: a few rounds, however many
/// they are. Forgets records that aren't asked for.
pub async fn still_named(
    app: &App,
    all: &[Named],
    remembered: &mut Remembered,
) -> Result<Vec<bool>, XrpcError> {
    let snapshot = app.store.snapshot().await?;
    let snapshot = snapshot.as_ref();
    let (mut uris, mut pictures) = (HashSet::new(), Vec::new());
    for named in all {
        match &named.by {
            NamedBy::Record(uri) => drop(uris.insert(uri.clone())),
            NamedBy::Avatar(_) => pictures.push(named.clone()),
        }
    }
    remembered.records.retain(|uri, _| uris.contains(uri));
    let uris: Vec<RecordUri> = uris.into_iter().collect();
    let shown = shown(&app.namespace, snapshot, &uris, remembered).await?;
    let pictures: HashSet<Named> = match pictures.is_empty() {
        true => HashSet::new(),
        false => {
            let are_theirs = avatars(snapshot, &pictures).await?;
            let theirs = pictures.into_iter().zip(are_theirs);
            theirs
                .filter_map(|(named, is)| is.then_some(named))
                .collect()
        }
    };
    let owned: Vec<(Did, Cid)> = all
        .iter()
        .map(|named| (named.did().clone(), named.cid))
        .collect();
    let hidden = seen::hidden(snapshot, &owned).await?;
    let is_named = |named: &Named| match &named.by {
        NamedBy::Record(uri) => shown.get(uri).is_some_and(|names| names.name(named)),
        NamedBy::Avatar(_) => pictures.contains(named),
    };
    let each = all.iter().zip(&owned);
    Ok(each
        .map(|(named, place)| is_named(named) && !hidden.contains(place))
        .collect())
}

/// What those of some records name that show. In waves, for a record may have a megabyte.
async fn shown(
    namespace: &Namespace,
    snapshot: &dyn Snapshot,
    uris: &[RecordUri],
    remembered: &mut Remembered,
) -> Result<HashMap<RecordUri, Names>, XrpcError> {
    let mut shown = HashMap::new();
    let mut rest = uris;
    while !rest.is_empty() {
        let records = snapshot.records_within(rest, MOST_BYTES).await?;
        // At least one is answered; else there would be no end.
        let looked_at = records.len().clamp(1, rest.len());
        let records: Vec<Record> = records.into_iter().flatten().collect();
        let dids: Vec<Did> = records
            .iter()
            .map(|record| record.uri.did.clone())
            .collect();
        let actors = snapshot.actors(&dids).await?;
        for (record, actor) in records.into_iter().zip(actors) {
            if actor.state.is_visible() && !record.hidden && record.is_accepted() {
                let names = remembered.names(namespace, &record);
                shown.insert(record.uri, names);
            }
        }
        rest = &rest[looked_at..];
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use plyr_lexicons::{Judgement, Rev, Verdict};

    use super::*;

    fn record(audio: &Cid) -> Record {
        let json = format!(
            r#"{{"$type":"fm.plyr.track","audioBlob":{{"$type":"blob","size":1,
                "mimeType":"audio/mpeg","ref":{{"$link":"{audio}"}}}}}}"#
        );
        let bytes = data::to_cbor(&data::from_json(json.as_bytes()).unwrap()).unwrap();
        Record {
            uri: "at://did:plc:a/fm.plyr.track/t".parse().unwrap(),
            rev: Rev::MIN,
            cid: data::cid_of(&bytes),
            bytes,
            judgement: Judgement {
                verdict: Verdict::Valid,
                reasons: Vec::new(),
            },
            seen_at: 1,
            hidden: false,
        }
    }

    #[test]
    fn i08_a_record_is_decoded_again_when_it_changed_and_only_then() {
        let namespace: Namespace = "fm.plyr".parse().unwrap();
        let cid = |text: &str| data::cid_of_text(text).unwrap();
        let one = cid("bafkreidwslb22nkaxoadyaqlhlxgntmiq4jdenhkbrxhcq6avxlt75br5u");
        let other = cid("bafkreigzfgfbbunqonmdpxcl3bo2yza3b46o6j5epzovhjkpf47vwl6p7i");
        let mut remembered = Remembered::default();
        let mut asked = |record: &Record| remembered.names(&namespace, record).audio;
        let mut same = record(&one);
        assert_eq!(asked(&same), Some(one));
        // Unreadable, but nobody reads it.
        same.bytes.clear();
        assert_eq!(asked(&same), Some(one));
        assert_eq!(asked(&record(&other)), Some(other));
        assert_eq!(asked(&record(&one)), Some(one));
    }
}
