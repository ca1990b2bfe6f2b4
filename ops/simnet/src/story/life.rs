//! Life: what is done once everybody is there, each kind as often as the plot says.

use plyr_lexicons::{Cid, Collection, Ipld};
use sha2::{Digest, Sha256};

use super::cast::{Person, Standing};
use super::records::{object, text, time};
use super::{Curve, Deed, Kind, Later, Story};
use crate::blob::Blob;
use crate::words;

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
            Kind::Label => self.label(),
            Kind::Unlabel => self.unlabel(),
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
                    Standing::Here | Standing::Gone | Standing::Apart => return None,
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
        self.put(
            person,
            Collection::Profile,
            "self".to_owned(),
            object(fields),
        )
    }

    pub(super) fn another_handle(&mut self, person: usize) -> String {
        let somebody = &mut self.cast.people[person];
        somebody.renamed += 1;
        somebody.handle = format!(
            "r{}-{}",
            somebody.renamed,
            words::handle(&somebody.name, person)
        );
        somebody.handle.clone()
    }

    pub(super) fn move_house(&mut self) -> Option<(usize, Deed)> {
        let person = self.somebody()?;
        let lived = &self.cast.people[person].hosts;
        let free: Vec<usize> = (0..self.plot.hosts)
            .filter(|host| !lived.contains(host))
            .collect();
        let host = *self.dice.pick(&free)?;
        self.cast.people[person].hosts.push(host);
        let handle = self.another_handle(person);
        Some((person, Deed::Move { host, handle }))
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
pub(super) fn did(seed: u64, number: usize) -> String {
    let hash = Sha256::digest(format!("plyr simnet {seed} {number}"));
    let letters = b"abcdefghijklmnopqrstuvwxyz234567";
    let bits = hash
        .iter()
        .take(24)
        .map(|byte| letters[usize::from(byte & 31)]);
    let name: String = bits.map(char::from).collect();
    format!("did:plc:{name}")
}
