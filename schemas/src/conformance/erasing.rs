//! A deleted account is erased, and may come back.

use super::blob_uses::with_audio;
use super::*;
use crate::model::QuarantineEntry;
use crate::store::Snapshot;

/// Hands an erasing in until nothing is left; answers how often that was.
async fn erase(store: &dyn Store, did: &Did) -> Result<usize, StoreError> {
    for times in 0.. {
        let erased = store
            .apply(vec![Change::Erase { did: did.clone() }])
            .await?;
        if erased != [Outcome::Applied] {
            return Ok(times);
        }
    }
    Ok(0)
}

/// Everything that is held of the record content of a repo.
async fn left(store: &dyn Store, did: &Did) -> Result<Vec<String>, BoxError> {
    store.settle().await?;
    let mut left = Vec::new();
    let whole = store.whole().await?;
    let mut after = None;
    loop {
        let versions = whole.all_versions(after.as_ref(), 100).await?;
        let Some(last) = versions.last() else { break };
        after = Some(last.uri.clone());
        let ours = versions.iter().filter(|kept| kept.uri.did == *did);
        left.extend(ours.map(|kept| format!("version {} {}", kept.uri, kept.rev)));
    }
    for index in indexes(did) {
        let page = whole.page(&index, None, 1_000).await?;
        let ours = page.iter().filter(|entry| entry.position.uri.did == *did);
        left.extend(ours.map(|entry| format!("row {index:?} {}", entry.position.uri)));
    }
    let totals = whole.actor_totals(std::slice::from_ref(did)).await?;
    if totals != [crate::ActorTotals::default()] {
        left.push(format!("{totals:?}"));
    }
    let refused = whole.quarantine(None, 1_000).await?;
    let ours = refused.into_iter().filter(|entry| {
        // An engine whose refused events expire by themselves may keep those.
        entry.did.as_ref() == Some(did)
            && (store.engine() == "embedded" || entry.source == "lexicon")
    });
    left.extend(ours.map(|entry| format!("refused {}", entry.id)));
    Ok(left)
}

fn indexes(did: &Did) -> Vec<Index> {
    let subject = "at://did:plc:a/fm.plyr.track/one".to_owned();
    vec![
        Index::LatestTracks,
        Index::ActorTracks(did.clone()),
        Index::ActorLikes(did.clone()),
        Index::ActorLists(did.clone()),
        Index::ActorListsOfType(did.clone(), "album".to_owned()),
        Index::SubjectLikes(subject.clone()),
        Index::SubjectLikers(subject.clone()),
        Index::SubjectCommentsByTime(subject.clone()),
        Index::SubjectCommentsByPosition(subject.clone()),
        Index::ListsWithItem(subject),
        Index::BlobUses(blob_cid(1).to_string()),
    ]
}

/// What account b of [`history`] has besides: several pages of tracks, one that is invalid, one
/// proven beneath a newer one, a delete, and something that was refused.
fn more(tracks: usize) -> Result<Vec<Change>, BoxError> {
    let named = |number: usize| uri("b", "track", &format!("n{number:03}"));
    let mut more = Vec::new();
    for number in 0..tracks {
        more.push(put(
            &named(number)?,
            1,
            &with_audio("one of many", &blob_cid(1)),
        )?);
    }
    let beneath = uri("b", "track", "beneath")?;
    let proven = with_standing(put(&beneath, 2, &track("proven"))?, Standing::Proven);
    more.extend([
        put(&uri("b", "track", "wrong")?, 2, &json!({ "title": 7 }))?,
        proven,
        put(&beneath, 3, &track("told"))?,
        delete(&uri("b", "track", "gone")?, 4),
        Change::Quarantine(QuarantineEntry {
            id: "cid-mismatch-b".to_owned(),
            source: "wss://one".to_owned(),
            reason: "cid-mismatch".to_owned(),
            detail: "it quotes a record".to_owned(),
            did: Some(Did::new("did:plc:b".to_owned())?),
            uri: None,
            rev: None,
            cid: None,
            seen_at: 9,
        }),
    ]);
    Ok(more)
}

/// An account that is erased leaves no record, no row, no count; what others made stays, and no
/// late event brings anything back, also after a restart. What is newer works when it is back.
pub async fn i04_an_erased_account_is_gone_and_may_come_back(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let did = Did::new("did:plc:b".to_owned())?;
    let one = uri("a", "track", "one")?;
    let (history, more) = (history()?, more(150)?);
    store.apply(history.clone()).await?;
    store.apply(more.clone()).await?;
    // Only what is deleted is erased.
    assert_eq!(erase(store.as_ref(), &did).await?, 0);
    let active = left(store.as_ref(), &did).await?;
    assert!(active.len() > 300, "{active:?}");
    store
        .apply(vec![account("b", AccountState::Deactivated, 30)?])
        .await?;
    assert_eq!(erase(store.as_ref(), &did).await?, 0);
    store
        .apply(vec![account("b", AccountState::Deleted, 40)?])
        .await?;
    let (before, log) = (dump(store.as_ref()).await?, store.log_head().await?);
    assert!(erase(store.as_ref(), &did).await? > 0);
    assert_eq!(left(store.as_ref(), &did).await?, [""; 0]);
    assert_eq!(dump(store.as_ref()).await?, before);
    assert_eq!(counts(store.as_ref(), &one).await?, Counts::default());
    let told = store.log_after(&log, 10_000).await?;
    let told: HashSet<_> = told.into_iter().map(|entry| entry.subject).collect();
    // Each record that was held is told; a delete isn't, unless what it deleted was still there.
    assert!(told.contains(&LogSubject::Record(uri("b", "track", "n149")?)));
    assert!(!told.contains(&LogSubject::Record(uri("b", "track", "gone")?)));
    let deleted = uri("b", "like", "x")?;
    // What it liked may be named too, where counts follow behind.
    let is_its_own = |subject: &&LogSubject| match subject {
        LogSubject::Record(uri) => uri.did == did && *uri != deleted,
        LogSubject::Actor(_) => true,
    };
    let told = told.iter().filter(is_its_own);
    assert_eq!(told.count(), 150 + 2 + 3);
    assert_eq!(
        title(store.as_ref(), &one).await?.as_deref(),
        Some("mended")
    );

    // A replay of all that ever came, and other news of that time.
    store.close().await?;
    drop(store);
    let store = place.open(None).await?;
    let observed = |change: &Change| !matches!(change, Change::Account(_) | Change::Quarantine(_));
    let late = history
        .iter()
        .chain(&more)
        .filter(|change| observed(change));
    store.apply(late.cloned().collect()).await?;
    let other = put(
        &uri("b", "track", "n000")?,
        2,
        &track("another of that time"),
    )?;
    assert_eq!(store.apply(vec![other]).await?, [Outcome::Superseded]);
    assert_eq!(left(store.as_ref(), &did).await?, [""; 0]);

    // It comes back: what is newer shows and counts, under an old key too.
    store
        .apply(vec![account("b", AccountState::Active, 50)?])
        .await?;
    assert_eq!(left(store.as_ref(), &did).await?, [""; 0]);
    let again = uri("b", "track", "n007")?;
    let new = vec![
        put(&again, 20, &track("again"))?,
        put(&uri("b", "like", "x")?, 21, &about(&one))?,
    ];
    assert_eq!(store.apply(new).await?, [Outcome::Applied; 2]);
    assert_eq!(
        title(store.as_ref(), &again).await?.as_deref(),
        Some("again")
    );
    assert_eq!(counts(store.as_ref(), &one).await?.likes, 1);
    let page = settled(store.as_ref())
        .await?
        .page(&Index::ActorTracks(did.clone()), None, 10)
        .await?;
    assert_eq!(page.len(), 1, "{page:?}");
    assert_eq!(erase(store.as_ref(), &did).await?, 0);
    assert_eq!(
        title(store.as_ref(), &again).await?.as_deref(),
        Some("again")
    );
    store.close().await?;
    Ok(())
}

/// Stopped at any step of an erasing and begun again, nothing is left.
pub async fn i03_an_erasing_cut_off_anywhere_is_finished(place: &dyn Place) -> Checked {
    let did = Did::new("did:plc:b".to_owned())?;
    let more = more(2)?;
    let mut reached = HashSet::new();
    for crash_at in 0.. {
        let setup = place.open(None).await?;
        setup.apply(history()?).await?;
        // Above the floor of the round before.
        let number = 100 + crash_at;
        setup.apply(more.clone()).await?;
        setup
            .apply(vec![
                put(&uri("b", "track", "x")?, number, &track("x"))?,
                put(
                    &uri("b", "like", "x")?,
                    number,
                    &about(&uri("a", "track", "one")?),
                )?,
                account("b", AccountState::Deleted, 40 + number)?,
            ])
            .await?;
        setup.close().await?;
        drop(setup);
        let asked = Arc::new(Mutex::new((0, None)));
        let hook: FaultHook = {
            let asked = asked.clone();
            Arc::new(move |point: CrashPoint| {
                let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
                asked.0 += 1;
                let stops = asked.0 == crash_at + 1;
                if stops {
                    asked.1 = Some(point);
                }
                stops
            })
        };
        let store = place.open(Some(hook)).await?;
        let stopped = erase(store.as_ref(), &did).await.is_err();
        drop(store);
        let point = asked.lock().unwrap_or_else(PoisonError::into_inner).1;
        assert_eq!(stopped, point.is_some());
        let store = place.open(None).await?;
        erase(store.as_ref(), &did).await?;
        assert_eq!(
            left(store.as_ref(), &did).await?,
            [""; 0],
            "after {point:?}"
        );
        store.close().await?;
        drop(store);
        let Some(point) = point else { break };
        reached.insert(point);
    }
    assert!(reached.len() > 1, "{reached:?}");
    Ok(())
}

/// Whoever proved a handle last holds it, in whatever order the proofs come, also when it is given
/// up in between: no older proof takes it then.
pub async fn i02_a_handle_goes_to_the_newest_proof_in_any_order(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let identity = |round: usize, actor: &str, asked_at: i64, proven: bool| {
        let handle = Handle::new(format!("music{round}.test"))?;
        Ok::<Change, BoxError>(Change::Identity(Identity {
            did: Did::new(format!("did:plc:{actor}{round}"))?,
            pds: None,
            signing_key: None,
            handle: proven.then_some(handle),
            asked_at,
        }))
    };
    // a proves it and is beaten by b, who gives it up; c and d prove it at one time in between.
    let proofs = [
        ("a", 10, true),
        ("b", 40, true),
        ("b", 50, false),
        ("c", 30, true),
        ("d", 30, true),
    ];
    let mut orders: Vec<Vec<usize>> = vec![vec![]];
    for _ in 0..proofs.len() {
        let longer = orders.into_iter().flat_map(|order| {
            let next = (0..proofs.len())
                .filter(|at| !order.contains(at))
                .collect::<Vec<_>>();
            next.into_iter().map(move |at| [&order[..], &[at]].concat())
        });
        orders = longer.collect();
    }
    for (round, order) in orders.into_iter().enumerate() {
        // b's own answers in the order of asking: an earlier one is void, and proves nothing.
        if order.iter().position(|at| *at == 1) > order.iter().position(|at| *at == 2) {
            continue;
        }
        for at in &order {
            let (actor, asked_at, proven) = proofs[*at];
            store
                .apply(vec![identity(round, actor, asked_at, proven)?])
                .await?;
        }
        let handle = Handle::new(format!("music{round}.test"))?;
        let snapshot = store.snapshot().await?;
        assert_eq!(snapshot.handle(&handle).await?, None, "{order:?}");
        // Of two proofs at one time the same one wins.
        store.apply(vec![identity(round, "c", 60, true)?]).await?;
        let mut tied = vec![
            identity(round, "e", 70, true)?,
            identity(round, "d", 70, true)?,
        ];
        tied.rotate_left(round % 2);
        store.apply(tied).await?;
        let snapshot = store.snapshot().await?;
        let holder = snapshot.handle(&handle).await?.map(|claim| claim.did);
        assert_eq!(
            holder,
            Some(Did::new(format!("did:plc:e{round}"))?),
            "{order:?}"
        );
        assert_eq!(
            shown(snapshot.as_ref(), round).await?,
            [None, None, None, None, Some(handle)]
        );
    }
    store.close().await?;
    Ok(())
}

async fn shown(snapshot: &dyn Snapshot, round: usize) -> Result<Vec<Option<Handle>>, BoxError> {
    let dids = ["a", "b", "c", "d", "e"].map(|actor| Did::new(format!("did:plc:{actor}{round}")));
    let dids = dids.into_iter().collect::<Result<Vec<_>, _>>()?;
    let actors = snapshot.actors(&dids).await?.into_iter();
    Ok(actors.map(|actor| actor.handle).collect())
}

/// Of the rows of one trigger the one that was asked more often stays, whoever writes it; a later
/// trigger begins anew, and what is done is done.
pub async fn i02_a_due_check_only_goes_on(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let did = Did::new("did:plc:b".to_owned())?;
    let check = |triggered_at: i64, asked: u8, failures: u8, due_at: i64| crate::DueCheck {
        did: did.clone(),
        triggered_at,
        asked,
        failures,
        missing_since: i64::from(asked) * 3,
        due_at,
    };
    let steps = [
        check(10, 0, 0, 10),
        check(10, 1, 0, 20),
        check(10, 2, 1, 30),
        check(10, 3, 0, 35),
        check(10, 1, 1, 99),
    ];
    for step in &steps {
        store.apply(vec![Change::Due(step.clone())]).await?;
    }
    let due = store.snapshot().await?.due_checks(i64::MAX, 10).await?;
    assert_eq!(due, [steps[3].clone()]);
    assert_eq!(store.snapshot().await?.due_checks(34, 10).await?, []);
    let done = |triggered_at| Change::Checked {
        did: did.clone(),
        triggered_at,
    };
    assert_eq!(store.apply(vec![done(9)]).await?, [Outcome::Superseded]);
    store
        .apply(vec![Change::Due(check(11, 0, 0, 11)), done(10)])
        .await?;
    let due = store.snapshot().await?.due_checks(i64::MAX, 10).await?;
    assert_eq!(due, [check(11, 0, 0, 11)]);
    store.apply(vec![done(11)]).await?;
    assert_eq!(store.snapshot().await?.due_checks(i64::MAX, 10).await?, []);
    store.close().await?;
    Ok(())
}

/// What was observed is answered as it was observed; nothing of whom nobody was asked about.
pub async fn what_was_observed_is_answered(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let (known, unknown) = (
        Did::new("did:plc:b".to_owned())?,
        Did::new("did:plc:z".to_owned())?,
    );
    let account = Account {
        did: known.clone(),
        state: AccountState::Deleted,
        since: 30,
        asked_at: 40,
    };
    let identity = Identity {
        did: known.clone(),
        pds: Some("https://pds.example".to_owned()),
        signing_key: Some("zKey".to_owned()),
        handle: None,
        asked_at: 41,
    };
    store
        .apply(vec![
            Change::Account(account.clone()),
            Change::Identity(identity.clone()),
        ])
        .await?;
    let observed = store
        .snapshot()
        .await?
        .observed(&[unknown.clone(), known.clone()])
        .await?;
    let nothing = |did: &Did| crate::Observed {
        did: did.clone(),
        account: None,
        identity: None,
        bluesky: None,
    };
    let something = crate::Observed {
        account: Some(account),
        identity: Some(identity),
        ..nothing(&known)
    };
    assert_eq!(observed, [nothing(&unknown), something]);
    store.close().await?;
    Ok(())
}
