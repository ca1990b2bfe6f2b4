//! Whom and what an act is about, and what is remembered of it.

use plyr_lexicons::{Cid, Collection, Ipld, data};

use super::cast::{Kept, Standing};
use super::{Deed, Op, Story};

impl Story {
    /// A write of one record, remembered.
    pub(super) fn put(
        &mut self,
        person: usize,
        of: Collection,
        rkey: String,
        record: Ipld,
    ) -> Deed {
        let ops = vec![self.op(person, of, rkey, record)];
        let blobs = Vec::new();
        Deed::Write { ops, blobs }
    }

    pub(super) fn op(&mut self, person: usize, of: Collection, rkey: String, record: Ipld) -> Op {
        // What is made here is always of the data model.
        let bytes = data::to_cbor(&record).unwrap_or_default();
        let kept = Kept {
            rkey: rkey.clone(),
            record: record.clone(),
            cid: data::cid_of(&bytes),
        };
        self.cast.people[person].keep(of, kept);
        Op {
            collection: self.nsid(of),
            rkey,
            record: Some(record),
        }
    }

    pub(super) fn nsid(&self, of: Collection) -> String {
        self.plot.namespace.nsid(of).as_str().to_owned()
    }

    pub(super) fn uri(&self, person: usize, of: Collection, rkey: &str) -> String {
        let did = &self.cast.people[person].did;
        format!("at://{did}/{}/{rkey}", self.nsid(of))
    }

    /// Somebody who is here.
    pub(super) fn somebody(&mut self) -> Option<usize> {
        (0..20).find_map(|_| {
            let person = self.dice.place(self.cast.people.len());
            let somebody = self.cast.people.get(person)?;
            (somebody.standing == Standing::Here).then_some(person)
        })
    }

    /// An artist who is here.
    pub(super) fn artist(&mut self) -> Option<usize> {
        (0..20).find_map(|_| {
            let artist = *self.dice.pick(&self.cast.artists)?;
            (self.cast.people[artist].standing == Standing::Here).then_some(artist)
        })
    }

    /// A track of anybody, here or not, as uri and CID.
    pub(super) fn some_track(&mut self) -> Option<(String, Cid)> {
        (0..20).find_map(|_| {
            let artist = *self.dice.pick(&self.cast.artists)?;
            let tracks = self.cast.people[artist].kept(Collection::Track).len();
            let place = self.dice.place(tracks);
            let kept = self.cast.people[artist]
                .kept(Collection::Track)
                .get(place)?;
            let (rkey, cid) = (kept.rkey.clone(), kept.cid);
            Some((self.uri(artist, Collection::Track, &rkey), cid))
        })
    }

    /// A record of a collection, of somebody who is here.
    pub(super) fn some_record(&mut self, of: Collection) -> Option<(usize, Kept)> {
        (0..20).find_map(|_| {
            let person = self.somebody()?;
            let place = self.dice.place(self.cast.people[person].kept(of).len());
            let kept = self.cast.people[person].kept(of).get(place)?;
            Some((person, kept.clone()))
        })
    }
}
