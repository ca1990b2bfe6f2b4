//! The progress bar of commands that take long: on a terminal alone.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::repos::Stand;

/// Between two lines of the log where there is no terminal.
pub const TOLD_EVERY: Duration = Duration::from_secs(10);

/// A bar of a template; hidden where standard error is no terminal.
pub fn bar(template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(problem) => {
            tracing::debug!(%problem, "the progress bar keeps its usual looks");
            bar
        }
    }
}

/// How far a command about repos has come: a bar on a terminal, lines of the log elsewhere.
pub struct Shown {
    bar: ProgressBar,
    doing: &'static str,
    found: &'static str,
    told_at: Instant,
}

impl Shown {
    /// `doing` says what is done, `found` what is counted beside.
    pub fn new(doing: &'static str, found: &'static str) -> Shown {
        Shown {
            bar: bar("{msg} {wide_bar} {human_pos} of {human_len}, {per_sec}"),
            doing,
            found,
            told_at: Instant::now(),
        }
    }

    /// Shows where it stands.
    pub fn show(&mut self, stand: &Stand) {
        let Stand {
            done,
            of,
            found,
            failed,
            waits,
            ..
        } = stand;
        let (doing, word) = (self.doing, self.found);
        self.bar.set_length(*of);
        self.bar.set_position(*done);
        self.bar.set_message(match waits {
            Some(why) => why.clone(),
            None => format!("{doing} ({found} {word}, {failed} failed)"),
        });
        if self.bar.is_hidden() && self.told_at.elapsed() >= TOLD_EVERY {
            self.told_at = Instant::now();
            tracing::info!(done, of, found, failed, waits, "{doing}");
        }
    }

    /// Takes the bar away and says on standard error what it came to.
    pub fn end(self, line: &str) {
        self.bar.finish_and_clear();
        let told = writeln!(std::io::stderr(), "{line}");
        debug_assert!(told.is_ok());
    }
}

/// Says on standard error what a command came to.
pub fn say(line: &str) {
    let told = writeln!(std::io::stderr(), "{line}");
    debug_assert!(told.is_ok());
}
