//! `fm.plyr.sync.getCoverage`: how complete this instance is, by source and by repo.

use plyr_lexicons::Did;
use plyr_lexicons::generated::fm_plyr_sync_get_coverage::{Output, Repo, Source, StateCount};
use plyr_lexicons::typed::{Fields, List};
use plyr_schemas::{DueRepo, Told};

use crate::App;
use crate::coverage;
use crate::cursor::ListName;
use crate::error::XrpcError;
use crate::parameters::Parameters;
use crate::view::present;

pub async fn answer(app: &App, parameters: &Parameters) -> Result<Output, XrpcError> {
    let store = app.store.as_ref();
    let snapshot = store.snapshot().await?;
    let actor = parameters.optional_actor("actor")?;
    let list = ListName::new("fm.plyr.sync.getCoverage", &[parameters.text("actor")]);
    let place = list.open(parameters.optional("cursor"))?;
    let limit = parameters.limit();
    let mut repos = match actor {
        Some(actor) => {
            let did = crate::actor::resolve(app, snapshot.as_ref(), &actor).await?;
            let known = snapshot.repos(std::slice::from_ref(&did)).await?;
            known.into_iter().flatten().collect()
        }
        None => {
            let no_place = |_| XrpcError::invalid("cursor: names no place");
            let after = place.map(Did::new).transpose().map_err(no_place)?;
            snapshot.all_repos(after.as_ref(), limit + 1).await?
        }
    };
    let more = repos.len() > limit;
    repos.truncate(limit);
    let cursor = match repos.last() {
        Some(last) if more => Some(list.seal(last.did.as_str())),
        _ => None,
    };
    let dids: Vec<Did> = repos.iter().map(|repo| repo.did.clone()).collect();
    let told = futures_util::future::try_join_all(dids.iter().map(|did| snapshot.told(did)));
    let (due, told, sources, states) = tokio::try_join!(
        snapshot.due_of(&dids),
        told,
        app.coverage.sources(store),
        app.coverage.states(snapshot.as_ref()),
    )?;
    let now = chrono::Utc::now().timestamp_micros();
    let views = repos.into_iter().zip(due).zip(told);
    let views = views.map(|((repo, due), told)| repo_view(repo, due, told, now));
    let states = states.into_iter().map(|(state, repos)| StateCount {
        state: state.as_str().to_owned(),
        repos: present::count(repos),
        other: Fields::new(),
    });
    Ok(Output {
        cursor,
        sources: List(sources.into_iter().map(|one| source(one, now)).collect()),
        states: List(states.collect()),
        repos: List(views.collect()),
        other: Fields::new(),
    })
}

/// Whole seconds since a time.
fn seconds_since(then: i64, now: i64) -> i64 {
    (now.saturating_sub(then) / 1_000_000).max(0)
}

fn source(source: coverage::Source, now: i64) -> Source {
    let at = source.last_event_at;
    let report = source.report;
    Source {
        source: source.name,
        protocol: report.as_ref().and_then(|report| report.protocol.clone()),
        connected: report.as_ref().map(|report| report.connected),
        problem: report.as_ref().and_then(|report| report.problem.clone()),
        last_event_at: at.map(present::datetime),
        lag_seconds: at.map(|at| seconds_since(at, now)),
        gaps: report.as_ref().map(|report| present::count(report.gaps)),
        invented: report
            .as_ref()
            .map(|report| present::count(report.invented)),
        blind: report.map(|report| List(report.blind)),
        other: Fields::new(),
    }
}

fn repo_view(repo: plyr_schemas::Repo, due: Option<DueRepo>, told: Told, now: i64) -> Repo {
    // 0 stands for never.
    let time = |micros: i64| (micros != 0).then(|| present::datetime(micros));
    let head = repo.head;
    Repo {
        did: repo.did.as_str().to_owned(),
        state: repo.state.as_str().to_owned(),
        rev: head.as_ref().map(|head| head.rev.to_string()),
        commit: head.map(|head| head.commit.to_string()),
        verified_at: time(repo.verified_at),
        lag_seconds: (repo.verified_at != 0).then(|| seconds_since(repo.verified_at, now)),
        last_seen_rev: (told.newest != plyr_lexicons::Rev::MIN).then(|| told.newest.to_string()),
        records: present::count(repo.records),
        host: repo.pds,
        unreachable_since: time(repo.unreachable_since),
        failures: (repo.failures > 0).then(|| present::count(u64::from(repo.failures))),
        problem: repo.last_error,
        due_at: due.as_ref().map(|due| present::datetime(due.due_at)),
        cause: due.map(|due| due.cause),
        other: Fields::new(),
    }
}
