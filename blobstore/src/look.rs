//! A look at a record: what it names now, what it was seen to name, and which public copies it may
//! no longer let out.

use plyr_lexicons::{Cid, Collection, Did, Namespace, RecordUri, data};
use plyr_schemas::{BlobRole, NamedBlob, Record, SeenAudio, Snapshot, blobs_of, is_gated};

use crate::error::BlobstoreError;
use crate::serve::now;

/// What was seen of a record.
pub(crate) struct Look {
    pub(crate) uri: RecordUri,
    /// None where it is gone.
    pub(crate) record: Option<Named>,
    /// What its audio was last seen to be.
    pub(crate) seen: Option<SeenAudio>,
}

/// What a record names.
pub(crate) struct Named {
    pub(crate) is_track: bool,
    /// Whether it and its author do.
    pub(crate) shows: bool,
    /// Whether its author asks for support first.
    is_gated: bool,
    pub(crate) named: Vec<NamedBlob>,
}

impl Named {
    fn audio(&self) -> Option<Cid> {
        let mut named = self.named.iter();
        named
            .find(|one| one.role == BlobRole::Audio)
            .map(|one| one.cid)
    }
}

impl Look {
    /// Looks at records, in the order asked. Records that can't be read were told when they were
    /// kept; they are left out, and so are those of collections that name no blobs.
    pub(crate) async fn at(
        snapshot: &dyn Snapshot,
        namespace: &Namespace,
        uris: &[RecordUri],
        seen: Vec<Option<SeenAudio>>,
    ) -> Result<Vec<Look>, BlobstoreError> {
        let records = snapshot.records(uris).await?;
        let dids: Vec<Did> = uris.iter().map(|uri| uri.did.clone()).collect();
        let actors = snapshot.actors(&dids).await?;
        let mut looks = Vec::new();
        let each = uris.iter().zip(records).zip(actors.iter().zip(seen));
        for ((uri, record), (actor, seen)) in each {
            let record = match record {
                None => None,
                Some(record) => {
                    let is_visible = actor.state.is_visible();
                    let Some(named) = read(namespace, &record, is_visible) else {
                        continue;
                    };
                    Some(named)
                }
            };
            looks.push(Look {
                uri: uri.clone(),
                record,
                seen,
            });
        }
        Ok(looks)
    }

    /// Blobs that this record doesn't let out, and may have let out before.
    pub(crate) fn doubted(&self) -> Vec<Cid> {
        let seen = self.seen.as_ref().map(|seen| seen.cid);
        let Some(record) = &self.record else {
            return seen.into_iter().collect();
        };
        let audio = record.audio();
        let former = seen.filter(|seen| audio != Some(*seen));
        let shut = audio.filter(|_| !record.shows || record.is_gated);
        former.into_iter().chain(shut).collect()
    }

    /// What is to be written down of a track's audio, if that is news.
    pub(crate) fn news(&self) -> Option<SeenAudio> {
        let audio = self.record.as_ref().and_then(Named::audio);
        let (cid, dropped_at) = match (&self.seen, audio) {
            (Some(seen), Some(audio)) if seen.cid == audio && seen.dropped_at.is_none() => {
                return None;
            }
            (_, Some(audio)) => (audio, None),
            (Some(seen), None) if seen.dropped_at.is_none() => (seen.cid, Some(now())),
            (_, None) => return None,
        };
        Some(SeenAudio {
            uri: self.uri.clone(),
            cid,
            dropped_at,
        })
    }
}

fn read(namespace: &Namespace, record: &Record, is_visible: bool) -> Option<Named> {
    let collection = namespace.collection(record.uri.collection.as_str())?;
    let value = data::from_cbor(&record.bytes).ok()?;
    Some(Named {
        is_track: collection == Collection::Track,
        shows: record.is_shown() && is_visible,
        is_gated: is_gated(&value),
        named: blobs_of(collection, &value),
    })
}
