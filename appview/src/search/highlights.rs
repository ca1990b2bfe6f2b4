//! Where a query's words stand in the texts of hits.

use plyr_lexicons::Ipld;
use plyr_lexicons::generated::fm_plyr_search_defs::{ByteRange, Highlight};
use plyr_lexicons::typed::{Fields, List};
use plyr_search::{Cancel, MOST_FEATURES, MOST_TAGS, Query};

use crate::view::present::{field, text_of};

/// Bytes of texts by words of the query that one answer compares: a tenth of a second and less.
const MOST_COMPARED: u64 = 2_000_000;

/// Marks the texts of one answer, the first hits first, until that has cost enough.
pub struct Highlighter<'a> {
    marks: Option<(plyr_search::Highlighter<'a>, &'a Cancel)>,
    left: u64,
}

impl<'a> Highlighter<'a> {
    pub fn new(query: &'a Query, cancel: &'a Cancel) -> Highlighter<'a> {
        Highlighter {
            marks: Some((plyr_search::Highlighter::new(query), cancel)),
            left: MOST_COMPARED,
        }
    }

    /// Marks nothing.
    pub fn none() -> Highlighter<'a> {
        Highlighter {
            marks: None,
            left: 0,
        }
    }

    /// The highlights of some texts, by their pointers; none of texts without any.
    pub fn of<'t>(
        &mut self,
        texts: impl IntoIterator<Item = (String, &'t str)>,
    ) -> List<Highlight> {
        let texts = texts.into_iter();
        let marked = texts.filter_map(|(path, text)| self.of_text(path, text));
        List(marked.collect())
    }

    fn of_text(&mut self, path: String, text: &str) -> Option<Highlight> {
        let (marks, cancel) = self.marks.as_ref()?;
        let is_tag = is_of_a_tag(&path);
        let cost = match is_tag {
            true => marks.cost_of_tag(text),
            false => marks.cost(text),
        };
        if cancel.is_cancelled() || cost > self.left {
            return None;
        }
        self.left -= cost;
        let ranges = match is_tag {
            true => marks.ranges_of_tag(text),
            false => marks.ranges(text),
        };
        let ranges = ranges.into_iter().map(|range| ByteRange {
            byte_start: range.start as i64,
            byte_end: range.end as i64,
            other: Fields::new(),
        });
        let ranges: Vec<ByteRange> = ranges.collect();
        (!ranges.is_empty()).then(|| Highlight {
            path,
            ranges: List(ranges),
            other: Fields::new(),
        })
    }
}

/// Whether a pointer is to a tag or a genre: `tag:` asks for these as a whole.
fn is_of_a_tag(path: &str) -> bool {
    path == "/tag" || path.contains("/tags/") || path.contains("/genres/")
}

/// The texts of a track's record that are searched, with pointers that begin with `base`.
pub fn of_track<'r>(base: &str, record: &'r Ipld) -> Vec<(String, &'r str)> {
    let mut texts = Vec::new();
    for name in ["title", "artist", "album"] {
        texts.extend(text_of(record, name).map(|text| (format!("{base}/{name}"), text)));
    }
    for (place, feature) in items(record, "features").take(MOST_FEATURES).enumerate() {
        for name in ["displayName", "handle"] {
            let path = format!("{base}/features/{place}/{name}");
            texts.extend(text_of(feature, name).map(|text| (path, text)));
        }
    }
    for name in ["tags", "genres"] {
        for (place, tag) in items(record, name).take(MOST_TAGS).enumerate() {
            if let Ipld::String(tag) = tag {
                texts.push((format!("{base}/{name}/{place}"), tag.as_str()));
            }
        }
    }
    let description = text_of(record, "description");
    texts.extend(description.map(|text| (format!("{base}/description"), text)));
    texts
}

fn items<'r>(record: &'r Ipld, name: &str) -> impl Iterator<Item = &'r Ipld> + use<'r> {
    let items = match field(record, name) {
        Some(Ipld::List(items)) => items.as_slice(),
        _ => &[],
    };
    items.iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_is_asked_for_is_marked_whole() {
        let (query, cancel) = (Query::parse("tag:\"hip hop\"").unwrap(), Cancel::default());
        let texts = [
            ("/track/record/title", "hip hop"),
            ("/track/record/tags/0", "Hip Hop"),
            ("/track/record/genres/1", "hip"),
            ("/tag", "hip hop"),
        ];
        let texts = texts.map(|(path, text)| (path.to_owned(), text));
        let marked = Highlighter::new(&query, &cancel).of(texts).0;
        let marked: Vec<(&str, i64)> = marked
            .iter()
            .map(|highlight| (highlight.path.as_str(), highlight.ranges.0[0].byte_end))
            .collect();
        assert_eq!(marked, [("/track/record/tags/0", 7), ("/tag", 7)]);
    }

    #[test]
    fn texts_cost_what_is_looked_at_until_that_was_enough() {
        let cancel = Cancel::default();
        // Far more than is searched of a text.
        let long = format!("common {}", "x ".repeat(50_000));
        let marked = |words: &str, texts: usize| {
            let query = Query::parse(words).unwrap();
            let mut highlighter = Highlighter::new(&query, &cancel);
            let texts = (0..texts).map(|number| (number.to_string(), long.as_str()));
            highlighter.of(texts).0.len()
        };
        assert_eq!(marked("common", 100), 100);
        assert_eq!(marked("common other", 100), 100);
        assert_eq!(marked("common", 1000), 2_000_000 / 8192);
        assert_eq!(marked("did:plc:a", 100), 0);
        let query = Query::parse("common").unwrap();
        let text = || [("/".to_owned(), "common")];
        assert!(Highlighter::none().of(text()).0.is_empty());
        cancel.cancel();
        let mut cancelled = Highlighter::new(&query, &cancel);
        assert!(cancelled.of(text()).0.is_empty());
    }
}
