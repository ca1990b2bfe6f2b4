//! What the network's labeler does: it says something of a track or an account, takes it back, or
//! says it for a while.

use std::collections::BTreeSet;

use plyr_lexicons::{Cid, Ipld};

use super::cast::{Person, Standing};
use super::life::did;
use super::records::{map, text, time};
use super::{Curve, Deed, Op, Story};

/// What is said, of tracks and of accounts.
const OF_TRACKS: [&str; 6] = [
    "copyright-violation",
    "sexual",
    "graphic-media",
    "spam",
    "!warn",
    "!hide",
];
const OF_ACCOUNTS: [&str; 4] = ["spam", "impersonation", "!warn", "!takedown"];
/// How long a label holds that holds for a while, in seconds.
const WHILES: [i64; 3] = [5, 3_600, 30 * 86_400];

/// What a label says of what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    uri: String,
    cid: Option<Cid>,
    val: String,
}

impl Story {
    /// The labeler's account opens; its owner does nothing else.
    pub(super) fn join_labeler(&mut self) -> (usize, Deed) {
        let number = self.cast.people.len();
        let (name, handle) = ("Labels".to_owned(), "labels.test".to_owned());
        let did = did(self.plot.seed, number);
        let mut person = Person::new(did, name.clone(), handle.clone(), 0);
        person.standing = Standing::Apart;
        self.cast.people.push(person);
        self.cast.labeler = Some(number);
        let deed = Deed::Join {
            handle,
            name,
            host: 0,
            curve: Curve::K256,
            legacy: false,
        };
        (number, deed)
    }

    /// The labeler, which has joined in a step before.
    pub(super) fn labeler(&self) -> usize {
        self.cast.labeler.unwrap_or_default()
    }

    /// The record by which an account says what it labels.
    pub(super) fn policies(&mut self) -> Deed {
        let collection = "app.bsky.labeler.service";
        let values: BTreeSet<&str> = OF_TRACKS.into_iter().chain(OF_ACCOUNTS).collect();
        let values = Ipld::List(values.into_iter().map(text).collect());
        let record = map([
            ("$type", text(collection)),
            ("policies", map([("labelValues", values)])),
            ("createdAt", time(self.now, &mut self.dice)),
        ]);
        let op = Op {
            collection: collection.to_owned(),
            rkey: "self".to_owned(),
            record: Some(record),
        };
        let (ops, blobs) = (vec![op], Vec::new());
        Deed::Write { ops, blobs }
    }

    pub(super) fn label(&mut self) -> Option<(usize, Deed)> {
        let labeler = self.cast.labeler?;
        let said = match self.dice.below(4) {
            0 => {
                let person = self.dice.place(self.cast.people.len());
                let uri = self.cast.people.get(person)?.did.clone();
                let (cid, val) = (None, self.dice.one(&OF_ACCOUNTS).to_owned());
                Said { uri, cid, val }
            }
            what => {
                let (uri, cid) = self.some_track()?;
                // Of whatever the track becomes, or of this version.
                let cid = (what > 1).then_some(cid);
                let val = self.dice.one(&OF_TRACKS).to_owned();
                Said { uri, cid, val }
            }
        };
        let whiles = self.dice.one(&WHILES);
        let exp = self.dice.once_in(5);
        let exp = exp.then_some(self.now + whiles * 1_000_000);
        self.cast.said.retain(|one| *one != said);
        self.cast.said.push(said.clone());
        Some((labeler, deed(said, false, exp)))
    }

    pub(super) fn unlabel(&mut self) -> Option<(usize, Deed)> {
        let labeler = self.cast.labeler?;
        if self.cast.said.is_empty() {
            return None;
        }
        let place = self.dice.place(self.cast.said.len());
        let said = self.cast.said.swap_remove(place);
        Some((labeler, deed(said, true, None)))
    }
}

fn deed(said: Said, neg: bool, exp: Option<i64>) -> Deed {
    let Said { uri, cid, val } = said;
    Deed::Label {
        uri,
        cid,
        val,
        neg,
        exp,
    }
}
