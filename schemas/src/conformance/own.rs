//! The journal of own state, on every engine.

use std::sync::Arc;

use super::{BoxError, Checked, uri};
use crate::hide::HiddenSubject;
use crate::own::{self, Action, OwnJournal, Verb};
use crate::store::StoreError;

/// A month, in microseconds.
const MONTH: i64 = 31 * 86_400_000_000;

fn action(number: i64, verb: Verb, subject: &HiddenSubject) -> Action {
    Action {
        id: format!("{number:016x}"),
        at: 1_700_000_000_000_000 + number,
        by: "alice".to_owned(),
        action: verb,
        subject: subject.clone(),
        reason: Some("a “reason”,\nin two lines".to_owned()),
        reference: (number % 2 == 0).then(|| format!("case {number}")),
    }
}

async fn all(journal: &dyn OwnJournal) -> Result<Vec<Action>, StoreError> {
    let mut actions = Vec::new();
    let mut hear = |action: Action| {
        actions.push(action);
        true
    };
    journal.each(&mut hear).await?;
    Ok(actions)
}

/// What was noted is answered in its order, by whoever opens the journal next, and says what holds.
pub async fn i01_what_an_operator_did_is_kept(
    open: impl AsyncFn() -> Result<Arc<dyn OwnJournal>, BoxError>,
) -> Checked {
    let track = HiddenSubject::Record(uri("a", "track", "one")?);
    let other = HiddenSubject::Record(uri("a", "track", "two")?);
    let mut late = action(3, Verb::DeleteTrack, &other);
    late.at += 14 * MONTH;
    let noted = [
        action(1, Verb::Takedown, &track),
        action(2, Verb::Restore, &track),
        late,
    ];
    let journal = open().await?;
    assert_eq!(all(journal.as_ref()).await?, []);
    for action in &noted {
        journal.append(action).await?;
    }
    assert_eq!(all(journal.as_ref()).await?, noted);
    drop(journal);

    let journal = open().await?;
    assert_eq!(all(journal.as_ref()).await?, noted);
    let latest = journal.standing().await?;
    let verbs: Vec<Verb> = latest.values().map(|action| action.action).collect();
    assert_eq!(verbs, [Verb::Restore, Verb::DeleteTrack]);
    let held = journal.standing_of(&other).await?;
    assert_eq!(held.as_ref(), noted.last());
    let nobody = HiddenSubject::Record(uri("a", "track", "three")?);
    assert_eq!(journal.standing_of(&nobody).await?, None);
    // What is noted from here on says what holds, and nothing older does.
    let mut newer = action(4, Verb::Takedown, &track);
    journal.append(&newer).await?;
    assert_eq!(journal.standing_of(&track).await?.as_ref(), Some(&newer));
    newer.at = 1;
    newer.action = Verb::Restore;
    journal.append(&newer).await?;
    let held = journal.standing_of(&track).await?;
    assert_eq!(held.map(|held| held.action), Some(Verb::Takedown));

    // Who has heard enough hears no more.
    let mut heard = 0;
    let mut hear = |_| {
        heard += 1;
        false
    };
    journal.each(&mut hear).await?;
    assert_eq!(heard, 1);
    Ok(())
}

/// More than is read at a time, some at one moment.
pub async fn i14_a_long_journal_is_handed_over_whole(
    open: impl AsyncFn() -> Result<Arc<dyn OwnJournal>, BoxError>,
) -> Checked {
    let journal = open().await?;
    let track = HiddenSubject::Record(uri("a", "track", "one")?);
    for number in 0..1_100i64 {
        let mut action = action(number, Verb::Takedown, &track);
        action.at = 1_700_000_000_000_000 + number / 500;
        journal.append(&action).await?;
    }
    let ids: Vec<String> = all(journal.as_ref())
        .await?
        .into_iter()
        .map(|a| a.id)
        .collect();
    let expected: Vec<String> = (0..1_100).map(|number| format!("{number:016x}")).collect();
    assert_eq!(ids, expected);
    Ok(())
}

/// What one journal has and the other hasn't is copied, once.
pub async fn i01_a_journal_is_copied_once(from: &dyn OwnJournal, to: &dyn OwnJournal) -> Checked {
    let track = HiddenSubject::Record(uri("a", "track", "one")?);
    let (both, one) = (
        action(1, Verb::Takedown, &track),
        action(2, Verb::Restore, &track),
    );
    from.append(&both).await?;
    from.append(&one).await?;
    to.append(&both).await?;
    assert_eq!(own::copy(from, to).await?, 1);
    assert_eq!(own::copy(from, to).await?, 0);
    assert_eq!(all(to).await?, [both, one]);
    Ok(())
}
