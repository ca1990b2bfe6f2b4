//! The simulated network against the real peers: one story, played on it and on real PDSs behind a
//! real relay and real Jetstreams, gives the same frames (volatile values aside) and the same dump.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{SinkExt, StreamExt};
use plyr_lexicons::{Cid, Ipld, Namespace, data};
use plyr_peers::{Account, Layout, Pds, Peers, PeersOptions, Plyr, wait_until};
use plyr_simnet::event::{Event, Happening};
use plyr_simnet::{Act, Deed, Kind, Network, Op, Options, Plot, Proportions, Story, World};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

type Error = Box<dyn std::error::Error>;
type Tested = Result<(), Error>;

const BINARY: &str = env!("CARGO_BIN_EXE_plyr");
const COLLECTIONS: [&str; 5] = ["track", "like", "comment", "list", "actor.profile"];
/// Acts of life after the opening.
const ACTS: usize = 320;

fn namespace() -> Result<Namespace, Error> {
    Ok("fm.plyr".parse()?)
}

/// The seed of the story: the environment's `PLYR_SEED`, or always the same.
fn seed() -> u64 {
    let told = std::env::var("PLYR_SEED").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(12)
}

/// Who plays whom on the real hosts.
#[derive(Default)]
struct Players {
    /// By the DID of the story.
    accounts: HashMap<String, Account>,
}

impl Players {
    /// A text in which the story's DIDs are the real ones.
    fn real(&self, text: &str) -> String {
        let pairs = self.accounts.iter();
        pairs.fold(text.to_owned(), |text, (did, account)| {
            text.replace(did, &account.did)
        })
    }

    /// A text in which the real DIDs are the story's.
    fn told(&self, text: &str) -> String {
        let pairs = self.accounts.iter();
        pairs.fold(text.to_owned(), |text, (did, account)| {
            text.replace(&account.did, did)
        })
    }

    /// Does on the real hosts what an act says.
    async fn play(
        &mut self,
        act: &Act,
        events: &[Event],
        world: &Network,
        (peers, theirs): (&Peers, &Frames),
    ) -> Result<(), Error> {
        let number = self.accounts.len();
        if let Deed::Join { host, .. } = &act.deed {
            let account =
                Account::create(&peers.pds[*host], &format!("player{number}.test")).await?;
            self.accounts.insert(act.did.clone(), account);
            return Ok(());
        }
        let account = self
            .accounts
            .get(&act.did)
            .ok_or("a player is missing")?
            .clone();
        let nothing = json!({});
        match &act.deed {
            // Nobody labels in this story; labels have a test of their own.
            Deed::Join { .. } | Deed::OfferLabels | Deed::Label { .. } => {}
            Deed::Write { ops, .. } => self.write(&account, act, ops, events, world).await?,
            Deed::Rename { .. } => {
                account
                    .rename(&format!("renamed{:06}.test", act.at % 1_000_000))
                    .await?
            }
            Deed::Deactivate => {
                account
                    .post("com.atproto.server.deactivateAccount", &json!({"x": 1}))
                    .await?;
            }
            Deed::Reactivate => {
                account
                    .post("com.atproto.server.activateAccount", &nothing)
                    .await?;
            }
            Deed::TakeDown => account.take_down(true).await?,
            Deed::Restore => account.take_down(false).await?,
            Deed::Delete => account.delete_account(&peers.control).await?,
            Deed::Move { host, .. } => {
                let handle = format!("moved{:06}.test", act.at % 1_000_000);
                let arrived = || {
                    let frames = theirs.all();
                    let of_them = frames.iter().filter(|frame| frame.contains(&account.did));
                    let is_active = |frame: &&String| frame.contains("\"active\":true");
                    of_them.filter(is_active).count()
                };
                let before = arrived();
                let pds = &peers.pds[*host];
                let there = account.arrive(pds, &handle, &peers.control).await?;
                // Until the relay has heard of the new host it takes the old one's word.
                wait_until("the relay has seen the move", || async {
                    let now = arrived();
                    (now > before).then_some(()).ok_or(now.to_string())
                })
                .await?;
                account.leave().await?;
                self.accounts.insert(act.did.clone(), there);
            }
        }
        Ok(())
    }

    async fn write(
        &self,
        account: &Account,
        act: &Act,
        ops: &[Op],
        events: &[Event],
        network: &Network,
    ) -> Result<(), Error> {
        for op in ops {
            for (cid, mime_type, bytes) in blobs(network, &act.did, op) {
                let blob = account.upload_blob(mime_type, bytes).await?;
                assert_eq!(blob["ref"]["$link"], cid.to_string(), "{blob}");
                assert_eq!(blob["mimeType"], mime_type);
            }
        }
        let record = |op: &Op| -> Option<Value> {
            let json = data::to_json(op.record.as_ref()?).to_string();
            Some(plyr_peers::read_json(&self.real(&json)))
        };
        if let [op] = ops {
            match record(op) {
                Some(record) => drop(account.put(&op.collection, &op.rkey, &record).await?),
                None => account.delete(&op.collection, &op.rkey).await?,
            }
            return Ok(());
        }
        let actions: HashMap<&str, &str> = events
            .iter()
            .filter_map(|event| match &event.what {
                Happening::Commit { writes, .. } => Some(writes),
                _ => None,
            })
            .flatten()
            .map(|write| (write.rkey.as_str(), write.action))
            .collect();
        let writes: Vec<Value> = ops
            .iter()
            .map(|op| {
                let action = actions.get(op.rkey.as_str()).copied().unwrap_or("update");
                let mut write = json!({ "collection": op.collection, "rkey": op.rkey,
                    "$type": format!("com.atproto.repo.applyWrites#{action}") });
                if let Some(record) = record(op) {
                    write["value"] = record;
                }
                write
            })
            .collect();
        Ok(account.apply_writes(&writes).await?)
    }
}

/// An act without what this PDS refuses and others took: blobs in their old shape, and the `$type`
/// of another collection.
fn as_taken_here(mut act: Act) -> Act {
    if let Deed::Write { ops, .. } = &mut act.deed {
        for op in ops {
            let Some(Ipld::Map(fields)) = &mut op.record else {
                continue;
            };
            fields.insert("$type".to_owned(), Ipld::String(op.collection.clone()));
            let blob = fields.get("audioBlob");
            if matches!(blob, Some(Ipld::Map(blob)) if !blob.contains_key("$type")) {
                fields.remove("audioBlob");
            }
        }
    }
    act
}

/// The blobs that a record names, as the simulated host has them.
fn blobs(network: &Network, did: &str, op: &Op) -> Vec<(Cid, &'static str, Vec<u8>)> {
    let world = network.world();
    let account = world.account(did);
    let Some(Ipld::Map(fields)) = &op.record else {
        return Vec::new();
    };
    let named = ["audioBlob", "cover"]
        .into_iter()
        .filter_map(|name| fields.get(name));
    let cids = named.filter_map(|blob| match blob {
        Ipld::Map(blob) => match blob.get("ref") {
            Some(Ipld::Link(cid)) => Some(*cid),
            _ => None,
        },
        _ => None,
    });
    let made = |cid: Cid| {
        let recipe = account?.blob(&cid)?;
        Some((cid, recipe.mime_type(), recipe.bytes()))
    };
    cids.filter_map(made).collect()
}

#[derive(Clone, Default)]
struct Frames(Arc<Mutex<Vec<String>>>);

impl Frames {
    fn all(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that a stream sends from now on.
async fn listen(url: &str, is_v2: bool) -> Result<Frames, Error> {
    let (path, wanted) = match is_v2 {
        true => (
            "/xrpc/network.bsky.jetstream.subscribeEvents",
            "collections",
        ),
        false => ("/subscribe", "wantedCollections"),
    };
    let nsids = COLLECTIONS.map(|name| format!("{wanted}=fm.plyr.{name}"));
    let cursor = if is_v2 { "1000000000000000" } else { "1" };
    let url = format!("{url}{path}?cursor={cursor}&{}", nsids.join("&"));
    let mut request = url.into_client_request()?;
    if is_v2 {
        let offered = "xrpc.v1.json".parse()?;
        request
            .headers_mut()
            .insert("sec-websocket-protocol", offered);
    }
    // A real v2 isn't ready at once.
    let mut socket = wait_until("the stream begins", || async {
        let connecting = connect_async(request.clone()).await;
        connecting
            .map(|(socket, _)| socket)
            .map_err(|problem| problem.to_string())
    })
    .await?;
    let frames = Frames::default();
    let heard = frames.clone();
    tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Text(text) => heard.all().push(text.to_string()),
                Message::Ping(bytes) => drop(socket.send(Message::Pong(bytes)).await),
                _ => {}
            }
        }
    });
    Ok(frames)
}

/// Values that no two runs share.
const VOLATILE: [&str; 6] = ["time_us", "seq", "time", "rev", "cid", "cursor"];

fn blank(value: &mut Value, is_record: bool) {
    let Value::Object(fields) = value else { return };
    if !is_record {
        // A relay takes the handle out of identities, but now and then one passes.
        fields.remove("handle");
    }
    for (name, field) in fields {
        if !is_record && VOLATILE.contains(&name.as_str()) {
            *field = json!("volatile");
        }
        blank(field, is_record || name == "record");
    }
}

/// Frames by account, in order, without what no two runs share.
fn shapes(frames: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut shapes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for frame in frames {
        let mut frame = plyr_peers::read_json(frame);
        let told = match &frame["payload"] {
            Value::Null => &frame["did"],
            payload => &payload["did"],
        };
        let did = told.as_str().unwrap_or_default().to_owned();
        blank(&mut frame, false);
        shapes.entry(did).or_default().push(frame.to_string());
    }
    shapes
}

/// Waits until both have sent the same; answers how many frames.
async fn compare(
    name: &str,
    players: &Players,
    ours: &Frames,
    theirs: &Frames,
) -> Result<usize, Error> {
    let what = format!("{name}: the same frames");
    let seen = wait_until(&what, || async {
        let real = theirs.all().clone();
        let real: Vec<String> = real.iter().map(|frame| players.told(frame)).collect();
        let (ours, real) = (shapes(&ours.all()), shapes(&real));
        if ours == real {
            return Ok(ours.values().map(Vec::len).sum::<usize>());
        }
        let none = Vec::new();
        let dids = ours.keys().chain(real.keys());
        let different = dids.filter_map(|did| {
            let (one, two) = (
                ours.get(did).unwrap_or(&none),
                real.get(did).unwrap_or(&none),
            );
            let place = (0..one.len().max(two.len())).find(|at| one.get(*at) != two.get(*at))?;
            Some(format!(
                "{did} frame {place}: ours {:?}\nreal {:?}",
                one.get(place),
                two.get(place)
            ))
        });
        Err(different.take(3).collect::<Vec<_>>().join("\n"))
    })
    .await?;
    Ok(seen)
}

/// A dump's lines under the story's names, without the CIDs that follow from them.
fn lines(dump: &str) -> Vec<String> {
    let mut lines: Vec<String> = dump
        .lines()
        .map(|line| {
            let mut row = plyr_peers::read_json(line);
            if row["cid"].is_string() {
                row["cid"] = json!("");
            }
            row.to_string()
        })
        .collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn one_story_on_real_peers_is_the_same() -> Tested {
    let options = PeersOptions {
        pds: Pds::V05,
        pds_count: 2,
        relay: true,
        jetstream: true,
        jetstream2: true,
        collectiondir: true,
    };
    let Some(peers) = Peers::start(options).await? else {
        return Ok(());
    };
    // Few acts, so that each kind has to be frequent.
    let often = [
        (Kind::Hostile, 120),
        (Kind::Same, 40),
        (Kind::Again, 40),
        (Kind::Delete, 60),
        (Kind::Rename, 25),
        (Kind::Deactivate, 25),
        (Kind::TakeDown, 25),
        (Kind::Leave, 15),
        (Kind::Move, 25),
    ];
    let more = |proportions: Proportions, (kind, weight)| proportions.with(kind, weight);
    let plot = Plot {
        proportions: often.into_iter().fold(Proportions::default(), more),
        artists: 4,
        listeners: 5,
        tracks: 9,
        history: ACTS,
        seconds: (1, 1),
        ..Plot::of_seed(seed(), namespace()?)
    };
    let network = Network::start(World::new(), Options::default()).await?;
    let ours = (
        listen(&network.streams[0], false).await?,
        listen(&network.streams[1], true).await?,
    );
    let theirs = (
        listen(&peers.jetstream, false).await?,
        listen(&peers.jetstream2, true).await?,
    );
    let mut story = Story::new(plot)?;
    let mut players = Players::default();
    let opening = story.opening();
    let mut played_deeds = HashSet::new();
    for act in story.by_ref().take(opening).map(as_taken_here) {
        played_deeds.insert(std::mem::discriminant(&act.deed));
        let events = network.act(&act)?;
        let real = (&peers, &theirs.0);
        let played = players.play(&act, &events, &network, real).await;
        played.map_err(|problem| format!("{act:?}: {problem}"))?;
    }
    assert_eq!(played_deeds.len(), 9, "every kind of deed is among them");
    let v1 = compare("jetstream v1", &players, &ours.0, &theirs.0).await?;
    let v2 = compare("jetstream v2", &players, &ours.1, &theirs.1).await?;
    println!("{v1} frames of v1 and {v2} of v2, the same");

    let folder = tempfile::tempdir()?;
    let over = network.arguments();
    let simulated = Plyr::command(BINARY, "serve", &folder.path().join("ours"), &over).await?;
    let over = Plyr::arguments(&peers, &Layout::Embedded);
    let real = Plyr::command(BINARY, "serve", &folder.path().join("real"), &over).await?;
    let expected = lines(&network.dump(&namespace()?)?);
    for (name, plyr) in [("simulated", &simulated), ("real", &real)] {
        wait_until(&format!("the dump over the {name} network"), || async {
            let dump = plyr.dump().await.map_err(|problem| problem.to_string())?;
            let dump = lines(&players.told(&dump));
            if dump == expected {
                return Ok(());
            }
            let missing = expected.iter().find(|line| !dump.contains(line));
            let extra = dump.iter().find(|line| !expected.contains(line));
            Err(format!("missing {missing:?}, too much {extra:?}"))
        })
        .await?;
    }
    println!("{} lines, the same", expected.len());
    assert_eq!(simulated.stop().await?, Some(0));
    assert_eq!(real.stop().await?, Some(0));
    network.stop().await;
    Ok(())
}
