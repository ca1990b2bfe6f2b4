//! What pages, counts and registers answer.

use super::*;

/// An invalid update takes the old version out of the indexes and into the quarantine.
pub async fn i05_the_latest_version_decides(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let one = uri("a", "track", "one")?;
    store.apply(vec![put(&one, 1, &track("good"))?]).await?;
    store
        .apply(vec![put(&one, 2, &json!({ "title": 7 }))?])
        .await?;
    let snapshot = store.snapshot().await?;
    assert!(
        snapshot
            .page(&Index::LatestTracks, None, 10)
            .await?
            .is_empty()
    );
    let refused = snapshot.quarantine(None, 10).await?;
    assert_eq!(
        refused
            .iter()
            .map(|entry| entry.uri.clone())
            .collect::<Vec<_>>(),
        [Some(one.clone())]
    );
    let totals = settled(store.as_ref()).await?.totals().await?;
    assert_eq!(totals.sums.tracks, 0);
    store.apply(vec![put(&one, 3, &track("mended"))?]).await?;
    let snapshot = store.snapshot().await?;
    assert_eq!(
        snapshot.page(&Index::LatestTracks, None, 10).await?.len(),
        1
    );
    assert!(snapshot.quarantine(None, 10).await?.is_empty());
    store.close().await?;
    Ok(())
}

/// Likes are distinct actors: a second like of one actor changes nothing, nor does its end.
pub async fn i07_an_actor_likes_once(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let one = uri("a", "track", "one")?;
    let (x, y) = (uri("b", "like", "x")?, uri("b", "like", "y")?);
    store
        .apply(vec![put(&x, 1, &about(&one))?, put(&y, 2, &about(&one))?])
        .await?;
    store
        .apply(vec![put(&uri("c", "like", "x")?, 1, &about(&one))?])
        .await?;
    assert_eq!(counts(store.as_ref(), &one).await?.likes, 2);
    let pairs = [(one.to_string(), y.did.clone())];
    let first = store.snapshot().await?.first_likes(&pairs).await?;
    assert_eq!(first, [Some(x.clone())]);
    store.apply(vec![delete(&x, 3)]).await?;
    assert_eq!(counts(store.as_ref(), &one).await?.likes, 2);
    store.apply(vec![delete(&y, 4)]).await?;
    assert_eq!(counts(store.as_ref(), &one).await?.likes, 1);
    assert_eq!(settled(store.as_ref()).await?.totals().await?.sums.likes, 1);
    store.close().await?;
    Ok(())
}

/// A hidden account counts nowhere, comes back whole, and an older answer changes nothing.
pub async fn i08_hidden_accounts_count_nowhere(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let one = uri("a", "track", "one")?;
    store.apply(history()?).await?;
    let (before, said) = (
        dump(store.as_ref()).await?,
        counts(store.as_ref(), &one).await?,
    );
    assert_eq!((said.likes, said.lists), (1, 1));
    store
        .apply(vec![account("b", AccountState::TakenDown, 30)?])
        .await?;
    assert_eq!(counts(store.as_ref(), &one).await?, Counts::default());
    assert!(!dump(store.as_ref()).await?.contains("did:plc:b/"));
    // What is written meanwhile counts when the account is back, not before.
    store
        .apply(vec![put(&uri("b", "comment", "d")?, 9, &about(&one))?])
        .await?;
    assert_eq!(counts(store.as_ref(), &one).await?.comments, 0);
    store
        .apply(vec![account("b", AccountState::Active, 29)?])
        .await?;
    assert_eq!(
        counts(store.as_ref(), &one).await?.likes,
        0,
        "an older answer was heeded"
    );
    store
        .apply(vec![account("b", AccountState::Active, 31)?])
        .await?;
    assert_eq!(
        counts(store.as_ref(), &one).await?.comments,
        said.comments + 1
    );
    store
        .apply(vec![delete(&uri("b", "comment", "d")?, 10)])
        .await?;
    assert_eq!(dump(store.as_ref()).await?, before);
    store.close().await?;
    Ok(())
}

/// A proven version beneath the current one counts nowhere, whatever becomes of the account.
pub async fn i08_a_proof_beneath_counts_nowhere(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let (one, two) = (uri("a", "track", "one")?, uri("a", "track", "two")?);
    let comment = uri("b", "comment", "x")?;
    store
        .apply(vec![
            with_standing(put(&comment, 1, &about(&one))?, Standing::Proven),
            put(&comment, 2, &about(&two))?,
            put(&uri("c", "comment", "x")?, 1, &about(&one))?,
        ])
        .await?;
    let said = async || -> Result<[u64; 2], StoreError> {
        let (one, two) = (
            counts(store.as_ref(), &one).await?,
            counts(store.as_ref(), &two).await?,
        );
        Ok([one.comments, two.comments])
    };
    assert_eq!(said().await?, [1, 1]);
    store
        .apply(vec![account("b", AccountState::Deactivated, 10)?])
        .await?;
    assert_eq!(said().await?, [1, 0]);
    store
        .apply(vec![account("b", AccountState::Active, 20)?])
        .await?;
    assert_eq!(said().await?, [1, 1]);
    store.close().await?;
    Ok(())
}

/// The quarantine walked to its end holds every entry once, also of one time and of repos whose
/// DIDs begin alike.
pub async fn i15_the_quarantine_neither_skips_nor_repeats(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let mut expected = Vec::new();
    for did in [
        "did:web:a.example",
        "did:web:a.example.com",
        "did:web:a.example-b",
    ] {
        for rkey in ["x", "y"] {
            let uri: RecordUri = format!("at://{did}/fm.plyr.track/{rkey}").parse()?;
            store
                .apply(vec![put(&uri, 1, &json!({ "title": 7 }))?])
                .await?;
            expected.push(uri.to_string());
        }
    }
    let (mut seen, mut after) = (Vec::new(), None::<(i64, String)>);
    loop {
        // As pages are cut: one more is read than is shown.
        let place = after.as_ref().map(|(at, id)| (*at, id.as_str()));
        let read = store.snapshot().await?.quarantine(place, 2).await?;
        let Some(first) = read.into_iter().next() else {
            break;
        };
        assert!(seen.len() < expected.len(), "{seen:?}");
        after = Some((first.seen_at, first.id.clone()));
        seen.push(first.id);
    }
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
    store.close().await?;
    Ok(())
}

/// Pages walked to the end hold every row once, also with rows of the same time, and with rows
/// coming in between.
pub async fn i15_pages_neither_skip_nor_repeat(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let named = |number: usize| uri("a", "track", &format!("n{number:03}"));
    for number in (0..60).step_by(2) {
        store
            .apply(vec![put(&named(number)?, 1, &track("t"))?])
            .await?;
    }
    let did = Did::new("did:plc:a".to_owned())?;
    let (mut seen, mut after) = (Vec::new(), None);
    for round in 0.. {
        let snapshot = store.snapshot().await?;
        let page = snapshot
            .page(&Index::ActorTracks(did.clone()), after.as_ref(), 7)
            .await?;
        let Some(last) = page.last() else { break };
        after = Some(last.position.clone());
        seen.extend(page.into_iter().map(|entry| entry.position.uri));
        store
            .apply(vec![put(&named(1 + 2 * round)?, 1, &track("new"))?])
            .await?;
    }
    for number in (0..60).step_by(2) {
        let uri = named(number)?;
        assert_eq!(seen.iter().filter(|one| **one == uri).count(), 1, "{uri}");
    }
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), seen.len(), "a row came twice");
    store.close().await?;
    Ok(())
}

/// The newest proof holds a handle; who lost it shows none.
pub async fn a_handle_belongs_to_its_newest_proof(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let handle = Handle::new("music.test".to_owned())?;
    let identity = |actor: &str, asked_at: i64, proven: bool| -> Result<Change, &'static str> {
        Ok(Change::Identity(Identity {
            did: Did::new(format!("did:plc:{actor}"))?,
            pds: None,
            signing_key: None,
            handle: proven.then(|| handle.clone()),
            asked_at,
        }))
    };
    store
        .apply(vec![identity("a", 10, true)?, identity("b", 20, true)?])
        .await?;
    store.apply(vec![identity("a", 15, true)?]).await?;
    let snapshot = store.snapshot().await?;
    let holder = snapshot.handle(&handle).await?.map(|claim| claim.did);
    assert_eq!(holder, Some(Did::new("did:plc:b".to_owned())?));
    let dids = [
        Did::new("did:plc:a".to_owned())?,
        Did::new("did:plc:b".to_owned())?,
    ];
    let shown: Vec<_> = snapshot
        .actors(&dids)
        .await?
        .into_iter()
        .map(|actor| actor.handle)
        .collect();
    assert_eq!(shown, [None, Some(handle.clone())]);
    store.apply(vec![identity("b", 30, false)?]).await?;
    assert_eq!(store.snapshot().await?.handle(&handle).await?, None);
    store.close().await?;
    Ok(())
}

/// Pages of a repo are bounded, in either order, and together they are all of it.
pub async fn i11_pages_of_a_repo_are_bounded(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let mut changes = Vec::new();
    for number in 0..90 {
        let at = uri("a", "track", &format!("k{number:02}"))?;
        changes.push(put(&at, 1, &track(&format!("{number}")))?);
        if number % 3 > 0 {
            changes.push(delete(&at, 2));
        }
    }
    store.apply(changes).await?;
    let snapshot = store.snapshot().await?;
    let (did, collection) = (Did::new("did:plc:a".to_owned())?, "fm.plyr.track");
    let most = |records, bytes| crate::Most { records, bytes };
    for (reverse, most, longest) in [
        (false, most(7, usize::MAX), 7),
        (true, most(7, usize::MAX), 7),
        (false, most(100, 1), 1),
        (true, most(100, usize::MAX), 30),
    ] {
        let whole = snapshot.repo_records(&did, collection, None, reverse, 100);
        let whole = whole.await?;
        assert_eq!(whole.len(), 30);
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = snapshot.repo_page(&did, collection, after.as_deref(), reverse, most);
            let page = page.await?;
            assert!(page.records.len() <= longest, "{}", page.records.len());
            found.extend(page.records);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, whole, "{reverse} {most:?}");
        let uris: Vec<RecordUri> = whole.iter().map(|record| record.uri.clone()).collect();
        let few = snapshot.records_within(&uris, whole[0].bytes.len() + 1);
        let few: Vec<_> = few.await?.into_iter().flatten().collect();
        assert_eq!(few, whole[..2]);
    }
    store.close().await?;
    Ok(())
}
