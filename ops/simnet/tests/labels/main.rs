//! The simulated labeler against a real one: what Ozone 0.4.2 sent (`tests/ozone`) and what is sent
//! here read by one strict reader, are of the same shapes, and are signed by the key in the
//! document.

mod asking;
mod faults;
mod reading;

use std::collections::BTreeMap;

use asking::{Subscriber, get};
use plyr_lexicons::{Ipld, data};
use plyr_simnet::{Act, Deed, Kind, Network, Options, Plot, Proportions, Story, World};
use reading::{Frame, Label, label_key, read, read_label};
use serde_json::Value;

type Error = Box<dyn std::error::Error>;
type Tested = Result<(), Error>;

const FRAMES: &[u8] = include_bytes!("../ozone/frames.lenpref.bin");
const FUTURE: &[u8] = include_bytes!("../ozone/future.bin");
/// No capture of Ozone has one; a PDS 0.5.35 sent it, on a stream of the same kind.
const OUTDATED: &[u8] = include_bytes!("../ozone/outdated.bin");
const ANSWER: &str = include_str!("../ozone/queryLabels.json");
const DOCUMENT: &str = include_str!("../ozone/document.json");

fn plot(seed: u64, often: [(Kind, u32); 2]) -> Result<Plot, Error> {
    let more = |proportions: Proportions, (kind, weight)| proportions.with(kind, weight);
    Ok(Plot {
        artists: 3,
        listeners: 3,
        tracks: 8,
        history: 0,
        seconds: (1, 1),
        tunes: 2,
        proportions: often.into_iter().fold(Proportions::default(), more),
        ..Plot::of_seed(seed, "fm.plyr".parse()?)
    })
}

/// A network after its opening, and the story that goes on.
async fn opened(plot: Plot, options: Options) -> Result<(Network, Story), Error> {
    let mut story = Story::new(plot)?;
    let mut world = World::new();
    let opening = story.opening();
    for act in story.by_ref().take(opening) {
        world.apply(&act)?;
    }
    Ok((Network::start(world, options).await?, story))
}

async fn document(network: &Network) -> Result<Value, Error> {
    let did = network.labeler_did().ok_or("nobody labels")?;
    Ok(get(&format!("{}/{did}", network.plc)).await?.1)
}

/// The labels of an answer.
fn labels(answer: &Value) -> Result<Vec<Label>, Error> {
    let labels = answer["labels"].as_array().ok_or("no labels")?;
    let read = |label: &Value| read_label(&data::from_json(label.to_string().as_bytes())?);
    labels.iter().map(read).collect()
}

/// The frames of the capture.
fn real_frames() -> Result<Vec<Frame>, Error> {
    let (mut rest, mut frames) = (FRAMES, Vec::new());
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let (frame, behind) = behind.split_at(u32::from_le_bytes(*length) as usize);
        frames.push(read(frame)?);
        rest = behind;
    }
    Ok(frames)
}

/// What the capture's labels were made by: of a track's version, and of its account.
fn acts_of_the_capture(network: &Network) -> Result<Vec<Act>, Error> {
    let world = network.world();
    let mut tracks = world.accounts().flat_map(|account| {
        let records = account.records().iter();
        let tracks = records.filter(|(key, _)| key.starts_with("fm.plyr.track/"));
        tracks.map(|(key, record)| (account.did.clone(), key.clone(), record.cid))
    });
    let (did, key, cid) = tracks.next().ok_or("nobody has published")?;
    let track = format!("at://{did}/{key}");
    let labeler = world.labeler().ok_or("nobody labels")?.did.clone();
    let last = chrono::Utc::now().timestamp_micros();
    let said = [
        (&track, Some(cid), "spam", false, None),
        (&track, Some(cid), "!hide", false, None),
        (&track, Some(cid), "copyright-violation", false, None),
        (&track, Some(cid), "spam", true, None),
        (&did, None, "!takedown", false, None),
        (&did, None, "!takedown", true, None),
        (
            &track,
            Some(cid),
            "graphic-media",
            false,
            Some(3_600_000_000),
        ),
    ];
    let acts = (1..).zip(said).map(|(number, said)| {
        let (uri, cid, val, neg, exp) = said;
        let at = last + number * 1_000_000;
        let deed = Deed::Label {
            uri: uri.clone(),
            cid,
            val: val.to_owned(),
            neg,
            exp: exp.map(|exp: i64| at + exp),
        };
        Act {
            at,
            did: labeler.clone(),
            deed,
        }
    });
    Ok(acts.collect())
}

#[tokio::test]
async fn frames_and_answers_are_those_of_the_real_one() -> Tested {
    let labelled = [(Kind::Label, 1), (Kind::Unlabel, 0)];
    let (network, _) = opened(plot(1, labelled)?, Options::default()).await?;
    let real = real_frames()?;
    assert_eq!(real.len(), 7);
    let mut subscriber = Subscriber::connect(&network, "?cursor=0").await?;
    let key = label_key(&document(&network).await?)?;
    let real_key = label_key(&serde_json::from_str(DOCUMENT)?)?;
    for (act, real) in acts_of_the_capture(&network)?.iter().zip(&real) {
        network.act(act)?;
        let ours = subscriber.frame().await?;
        assert_eq!(ours.shape(), real.shape());
        let (Frame::Labels { labels: ours, .. }, Frame::Labels { labels: real, .. }) =
            (&ours, real)
        else {
            return Err(format!("{ours:?} beside {real:?}").into());
        };
        ours.iter().try_for_each(|label| label.check(&key))?;
        real.iter().try_for_each(|label| label.check(&real_key))?;
        // The one's key says nothing of the other's.
        assert!(ours[0].check(&real_key).is_err() && real[0].check(&key).is_err());
    }
    let real: Value = serde_json::from_str(ANSWER)?;
    let real_labels = labels(&real)?;
    let url = format!("{}/xrpc/com.atproto.label.queryLabels", network.labeler);
    let act = &acts_of_the_capture(&network)?[0];
    let Deed::Label { uri, .. } = &act.deed else {
        return Err("the first act labels".into());
    };
    let (_, ours) = get(&format!("{url}?uriPatterns={uri}")).await?;
    let our_labels = labels(&ours)?;
    assert_eq!(ours["cursor"], real["cursor"]);
    let shapes = |labels: &[Label]| labels.iter().map(Label::shape).collect::<Vec<_>>();
    assert_eq!(shapes(&our_labels), shapes(&real_labels));
    our_labels.iter().try_for_each(|label| label.check(&key))?;
    real_labels
        .iter()
        .try_for_each(|label| label.check(&real_key))?;

    let mut ahead = Subscriber::connect(&network, "?cursor=99999").await?;
    assert_eq!(ahead.bytes().await?, FUTURE);
    assert_eq!(ahead.closed().await?, 1008);
    network.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_document_says_where_labels_come_from() -> Tested {
    let labelled = [(Kind::Label, 1), (Kind::Unlabel, 0)];
    let (network, _) = opened(plot(2, labelled)?, Options::default()).await?;
    let (ours, real) = (document(&network).await?, serde_json::from_str(DOCUMENT)?);
    let service = |document: &Value| {
        let services = document["service"].as_array().cloned().unwrap_or_default();
        let mut services = services.into_iter();
        services.find(|service| service["id"] == "#atproto_labeler")
    };
    let (found, expected) = (service(&ours), service(&real));
    let (mut found, expected) = (found.ok_or("no service")?, expected.ok_or("no service")?);
    assert_eq!(found["serviceEndpoint"], network.labeler);
    found["serviceEndpoint"] = expected["serviceEndpoint"].clone();
    assert_eq!(found, expected);
    let methods = |document: &Value| {
        let methods = document["verificationMethod"].as_array().cloned();
        let did = document["id"].as_str().unwrap_or_default().to_owned();
        let of = |method: &Value| {
            let (id, kind) = (method["id"].as_str()?, method["type"].as_str()?);
            Some((id.strip_prefix(&did)?.to_owned(), kind.to_owned()))
        };
        methods.unwrap_or_default().iter().filter_map(of).collect()
    };
    let (ours, real): (Vec<_>, Vec<_>) = (methods(&ours), methods(&real));
    assert_eq!(ours, real);
    let did = network.labeler_did().ok_or("nobody labels")?;
    let world = network.world();
    let account = world.account(&did).ok_or("the labeler has no account")?;
    assert!(
        account
            .records()
            .contains_key("app.bsky.labeler.service/self")
    );
    Ok(())
}

/// The number of the last label.
fn last(network: &Network) -> u64 {
    let world = network.world();
    world.labeler().map_or(0, |labeler| labeler.last())
}

/// What holds, by what it is said of.
type Held = BTreeMap<(String, Option<String>, String), (bool, Option<String>)>;

fn hold(held: &mut Held, label: &Label) {
    let of = (label.uri.clone(), label.cid.clone(), label.val.clone());
    held.insert(of, (label.neg, label.exp.clone()));
}

/// All that the labeler answers, page by page.
async fn answered(network: &Network) -> Result<Held, Error> {
    let url = format!("{}/xrpc/com.atproto.label.queryLabels", network.labeler);
    let (mut held, mut cursor) = (Held::new(), String::new());
    loop {
        let url = format!("{url}?uriPatterns=*&limit=7&cursor={cursor}");
        let (status, answer) = get(&url).await?;
        assert_eq!(status, 200, "{answer}");
        let page = labels(&answer)?;
        assert!(page.len() <= 7);
        page.iter().for_each(|label| hold(&mut held, label));
        match answer["cursor"].as_str() {
            Some(next) if next == cursor => return Err("it doesn't go on".into()),
            Some(next) => cursor = next.to_owned(),
            None => return Ok(held),
        }
    }
}

#[tokio::test]
async fn a_story_labels_takes_back_and_lets_expire() -> Tested {
    let labelled = [(Kind::Label, 400), (Kind::Unlabel, 120)];
    let before = Plot {
        history: 150,
        ..plot(3, labelled)?
    };
    let (network, story) = opened(before, Options::default()).await?;
    for act in story.take(400) {
        network.act(&act)?;
    }
    let key = label_key(&document(&network).await?)?;
    let last = last(&network);
    let mut subscriber = Subscriber::connect(&network, "?cursor=0").await?;
    let (mut held, mut seen) = (Held::new(), 0);
    while seen < last {
        let Frame::Labels { seq, labels } = subscriber.frame().await? else {
            return Err("a frame of something else".into());
        };
        assert!(seq > seen, "{seq} after {seen}");
        seen = seq;
        for label in labels {
            label.check(&key)?;
            hold(&mut held, &label);
        }
    }
    assert_eq!(held, answered(&network).await?);
    let counted = |of: fn(&Label) -> bool| {
        let world = network.world();
        let labeler = world.labeler().into_iter();
        let all = labeler.flat_map(|labeler| labeler.after(0));
        let all = all.filter_map(|(_, _, signed)| read_label(signed).ok());
        all.filter(of).count()
    };
    for (what, count) in [
        ("taken back", counted(|label| label.neg)),
        ("for a while", counted(|label| label.exp.is_some())),
        (
            "of accounts",
            counted(|label| label.uri.starts_with("did:")),
        ),
        ("of versions", counted(|label| label.cid.is_some())),
        (
            "of tracks",
            counted(|label| label.uri.starts_with("at://") && label.cid.is_none()),
        ),
    ] {
        assert!(count > 5, "{count} {what}");
    }
    network.stop().await;
    Ok(())
}

#[tokio::test]
async fn cursors_ahead_behind_and_none() -> Tested {
    let labelled = [(Kind::Label, 2_000), (Kind::Unlabel, 0)];
    let options = Options {
        keep: 10,
        ..Options::default()
    };
    let (network, mut story) = opened(plot(4, labelled)?, options).await?;
    for act in story.by_ref().take(60) {
        network.act(&act)?;
    }
    let (last, kept) = {
        let world = network.world();
        let labeler = world.labeler().ok_or("nobody labels")?;
        let seqs: Vec<u64> = labeler.after(0).map(|(seq, ..)| seq).collect();
        (labeler.last(), seqs[seqs.len() - 10..].to_vec())
    };
    let mut behind = Subscriber::connect(&network, "?cursor=0").await?;
    assert_eq!(behind.bytes().await?, OUTDATED);
    for seq in &kept {
        assert_eq!(behind.seq().await?, *seq);
    }
    // Exclusive: the cursor is the last that was seen.
    let mut within = Subscriber::connect(&network, &format!("?cursor={}", kept[3])).await?;
    assert_eq!(within.seq().await?, kept[4]);
    let mut live = Subscriber::connect(&network, "").await?;
    let mut odd = Subscriber::connect(&network, "?cursor=abc").await?;
    let refused = odd.frame().await?;
    assert!(matches!(&refused, Frame::Error { error, .. } if error == "InvalidRequest"));
    assert_eq!(odd.closed().await?, 1008);
    let said = story.find(|act| matches!(act.deed, Deed::Label { .. }));
    network.act(&said.ok_or("nothing is said")?)?;
    assert_eq!(live.seq().await?, last + 1);
    network.stop().await;
    Ok(())
}

#[tokio::test]
async fn questions_that_are_none_are_refused() -> Tested {
    let labelled = [(Kind::Label, 2_000), (Kind::Unlabel, 0)];
    let (network, story) = opened(plot(5, labelled)?, Options::default()).await?;
    for act in story.take(100) {
        network.act(&act)?;
    }
    let url = format!("{}/xrpc/com.atproto.label.queryLabels", network.labeler);
    for odd in [
        "",
        "?uriPatterns=at://*/x",
        "?uriPatterns=*&limit=0",
        "?uriPatterns=*&limit=251",
        "?uriPatterns=*&cursor=next",
    ] {
        let (status, answer) = get(&format!("{url}{odd}")).await?;
        assert_eq!(
            (status, &answer["error"]),
            (400, &"InvalidRequest".into()),
            "{odd}"
        );
    }
    let count = async |query: &str| -> Result<usize, Error> {
        Ok(labels(&get(&format!("{url}{query}")).await?.1)?.len())
    };
    let all = count("?uriPatterns=*&limit=250").await?;
    assert!(all > 50, "{all}");
    assert_eq!(count("?uriPatterns=*").await?, 50);
    let tracks = count("?uriPatterns=at://*&limit=250").await?;
    let accounts = count("?uriPatterns=did:*&limit=250").await?;
    assert!(tracks > 0 && accounts > 0 && tracks + accounts == all);
    assert_eq!(
        count("?uriPatterns=at://*&uriPatterns=did:*&limit=250").await?,
        all
    );
    let did = network.labeler_did().unwrap_or_default();
    let of = format!("?uriPatterns=*&limit=250&sources={did}");
    assert_eq!(count(&of).await?, all);
    assert_eq!(count("?uriPatterns=*&sources=did:plc:another").await?, 0);
    network.stop().await;
    Ok(())
}

/// The reader is strict: what differs in a byte is refused, or isn't signed any more.
#[test]
fn the_reader_lets_nothing_pass() -> Tested {
    let key = label_key(&serde_json::from_str(DOCUMENT)?)?;
    let length = u32::from_le_bytes(FRAMES[..4].try_into()?) as usize;
    let frame = &FRAMES[4..4 + length];
    for place in 0..frame.len() {
        let mut bent = frame.to_vec();
        bent[place] ^= 0x01;
        let Ok(Frame::Labels { labels, seq }) = read(&bent) else {
            continue;
        };
        let is_signed = labels.iter().all(|label| label.check(&key).is_ok());
        // The number alone is signed by nobody.
        assert!(!is_signed || seq != 1, "byte {place}");
    }
    let value = Ipld::Map(Default::default());
    assert!(read_label(&value).is_err());
    Ok(())
}
