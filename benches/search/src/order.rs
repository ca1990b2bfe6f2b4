//! What holds for every query over a small catalogue.

use plyr_search::{Document, Index};

use crate::catalogue::{Catalogue, Entity};
use crate::engines::plyr::{Plyr, build};
use crate::plain::plain;
use crate::queries;
use crate::random::Random;
use crate::records::Records;

const SEED: u64 = 7;
const TRACKS: usize = 3000;
/// One title of so many is looked for.
const EVERY: usize = 6;

struct Ground {
    catalogue: Catalogue,
    documents: Vec<(Entity, Document)>,
    folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Ground {
        let catalogue = Catalogue::new(SEED, TRACKS);
        let records = Records::of(&catalogue).unwrap();
        Ground {
            documents: records.documents().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            catalogue,
        }
    }

    fn index(&self, name: &str, documents: &[(Entity, Document)]) -> Plyr {
        let plain = documents.iter().map(|(_, document)| document);
        let index = build(&self.folder.path().join(name), plain).unwrap();
        Plyr::new(index, &self.documents)
    }
}

/// The track of a whole title is among the first three, unless more things are called the same.
#[test]
fn a_whole_title_finds_its_track() {
    let ground = Ground::new();
    let catalogue = &ground.catalogue;
    let plyr = ground.index("one", &ground.documents);
    let names: Vec<(Entity, String)> = catalogue
        .entities()
        .map(|entity| (entity, plain(catalogue.name(entity))))
        .collect();
    let mut asked = 0;
    for number in (0..TRACKS).step_by(EVERY) {
        let title = &catalogue.tracks[number].title;
        let compared = plain(title);
        let is_same = |(_, name): &&(Entity, String)| *name == compared;
        let same: Vec<Entity> = names
            .iter()
            .filter(is_same)
            .map(|(entity, _)| *entity)
            .collect();
        let hits = plyr.hits(title).unwrap();
        let found: Vec<Entity> = hits.iter().map(|hit| plyr.entity(hit).unwrap()).collect();
        // What is called the same comes first, all of it before anything else.
        let places = same.len().max(3);
        let first = &found[..places.min(found.len())];
        let is_there = first.contains(&Entity::Track(number)) || places > hits.len();
        assert!(is_there, "`{title}` finds {first:?} and not {number}");
        let others = first
            .iter()
            .take(same.len())
            .filter(|entity| !same.contains(entity));
        let others: Vec<&str> = others.map(|entity| catalogue.name(*entity)).collect();
        assert!(
            others.is_empty(),
            "`{title}` finds {others:?} above what is called so"
        );
        asked += 1;
    }
    assert_eq!(asked, TRACKS / EVERY);
}

/// In which order an index was written, in how many commits, with what deleted and written again,
/// makes no difference to an answer.
#[test]
fn another_order_of_building_gives_the_same_answers() {
    let ground = Ground::new();
    let one = ground.index("one", &ground.documents);
    let mut shuffled = ground.documents.clone();
    Random::new(SEED).shuffle(&mut shuffled);
    let folder = ground.folder.path().join("other");
    let index = Index::create(&folder).unwrap();
    let mut writer = index.writer(plyr_search::WriterBudget::LIVE).unwrap();
    for (number, (_, document)) in shuffled.iter().enumerate() {
        writer.put(document).unwrap();
        if number % 1000 == 0 {
            writer.commit("1").unwrap();
        }
        if number % 7 == 0 {
            writer.delete(&document.subject);
            writer.put(document).unwrap();
        }
    }
    writer.commit("2").unwrap();
    let other = Plyr::new(index, &ground.documents);
    let queries = queries::of(&ground.catalogue, SEED, 12);
    assert!(queries.len() > 150, "{} queries", queries.len());
    for asked in queries {
        let (first, second) = (one.hits(&asked.text), other.hits(&asked.text));
        assert_eq!(first.unwrap(), second.unwrap(), "{}", asked.text);
    }
}
