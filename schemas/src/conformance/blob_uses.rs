//! Which records name a blob.

use plyr_lexicons::Cid;

use super::*;

/// A blob as a record names it.
pub(crate) fn blob(cid: &Cid, media_type: &str) -> Value {
    json!({ "$type": "blob", "ref": { "$link": cid.to_string() }, "mimeType": media_type,
        "size": 9 })
}

/// A track with audio.
pub(crate) fn with_audio(title: &str, cid: &Cid) -> Value {
    let mut record = track(title);
    record["audioBlob"] = blob(cid, "audio/mpeg");
    record
}

/// Tracks of one actor with the same audio: for tests of one engine alone.
pub fn tracks(number: i64, audio: &Cid) -> Result<Vec<Change>, BoxError> {
    let track = |at: i64| {
        let uri = uri("a", "track", &format!("{at}-{audio}"))?;
        put(&uri, 1, &with_audio("t", audio))
    };
    (0..number).map(track).collect()
}

/// The records that name a blob, a hundred at most.
pub async fn uses_of(store: &dyn Store, cid: &Cid) -> Result<Vec<String>, StoreError> {
    let index = Index::BlobUses(cid.to_string());
    let page = store.snapshot().await?.page(&index, None, 100).await?;
    let uris = page.iter().map(|entry| entry.position.uri.to_string());
    Ok(uris.collect())
}

/// The records that show and name a blob are found by it, and no others.
pub async fn a_blob_leads_to_the_records_that_name_it(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let (audio, cover, other) = (blob_cid(1), blob_cid(2), blob_cid(3));
    let (one, two) = (uri("a", "track", "one")?, uri("b", "track", "two")?);
    let list = uri("a", "list", "l")?;
    let mut first = with_audio("one", &audio);
    first["cover"] = blob(&cover, "image/png");
    let mut both = with_audio("two", &audio);
    both["cover"] = json!({ "cid": audio.to_string(), "mimeType": "image/png" });
    let mut listed = json!({ "listType": "album", "items": [] });
    listed["cover"] = blob(&cover, "image/png");
    store
        .apply(vec![
            put(&one, 1, &first)?,
            put(&two, 2, &both)?,
            put(&list, 3, &listed)?,
            put(&uri("a", "track", "none")?, 4, &track("none"))?,
        ])
        .await?;
    let uses = async |cid: &Cid| -> Result<HashSet<String>, StoreError> {
        Ok(uses_of(store.as_ref(), cid).await?.into_iter().collect())
    };
    let named = |uris: &[&RecordUri]| -> HashSet<String> {
        uris.iter().map(|uri| (*uri).to_string()).collect()
    };
    assert_eq!(
        uses_of(store.as_ref(), &audio).await?.len(),
        2,
        "one came twice"
    );
    assert_eq!(uses(&audio).await?, named(&[&one, &two]));
    assert_eq!(uses(&cover).await?, named(&[&one, &list]));
    assert_eq!(uses(&other).await?, named(&[]));
    // Other audio, an invalid version, and a delete.
    store
        .apply(vec![
            put(&one, 5, &with_audio("one", &other))?,
            put(
                &two,
                6,
                &json!({ "title": 7, "audioBlob": blob(&audio, "audio/mpeg") }),
            )?,
        ])
        .await?;
    assert_eq!(uses(&audio).await?, named(&[]));
    assert_eq!(uses(&cover).await?, named(&[&list]));
    assert_eq!(uses(&other).await?, named(&[&one]));
    store
        .apply(vec![
            delete(&list, 7),
            put(&two, 8, &with_audio("two", &audio))?,
        ])
        .await?;
    store.close().await?;
    drop(store);
    let store = place.open(None).await?;
    assert_eq!(uses_of(store.as_ref(), &cover).await?, [""; 0]);
    assert_eq!(uses_of(store.as_ref(), &audio).await?, [two.to_string()]);
    store.close().await?;
    Ok(())
}
