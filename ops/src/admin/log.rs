//! `plyr admin log`: every action on a subject, or all of them, as a line of JSON each.

use std::io::Write;

use plyr_schemas::HiddenSubject;
use plyr_schemas::own::{Action, OwnJournal};

use crate::error::OpsError;

/// Writes them as they stand in the journal, oldest first.
pub async fn write(
    journal: &dyn OwnJournal,
    subject: Option<&HiddenSubject>,
    out: &mut (dyn Write + Send),
) -> Result<(), OpsError> {
    let mut written = Ok(());
    let mut hear = |action: Action| {
        if subject.is_none_or(|subject| action.subject == *subject) {
            written = line(&action, out);
        }
        written.is_ok()
    };
    journal.each(&mut hear).await?;
    written
        .and_then(|()| out.flush())
        .map_err(|detail| OpsError::Output(detail.to_string()))
}

fn line(action: &Action, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(action)?;
    line.push(b'\n');
    out.write_all(&line)
}
