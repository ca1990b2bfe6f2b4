//! What an AppView answers: lists walked to their end.

use std::collections::BTreeSet;

use serde_json::Value;

/// Pages of one list; a list that has more repeats itself.
const MOST_PAGES: usize = 100_000;

/// Who is asked: a method and its query (already encoded), answered with 200, or why not.
pub trait Ask {
    /// Asks.
    fn ask(&self, method: &str, query: &str) -> impl Future<Output = Result<Value, String>> + Send;
}

/// A text as a query writes it.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// All pages of a list whose entries are under `name`, of `limit` entries each. A cursor that comes
/// twice is an error.
pub async fn walk(
    ask: &impl Ask,
    method: &str,
    query: &str,
    name: &str,
    limit: usize,
) -> Result<Vec<Value>, String> {
    let mut pages = Vec::new();
    let mut seen = BTreeSet::new();
    let mut cursor: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let mut parts = vec![format!("limit={limit}")];
        parts.extend((!query.is_empty()).then(|| query.to_owned()));
        parts.extend(
            cursor
                .as_ref()
                .map(|cursor| format!("cursor={}", encoded(cursor))),
        );
        let answer = ask.ask(method, &parts.join("&")).await?;
        let Some(entries) = answer[name].as_array() else {
            return Err(format!("a page without {name}: {answer}"));
        };
        if entries.len() > limit {
            return Err(format!("{} entries on a page of {limit}", entries.len()));
        }
        cursor = answer["cursor"].as_str().map(str::to_owned);
        pages.push(answer);
        let Some(next) = &cursor else {
            return Ok(pages);
        };
        if !seen.insert(next.clone()) {
            return Err(format!("a cursor came twice: {next}"));
        }
    }
    Err("the list has no end".to_owned())
}

/// The entries of a list's pages.
pub fn entries_of(pages: &[Value], name: &str) -> Vec<Value> {
    let entries = pages.iter().filter_map(|page| page[name].as_array());
    entries.flatten().cloned().collect()
}
