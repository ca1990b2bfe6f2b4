//! What everybody does: likes, comments, playlists, and taking back.

use plyr_lexicons::{Cid, Collection, Ipld};

use super::records::{items, map, rkey, strong_ref, text, time};
use super::{Deed, Op, Story};
use crate::words;

impl Story {
    pub(super) fn like(&mut self, person: usize, subject: &(String, Cid)) -> Deed {
        let record = map([
            ("$type", text(self.nsid(Collection::Like))),
            ("subject", strong_ref(&subject.0, &subject.1)),
            ("createdAt", time(self.now, &mut self.dice)),
        ]);
        self.put(person, Collection::Like, rkey(self.now, 0), record)
    }

    pub(super) fn comment(&mut self) -> Option<(usize, Deed)> {
        let (person, subject) = (self.somebody()?, self.some_track()?);
        let place = self.dice.below(u64::from(self.plot.seconds.1) * 1000);
        let record = map([
            ("$type", text(self.nsid(Collection::Comment))),
            ("subject", strong_ref(&subject.0, &subject.1)),
            ("text", text(words::saying(&mut self.dice))),
            ("timestampMs", Ipld::Integer(place.into())),
            ("createdAt", time(self.now, &mut self.dice)),
        ]);
        Some((
            person,
            self.put(person, Collection::Comment, rkey(self.now, 0), record),
        ))
    }

    pub(super) fn playlist(&mut self) -> Option<(usize, Deed)> {
        let person = self.somebody()?;
        let wanted = self.dice.between(0, 8);
        let tracks: Vec<_> = (0..wanted).filter_map(|_| self.some_track()).collect();
        let record = map([
            ("$type", text(self.nsid(Collection::List))),
            ("name", text(words::collection(&mut self.dice))),
            ("listType", text("playlist")),
            ("items", items(&tracks)),
            ("createdAt", time(self.now, &mut self.dice)),
        ]);
        Some((
            person,
            self.put(person, Collection::List, rkey(self.now, 0), record),
        ))
    }

    pub(super) fn rearrange(&mut self) -> Option<(usize, Deed)> {
        let (person, kept) = self.some_record(Collection::List)?;
        let added = self.some_track()?;
        let mut record = kept.record;
        let updated = time(self.now, &mut self.dice);
        let place = self.dice.next();
        if let Ipld::Map(fields) = &mut record {
            fields.insert("updatedAt".to_owned(), updated);
            if let Some(Ipld::List(list)) = fields.get_mut("items") {
                let place = place as usize % (list.len() + 1);
                match place % 3 {
                    0 if place < list.len() => drop(list.remove(place)),
                    _ => list.insert(place, map([("subject", strong_ref(&added.0, &added.1))])),
                }
            }
        }
        Some((
            person,
            self.put(person, Collection::List, kept.rkey, record),
        ))
    }

    pub(super) fn delete(&mut self, of: Collection) -> Option<(usize, Deed)> {
        let person = self.somebody()?;
        let there = self.cast.people[person].kept(of).len();
        if there == 0 {
            return None;
        }
        let place = self.dice.place(there);
        let somebody = &mut self.cast.people[person];
        let kept = somebody.take(of, place);
        somebody.deleted.push((of, kept.rkey.clone(), kept.record));
        let op = Op {
            collection: self.nsid(of),
            rkey: kept.rkey,
            record: None,
        };
        let (ops, blobs) = (vec![op], Vec::new());
        Some((person, Deed::Write { ops, blobs }))
    }

    pub(super) fn again(&mut self) -> Option<(usize, Deed)> {
        let person = self.somebody()?;
        let (of, rkey, record) = self.cast.people[person].deleted.pop()?;
        // Somebody may have written the key anew; then this replaces it.
        Some((person, self.put(person, of, rkey, record)))
    }

    pub(super) fn foreign(&mut self) -> Option<(usize, Deed)> {
        let person = self.somebody()?;
        let sibling = format!("{}.dev.track", self.plot.namespace);
        let collection = match self.dice.below(4) {
            0 => sibling,
            1 => "app.bsky.graph.follow".to_owned(),
            _ => "app.bsky.feed.post".to_owned(),
        };
        let record = map([
            ("$type", text(collection.clone())),
            ("text", text(words::saying(&mut self.dice))),
            ("createdAt", time(self.now, &mut self.dice)),
        ]);
        let op = Op {
            collection,
            rkey: rkey(self.now, 0),
            record: Some(record),
        };
        let (ops, blobs) = (vec![op], Vec::new());
        Some((person, Deed::Write { ops, blobs }))
    }
}
