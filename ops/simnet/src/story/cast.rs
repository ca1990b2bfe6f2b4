//! The cast: who there is, and what of theirs is there, so that a story can go on from it.

use plyr_lexicons::{Cid, Collection, Ipld};

use super::labels::Said;

/// How an account stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    Here,
    Away,
    TakenDown,
    Gone,
    /// Here, and with nothing to do but its office.
    Apart,
}

/// A record that is there.
#[derive(Clone, Debug)]
pub struct Kept {
    pub rkey: String,
    pub record: Ipld,
    pub cid: Cid,
}

/// Somebody.
#[derive(Debug)]
pub struct Person {
    pub did: String,
    pub name: String,
    pub handle: String,
    /// The hosts lived on; what is left behind there lets nobody come back.
    pub hosts: Vec<usize>,
    pub standing: Standing,
    pub renamed: usize,
    /// By collection.
    kept: [Vec<Kept>; 5],
    /// What was deleted and may come back: collection, record key and record.
    pub deleted: Vec<(Collection, String, Ipld)>,
}

/// Everybody.
#[derive(Debug, Default)]
pub struct Cast {
    pub people: Vec<Person>,
    /// Those who publish, by their place among the people.
    pub artists: Vec<usize>,
    /// The labeler, by its place among the people, and what it has said and not taken back.
    pub labeler: Option<usize>,
    pub said: Vec<Said>,
}

impl Person {
    pub fn new(did: String, name: String, handle: String, host: usize) -> Person {
        Person {
            did,
            name,
            handle,
            hosts: vec![host],
            standing: Standing::Here,
            renamed: 0,
            kept: Default::default(),
            deleted: Vec::new(),
        }
    }

    /// The records of a collection, in no order that means anything.
    pub fn kept(&self, collection: Collection) -> &[Kept] {
        &self.kept[collection as usize]
    }

    /// Remembers a record as it is now.
    pub fn keep(&mut self, collection: Collection, kept: Kept) {
        let all = &mut self.kept[collection as usize];
        match all.iter_mut().find(|one| one.rkey == kept.rkey) {
            Some(one) => *one = kept,
            None => all.push(kept),
        }
    }

    /// Forgets a record, or hands it back to be deleted.
    pub fn take(&mut self, collection: Collection, place: usize) -> Kept {
        self.kept[collection as usize].swap_remove(place)
    }

    /// The record of a key.
    pub fn find(&self, collection: Collection, rkey: &str) -> Option<&Kept> {
        self.kept(collection).iter().find(|one| one.rkey == rkey)
    }
}
