//! An index on disk: what a commit holds, what is found in a folder, and how a new index takes the
//! place of one that serves.
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests

mod catalogue;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use catalogue::{ALL, found, liked_track, track};
use plyr_search::{
    Budget, Building, Document, Filters, Hidden, Index, Key, Opened, Place, Query, SearchError,
    Searcher, VERSION, WriterBudget,
};
use serde_json::json;
use tantivy::schema::{
    FAST, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{PreTokenizedString, Token};
use tantivy::{IndexWriter, TantivyDocument};

fn ready(opened: Opened) -> Index {
    match opened {
        Opened::Ready(index) => index,
        other => panic!("not ready: {other:?}"),
    }
}

fn some(count: u64) -> Vec<Document> {
    (0..count)
        .map(|number| track(1, number, "Night", json!({"tags": ["x"]})))
        .collect()
}

fn held(searcher: &Searcher) -> BTreeMap<String, u64> {
    let documents: Vec<(String, u64)> = searcher.documents().map(Result::unwrap).collect();
    let held: BTreeMap<String, u64> = documents.iter().cloned().collect();
    assert_eq!(held.len(), documents.len(), "a subject is there twice");
    held
}

fn expected(documents: &[Document]) -> BTreeMap<String, u64> {
    let documents = documents.iter();
    documents
        .map(|document| (document.subject.clone(), document.fingerprint()))
        .collect()
}

#[test]
fn a_commit_is_all_or_nothing_with_its_position() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let documents = some(30);
    {
        let index = Index::create(&path).unwrap();
        assert_eq!(index.position().unwrap(), None);
        let mut writer = index.writer(WriterBudget::LIVE).unwrap();
        assert!(index.writer(WriterBudget::LIVE).is_err(), "one writer");
        for document in &documents[..20] {
            writer.put(document).unwrap();
        }
        writer.commit("a.20").unwrap();
        for document in &documents[20..] {
            writer.put(document).unwrap();
        }
        writer.delete(&documents[0].subject);
        // As a killed process would: nothing is rolled back nor finished.
        std::mem::forget(writer);
    }
    let copy = folder.path().join("copy");
    copy_folder(&path, &copy);
    let index = ready(Index::open(&copy).unwrap());
    assert_eq!(index.position().unwrap().as_deref(), Some("a.20"));
    assert_eq!(held(&index.searcher()), expected(&documents[..20]));
    let mut writer = index.writer(WriterBudget::LIVE).unwrap();
    for document in &documents[10..] {
        writer.put(document).unwrap();
    }
    writer.delete(&documents[0].subject);
    let before = index.searcher();
    writer.commit("a.31").unwrap();
    assert_eq!(
        held(&before),
        expected(&documents[..20]),
        "a searcher stays as it was"
    );
    assert_eq!(held(&index.searcher()), expected(&documents[1..]));
    writer.put(&documents[0]).unwrap();
    writer.rollback().unwrap();
    writer.commit("a.32").unwrap();
    assert_eq!(held(&index.searcher()), expected(&documents[1..]));
    assert_eq!(index.position().unwrap().as_deref(), Some("a.32"));
}

fn names(folder: &Path) -> BTreeSet<OsString> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}

/// What a process that was killed leaves; its locks are the system's. The writer still merges in
/// the background: copied is a moment in which it added and removed nothing.
fn copy_folder(from: &Path, to: &Path) {
    let began = Instant::now();
    loop {
        let before = names(from);
        fs::create_dir(to).unwrap();
        let is_copied = |name: &OsString| fs::copy(from.join(name), to.join(name)).is_ok();
        if before.iter().all(is_copied) && names(from) == before {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "it never rests");
        fs::remove_dir_all(to).unwrap();
    }
}

#[test]
fn a_changed_document_has_another_fingerprint() {
    let document = track(1, 1, "Night", json!({}));
    let same = track(1, 1, "Night", json!({}));
    assert_eq!(document.fingerprint(), same.fingerprint());
    for more in [
        json!({"title": "Nights"}),
        json!({"duration": 3}),
        json!({"tags": ["a"]}),
    ] {
        assert_ne!(
            track(1, 1, "Night", more).fingerprint(),
            document.fingerprint()
        );
    }
}

fn built(place: &Place, documents: &[Document]) -> Index {
    let building = place.build().unwrap();
    let mut writer = building.index().writer(WriterBudget::LIVE).unwrap();
    for document in documents {
        writer.add(document).unwrap();
    }
    writer.commit("a.9").unwrap();
    writer.finish().unwrap();
    served(building)
}

/// It serves, and nothing older is left.
fn served(building: Building) -> Index {
    let served = building.serve().unwrap();
    assert!(served.left.is_none());
    served.index
}

fn name(number: u64) -> String {
    format!("v{VERSION}-{number}")
}

fn folders(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_new_index_is_built_beside_and_takes_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("search");
    let place = Place::new(&root);
    assert!(matches!(place.open().unwrap(), Opened::Missing));
    built(&place, &some(3));
    let serving = ready(place.open().unwrap());
    let searcher = serving.searcher();
    // One that was never finished serves nothing and is removed by the next.
    drop(place.build().unwrap());
    assert_eq!(folders(&root), ["current".to_owned(), name(1), name(2)]);
    assert_eq!(held(&ready(place.open().unwrap()).searcher()).len(), 3);
    let building = place.build().unwrap();
    assert_eq!(folders(&root), ["current".to_owned(), name(1), name(3)]);
    assert_eq!(
        found(&searcher, "night", ALL).hits.len(),
        3,
        "served meanwhile"
    );
    let mut writer = building.index().writer(WriterBudget::BULK).unwrap();
    for document in some(5) {
        writer.add(&document).unwrap();
    }
    writer.commit("a.9").unwrap();
    writer.finish().unwrap();
    let index = served(building);
    assert_eq!(folders(&root), ["current".to_owned(), name(3)]);
    assert_eq!(held(&index.searcher()), expected(&some(5)));
    assert_eq!(
        found(&searcher, "night", ALL).hits.len(),
        3,
        "searchers go on"
    );
    assert_eq!(
        held(&ready(place.open().unwrap()).searcher()),
        expected(&some(5))
    );
}

#[test]
fn an_index_of_another_version_serves_until_a_new_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path());
    let index = built(&place, &some(3));
    fs::write(index.folder().join("version"), "0\n").unwrap();
    drop(index);
    let Opened::OtherVersion {
        found: version,
        serving,
    } = place.open().unwrap()
    else {
        panic!("taken for this version");
    };
    assert_eq!(version, "0");
    assert_eq!(
        found(&serving.unwrap().searcher(), "night", ALL).hits.len(),
        3
    );
    built(&place, &some(4));
    assert_eq!(held(&ready(place.open().unwrap()).searcher()).len(), 4);
}

/// Terms of a field, as another version may have cut a text.
fn cut(terms: impl Iterator<Item = String>) -> PreTokenizedString {
    let tokens = terms.enumerate().map(|(position, text)| Token {
        position,
        text,
        ..Token::default()
    });
    PreTokenizedString {
        text: String::new(),
        tokens: tokens.collect(),
    }
}

/// An index of titles as an earlier version may have made it: its fields stand in another order,
/// one column is of something else, and there are no durations, lengths of names and fingerprints.
fn of_an_earlier_schema(folder: &Path, documents: &[Document], author: &str) {
    let text = |option: IndexRecordOption| {
        let indexing = TextFieldIndexing::default().set_index_option(option);
        TextOptions::default().set_indexing_options(indexing)
    };
    let positions = IndexRecordOption::WithFreqsAndPositions;
    let mut fields = Schema::builder();
    let popularity = fields.add_u64_field("popularity", FAST);
    let author = fields.add_u64_field(author, FAST);
    let starts = fields.add_text_field("starts", text(IndexRecordOption::Basic));
    let plays = fields.add_u64_field("plays", FAST);
    let subject_key = fields.add_u64_field("subject_key", FAST);
    let words = fields.add_text_field("words", text(positions));
    let kind = fields.add_u64_field("kind", FAST);
    fields.add_text_field("notes", text(positions));
    let sort_at = fields.add_i64_field("sort_at", FAST);
    let subject = fields.add_text_field("subject", STRING | STORED);
    fs::create_dir_all(folder).unwrap();
    let index = tantivy::Index::create_in_dir(folder, fields.build()).unwrap();
    let mut writer: IndexWriter = index.writer_with_num_threads(1, 16 << 20).unwrap();
    for document in documents {
        let title = document.texts[0].1.to_lowercase();
        let mut written = TantivyDocument::default();
        let title_words = title.split(' ').map(|word| format!("{word}\0") + "0");
        written.add_pre_tokenized_text(words, cut(title_words));
        let whole = std::iter::once(format!("\u{1}{title}"));
        written.add_pre_tokenized_text(starts, cut(whole));
        written.add_text(subject, &document.subject);
        written.add_u64(subject_key, Key::of(&document.subject).0);
        written.add_u64(author, Key::of(document.author.as_str()).0);
        written.add_u64(kind, document.kind as u64);
        written.add_u64(popularity, u64::from(document.popularity.step()));
        written.add_i64(sort_at, document.sort_at);
        written.add_u64(plays, 7);
        writer.add_document(written).unwrap();
    }
    let mut prepared = writer.prepare_commit().unwrap();
    let position = "a.9";
    prepared.set_payload(&format!("{position} {:016x}", Key::of(position).0));
    prepared.commit().unwrap();
    writer.wait_merging_threads().unwrap();
    fs::write(folder.join("version"), "0\n").unwrap();
}

#[test]
fn an_index_of_an_earlier_schema_serves_until_a_new_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let place = Place::new(root);
    let documents = [
        liked_track(1, 1, "Night Drive", json!({"duration": 60}), 1),
        liked_track(2, 2, "Drive by Night", json!({"duration": 60}), 9),
        track(3, 3, "Night", json!({"duration": 60})),
    ];
    of_an_earlier_schema(&root.join("v0-1"), &documents, "author");
    fs::write(root.join("current"), "v0-1\n").unwrap();
    let Opened::OtherVersion { found, serving } = place.open().unwrap() else {
        panic!("taken for this version");
    };
    assert_eq!(found, "0");
    let serving = serving.unwrap();
    let searcher = serving.searcher();
    assert_eq!(searcher.size(), 3);
    let (no_filters, nothing) = (Filters::default(), Hidden::default());
    let subjects = |query: &str, filters: &Filters, hidden: &Hidden| -> Vec<usize> {
        let query = Query::parse(query).unwrap();
        let found = searcher.search(&query, filters, ALL, hidden, Budget::QUERY);
        let subjects = found.unwrap().hits.into_iter().map(|hit| hit.subject);
        let place = |subject: String| documents.iter().position(|it| it.subject == subject);
        subjects.filter_map(place).collect()
    };
    let ask = |query: &str| subjects(query, &no_filters, &nothing);
    assert_eq!(ask("night"), [2, 1, 0]);
    assert_eq!(ask("nigth"), [1, 0, 2]);
    assert_eq!(ask("\"night drive\""), [0]);
    assert_eq!(ask("night after:2020"), [2, 1, 0]);
    assert!(ask("night min:1").is_empty(), "nothing has a duration");
    let filters = Filters {
        kinds: vec![plyr_search::Kind::Track],
        author: Some(Key::of(documents[1].author.as_str())),
        ..Filters::default()
    };
    assert_eq!(subjects("night", &filters, &nothing), [1]);
    let mut hidden = Hidden::default();
    hidden.set_author(&documents[1].author, true);
    hidden.set_subject(&documents[2].subject, true);
    assert_eq!(subjects("night", &no_filters, &hidden), [0]);
    // It is only read.
    assert_eq!(serving.position().unwrap().as_deref(), Some("a.9"));
    assert!(!serving.can_be_written());
    let refused = serving.writer(WriterBudget::LIVE);
    assert!(matches!(refused, Err(SearchError::OtherSchema)));
    let index = built(&place, &some(4));
    assert!(index.can_be_written());
    assert_eq!(folders(root), ["current".to_owned(), name(2)]);
    assert_eq!(searcher.size(), 3, "searchers go on");
    assert_eq!(held(&ready(place.open().unwrap()).searcher()).len(), 4);
}

/// Nothing is found that could not be hidden; and of this version no other schema is whole.
#[test]
fn a_schema_without_what_searches_need_serves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let documents = some(3);
    let path = folder.path().join("nobodys");
    of_an_earlier_schema(&path, &documents, "whose");
    let opened = Index::open(&path).unwrap();
    let is_left = matches!(&opened, Opened::OtherVersion { serving: None, .. });
    assert!(is_left, "{opened:?}");
    let path = folder.path().join("whole");
    of_an_earlier_schema(&path, &documents, "author");
    fs::write(path.join("version"), format!("{VERSION}\n")).unwrap();
    let opened = Index::open(&path).unwrap();
    assert!(matches!(opened, Opened::Corrupt { .. }), "{opened:?}");
}

#[test]
fn what_is_no_whole_index_is_called_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let place = Place::new(&whole);
    let index = built(&place, &some(50)).folder().to_owned();
    let files: Vec<_> = fs::read_dir(&index)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let mut tried = 0;
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".lock") {
            continue;
        }
        let bytes = fs::read(&file).unwrap();
        let mut changed = bytes.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 0x55;
        let half = bytes[..middle / 2].to_vec();
        for (damage, content) in [
            ("changed", Some(changed)),
            ("cut", Some(half)),
            ("gone", None),
        ] {
            match content {
                Some(content) => fs::write(&file, content).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            let opened = place.open().unwrap();
            let is_noticed = match &opened {
                Opened::Corrupt { reason } => !reason.is_empty(),
                Opened::OtherVersion { .. } => name == "version",
                // The list of files names a wrong one; what the segments are is known without it.
                Opened::Ready(_) => (name.as_str(), damage) == (".managed.json", "changed"),
                _ => false,
            };
            assert!(is_noticed, "{name} {damage}: {opened:?}");
            tried += 1;
        }
        fs::write(&file, bytes).unwrap();
    }
    assert!(tried > 15, "{tried}");
    ready(place.open().unwrap());
    for pointer in ["", "../../etc", "v1-77", "v1-x"] {
        fs::write(whole.join("current"), pointer).unwrap();
        assert!(
            matches!(place.open().unwrap(), Opened::Corrupt { .. }),
            "{pointer}"
        );
    }
    built(&place, &some(2));
    assert_eq!(held(&ready(place.open().unwrap()).searcher()).len(), 2);
}

/// Each byte of what names the segments is changed: then it is no index, or the same.
#[test]
fn a_changed_position_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let index = built(&Place::new(folder.path()), &some(3));
    let folder = index.folder().to_owned();
    drop(index);
    let file = folder.join("meta.json");
    let whole = fs::read_to_string(&file).unwrap();
    let payload = whole.find("a.9 ").unwrap();
    for place in payload..payload + "a.9 0123456789abcdef".len() {
        let mut changed = whole.clone().into_bytes();
        changed[place] ^= 1;
        fs::write(&file, changed).unwrap();
        let opened = Index::open(&folder).unwrap();
        let Opened::Corrupt { reason } = opened else {
            panic!("{place}: {opened:?}");
        };
        assert!(reason.contains("position"), "{reason}");
    }
    let nameless = whole.replace("payload", "paiload");
    fs::write(&file, nameless).unwrap();
    assert!(matches!(
        Index::open(&folder).unwrap(),
        Opened::Corrupt { .. }
    ));
    fs::write(&file, &whole).unwrap();
    let index = ready(Index::open(&folder).unwrap());
    assert_eq!(index.position().unwrap().as_deref(), Some("a.9"));
    // It is read anew each time.
    fs::write(&file, whole.replace("a.9 ", "a.8 ")).unwrap();
    assert!(matches!(index.position(), Err(SearchError::Position)));
}

/// A list that is there and names nothing doesn't hide a changed segment.
#[test]
fn segments_are_compared_whatever_the_list_of_files_says() {
    let folder = tempfile::tempdir().unwrap();
    let index = built(&Place::new(folder.path()), &some(50));
    let folder = index.folder().to_owned();
    drop(index);
    let list = folder.join(".managed.json");
    fs::write(&list, "[]").unwrap();
    ready(Index::open(&folder).unwrap());
    let is_terms = |name: &OsString| name.to_string_lossy().ends_with(".term");
    let terms = names(&folder).into_iter().find(is_terms).unwrap();
    let mut bytes = fs::read(folder.join(&terms)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(folder.join(&terms), bytes).unwrap();
    assert!(matches!(
        Index::open(&folder).unwrap(),
        Opened::Corrupt { .. }
    ));
}

/// What the system refuses is an error: nothing has to be built anew for it.
#[test]
fn a_folder_that_may_not_be_read_is_not_called_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path());
    let index = built(&place, &some(50)).folder().to_owned();
    for name in names(&index) {
        if name.to_string_lossy().ends_with(".lock") {
            continue;
        }
        let (file, aside) = (index.join(&name), folder.path().join("aside"));
        fs::rename(&file, &aside).unwrap();
        // A link to itself: the system gives up, as it does when too many files are open.
        std::os::unix::fs::symlink(&file, &file).unwrap();
        let opened = place.open();
        assert!(opened.is_err(), "{name:?}: {opened:?}");
        fs::remove_file(&file).unwrap();
        fs::rename(&aside, &file).unwrap();
    }
    ready(place.open().unwrap());
}

#[test]
fn an_older_index_that_cant_be_removed_is_left_to_the_next_build() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let place = Place::new(root);
    built(&place, &some(1));
    let building = place.build().unwrap();
    // No folder: it can't be removed like one.
    fs::write(root.join(name(9)), "").unwrap();
    let served = building.serve().unwrap();
    let left = served.left.unwrap().to_string();
    assert!(left.contains(&name(9)), "{left}");
    assert_eq!(folders(root), ["current".to_owned(), name(2), name(9)]);
    ready(place.open().unwrap());
    // The next build can't remove it either, and isn't kept from building.
    let building = place.build().unwrap();
    let left = building.left().unwrap().to_string();
    assert!(left.contains(&name(9)), "{left}");
    building.discard().unwrap();
    assert_eq!(folders(root), ["current".to_owned(), name(2), name(9)]);
    fs::remove_file(root.join(name(9))).unwrap();
    built(&place, &some(2));
    assert_eq!(folders(root), ["current".to_owned(), name(3)]);
}

#[test]
fn what_an_interrupted_build_left_is_swept_away() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("search");
    let place = Place::new(&root);
    place.sweep().unwrap();
    built(&place, &some(1));
    drop(place.build().unwrap());
    assert_eq!(folders(&root), ["current".to_owned(), name(1), name(2)]);
    place.sweep().unwrap();
    assert_eq!(folders(&root), ["current".to_owned(), name(1)]);
    // What can't be removed is told, and keeps nothing else from being removed.
    fs::write(root.join(name(5)), "").unwrap();
    fs::create_dir(root.join(name(6))).unwrap();
    let left = place.sweep().unwrap_err().to_string();
    assert!(left.contains(&name(5)), "{left}");
    let expected = ["current".to_owned(), name(1), name(5)];
    assert_eq!(folders(&root), expected);
    ready(place.open().unwrap());
}

#[test]
fn nothing_is_removed_where_nobody_knows_what_serves() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("search");
    let place = Place::new(&root);
    drop(place.build().unwrap().serve().unwrap());
    let current = root.join("current");
    let serving = root.join(fs::read_to_string(&current).unwrap().trim());
    let named = fs::read(&current).unwrap();
    fs::remove_file(&current).unwrap();
    // It is there and can't be read.
    fs::create_dir(&current).unwrap();
    assert!(place.open().is_err());
    assert!(place.build().is_err());
    assert!(place.sweep().is_err());
    assert!(serving.is_dir());
    fs::remove_dir(&current).unwrap();
    fs::write(&current, named).unwrap();
    ready(place.open().unwrap());
    // A name of nothing: no error that stays, but an index to be built anew.
    fs::write(&current, [0xff, 0xfe]).unwrap();
    assert!(matches!(place.open().unwrap(), Opened::Corrupt { .. }));
    assert!(place.build().is_ok());
    assert!(!serving.is_dir());
}
