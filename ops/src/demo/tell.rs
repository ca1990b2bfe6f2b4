//! What a demo tells on stderr: what to open and to try, and what happens.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use plyr_lexicons::{Collection, Ipld, Namespace, data};
use plyr_simnet::world::{Account, Standing};
use plyr_simnet::{Act, Deed, Network, Op, World};

use crate::run::ReadyLine;

/// Writes lines to stderr. A closed stderr leaves nothing to be done.
fn say(lines: &str) {
    let told = writeln!(std::io::stderr(), "{lines}");
    debug_assert!(told.is_ok());
}

/// Tracks to hear.
const SHOWN: usize = 3;

/// A track to look at: of somebody who is here, with sound, and much talked about.
struct Shown {
    uri: String,
    title: String,
    handle: String,
    name: String,
}

/// The list of what to open and to try, with people and tracks of this very network.
pub fn what_to_try(network: &Network, namespace: &Namespace, ready: &ReadyLine, every: Duration) {
    let Some(appview) = ready.appview else { return };
    let (base, seconds) = (format!("http://{appview}"), every.as_secs());
    let (people, shown) = {
        let world = network.world();
        (world.accounts().count(), shown(&world, namespace))
    };
    let mut text = format!(
        "
A made-up network of {people} people is up, and plyr follows it. None of it leaves this machine.

Open
  {base}/          what there is
  {base}/status    how complete that is, and how it is known
Try
  curl '{base}/xrpc/fm.plyr.stats.getStats'
  curl '{base}/xrpc/fm.plyr.feed.getLatest?limit=3'
"
    );
    if let Some(Shown {
        uri, title, handle, ..
    }) = shown.first()
    {
        // What a shell and a URL take as it is.
        let is_plain = |letter: &char| letter.is_alphanumeric() || *letter == ' ';
        let words: String = title.chars().filter(is_plain).collect();
        text.push_str(&format!(
            "  curl -G '{base}/xrpc/fm.plyr.search.query' --data-urlencode 'q={words}'
  curl '{base}/xrpc/fm.plyr.actor.getProfile?actor={handle}'
  curl '{base}/xrpc/fm.plyr.graph.getActorLists?actor={handle}&listType=album'
  curl '{base}/xrpc/fm.plyr.feed.getComments?uri={uri}'
  curl -H 'Range: bytes=0-65535' -o beginning.wav '{base}/xrpc/fm.plyr.media.getAudio?uri={uri}'
Hear (fetched from the author's host, and checked, when it is first asked for)
"
        ));
    }
    for Shown {
        uri, title, name, ..
    } in &shown
    {
        text.push_str(&format!("  {base}/track/{uri}  “{title}” by {name}\n"));
    }
    text.push_str(&format!(
        "
Something happens every {seconds} s; what is new shows in getStats. Stop with ctrl-c.
"
    ));
    say(&text);
}

/// What happens, in a line.
pub fn act(network: &Network, act: &Act) {
    let world = network.world();
    let account = world.account(&act.did);
    let name = account.map_or(act.did.as_str(), |account| &account.name);
    let done = match &act.deed {
        Deed::Join { handle, .. } => format!("joins as {handle}"),
        Deed::Rename { handle } => format!("is {handle} now"),
        Deed::Deactivate => "leaves for a while".to_owned(),
        Deed::Reactivate | Deed::Restore => "is back".to_owned(),
        Deed::TakeDown => "is taken down".to_owned(),
        Deed::Delete => "leaves for good".to_owned(),
        Deed::Move { handle, .. } => format!("moves to another host, as {handle}"),
        Deed::OfferLabels => "offers labels".to_owned(),
        Deed::Label { uri, val, neg, .. } => match neg {
            true => format!("says no longer that {uri} is “{val}”"),
            false => format!("says that {uri} is “{val}”"),
        },
        Deed::Write { ops, .. } => ops.iter().map(change).collect::<Vec<_>>().join(", "),
    };
    say(&format!("  {name} {done}"));
}

fn change(op: &Op) -> String {
    let Some(record) = &op.record else {
        return format!("deletes {}/{}", op.collection, op.rkey);
    };
    let (title, subject) = (text(record, "title"), subject(record));
    match op.collection.rsplit('.').next() {
        Some("track") => format!("publishes “{title}” ({})", op.rkey),
        Some("like") => format!("likes {subject}"),
        Some("comment") => format!("says “{}” about {subject}", text(record, "text")),
        Some("list") => format!("lists “{}”", text(record, "name")),
        Some("profile") => format!("says: {}", text(record, "bio")),
        _ => format!("writes {}/{}", op.collection, op.rkey),
    }
    .chars()
    // Odd records are shown as little as they deserve.
    .filter(|letter| !letter.is_control())
    .take(160)
    .collect()
}

fn text<'a>(record: &'a Ipld, name: &str) -> &'a str {
    match record {
        Ipld::Map(fields) => match fields.get(name) {
            Some(Ipld::String(text)) => text,
            _ => "",
        },
        _ => "",
    }
}

fn subject(record: &Ipld) -> &str {
    match record {
        Ipld::Map(fields) => fields
            .get("subject")
            .map_or("", |subject| text(subject, "uri")),
        _ => "",
    }
}

fn shown(world: &World, namespace: &Namespace) -> Vec<Shown> {
    let mut said: BTreeMap<String, usize> = BTreeMap::new();
    let comments = format!("{}/", namespace.nsid(Collection::Comment).as_str());
    for account in world.accounts() {
        let records = account.records().range(comments.clone()..);
        for (_, record) in records.take_while(|(key, _)| key.starts_with(&comments)) {
            if let Ok(record) = data::from_cbor(&record.bytes) {
                *said.entry(subject(&record).to_owned()).or_default() += 1;
            }
        }
    }
    let mut subjects: Vec<(usize, String)> = said.into_iter().map(|(uri, n)| (n, uri)).collect();
    subjects.sort();
    let best = subjects.iter().rev();
    best.filter_map(|(_, uri)| track(world, uri))
        .take(SHOWN)
        .collect()
}

/// A track, if it is there and can be heard.
fn track(world: &World, uri: &str) -> Option<Shown> {
    let (did, key) = uri.strip_prefix("at://")?.split_once('/')?;
    let account: &Account = world.account(did)?;
    if account.standing != Standing::Active {
        return None;
    }
    let record = data::from_cbor(&account.records().get(key)?.bytes).ok()?;
    let Ipld::Map(fields) = &record else {
        return None;
    };
    let Ipld::Map(blob) = fields.get("audioBlob")? else {
        return None;
    };
    let Ipld::Link(_) = blob.get("ref")? else {
        return None;
    };
    Some(Shown {
        uri: uri.to_owned(),
        title: text(&record, "title").to_owned(),
        handle: account.handle.clone(),
        name: account.name.clone(),
    })
}
