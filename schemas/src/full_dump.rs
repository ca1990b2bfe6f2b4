//! The full dump: the dump's lines, and a line for everything else that is kept: of the network
//! versions, deletes, what was observed of actors, floors, repos as wholes, what is due, what was
//! refused; and of own state what the operator hides, and each action.
//! Two stores with the same full dump are copies of one another.

use std::io::Write;
use std::path::Path;

use plyr_lexicons::{Did, Rev};
use serde_json::{Value, json};

use crate::dump::{DumpError, Lines, add_shown};
use crate::model::{AccountState, DueCheck, Floor, QuarantineEntry, Standing};
use crate::own::{Action, OwnJournal};
use crate::repo::{DueRepo, Repo, RepoHead};
use crate::whole::{Kept, Observed, Whole};

/// Rows read at a time.
const PAGE: usize = 500;
/// Checks that are due at one time; there are few.
pub(crate) const MOST_CHECKS: usize = 1_000_000;

/// Writes it, with the operator's actions where their journal is given; one JSON object a line,
/// keys sorted, lines sorted. Answers how many lines.
pub async fn full_dump(
    whole: &dyn Whole,
    own: Option<&dyn OwnJournal>,
    out: &mut (dyn Write + Send),
    scratch: &Path,
) -> Result<u64, DumpError> {
    let mut lines = Lines::new(scratch);
    add_shown(whole, &mut lines).await?;
    if let Some(own) = own {
        add_actions(own, &mut lines).await?;
    }
    let mut after = None;
    loop {
        let versions = whole.all_versions(after.as_ref(), PAGE).await?;
        for kept in &versions {
            lines.add(version(kept).to_string())?;
        }
        match versions.last() {
            Some(last) => after = Some(last.uri.clone()),
            None => break,
        }
    }
    let mut after = None;
    loop {
        let actors = whole.all_actors(after.as_ref(), PAGE).await?;
        for observed in &actors {
            lines.add(actor(observed).to_string())?;
        }
        match actors.last() {
            Some(last) => after = Some(last.did.clone()),
            None => break,
        }
    }
    let mut after = None;
    loop {
        let hides = whole.all_hides(after.as_ref(), PAGE).await?;
        for hide in &hides {
            let row = json!({ "at": hide.at, "hidden": hide.hidden,
                "hide": hide.subject.to_string() });
            lines.add(row.to_string())?;
        }
        match hides.last() {
            Some(last) => after = Some(last.subject.clone()),
            None => break,
        }
    }
    let mut after: Option<Floor> = None;
    loop {
        let place = after.as_ref().map(|last| (&last.did, &last.collection));
        let floors = whole.all_floors(place, PAGE).await?;
        for one in &floors {
            let row = json!({ "collection": one.collection.as_str(), "floor": one.rev.to_string(),
                "repo": one.did.as_str() });
            lines.add(row.to_string())?;
        }
        match floors.last() {
            Some(last) => after = Some(last.clone()),
            None => break,
        }
    }
    let mut after: Option<Did> = None;
    loop {
        let repos = whole.all_repos(after.as_ref(), PAGE).await?;
        let dids: Vec<Did> = repos.iter().map(|repo| repo.did.clone()).collect();
        for due in whole.due_of(&dids).await?.iter().flatten() {
            lines.add(due_repo(due).to_string())?;
        }
        for one in &repos {
            lines.add(repo(one).to_string())?;
        }
        match dids.last() {
            Some(last) => after = Some(last.clone()),
            None => break,
        }
    }
    for check in whole.due_checks(i64::MAX, MOST_CHECKS).await? {
        lines.add(due(&check).to_string())?;
    }
    let mut after: Option<(i64, String)> = None;
    loop {
        let place = after.as_ref().map(|(seen_at, id)| (*seen_at, id.as_str()));
        let entries = whole.quarantine(place, PAGE).await?;
        for entry in entries.iter().filter(|entry| is_refused_event(entry)) {
            lines.add(refused(entry).to_string())?;
        }
        match entries.last() {
            Some(last) => after = Some((last.seen_at, last.id.clone())),
            None => break,
        }
    }
    Ok(lines.write(out)?)
}

/// What the operator did.
async fn add_actions(own: &dyn OwnJournal, lines: &mut Lines<'_>) -> Result<(), DumpError> {
    let mut added = Ok(());
    let mut hear = |action: Action| {
        let row = json!({ "action": action.action.word(), "at": action.at, "by": action.by,
            "ownAction": action.id, "reason": action.reason, "ref": action.reference,
            "subject": action.subject.to_string() });
        added = lines.add(row.to_string());
        added.is_ok()
    };
    own.each(&mut hear).await?;
    Ok(added?)
}

/// Invalid records are listed with what was refused, but they are versions like any other.
pub(crate) fn is_refused_event(entry: &QuarantineEntry) -> bool {
    entry
        .uri
        .as_ref()
        .is_none_or(|uri| uri.to_string() != entry.id)
}

fn version(kept: &Kept) -> Value {
    let standing = match kept.standing {
        Standing::Event => "event",
        Standing::Void => "void",
        Standing::Proven => "proven",
    };
    let record = kept.record.as_ref().map(|record| {
        json!({ "bytes": record.bytes.len(), "cid": record.cid.to_string(),
            "verdict": record.verdict.as_str() })
    });
    json!({ "rev": kept.rev.to_string(), "seenAt": kept.seen_at, "standing": standing,
        "version": kept.uri.to_string(), "says": record })
}

fn actor(observed: &Observed) -> Value {
    let account = observed.account.as_ref().map(|account| {
        let state = match account.state {
            AccountState::Unknown => "unknown",
            AccountState::Active => "active",
            AccountState::Deactivated => "deactivated",
            AccountState::Deleted => "deleted",
            AccountState::TakenDown => "takendown",
            AccountState::Suspended => "suspended",
        };
        json!({ "askedAt": account.asked_at, "since": account.since, "state": state })
    });
    let identity = observed.identity.as_ref().map(|identity| {
        json!({ "askedAt": identity.asked_at, "pds": identity.pds,
            "handle": identity.handle.as_ref().map(|handle| handle.as_str()),
            "signingKey": identity.signing_key })
    });
    let bluesky = observed.bluesky.as_ref().map(|profile| {
        json!({ "askedAt": profile.asked_at, "avatar": profile.avatar,
            "displayName": profile.display_name })
    });
    json!({ "account": account, "actor": observed.did.as_str(), "bluesky": bluesky,
        "identity": identity })
}

fn due(check: &DueCheck) -> Value {
    json!({ "asked": check.asked, "checkOf": check.did.as_str(), "dueAt": check.due_at,
        "failures": check.failures, "missingSince": check.missing_since,
        "triggeredAt": check.triggered_at })
}

fn repo(repo: &Repo) -> Value {
    let head = |head: &RepoHead| json!([head.rev.to_string(), head.commit.to_string()]);
    let ahead = |(rev, since): (Rev, i64)| json!([rev.to_string(), since]);
    let settled = repo.is_settled;
    json!({ "ahead": repo.ahead.map(ahead), "askedAt": repo.asked_at, "bytes": repo.bytes,
        "failures": repo.failures, "firstSeenAt": repo.first_seen_at,
        "head": repo.head.as_ref().map(head), "lastError": repo.last_error,
        "mergedAt": repo.merged_at, "pds": repo.pds, "range": repo.range,
        "records": repo.records, "settled": settled, "state": repo.state.as_str(),
        "stateOf": repo.did.as_str(), "unreachableSince": repo.unreachable_since,
        "verifiedAt": repo.verified_at, "wentBack": repo.went_back })
}

fn due_repo(due: &DueRepo) -> Value {
    json!({ "cause": due.cause, "dueAt": due.due_at, "dueRepo": due.did.as_str(),
        "tries": due.tries, "urgency": due.urgency as u8, "wantedAt": due.wanted_at })
}

fn refused(entry: &QuarantineEntry) -> Value {
    json!({ "cid": entry.cid, "detail": entry.detail, "reason": entry.reason,
        "refused": entry.id, "rev": entry.rev.as_ref().map(ToString::to_string),
        "seenAt": entry.seen_at, "source": entry.source,
        "did": entry.did.as_ref().map(|did| did.as_str()),
        "uri": entry.uri.as_ref().map(ToString::to_string) })
}
