//! `plyr admin takedown|restore|delete-track|log`: what an operator does, and did. Through the
//! server that holds the data folder, in the folder itself, or over the cluster from this process.

mod describe;
mod log;
mod subject;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use plyr_lexicons::{Collection, Namespace};
use plyr_schemas::own::{Acted, Action, Asked, Own, Verb};
use plyr_schemas::{HiddenSubject, Micros, Store};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::{Config, StoreChoice};
use crate::control::{self, Request};
use crate::error::OpsError;
use crate::store::open::{self, Opened};
use describe::describe;

/// How long it is read what was acted on, once that is done.
const DESCRIBED: Duration = Duration::from_secs(10);

/// What an operator works with.
#[derive(Clone)]
pub struct Acts {
    /// What is held.
    pub store: Arc<dyn Store>,
    /// The journal, and what the store is told of it.
    pub own: Arc<Own>,
    /// Whose records.
    pub namespace: Namespace,
    /// Where people see them, where that is configured.
    pub public_url: Option<Url>,
}

impl Acts {
    /// Over an open store.
    pub fn over(opened: &Opened, config: &Config) -> Acts {
        Acts {
            store: opened.store.clone(),
            own: Arc::new(Own::new(opened.journal.clone(), opened.store.clone())),
            namespace: config.namespace.clone(),
            public_url: config.public_url.clone(),
        }
    }
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    /// What to do; none to be told what was done.
    pub action: Option<Verb>,
    /// To what, as somebody wrote it; none for everything that was done.
    pub subject: Option<String>,
    /// Only tells what would change.
    #[serde(default)]
    pub dry_run: bool,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// What it is called elsewhere.
    #[serde(default)]
    pub reference: Option<String>,
    /// Who asks.
    #[serde(default)]
    pub by: String,
    /// Restores also what was deleted for good.
    #[serde(default)]
    pub force: bool,
}

/// Runs the command.
pub async fn admin(config: &Config, arguments: &ArgMatches) -> Result<ExitCode, OpsError> {
    let Some((name, arguments)) = arguments.subcommand() else {
        let problem = "name one: takedown, restore, delete-track or log";
        return Err(OpsError::Usage(problem.to_owned()));
    };
    let ask = asked(name, arguments);
    let mut out = std::io::stdout();
    if config.store == StoreChoice::Embedded {
        if !config.data_dir.join("format.json").is_file() {
            return Err(OpsError::Start(format!(
                "{} holds no store; name the folder that `plyr serve` keeps with --data-dir",
                config.data_dir.display()
            )));
        }
        let request = Request::Admin(ask.clone());
        if control::ask(&config.data_dir, &request, &mut out, &mut |_| ())?.is_some() {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let opened = open::once(config).await?;
    let ran = run(&Acts::over(&opened, config), &ask, &mut out).await;
    // Over a cluster counts follow behind what was written.
    let settled = opened.store.settle().await;
    let closed = opened.store.close().await;
    ran?;
    settled?;
    closed?;
    Ok(ExitCode::SUCCESS)
}

fn asked(name: &str, arguments: &ArgMatches) -> Ask {
    let text = |name: &str| match arguments.try_get_one::<String>(name) {
        Ok(Some(text)) => Some(text.clone()),
        _ => None,
    };
    let flag = |name: &str| matches!(arguments.try_get_one::<bool>(name), Ok(Some(true)));
    let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
    Ask {
        action: [Verb::Takedown, Verb::Restore, Verb::DeleteTrack]
            .into_iter()
            .find(|verb| verb.word() == name),
        subject: text("subject"),
        dry_run: flag("dry-run"),
        reason: text("reason"),
        reference: text("ref"),
        by: text("by")
            .or_else(user)
            .unwrap_or_else(|| "operator".to_owned()),
        force: flag("force"),
    }
}

/// Does what is asked for, and writes what came of it.
pub async fn run(acts: &Acts, ask: &Ask, out: &mut (dyn Write + Send)) -> Result<(), OpsError> {
    let snapshot = acts.store.snapshot().await?;
    let subject = match &ask.subject {
        Some(text) => Some(subject::read(snapshot.as_ref(), acts, text).await?),
        None => None,
    };
    let (Some(action), Some(subject)) = (ask.action, &subject) else {
        return log::write(acts.own.journal(), subject.as_ref(), out).await;
    };
    if action == Verb::DeleteTrack && !is_track(&acts.namespace, subject) {
        return Err(OpsError::Subject(format!(
            "{subject} is no track; `plyr admin takedown` hides other records, accounts and blobs"
        )));
    }
    let asked = Asked {
        action,
        subject: subject.clone(),
        by: ask.by.clone(),
        reason: ask.reason.clone(),
        reference: ask.reference.clone(),
        force: ask.force,
    };
    let described = || describe(snapshot.as_ref(), &acts.namespace, subject);
    let printed = if ask.dry_run {
        let before = acts.own.check(&asked).await?;
        let is_noted = before.as_ref().is_some_and(|held| held.action.hides());
        let is_hidden = is_noted || acts.own.is_hidden_unnoted(subject).await?;
        would(&asked, before.as_ref(), is_hidden, &described().await?)
    } else {
        // First it is done; what it was is read afterwards, as well as that goes.
        let acted = acts.own.act(asked.clone()).await?;
        let described = match tokio::time::timeout(DESCRIBED, described()).await {
            Ok(Ok(described)) => described,
            Ok(Err(problem)) => format!("  (what it is could not be read: {problem})\n"),
            Err(_) => "  (what it is could not be read in time)\n".to_owned(),
        };
        did(&asked, &acted, &described)
    };
    let written = out.write_all(printed.as_bytes()).and_then(|()| out.flush());
    written.map_err(|detail| OpsError::Output(detail.to_string()))
}

fn is_track(namespace: &Namespace, subject: &HiddenSubject) -> bool {
    match subject {
        HiddenSubject::Record(uri) => {
            namespace.collection(uri.collection.as_str()) == Some(Collection::Track)
        }
        HiddenSubject::Actor(_) | HiddenSubject::Blob { .. } => false,
    }
}

/// What would come of it.
fn would(asked: &Asked, before: Option<&Action>, is_hidden: bool, described: &str) -> String {
    let is_deleted = before.is_some_and(|held| held.action == Verb::DeleteTrack);
    let what = match (asked.action, is_hidden) {
        (Verb::Takedown, _) if is_deleted => "was deleted for good: nothing would change",
        (Verb::Takedown, _) => "would be taken down",
        (Verb::DeleteTrack, _) => "would be deleted for good",
        (Verb::Restore, true) => "would be restored",
        (Verb::Restore, false) => "isn't taken down: nothing would change",
    };
    let (stands, subject) = (stands(before), &asked.subject);
    format!("{subject} {what}\n{described}{stands}dry run: nothing was changed\n")
}

/// What came of it, and how it is undone.
fn did(asked: &Asked, acted: &Acted, described: &str) -> String {
    let subject = &asked.subject;
    let Some(noted) = &acted.noted else {
        let why = match asked.action {
            Verb::Restore => "isn't taken down: there is nothing to restore",
            _ => "was deleted for good before: that holds",
        };
        return format!("{subject} {why}\n{}", stands(acted.before.as_ref()));
    };
    let (what, undo) = match noted.action {
        Verb::Takedown => ("is taken down", "plyr admin restore"),
        Verb::DeleteTrack => ("is deleted for good", "plyr admin restore --force"),
        Verb::Restore => ("is restored", "plyr admin takedown"),
    };
    let id = &noted.id;
    format!(
        "{subject} {what}\n{described}  noted as {id}; to undo it: {undo} {}\n",
        subject::written(subject)
    )
}

/// What held so far, where that is anything.
fn stands(before: Option<&Action>) -> String {
    let Some(held) = before else {
        return String::new();
    };
    let word = match held.action {
        Verb::Takedown => "taken down",
        Verb::DeleteTrack => "deleted for good",
        Verb::Restore => "restored",
    };
    let reason = held.reason.as_ref().map(|reason| format!(": {reason}"));
    let (time, by) = (time_of(held.at), &held.by);
    format!("  {word} {time} by {by}{}\n", reason.unwrap_or_default())
}

fn time_of(at: Micros) -> String {
    let time = chrono::DateTime::from_timestamp_micros(at).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
