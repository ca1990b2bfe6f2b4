//! The table of mutants in docs/proof.md: a row each, as they were tried last.

use std::collections::BTreeMap;

use super::patch::Mutant;

/// Between them stands the table.
pub const BEGIN: &str = "<!-- mutants: written by the campaign -->\n";
/// The other one.
pub const END: &str = "<!-- /mutants -->\n";
const HEAD: &str = "| mutant | invariant | verdict | by |\n|---|---|---|---|\n";

/// A table of these rows.
pub fn of(rows: &[String]) -> String {
    format!("{HEAD}{}\n", rows.join("\n"))
}

/// The document with these rows in the place of older ones. Rows of mutants that were not tried
/// stay as they were, those of mutants that are no more go. `told`: how the last ones were tried.
pub fn written(
    document: &str,
    all: &[Mutant],
    rows: &[String],
    told: &str,
) -> Result<String, String> {
    let parts = document.split_once(BEGIN).and_then(|(before, rest)| {
        let (table, after) = rest.split_once(END)?;
        Some((before, table, after))
    });
    let (before, table, after) = parts.ok_or_else(|| {
        let (begin, end) = (BEGIN.trim(), END.trim());
        format!("docs/proof.md has no place for the table; write {begin} and {end} into it")
    })?;
    let named = |row: &str| row.split('|').nth(1).map(|name| name.trim().to_owned());
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    for row in table.lines().chain(rows.iter().map(String::as_str)) {
        if let Some(name) = named(row).filter(|name| all.iter().any(|one| one.name == *name)) {
            kept.insert(name, row.to_owned());
        }
    }
    let rows: Vec<String> = kept.into_values().collect();
    let killed = rows.iter().filter(|row| row.contains("| killed |")).count();
    let count = format!(
        "{} mutants, {killed} killed. Tried last: {told}.",
        rows.len()
    );
    let table = of(&rows);
    Ok(format!("{before}{BEGIN}\n{count}\n\n{table}\n{END}{after}"))
}
