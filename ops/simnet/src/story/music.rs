//! What artists do: tracks and albums, in haste and with care.

use plyr_lexicons::{Collection, Ipld};

use super::records::{Age, Track, items, object, rkey, text, time};
use super::{Deed, Later, Op, Story};
use crate::blob::{Blob, Recipe};
use crate::sound::Tune;
use crate::words;

impl Story {
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

    pub(super) fn track(
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
            let feature =
                feature.map(|one| (one.did.clone(), one.handle.clone(), one.name.clone()));
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
        (
            self.op(artist, Collection::Track, rkey, object(fields)),
            audio,
        )
    }

    /// A track in haste: the raw file's URL, nothing else; the final version follows.
    pub(super) fn interim(&mut self) -> Option<(usize, Deed)> {
        let artist = self.artist()?;
        let file = self.dice.next();
        let fields = vec![
            ("$type", text(self.nsid(Collection::Track))),
            ("title", text(words::title(&mut self.dice))),
            ("artist", text(self.cast.people[artist].name.clone())),
            ("fileType", text("aiff")),
            (
                "audioUrl",
                text(format!("https://audio.plyr.fm/audio/{file:016x}.aiff")),
            ),
            ("createdAt", time(self.now, &mut self.dice)),
        ];
        let rkey = rkey(self.now, 0);
        let after = self.dice.between(1, 6);
        let finished = Later::Finished {
            person: artist,
            rkey: rkey.clone(),
        };
        self.follow(after, finished);
        Some((
            artist,
            self.put(artist, Collection::Track, rkey, object(fields)),
        ))
    }

    pub(super) fn edit(&mut self) -> Option<(usize, Deed)> {
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
        Some((
            artist,
            self.put(artist, Collection::Track, kept.rkey, record),
        ))
    }

    pub(super) fn tune(&mut self, person: usize, title: &str) -> Blob {
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
}
