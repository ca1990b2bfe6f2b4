//! Repos as wholes: what is known of them, what is due, and what a merge reads.

use super::*;
use crate::{DueRepo, HeldKey, HeldRev, Repo, RepoHead, RepoState, Told, Urgency};

fn did(actor: &str) -> Result<Did, &'static str> {
    Did::new(format!("did:plc:{actor}"))
}

/// A repo verified at a time.
pub(crate) fn verified(did: &Did, asked_at: i64) -> Result<Repo, BoxError> {
    let head = RepoHead {
        rev: rev(asked_at),
        commit: data::cid_of(&asked_at.to_be_bytes()),
    };
    Ok(Repo {
        state: RepoState::Verified,
        head: Some(head),
        range: Some(vec![1, 2, 255]),
        merged_at: asked_at,
        verified_at: asked_at,
        is_settled: true,
        went_back: true,
        ahead: Some((rev(asked_at + 1), asked_at)),
        records: 3,
        bytes: 300,
        pds: Some("https://pds.example".to_owned()),
        unreachable_since: 4,
        failures: 2,
        last_error: Some("hung".to_owned()),
        asked_at,
        ..Repo::met(did.clone(), 3)
    })
}

/// A repo wanted at a time.
pub(crate) fn wanted(did: &Did, wanted_at: i64, urgency: Urgency, due_at: i64) -> DueRepo {
    DueRepo {
        did: did.clone(),
        wanted_at,
        urgency,
        due_at,
        tries: 0,
        cause: format!("{urgency:?}").to_lowercase(),
    }
}

/// Of two answers about a repo the one asked later stays; every repo is listed once.
pub async fn i02_a_repo_is_what_was_asked_last(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let (a, b) = (did("a")?, did("b")?);
    let later = verified(&a, 20)?;
    let met = Repo::met(b.clone(), 5);
    let outcomes = store
        .apply(vec![
            Change::Repo(Repo::met(a.clone(), 5)),
            Change::Repo(later.clone()),
            Change::Repo(verified(&a, 10)?),
            Change::Repo(met.clone()),
            Change::Repo(Repo::met(b.clone(), 6)),
        ])
        .await?;
    let (applied, superseded) = (Outcome::Applied, Outcome::Superseded);
    assert_eq!(
        outcomes,
        [applied, applied, superseded, applied, superseded]
    );
    store.close().await?;
    drop(store);
    let store = place.open(None).await?;
    for number in 0..30 {
        let other = did(&format!("x{number}"))?;
        store.apply(vec![Change::Repo(Repo::met(other, 5))]).await?;
    }
    let snapshot = store.snapshot().await?;
    let held = snapshot.repos(&[b.clone(), did("c")?, a.clone()]).await?;
    assert_eq!(held, [Some(met), None, Some(later)]);
    let (mut seen, mut after) = (HashSet::new(), None);
    loop {
        let page = snapshot.all_repos(after.as_ref(), 7).await?;
        assert!(page.len() <= 7);
        let Some(last) = page.last() else { break };
        after = Some(last.did.clone());
        for repo in page {
            assert!(
                seen.insert(repo.did.as_str().to_owned()),
                "{repo:?} came twice"
            );
        }
    }
    assert_eq!(seen.len(), 32);
    let states = snapshot.repo_states().await?;
    assert!(states.contains(&(RepoState::Unknown, 31)), "{states:?}");
    assert!(states.contains(&(RepoState::Verified, 1)), "{states:?}");
    store.close().await?;
    Ok(())
}

/// What is due stays due, over restarts, until it is done; a later want joins an earlier one, and
/// is not ended by an answer to it.
pub async fn i03_due_repos_are_kept_until_they_are_done(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let [a, b, c] = [did("a")?, did("b")?, did("c")?];
    store
        .apply(vec![
            Change::RepoDue(wanted(&a, 10, Urgency::Steady, 100)),
            Change::RepoDue(wanted(&b, 10, Urgency::Soon, 300)),
            Change::RepoDue(wanted(&c, 10, Urgency::Now, 200)),
        ])
        .await?;
    store.close().await?;
    drop(store);
    let store = place.open(None).await?;
    let due = async |until: i64, limit: usize| -> Result<Vec<DueRepo>, StoreError> {
        store.snapshot().await?.due_repos(until, limit).await
    };
    let dids = |due: &[DueRepo]| -> Vec<String> {
        let named = due.iter().map(|due| due.did.as_str().to_owned());
        named.collect()
    };
    assert_eq!(
        dids(&due(400, 10).await?),
        [c.as_str(), b.as_str(), a.as_str()]
    );
    assert_eq!(dids(&due(400, 2).await?), [c.as_str(), b.as_str()]);
    assert_eq!(dids(&due(250, 10).await?), [c.as_str(), a.as_str()]);

    // A later, less urgent want leaves the repo as urgent as it was.
    let later = wanted(&c, 20, Urgency::Steady, 900);
    store.apply(vec![Change::RepoDue(later.clone())]).await?;
    let joined = due(400, 1).await?;
    let expected = DueRepo {
        urgency: Urgency::Now,
        due_at: 200,
        cause: "now".to_owned(),
        ..later.clone()
    };
    assert_eq!(joined, std::slice::from_ref(&expected));
    // An answer to the earlier want ends nothing.
    let done = |wanted_at| Change::RepoDone {
        did: c.clone(),
        wanted_at,
    };
    let outcomes = store.apply(vec![done(10)]).await?;
    assert_eq!(outcomes, [Outcome::Superseded]);
    // Taken up: put off, at the same time of wanting.
    let taken = DueRepo {
        tries: 1,
        due_at: 5_000,
        ..expected.clone()
    };
    store.apply(vec![Change::RepoDue(taken.clone())]).await?;
    let outcomes = store.apply(vec![Change::RepoDue(expected)]).await?;
    assert_eq!(outcomes, [Outcome::Superseded], "who took it up was undone");
    assert_eq!(dids(&due(400, 10).await?), [b.as_str(), a.as_str()]);
    let rows = store
        .snapshot()
        .await?
        .due_of(&[c.clone(), did("d")?])
        .await?;
    assert_eq!(rows, [Some(taken), None]);
    // Answered, and due again by the steady pass: not joined with what is done.
    let steady = wanted(&c, 30, Urgency::Steady, 7_000);
    let outcomes = store
        .apply(vec![done(20), Change::RepoDue(steady.clone())])
        .await?;
    assert_eq!(outcomes, [Outcome::Applied; 2]);
    assert_eq!(due(i64::MAX, 10).await?.last(), Some(&steady));
    store.close().await?;
    drop(store);
    let store = place.open(None).await?;
    let rows = store
        .snapshot()
        .await?
        .due_of(std::slice::from_ref(&c))
        .await?;
    assert_eq!(rows, [Some(steady)]);
    store.close().await?;
    Ok(())
}

/// A repo's keys are listed in order and whole, with deletes and what lies beneath; what streams
/// told of it and its floors are remembered.
pub async fn what_is_held_of_a_repo_is_listed_by_key(place: &dyn Place) -> Checked {
    let store = place.open(None).await?;
    let (one, two) = (uri("a", "track", "one")?, uri("a", "track", "two")?);
    let (gone, void) = (uri("a", "track", "gone")?, uri("a", "track", "void")?);
    let proven = with_standing(put(&one, 1, &track("proven"))?, Standing::Proven);
    store
        .apply(vec![
            proven,
            put(&uri("a", "like", "x")?, 5, &about(&one))?,
            put(&one, 2, &track("told"))?,
            put(&two, 3, &track("two"))?,
            delete(&gone, 4),
            with_standing(delete(&void, 9), Standing::Void),
        ])
        .await?;
    let snapshot = store.snapshot().await?;
    let record = |at, standing, cid| HeldRev {
        rev: rev(at),
        standing,
        cid,
    };
    let cid_of = |change: &Change| match change {
        Change::Version(Version {
            body: Body::Record { cid, .. },
            ..
        }) => Some(*cid),
        _ => None,
    };
    let [first, second, third] = [
        cid_of(&put(&one, 1, &track("proven"))?),
        cid_of(&put(&one, 2, &track("told"))?),
        cid_of(&put(&two, 3, &track("two"))?),
    ];
    let keys = |rkey: &RecordUri, versions| HeldKey {
        rkey: rkey.rkey.clone(),
        versions,
    };
    let expected = [
        keys(&gone, vec![record(4, Standing::Event, None)]),
        keys(
            &one,
            vec![
                record(1, Standing::Proven, first),
                record(2, Standing::Event, second),
            ],
        ),
        keys(&two, vec![record(3, Standing::Event, third)]),
        keys(&void, vec![record(9, Standing::Void, None)]),
    ];
    let (did, collection) = (&one.did, &one.collection);
    let listed = snapshot.repo_keys(did, collection, None, 10).await?;
    assert_eq!(listed, expected);
    let (mut walked, mut after): (Vec<HeldKey>, Option<String>) = (Vec::new(), None);
    loop {
        let page = snapshot
            .repo_keys(did, collection, after.as_deref(), 1)
            .await?;
        let Some(last) = page.last() else { break };
        after = Some(last.rkey.as_str().to_owned());
        walked.extend(page);
    }
    assert_eq!(walked, expected);
    let single = [one.clone(), uri("a", "track", "none")?];
    let single = snapshot.keys(&single).await?;
    assert_eq!(single[0], expected[1]);
    assert!(single[1].versions.is_empty());
    assert_eq!(
        expected[1].current_at(rev(1)).map(|held| held.rev),
        Some(rev(1))
    );
    assert_eq!(
        expected[1].current_at(rev(2)).map(|held| held.rev),
        Some(rev(2))
    );
    assert_eq!(expected[3].current_at(rev(20)), None);

    let told = snapshot.told(did).await?;
    assert_eq!(told.newest, rev(5), "the void rev was not told");
    let nobody = Did::new("did:plc:nobody".to_owned())?;
    let nothing = Told {
        newest: Rev::MIN,
        written: 0,
    };
    assert_eq!(snapshot.told(&nobody).await?, nothing);
    let floor = Change::Floor(Floor {
        did: did.clone(),
        collection: collection.clone(),
        rev: rev(4),
    });
    store
        .apply(vec![floor, put(&two, 6, &track("newer"))?])
        .await?;
    let snapshot = store.snapshot().await?;
    assert_eq!(snapshot.told(did).await?.newest, rev(6));
    assert!(store.has_several_writers() || snapshot.told(did).await?.written == 5);
    let like = uri("a", "like", "x")?.collection;
    let floors = snapshot.floors(did, &[like, collection.clone()]).await?;
    assert_eq!(floors, [Rev::MIN, rev(4)]);
    store.close().await?;
    Ok(())
}
