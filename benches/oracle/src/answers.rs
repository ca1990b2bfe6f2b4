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

/// All entries of a list, in pages of `limit`. A cursor that comes twice is an error.
pub async fn walk(
    ask: &impl Ask,
    method: &str,
    query: &str,
    name: &str,
    limit: usize,
) -> Result<Vec<Value>, String> {
    let mut entries = Vec::new();
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
        let page = answer[name].as_array().cloned().unwrap_or_default();
        if page.len() > limit {
            return Err(format!("{} entries on a page of {limit}", page.len()));
        }
        entries.extend(page);
        let Some(next) = answer["cursor"].as_str() else {
            return Ok(entries);
        };
        if !seen.insert(next.to_owned()) {
            return Err(format!("a cursor came twice: {next}"));
        }
        cursor = Some(next.to_owned());
    }
    Err("the list has no end".to_owned())
}
