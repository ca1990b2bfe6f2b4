//! Life: what is done once everybody is there, each kind as often as the plot says.

use plyr_lexicons::{Cid, Collection, Ipld, data};
use sha2::{Digest, Sha256};

use super::cast::{Kept, Person, Standing};
use super::records::{Age, Track, items, map, object, rkey, strong_ref, text, time};
use super::{Curve, Deed, Later, Op, Story};
use crate::blob::{Blob, Recipe};
use crate::dice::Dice;
use crate::sound::Tune;
use crate::words;

/// A kind of act.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Likes a track.
    Like,
    /// Likes it a second time, by another record.
    LikeAgain,
    /// Takes a like back.
    Unlike,
    /// Says something about a moment of a track.
    Comment,
    /// Publishes a track.
    Track,
    /// Publishes a track in haste, and its final version soon after.
    Interim,
    /// Publishes an album: its tracks and the list, in one commit.
    Album,
    /// Makes a playlist.
    Playlist,
    /// Adds to a playlist, or takes something from it.
    Rearrange,
    /// Edits a track, as the app does: with a new `createdAt`, now and then without its blob.
    Edit,
    /// Changes a profile.
    Profile,
    /// Deletes a record.
    Delete,
    /// Creates a deleted record again under its key.
    Again,
    /// Writes what is there already once more.
    Same,
    /// Writes a record of another app or of a sibling namespace.
    Foreign,
    /// Writes what nobody should.
    Hostile,
    /// Somebody new joins.
    Join,
    /// Takes another handle.
    Rename,
    /// Leaves for a while, and comes back.
    Deactivate,
    /// Is taken down, and later restored.
    TakeDown,
    /// Is deleted for good.
    Leave,
    /// Moves to another host.
    Move,
}

/// How often each kind of act is done, as weights.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proportions(Vec<(Kind, u32)>);

impl Default for Proportions {
    /// As a lively network may be: mostly likes, some of everything.
    fn default() -> Proportions {
        use Kind::*;
        Proportions(vec![
            (Like, 300),
            (LikeAgain, 8),
            (Unlike, 40),
            (Comment, 140),
            (Track, 80),
            (Interim, 12),
            (Album, 10),
            (Playlist, 25),
            (Rearrange, 25),
            (Edit, 50),
            (Profile, 20),
            (Delete, 20),
            (Again, 10),
            (Same, 8),
            (Foreign, 15),
            (Hostile, 15),
            (Join, 12),
            (Rename, 4),
            (Deactivate, 4),
            (TakeDown, 2),
            (Leave, 1),
            (Move, 3),
        ])
    }
}

impl Proportions {
    /// These, but for one kind.
    pub fn with(mut self, kind: Kind, weight: u32) -> Proportions {
        self.0.retain(|(one, _)| *one != kind);
        self.0.push((kind, weight));
        self
    }

    /// All kinds with their weights.
    pub fn all(&self) -> &[(Kind, u32)] {
        &self.0
    }

    pub(super) fn roll(&self, dice: &mut Dice) -> Kind {
        let sum = self.0.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut rest = dice.below(sum);
        for (kind, weight) in &self.0 {
            match rest.checked_sub(u64::from(*weight)) {
                Some(left) => rest = left,
                None => return *kind,
            }
        }
        Kind::Like
    }
}

impl Story {
    /// Does something of a kind; none if nobody can now.
    pub(super) fn live(&mut self, kind: Kind) -> Option<(usize, Deed)> {
        match kind {
            Kind::Join => {
                let is_artist = self.dice.once_in(2);
                Some(self.join(is_artist))
            }
            Kind::Track => {
                let artist = self.artist()?;
                Some((artist, self.publish(artist, 1)))
            }
            Kind::Album => {
                let (artist, tracks) = (self.artist()?, self.dice.between(3, 5) as usize);
                Some((artist, self.publish(artist, tracks)))
            }
            Kind::Interim => self.interim(),
            Kind::Profile => {
                let person = self.somebody()?;
                Some((person, self.profile(person)))
            }
            Kind::Like => {
                let person = self.somebody()?;
                let subject = self.some_track()?;
                Some((person, self.like(person, &subject)))
            }
            Kind::LikeAgain => {
                let (person, like) = self.some_record(Collection::Like)?;
                let subject = subject_of(&like.record)?;
                Some((person, self.like(person, &subject)))
            }
            Kind::Comment => self.comment(),
            Kind::Playlist => self.playlist(),
            Kind::Rearrange => self.rearrange(),
            Kind::Edit => self.edit(),
            Kind::Unlike => self.delete(Collection::Like),
            Kind::Delete => {
                let of = self.dice.one(&Collection::ALL);
                self.delete(of)
            }
            Kind::Again => self.again(),
            Kind::Same => {
                let of = self.dice.one(&Collection::ALL);
                let (person, kept) = self.some_record(of)?;
                Some((person, self.put(person, of, kept.rkey, kept.record)))
            }
            Kind::Foreign => self.foreign(),
            Kind::Hostile => self.hostile(),
            Kind::Rename => {
                let person = self.somebody()?;
                let handle = self.another_handle(person);
                Some((person, Deed::Rename { handle }))
            }
            Kind::Deactivate => {
                let person = self.somebody()?;
                self.cast.people[person].standing = Standing::Away;
                let after = self.dice.between(3, 40);
                self.follow(after, Later::Back { person });
                Some((person, Deed::Deactivate))
            }
            Kind::TakeDown => {
                let person = self.somebody()?;
                self.cast.people[person].standing = Standing::TakenDown;
                let after = self.dice.between(3, 60);
                self.follow(after, Later::Back { person });
                Some((person, Deed::TakeDown))
            }
            Kind::Leave => {
                let person = self.somebody()?;
                self.cast.people[person].standing = Standing::Gone;
                self.cast.artists.retain(|artist| *artist != person);
                Some((person, Deed::Delete))
            }
            Kind::Move => self.move_house(),
        }
    }

    /// What had to follow, if it still can.
    pub(super) fn later(&mut self, later: Later) -> Option<(usize, Deed)> {
        match later {
            Later::Back { person } => {
                let somebody = &mut self.cast.people[person];
                let deed = match somebody.standing {
                    Standing::Away => Deed::Reactivate,
                    Standing::TakenDown => Deed::Restore,
                    Standing::Here | Standing::Gone => return None,
                };
                somebody.standing = Standing::Here;
                Some((person, deed))
            }
            Later::Finished { person, rkey } => {
                let somebody = &self.cast.people[person];
                let kept = somebody.find(Collection::Track, &rkey)?;
                if somebody.standing != Standing::Here {
                    return None;
                }
                let mut record = kept.record.clone();
                let title = text_of(&record, "title").to_owned();
                let audio = self.tune(person, &title);
                if let Ipld::Map(fields) = &mut record {
                    fields.remove("audioUrl");
                    fields.insert("fileType".to_owned(), text("wav"));
                    fields.insert("audioBlob".to_owned(), audio.reference());
                }
                let mut deed = self.put(person, Collection::Track, rkey, record);
                add_blobs(&mut deed, vec![audio]);
                Some((person, deed))
            }
        }
    }

    pub(super) fn join(&mut self, is_artist: bool) -> (usize, Deed) {
        let number = self.cast.people.len();
        let name = words::name(&mut self.dice);
        let handle = words::handle(&name, number);
        let host = self.dice.place(self.plot.hosts);
        let did = did(self.plot.seed, number);
        let person = Person::new(did, name.clone(), handle.clone(), host);
        self.cast.people.push(person);
        if is_artist {
            self.cast.artists.push(number);
        }
        let curve = match self.dice.once_in(6) {
            true => Curve::P256,
            false => Curve::K256,
        };
        let legacy = self.dice.once_in(5);
        let deed = Deed::Join {
            handle,
            name,
            host,
            curve,
            legacy,
        };
        (number, deed)
    }

    pub(super) fn profile(&mut self, person: usize) -> Deed {
        let mut fields = vec![
            ("$type", text(self.nsid(Collection::Profile))),
            ("bio", text(words::bio(&mut self.dice))),
            ("createdAt", time(self.now, &mut self.dice)),
        ];
        if self.dice.once_in(3) {
            let file = self.dice.next();
            let url = format!("https://images.plyr.fm/images/{file:016x}.jpg");
            fields.push(("avatar", text(url)));
        }
        if self.dice.once_in(4) {
            fields.push(("updatedAt", time(self.now, &mut self.dice)));
        }
        self.put(person, Collection::Profile, "self".to_owned(), object(fields))
    }

    /// One track by itself, or several as an album, in one commit.
    pub(super) fn publish(&mut self, artist: usize, tracks: usize) -> Deed {
        let album = (tracks > 1).then(|| words::collection(&mut self.dice));
        let age = match self.dice.below(10) {
            0 => Age::Urls,
            1 | 2 => Age::Both,
            _ => Age::Blobs,
        };
        let (mut ops, mut blobs, mut listed) = (Vec::new(), Vec::new(), Vec::new());
        let cover = Blob::new(Recipe::Cover(self.dice.next()));
        for number in 0..tracks {
            let (op, audio) = self.track(artist, album.as_deref(), &cover, age, number);
            if age != Age::Urls {
                blobs.push(audio);
            }
            if let Some(kept) = self.cast.people[artist].find(Collection::Track, &op.rkey) {
                let uri = self.uri(artist, Collection::Track, &op.rkey);
                listed.push((uri, kept.cid));
            }
            ops.push(op);
        }
        if let Some(name) = album {
            let mut fields = vec![
                ("$type", text(self.nsid(Collection::List))),
                ("name", text(name)),
                ("listType", text("album")),
                ("items", items(&listed)),
                ("createdAt", time(self.now, &mut self.dice)),
            ];
            if age == Age::Blobs {
                fields.push(("cover", cover.reference()));
            }
            let rkey = rkey(self.now, tracks);
            ops.push(self.op(artist, Collection::List, rkey, object(fields)));
        }
        if age == Age::Blobs {
            blobs.push(cover);
        }
        Deed::Write { ops, blobs }
    }

    fn track(
        &mut self,
        artist: usize,
        album: Option<&str>,
        cover: &Blob,
        age: Age,
        number: usize,
    ) -> (Op, Blob) {
        let title = words::title(&mut self.dice);
        let audio = self.tune(artist, &title);
        let Recipe::Tune(Tune { seconds, .. }) = audio.recipe else {
            unreachable!("a tune is a tune");
        };
        // Old records were written long before their account came here.
        let months = self.dice.between(1, 6) as i64;
        let at = match age {
            Age::Urls => self.now - months * 30 * 86_400 * 1_000_000,
            Age::Both | Age::Blobs => self.now,
        };
        let guest = self.dice.once_in(6).then(|| self.artist()).flatten();
        let guest = guest.filter(|guest| *guest != artist);
        let (name, feature) = {
            let people = &self.cast.people;
            let feature = guest.map(|guest| &people[guest]);
            let feature = feature.map(|one| (one.did.clone(), one.handle.clone(), one.name.clone()));
            (people[artist].name.clone(), feature)
        };
        let track = Track {
            title: &title,
            artist: &name,
            album,
            audio: Some(&audio),
            cover: Some(cover),
            seconds,
            age,
            at,
            feature: feature
                .as_ref()
                .map(|(did, handle, name)| (did.as_str(), handle.as_str(), name.as_str())),
        };
        let nsid = self.nsid(Collection::Track);
        let fields = track.fields(&nsid, &mut self.dice);
        let rkey = rkey(self.now, number);
        (self.op(artist, Collection::Track, rkey, object(fields)), audio)
    }

    /// A track in haste: the raw file's URL, nothing else; the final version follows.
    fn interim(&mut self) -> Option<(usize, Deed)> {
        let artist = self.artist()?;
        let file = self.dice.next();
        let fields = vec![
            ("$type", text(self.nsid(Collection::Track))),
            ("title", text(words::title(&mut self.dice))),
            ("artist", text(self.cast.people[artist].name.clone())),
            ("fileType", text("aiff")),
            ("audioUrl", text(format!("https://audio.plyr.fm/audio/{file:016x}.aiff"))),
            ("createdAt", time(self.now, &mut self.dice)),
        ];
        let rkey = rkey(self.now, 0);
        let after = self.dice.between(1, 6);
        let finished = Later::Finished {
            person: artist,
            rkey: rkey.clone(),
        };
        self.follow(after, finished);
        Some((artist, self.put(artist, Collection::Track, rkey, object(fields))))
    }

    fn like(&mut self, person: usize, subject: &(String, Cid)) -> Deed {
        let record = map([
            ("$type", text(self.nsid(Collection::Like))),
            ("subject", strong_ref(&subject.0, &subject.1)),
            ("createdAt", time(self.now, &mut self.dice)),
        ]);
        self.put(person, Collection::Like, rkey(self.now, 0), record)
    }

    fn comment(&mut self) -> Option<(usize, Deed)> {
        let (person, subject) = (self.somebody()?, self.some_track()?);
        let place = self.dice.below(u64::from(self.plot.seconds.1) * 1000);
        let record = map([
            ("$type", text(self.nsid(Collection::Comment))),
            ("subject", strong_ref(&subject.0, &subject.1)),
            ("text", text(words::saying(&mut self.dice))),
            ("timestampMs", Ipld::Integer(place.into())),
            ("createdAt", time(self.now, &mut self.dice)),
        ]);
        Some((person, self.put(person, Collection::Comment, rkey(self.now, 0), record)))
    }

    fn playlist(&mut self) -> Option<(usize, Deed)> {
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
        Some((person, self.put(person, Collection::List, rkey(self.now, 0), record)))
    }

    fn rearrange(&mut self) -> Option<(usize, Deed)> {
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
        Some((person, self.put(person, Collection::List, kept.rkey, record)))
    }

    fn edit(&mut self) -> Option<(usize, Deed)> {
        let (artist, kept) = self.some_record(Collection::Track)?;
        let title = words::title(&mut self.dice);
        let created = time(self.now, &mut self.dice);
        // A client rebuilt the record and forgot the blob; so it was for months.
        let forgets = self.dice.once_in(5);
        let mut record = kept.record;
        if let Ipld::Map(fields) = &mut record {
            fields.insert("title".to_owned(), text(title));
            fields.insert("createdAt".to_owned(), created);
            if forgets {
                fields.remove("audioBlob");
                fields.remove("description");
            }
        }
        Some((artist, self.put(artist, Collection::Track, kept.rkey, record)))
    }

    fn delete(&mut self, of: Collection) -> Option<(usize, Deed)> {
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

    fn again(&mut self) -> Option<(usize, Deed)> {
        let person = self.somebody()?;
        let (of, rkey, record) = self.cast.people[person].deleted.pop()?;
        // Somebody may have written the key anew; then this replaces it.
        Some((person, self.put(person, of, rkey, record)))
    }

    fn foreign(&mut self) -> Option<(usize, Deed)> {
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

    fn move_house(&mut self) -> Option<(usize, Deed)> {
        if self.plot.hosts < 2 {
            return None;
        }
        let person = self.somebody()?;
        let handle = self.another_handle(person);
        let away = self.dice.between(1, self.plot.hosts as u64 - 1) as usize;
        let somebody = &mut self.cast.people[person];
        somebody.host = (somebody.host + away) % self.plot.hosts;
        let host = somebody.host;
        Some((person, Deed::Move { host, handle }))
    }

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

    fn tune(&mut self, person: usize, title: &str) -> Blob {
        let (shortest, longest) = self.plot.seconds;
        let (seed, seconds) = (
            self.dice.next(),
            self.dice.between(shortest.into(), longest.into()),
        );
        if self.tunes.len() >= self.plot.tunes {
            let known = self.dice.place(self.tunes.len());
            return self.tunes[known].clone();
        }
        let blob = Blob::new(Recipe::Tune(Tune {
            seed,
            seconds: seconds as u32,
            title: title.to_owned(),
            artist: self.cast.people[person].name.clone(),
        }));
        if self.plot.tunes < usize::MAX {
            self.tunes.push(blob.clone());
        }
        blob
    }

    pub(super) fn nsid(&self, of: Collection) -> String {
        self.plot.namespace.nsid(of).as_str().to_owned()
    }

    pub(super) fn uri(&self, person: usize, of: Collection, rkey: &str) -> String {
        let did = &self.cast.people[person].did;
        format!("at://{did}/{}/{rkey}", self.nsid(of))
    }

    fn another_handle(&mut self, person: usize) -> String {
        let somebody = &mut self.cast.people[person];
        somebody.renamed += 1;
        somebody.handle = format!("r{}-{}", somebody.renamed, words::handle(&somebody.name, person));
        somebody.handle.clone()
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
            let kept = self.cast.people[artist].kept(Collection::Track).get(place)?;
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

fn add_blobs(deed: &mut Deed, more: Vec<Blob>) {
    if let Deed::Write { blobs, .. } = deed {
        blobs.extend(more);
    }
}

fn text_of<'a>(record: &'a Ipld, name: &str) -> &'a str {
    match record {
        Ipld::Map(fields) => match fields.get(name) {
            Some(Ipld::String(text)) => text,
            _ => "",
        },
        _ => "",
    }
}

fn subject_of(record: &Ipld) -> Option<(String, Cid)> {
    let Ipld::Map(fields) = record else {
        return None;
    };
    let subject = fields.get("subject")?;
    let cid = Cid::try_from(text_of(subject, "cid")).ok()?;
    Some((text_of(subject, "uri").to_owned(), cid))
}

/// The DID of a seed's nth account: 24 letters of a hash, as the directory gives them.
fn did(seed: u64, number: usize) -> String {
    let hash = Sha256::digest(format!("plyr simnet {seed} {number}"));
    let letters = b"abcdefghijklmnopqrstuvwxyz234567";
    let bits = hash.iter().take(24).map(|byte| letters[usize::from(byte & 31)]);
    let name: String = bits.map(char::from).collect();
    format!("did:plc:{name}")
}

