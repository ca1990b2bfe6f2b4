//! Figures as a Markdown table.

use std::io::Write;

/// One line of the table.
struct Row {
    what: String,
    figure: String,
    aim: String,
}

/// The table.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Report {
    /// Adds a figure with what was aimed at (or what it is compared with).
    pub fn add(&mut self, what: &str, figure: String, aim: &str) {
        self.rows.push(Row {
            what: what.to_owned(),
            figure,
            aim: aim.to_owned(),
        });
    }

    /// Adds a line under the table, once.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Prints the table on stdout.
    pub fn print(&self) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "| what | measured | aim |\n|---|---|---|")?;
        for row in &self.rows {
            writeln!(out, "| {} | {} | {} |", row.what, row.figure, row.aim)?;
        }
        for note in &self.notes {
            writeln!(out, "\n{note}")?;
        }
        out.flush()
    }
}

/// The figure in the middle; not a number for none.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
