//! What nobody should write, and somebody does: all of it valid data that some host stores.
//! (Today's `@atproto/pds` refuses blobs of the old shape and the `$type` of another collection.)

use plyr_lexicons::{Collection, Ipld};

use super::records::{map, object, rkey, strong_ref, text, time};
use super::{Deed, Story};

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trick {
    /// A title of a control character, marks that turn text around, and an end of text.
    Title,
    /// Nothing where a title belongs, or a number.
    NoTitle,
    /// A duration beyond every clock.
    Duration,
    /// A gate that is a text; a list where an object belongs.
    Gate,
    /// Somebody else's file, by the name of it.
    File,
    /// A record from a time to come, or of no time.
    Time,
    /// A like of what is no track, of itself, of nothing.
    Like,
    /// A comment that is too long, before the beginning, or about nothing.
    Comment,
    /// A list of more than may be, or of what doesn't exist.
    List,
    /// Something nested a hundred levels deep.
    Deep,
    /// The wrong `$type`.
    Type,
    /// A blob in the shape of years ago.
    Blob,
    /// Fields that the collection doesn't know, with links, bytes and large numbers in them.
    Unknown,
    /// A record key that a host takes and a client forgets.
    Key,
}

const TRICKS: [Trick; 14] = [
    Trick::Title,
    Trick::NoTitle,
    Trick::Duration,
    Trick::Gate,
    Trick::File,
    Trick::Time,
    Trick::Like,
    Trick::Comment,
    Trick::List,
    Trick::Deep,
    Trick::Type,
    Trick::Blob,
    Trick::Unknown,
    Trick::Key,
];

impl Story {
    pub(super) fn hostile(&mut self) -> Option<(usize, Deed)> {
        let person = self.somebody()?;
        let trick = self.dice.one(&TRICKS);
        let subject = self.some_track()?;
        let (of, record) = match trick {
            Trick::Like => (Collection::Like, self.odd_like(person)),
            Trick::Comment => (Collection::Comment, self.odd_comment(&subject.0)),
            Trick::List => (Collection::List, self.odd_list(&subject)),
            _ => (Collection::Track, self.odd_track(trick)),
        };
        let rkey = match trick {
            Trick::Key => format!("{}.{}:~_-", "k".repeat(150), self.dice.next()),
            _ => rkey(self.now, 7),
        };
        let deed = self.put(person, of, rkey, record);
        Some((person, deed))
    }

    fn odd_track(&mut self, trick: Trick) -> Ipld {
        let mut fields = vec![
            ("$type", text(self.nsid(Collection::Track))),
            ("title", text("an odd one")),
            ("artist", text("nobody")),
            ("fileType", text("mp3")),
            ("createdAt", time(self.now, &mut self.dice)),
        ];
        let mut set = |name: &'static str, value: Ipld| {
            fields.retain(|(own, _)| *own != name);
            fields.push((name, value));
        };
        let far = self.dice.once_in(2);
        match trick {
            Trick::Title => set(
                "title",
                text("a\u{0}b\u{202e}drac\u{202c} </script>{{7*7}}"),
            ),
            Trick::NoTitle if far => set("title", text("")),
            Trick::NoTitle => set("title", Ipld::Integer(7)),
            Trick::Duration if far => set("duration", Ipld::Integer(9_007_199_254_740_991)),
            Trick::Duration => set("duration", Ipld::Integer(-1)),
            Trick::Gate if far => set("supportGate", text("any")),
            Trick::Gate => set("features", Ipld::Null),
            Trick::File => {
                set("fileId", text("0123456789abcdef"));
                set("audioUrl", text("http://127.0.0.1/latest/meta-data"));
            }
            Trick::Time if far => set("createdAt", text("9999-12-31T23:59:59.999Z")),
            Trick::Time => set("createdAt", text("yesterday")),
            Trick::Deep => {
                let deeper = |inner, _| Ipld::List(vec![inner]);
                set("more", (0..100).fold(Ipld::Null, deeper));
            }
            Trick::Type => set("$type", text("fm.plyr.trakc")),
            Trick::Blob => {
                let cid = "bafkreifwvnbuakihcgzgaukj2f25ieg3qfs2i7bapyunkhlxfehczj2b7y";
                let blob = map([("cid", text(cid)), ("mimeType", text("audio/mpeg"))]);
                set("audioBlob", blob);
            }
            _ => {
                set(
                    "zz",
                    map([("bytes", Ipld::Bytes(vec![0, 255, 1])), ("no", Ipld::Null)]),
                );
                set("large", Ipld::Integer(9_007_199_254_740_991));
            }
        }
        object(fields)
    }

    fn odd_like(&mut self, person: usize) -> Ipld {
        let did = self.cast.people[person].did.clone();
        let cid = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";
        let subject = match self.dice.below(4) {
            0 => format!("at://{did}/app.bsky.feed.post/3lfvhszifvc2c"),
            1 => format!("at://{did}/{}/nothing", self.nsid(Collection::Track)),
            2 => format!("at://{did}"),
            _ => "https://example.com/not-an-at-uri".to_owned(),
        };
        map([
            ("$type", text(self.nsid(Collection::Like))),
            ("subject", map([("uri", text(subject)), ("cid", text(cid))])),
            ("createdAt", time(self.now, &mut self.dice)),
        ])
    }

    fn odd_comment(&mut self, subject: &str) -> Ipld {
        let cid = "bafyreig2aotx4pgpwqxotzm7i3vgyalrdfemsqr6ukdpmqrhfdvh2mcq5i";
        let mut fields = vec![
            ("$type", text(self.nsid(Collection::Comment))),
            ("subject", map([("uri", text(subject)), ("cid", text(cid))])),
            ("createdAt", time(self.now, &mut self.dice)),
        ];
        match self.dice.below(3) {
            0 => {
                fields.push(("text", text("la ".repeat(900))));
                fields.push(("timestampMs", Ipld::Integer(1)));
            }
            1 => {
                fields.push(("text", text("before the beginning")));
                fields.push(("timestampMs", Ipld::Integer(-5)));
            }
            _ => fields.push(("timestampMs", text("soon"))),
        }
        object(fields)
    }

    fn odd_list(&mut self, subject: &(String, plyr_lexicons::Cid)) -> Ipld {
        let mut fields = vec![
            ("$type", text(self.nsid(Collection::List))),
            ("name", text("everything twice")),
            ("createdAt", time(self.now, &mut self.dice)),
        ];
        let item = || map([("subject", strong_ref(&subject.0, &subject.1))]);
        match self.dice.below(3) {
            0 => fields.push(("items", Ipld::List((0..600).map(|_| item()).collect()))),
            1 => fields.push(("listType", text("album"))),
            _ => fields.push(("items", Ipld::List(vec![item(), Ipld::Null, text("x")]))),
        }
        object(fields)
    }
}
