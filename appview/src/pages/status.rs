//! `/status`: for people, how complete this instance is and how it knows: its sources, the repos by
//! state, those that something is wrong with, and what was refused and why.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use plyr_schemas::{QuarantineEntry, Repo, RepoState, Snapshot, StoreError};

use crate::App;
use crate::coverage::{Source, States};
use crate::view::present;

/// Repos that something is wrong with, on the page at most.
const TROUBLED: usize = 50;
/// Repos looked at for them: the page stays quick however many there are.
const LOOKED_AT: usize = 5_000;
/// Refused records on the page.
const REFUSED: usize = 20;

mod search;

const STYLE: &str = "
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 64rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; }
h2 { font-size: 1.2rem; margin-top: 2.5rem; }
.scrolls { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; }
th { font-weight: 500; opacity: .7; }
td { overflow-wrap: anywhere; border-top: 1px solid color-mix(in srgb, currentColor 15%, #0000); }
td.number { white-space: nowrap; }
";

/// The page.
pub async fn page(app: &App) -> Result<String, StoreError> {
    let store = app.store.as_ref();
    let snapshot = store.snapshot().await?;
    let (sources, states, refused, troubled) = tokio::try_join!(
        app.coverage.sources(store),
        app.coverage.states(snapshot.as_ref()),
        snapshot.quarantine(None, REFUSED),
        troubled(snapshot.as_ref()),
    )?;
    let now = chrono::Utc::now().timestamp_micros();
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "plyr: status" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Status" }
                (summary(&states))
                (sources_table(&sources, now))
                (states_table(&states))
                (search::section(app.search.standing().as_ref(), now))
                (troubled_table(&troubled, now))
                (refused_table(&refused))
                p {
                    "The same for programs: "
                    a href="/xrpc/fm.plyr.sync.getCoverage" { code { "fm.plyr.sync.getCoverage" } }
                    " and "
                    a href="/xrpc/fm.plyr.sync.getQuarantine" {
                        code { "fm.plyr.sync.getQuarantine" }
                    }
                    "."
                }
            }
        }
    };
    Ok(whole.into_string())
}

fn known(states: &States) -> u64 {
    states.iter().map(|(_, repos)| repos).sum()
}

fn in_state(states: &States, wanted: RepoState) -> u64 {
    let here = states.iter().filter(|(state, _)| *state == wanted);
    here.map(|(_, repos)| repos).sum()
}

fn summary(states: &States) -> Markup {
    let verified = in_state(states, RepoState::Verified) + in_state(states, RepoState::RolledBack);
    let settled = verified + in_state(states, RepoState::Gone);
    html! {
        p {
            (verified) " of " (known(states)) " repos are verified: what is held of them is what \
            their signed heads say. "
            @if settled < known(states) {
                (known(states) - settled) " are still to be fetched, or something is wrong with \
                them."
            } @else {
                "None is waiting."
            }
        }
    }
}

fn sources_table(sources: &[Source], now: i64) -> Markup {
    html! {
        h2 { "Sources" }
        @if sources.is_empty() { p { "No stream was followed yet." } }
        @else {
            div.scrolls { table {
                tr { th { "stream" } th { "last event" } th { "state" } }
                @for source in sources { tr {
                    td { (source.name) }
                    td.number { (ago(source.last_event_at.unwrap_or(0), now)) }
                    td { (standing(source)) }
                } }
            } }
        }
    }
}

/// What a source is like, in a sentence.
fn standing(source: &Source) -> String {
    let Some(report) = &source.report else {
        return "followed by another process".to_owned();
    };
    let mut words = Vec::new();
    match (&report.problem, report.connected) {
        (_, true) => words.push(match &report.protocol {
            Some(protocol) => format!("followed ({protocol})"),
            None => "followed".to_owned(),
        }),
        (Some(problem), false) => words.push(format!("not followed: {problem}")),
        (None, false) => words.push("not followed".to_owned()),
    }
    if !report.blind.is_empty() {
        words.push(format!("blind for {}", report.blind.join(", ")));
    }
    if report.gaps > 0 {
        words.push(format!("{} gaps", report.gaps));
    }
    if report.invented > 0 {
        words.push(format!("invented {} events", report.invented));
    }
    words.join("; ")
}

fn states_table(states: &States) -> Markup {
    html! {
        h2 { "Repos" }
        div.scrolls { table {
            tr { th { "state" } th { "repos" } th { "meaning" } }
            @for (state, repos) in states.iter().filter(|(_, repos)| *repos > 0) { tr {
                td { (state.as_str()) }
                td.number { (repos) }
                td { (meaning(*state)) }
            } }
        } }
    }
}

const fn meaning(state: RepoState) -> &'static str {
    match state {
        RepoState::Unknown => "met, not fetched yet",
        RepoState::Backfilling => "being fetched",
        RepoState::Verified => "what is held is what its signed head says",
        RepoState::Desynchronized => "something is, or may be, otherwise than its head says",
        RepoState::RolledBack => "its host went back to an older state and stands by it",
        RepoState::OverQuota => "more records than one repo may have: parked",
        RepoState::Unreachable => "its host does not answer, or answers nothing usable",
        RepoState::Gone => "the account or its repo is not there",
    }
}

/// Repos that something is wrong with, of the first ones.
struct Troubled {
    repos: Vec<Repo>,
    /// Whether there are more than were looked at or fit.
    is_cut: bool,
}

async fn troubled(snapshot: &dyn Snapshot) -> Result<Troubled, StoreError> {
    let all = snapshot.all_repos(None, LOOKED_AT).await?;
    let are_all = all.len() < LOOKED_AT;
    let is_troubled = |repo: &Repo| {
        let fine = [RepoState::Verified, RepoState::Gone, RepoState::Unknown];
        !fine.contains(&repo.state) || repo.last_error.is_some()
    };
    let mut repos: Vec<Repo> = all.into_iter().filter(is_troubled).collect();
    let is_cut = !are_all || repos.len() > TROUBLED;
    repos.truncate(TROUBLED);
    Ok(Troubled { repos, is_cut })
}

fn troubled_table(troubled: &Troubled, now: i64) -> Markup {
    let Troubled { repos, is_cut } = troubled;
    html! {
        h2 { "Repos to look at" }
        @if *is_cut { p { "Not all: the numbers above count every one." } }
        @if repos.is_empty() { p { "None." } }
        @else {
            div.scrolls { table {
                tr { th { "repo" } th { "state" } th { "verified" } th { "host" } th { "problem" } }
                @for repo in repos { tr {
                    td { (repo.did.as_str()) }
                    td { (repo.state.as_str()) }
                    td.number { (ago(repo.verified_at, now)) }
                    td { (repo.pds.as_deref().unwrap_or("unknown")) }
                    td { (repo.last_error.as_deref().unwrap_or_default()) }
                } }
            } }
        }
    }
}

fn refused_table(refused: &[QuarantineEntry]) -> Markup {
    html! {
        h2 { "Refused lately" }
        @if refused.is_empty() { p { "Nothing." } }
        @else {
            div.scrolls { table {
                tr { th { "when" } th { "reason" } th { "what" } th { "why" } }
                @for entry in refused { tr {
                    td.number { (present::datetime(entry.seen_at)) }
                    td { (entry.reason) }
                    td { (what(entry)) }
                    td { (entry.detail) }
                } }
            } }
        }
    }
}

fn what(entry: &QuarantineEntry) -> String {
    let uri = entry.uri.as_ref().map(ToString::to_string);
    let did = entry.did.as_ref().map(|did| did.as_str().to_owned());
    uri.or(did).unwrap_or_else(|| entry.source.clone())
}

/// How long ago, in one unit; `never` for 0.
fn ago(then: i64, now: i64) -> String {
    if then == 0 {
        return "never".to_owned();
    }
    let seconds = (now.saturating_sub(then) / 1_000_000).max(0);
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_one_unit() {
        let second = 1_000_000;
        for (seconds, told) in [
            (-5, "0 s ago"),
            (119, "119 s ago"),
            (120, "2 min ago"),
            (7_200, "2 h ago"),
            (172_800, "2 days ago"),
        ] {
            assert_eq!(ago(10_000 * second, (10_000 + seconds) * second), told);
        }
        assert_eq!(ago(0, second), "never");
    }

    #[test]
    fn what_the_network_says_is_text() {
        let mut repo = Repo::met("did:plc:a".parse().unwrap(), 1);
        repo.last_error = Some("<script>alert(1)</script>".to_owned());
        let troubled = Troubled {
            repos: vec![repo],
            is_cut: false,
        };
        let page = troubled_table(&troubled, 5).into_string();
        assert!(!page.contains("<script>"), "{page}");
        assert!(page.contains("&lt;script&gt;"), "{page}");
    }
}
