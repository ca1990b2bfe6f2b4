//! Records and an index to look for them in.
#![allow(dead_code, clippy::unwrap_used)] // each test takes what it needs

use plyr_lexicons::{Collection, Did, Ipld, RecordUri, Rev, data};
use plyr_search::{
    Budget, Document, Filters, Found, Hit, Index, Nothing, Page, Popularity, Query, Searcher,
    WriterBudget,
};
use serde_json::json;

pub const ALL: Page = Page {
    from: 0,
    size: 1000,
    count: true,
};

pub fn did(number: usize) -> Did {
    let letters = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut name = String::new();
    let mut rest = number;
    for _ in 0..24 {
        name.push(char::from(letters[rest % 32]));
        rest /= 32;
    }
    format!("did:plc:{name}").parse().unwrap()
}

pub fn uri(author: usize, collection: &str, number: u64) -> RecordUri {
    let rkey = Rev::from_micros(1_700_000_000_000_000 + number as i64 * 1_000_000, 0);
    let did = did(author);
    format!("at://{}/{collection}/{rkey}", did.as_str())
        .parse()
        .unwrap()
}

pub fn record(value: serde_json::Value) -> Ipld {
    data::from_json(value.to_string().as_bytes()).unwrap()
}

/// A track of an artist; `more` are fields beside the title.
pub fn track(author: usize, number: u64, title: &str, more: serde_json::Value) -> Document {
    liked_track(author, number, title, more, 0)
}

pub fn liked_track(
    author: usize,
    number: u64,
    title: &str,
    more: serde_json::Value,
    likes: u64,
) -> Document {
    let mut fields = json!({
        "$type": "fm.plyr.track",
        "title": title,
        "artist": "somebody",
        "fileType": "mp3",
        "createdAt": "2024-05-01T00:00:00Z",
    });
    for (name, value) in more.as_object().unwrap() {
        fields[name] = value.clone();
    }
    let uri = uri(author, "fm.plyr.track", number);
    let popularity = Popularity::of_likes(likes);
    Document::of_record(&uri, Collection::Track, &record(fields), popularity).unwrap()
}

pub fn list(author: usize, number: u64, name: &str, list_type: &str) -> Document {
    let fields = json!({
        "$type": "fm.plyr.list",
        "name": name,
        "listType": list_type,
        "items": [],
        "createdAt": "2024-05-01T00:00:00Z",
    });
    let uri = uri(author, "fm.plyr.list", number);
    let popularity = Popularity::default();
    Document::of_record(&uri, Collection::List, &record(fields), popularity).unwrap()
}

pub fn actor(number: usize, name: &str, handle: &str, bio: &str) -> Document {
    let handle = handle.parse().unwrap();
    let popularity = Popularity::default();
    Document::of_actor(
        &did(number),
        Some(name),
        Some(&handle),
        Some(bio),
        0,
        popularity,
    )
    .unwrap()
}

/// An index of its own folder, which goes with it.
pub struct Kept {
    pub folder: tempfile::TempDir,
    pub index: Index,
}

impl Kept {
    pub fn of(documents: &[Document]) -> Kept {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::create(&folder.path().join("index")).unwrap();
        let mut writer = index.writer(WriterBudget::LIVE).unwrap();
        for document in documents {
            writer.put(document).unwrap();
        }
        writer.commit("a.1").unwrap();
        Kept { folder, index }
    }

    pub fn searcher(&self) -> std::sync::Arc<Searcher> {
        self.index.searcher()
    }

    /// Subjects found, in order.
    pub fn subjects(&self, query: &str) -> Vec<String> {
        let hits = self.hits(query).into_iter();
        hits.map(|hit| hit.subject).collect()
    }

    pub fn hits(&self, query: &str) -> Vec<Hit> {
        let found = found(&self.searcher(), query, ALL);
        assert!(!found.is_partial, "{query}");
        assert!(found.total.is_exact);
        assert_eq!(found.total.count, found.hits.len() as u64);
        found.hits
    }
}

pub fn found(searcher: &Searcher, query: &str, page: Page) -> Found {
    let query = Query::parse(query).unwrap();
    let filters = Filters::default();
    searcher
        .search(&query, &filters, page, &Nothing, Budget::QUERY)
        .unwrap()
}
