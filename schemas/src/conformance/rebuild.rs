//! What is derived can be made again from the records, while the store is used.

use std::collections::BTreeSet;

use plyr_lexicons::Verdict;

use super::blob_uses::with_audio;
use super::*;
use crate::rebuild::{Pass, Passing};

/// A place that can be looked into, and spoilt, while no store is open there.
#[async_trait]
pub trait Spoilt: Place {
    /// Every derived row and every count that stands there, as text.
    async fn derived(&self) -> Result<Vec<String>, BoxError>;

    /// Takes derived rows and counts away, plants wrong ones and ones of nobody. What counts for
    /// [`used`] stays readable.
    async fn spoil(&self) -> Result<(), BoxError>;
}

/// The subject that is liked while a rebuild goes on.
pub fn used() -> Result<RecordUri, BoxError> {
    Ok(uri("a", "track", "0")?)
}

/// Records of some actors, one of them hidden, one record invalid, some deleted.
fn world(likers: usize) -> Result<Vec<Change>, BoxError> {
    let mut world = vec![account("hidden", AccountState::Deactivated, 10)?];
    let tracks: Vec<RecordUri> = (0..12)
        .map(|number| uri("a", "track", &number.to_string()))
        .collect::<Result<_, _>>()?;
    for (number, track_uri) in tracks.iter().enumerate() {
        let audio = blob_cid(number as u64 / 3);
        world.push(put(
            track_uri,
            1,
            &with_audio(&format!("track {number}"), &audio),
        )?);
    }
    world.push(put(
        &uri("a", "track", "wrong")?,
        2,
        &json!({ "title": 7 }),
    )?);
    world.push(put(&uri("a", "track", "gone")?, 2, &track("gone"))?);
    world.push(delete(&uri("a", "track", "gone")?, 3));
    for number in 0..likers {
        let actor = format!("liker{number}");
        let subject = &tracks[number % 3];
        world.push(put(&uri(&actor, "like", "x")?, 4, &about(subject))?);
        if number % 10 == 0 {
            world.push(put(&uri(&actor, "like", "again")?, 5, &about(subject))?);
            world.push(put(&uri(&actor, "comment", "c")?, 6, &about(subject))?);
            let items =
                json!({ "listType": "album", "items": [about(subject), about(&tracks[4])] });
            world.push(put(&uri(&actor, "list", "l")?, 7, &items)?);
        }
    }
    for collection in ["like", "comment", "track"] {
        let record = match collection {
            "track" => track("hidden"),
            _ => about(&tracks[5]),
        };
        world.push(put(&uri("hidden", collection, "x")?, 8, &record)?);
    }
    let live = uri("live", "like", "x")?;
    world.push(put(&live, 9, &about(&tracks[0]))?);
    world.push(delete(&live, 10));
    Ok(world)
}

/// Everything that answers show of it.
async fn picture(store: &dyn Store, world: &[Change]) -> Result<String, BoxError> {
    let mut picture = dump(store).await?;
    let snapshot = settled(store).await?;
    let (mut indexes, mut dids) = (HashSet::new(), BTreeSet::new());
    for change in world {
        let Change::Version(version) = change else {
            continue;
        };
        dids.insert(version.uri.did.as_str().to_owned());
        if let Body::Record { derived, .. } = &version.body {
            indexes.extend(derived.rows.iter().map(|row| row.index.clone()));
        }
    }
    let dids: Vec<Did> = dids.into_iter().map(Did::new).collect::<Result<_, _>>()?;
    let mut lines = Vec::new();
    for index in indexes {
        let page = snapshot.page(&index, None, 100_000).await?;
        let uris = page.iter().map(|entry| entry.position.uri.to_string());
        lines.push(format!("{index:?} {:?}", uris.collect::<Vec<_>>()));
    }
    for (did, totals) in dids.iter().zip(snapshot.actor_totals(&dids).await?) {
        lines.push(format!("{} {totals:?}", did.as_str()));
    }
    lines.push(format!("{:?}", snapshot.totals().await?));
    lines.push(format!("{:?}", snapshot.quarantine(None, 100).await?));
    lines.sort_unstable();
    picture.push_str(&lines.join("\n"));
    Ok(picture)
}

fn differing<'a>(one: &'a [String], two: &'a [String]) -> Vec<&'a String> {
    let (ours, theirs): (HashSet<_>, HashSet<_>) = (one.iter().collect(), two.iter().collect());
    ours.symmetric_difference(&theirs)
        .copied()
        .take(10)
        .collect()
}

/// Rows and counts that were taken away, changed and invented: a rebuild, cut off and gone on with,
/// while others write, ends in what was there before.
pub async fn i01_a_rebuild_makes_what_is_derived_as_it_was(place: &dyn Spoilt) -> Checked {
    let likers = if place.is_shared() { 120 } else { 2_500 };
    let world = world(likers)?;
    let store = place.open(None).await?;
    for batch in world.chunks(250) {
        store.apply(batch.to_vec()).await?;
    }
    let expected = picture(store.as_ref(), &world).await?;
    store.close().await?;
    drop(store);
    let before = place.derived().await?;
    place.spoil().await?;
    assert_ne!(place.derived().await?, before, "nothing was spoilt");

    let store = place.open(None).await?;
    let spoilt = picture(store.as_ref(), &world).await;
    assert_ne!(spoilt.ok(), Some(expected.clone()));
    let one = store.pass(Pass::All, None).await?;
    let two = store.pass(Pass::All, Some(one.clone())).await?;
    assert!(two.seen > one.seen && !two.is_done(), "{two:?}");
    store.close().await?;
    drop(store);

    let store = place.open(None).await?;
    let live = uri("live", "like", "x")?;
    let mut passing = gone_on(store.as_ref(), Pass::All, None).await?;
    assert_eq!(passing.began, two.began, "it began anew");
    assert!(passing.seen > two.seen, "{passing:?}");
    let mut at = 11;
    while !passing.is_done() {
        // An actor who likes and takes it back is nothing in the end.
        let like = put(&live, at, &about(&used()?))?;
        let (applied, passed) = tokio::join!(
            store.apply(vec![like]),
            gone_on(store.as_ref(), Pass::All, Some(passing))
        );
        (_, passing) = (applied?, passed?);
        store.apply(vec![delete(&live, at + 1)]).await?;
        at += 2;
    }
    assert!(passing.mended > 10, "{passing:?}");
    let now = picture(store.as_ref(), &world).await?;
    assert_eq!(now, expected);
    let again = run(store.as_ref(), Pass::All).await?;
    assert_eq!((again.mended, again.unreadable), (0, 0), "{again:?}");
    assert!(again.began > passing.began, "{again:?}");
    store.close().await?;
    drop(store);
    let after = place.derived().await?;
    assert_eq!(differing(&after, &before), Vec::<&String>::new());
    Ok(())
}

/// The next piece that this store does itself: who held the pass before lets go of it.
async fn gone_on(
    store: &dyn Store,
    pass: Pass,
    so_far: Option<Passing>,
) -> Result<Passing, StoreError> {
    loop {
        let passing = store.pass(pass, so_far.clone()).await?;
        if !passing.elsewhere {
            return Ok(passing);
        }
    }
}

/// A whole pass.
pub async fn run(store: &dyn Store, pass: Pass) -> Result<Passing, StoreError> {
    let mut passing = store.pass(pass, None).await?;
    while !passing.is_done() {
        passing = store.pass(pass, Some(passing)).await?;
    }
    Ok(passing)
}

/// A track and what rules may have said of it.
pub fn wrongly(rkey: &str, title: &Value, verdict: Verdict) -> Result<Change, BoxError> {
    let record = json!({ "title": title, "artist": "a", "fileType": "mp3" });
    let Change::Version(mut version) = put(&uri("a", "track", rkey)?, 1, &record)? else {
        return Err("no version".into());
    };
    if let Body::Record {
        judgement, derived, ..
    } = &mut version.body
    {
        judgement.verdict = verdict;
        if verdict == Verdict::Invalid {
            *derived = Derived::default();
        }
    }
    Ok(Change::Version(version))
}

/// What older rules said is judged again, both ways, whoever is at it and whoever dies.
pub async fn new_rules_judge_everything_again(
    old: &dyn Place,
    new: &dyn Place,
    dies_at: CrashPoint,
) -> Checked {
    let store = old.open(None).await?;
    let mut changes = vec![
        wrongly("good", &json!("t"), Verdict::Invalid)?,
        wrongly("bad", &json!(7), Verdict::Valid)?,
    ];
    for number in 0..200 {
        let rkey = format!("more{number}");
        changes.push(wrongly(&rkey, &json!("t"), Verdict::Invalid)?);
    }
    store.apply(changes).await?;
    assert_eq!(
        settled(store.as_ref()).await?.totals().await?.sums.tracks,
        1
    );
    let head = store.log_head().await?;
    store.close().await?;
    drop(store);

    // One dies after it has written verdicts, before what follows from them.
    let dying = new
        .open(Some(Arc::new(move |point| point == dies_at)))
        .await?;
    let died = run(dying.as_ref(), Pass::Rules).await;
    assert!(matches!(died, Err(StoreError::Closed)), "{died:?}");
    drop(dying);
    // Two go on at once.
    let (one, two) = (new.open(None).await?, new.open(None).await?);
    let (first, second) = tokio::join!(
        run(one.as_ref(), Pass::Rules),
        run(two.as_ref(), Pass::Rules)
    );
    assert!(first?.is_done() && second?.is_done());
    two.settle().await?;
    let snapshot = settled(one.as_ref()).await?;
    assert_eq!(snapshot.totals().await?.sums.tracks, 201);
    let latest = snapshot.page(&Index::LatestTracks, None, 500).await?;
    assert_eq!(latest.len(), 201);
    let refused = snapshot.quarantine(None, 10).await?;
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].id.ends_with("/bad"), "{refused:?}");
    let told = one.log_after(&head, 10_000).await?;
    let told: HashSet<_> = told.into_iter().map(|entry| entry.subject).collect();
    assert_eq!(told.len(), 202, "a change of verdict isn't told");

    // A process of the older version goes on writing; one of this version sees it too.
    let late = wrongly("late", &json!(7), Verdict::Valid)?;
    let older = old.open(None).await?;
    older.apply(vec![late.clone()]).await?;
    assert!(run(older.as_ref(), Pass::Rules).await?.is_done());
    let Change::Version(mut judged) = late else {
        return Err("no version".into());
    };
    if let Body::Record { judgement, .. } = &mut judged.body {
        judgement.verdict = Verdict::Invalid;
    }
    one.apply(vec![Change::Version(judged)]).await?;
    older.settle().await?;
    let snapshot = settled(one.as_ref()).await?;
    assert_eq!(snapshot.quarantine(None, 10).await?.len(), 2);
    let latest = snapshot.page(&Index::LatestTracks, None, 500).await?;
    assert_eq!(latest.len(), 201);
    let again = run(one.as_ref(), Pass::Rules).await?;
    assert!(again.is_done());
    for store in [one, two, older] {
        store.close().await?;
    }
    Ok(())
}
