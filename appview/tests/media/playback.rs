//! What views and `getPlayback` say of a track's audio, and where it can be heard.

use plyr_schemas::{BlobRows, SeenAudio};

use crate::*;

const CDN: &str = "https://audio.plyr.fm/audio/0f.mp3";

/// What `getPlayback` answers.
async fn playback(playing: &Playing, query: &str) -> Value {
    let (status, answer) = playing
        .served
        .get(&format!("{PLAYBACK}?uri={ONE}{query}"))
        .await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Where it can be heard: the link, and whether it is verified.
fn sources(playback: &Value) -> Vec<(String, bool)> {
    let sources = playback["sources"].as_array().unwrap().iter();
    let told = |source: &Value| {
        let url = source["url"].as_str().unwrap().to_owned();
        (url, source["verified"].as_bool().unwrap())
    };
    sources.map(told).collect()
}

fn at_pds(cid: &Cid) -> String {
    format!("https://pds.test/xrpc/com.atproto.sync.getBlob?did=did%3Aplc%3Aa&cid={cid}")
}

#[tokio::test]
async fn a_first_play_is_told_where_to_hear_it_meanwhile() {
    let playing = Playing::start().await;
    playing
        .lives_at("did:plc:a", "a.test", "https://pds.test")
        .await;
    let bytes = sound(1_000);
    let cid = cid_of(&bytes);
    let mut record = of(&cid);
    record["audioUrl"] = CDN.into();
    record["duration"] = 7.into();
    playing.served.put(ONE, 1, record).await;
    assert_eq!(
        playing.media(ONE).await,
        json!({ "state": "notFetched", "cid": cid.to_string() })
    );
    assert_eq!(playing.row(&cid).await, None, "a view is no play");
    let first = playback(&playing, "").await;
    assert_eq!(first["media"]["state"], "pending");
    assert_eq!(first["durationMs"], 7_000);
    let unverified = [(at_pds(&cid), false), (CDN.to_owned(), false)];
    assert_eq!(sources(&first), unverified);
    assert!(playing.row(&cid).await.is_some());

    playing.keep(&bytes, &mp3()).await;
    let here = playback(&playing, "").await;
    assert_eq!(here["durationMs"], 2_000);
    assert_eq!(
        here["media"],
        json!({ "state": "available", "cid": cid.to_string(), "size": 1_000,
            "mediaType": "audio/mpeg", "container": "mp3", "codec": "mp3", "bitrate": 192_000,
            "sampleRate": 44_100, "channels": 2, "durationMs": 2_000 })
    );
    assert_eq!(here["media"], playing.media(ONE).await);
    let found = sources(&here);
    assert_eq!(found.len(), 2);
    assert_eq!(found[1], (CDN.to_owned(), false));
    assert!(found[0].1);
    let own = found[0].0.replace("localhost", "127.0.0.1");
    let played = playing.served.client.get(own).send().await.unwrap();
    assert_eq!(played.bytes().await.unwrap(), bytes);

    for (query, kept) in [
        ("&accept=audio/mpeg", true),
        ("&accept=audio/flac&accept=audio/*", true),
        ("&accept=audio/flac", false),
        ("&accept=mp3&maxBitrate=192000", true),
        ("&maxBitrate=191999", false),
    ] {
        let found = sources(&playback(&playing, query).await);
        assert_eq!(found[0].1, kept, "{query}");
        assert_eq!(found.last().unwrap().0, CDN, "{query}");
    }
}

#[tokio::test]
async fn i09_a_pds_that_sent_other_bytes_is_no_source() {
    let playing = Playing::start().await;
    playing
        .lives_at("did:plc:a", "a.test", "https://pds.test")
        .await;
    let cid = cid_of(&sound(1_000));
    playing.served.put(ONE, 1, of(&cid)).await;
    let first = playback(&playing, "").await;
    assert_eq!(sources(&first), [(at_pds(&cid), false)]);
    let wrong = "the server that has it sent other bytes than its CID says";
    for (reason, is_source) in [(wrong, false), ("the server that has it answers 404", true)] {
        let mut row = playing.row(&cid).await.unwrap();
        row.reason = Some(reason.to_owned());
        assert!(playing.served.store.replace_blob(row).await.unwrap());
        let answer = playback(&playing, "").await;
        assert_eq!(answer["media"]["reason"], reason);
        assert_eq!(sources(&answer).len(), usize::from(is_source), "{reason}");
    }
}

#[tokio::test]
async fn i10_links_of_a_record_are_handed_on_only_to_known_origins() {
    let playing = Playing::start().await;
    let bytes = sound(1_000);
    let cid = playing.keep(&bytes, &mp3()).await;
    let links = [
        (CDN, true),
        ("https://audio.plyr.fm.evil.test/a.mp3", false),
        ("http://audio.plyr.fm/a.mp3", false),
        ("https://audio.plyr.fm:8443/a.mp3", false),
        ("http://169.254.169.254/latest", false),
        ("javascript:alert(1)", false),
    ];
    for (at, (link, is_known)) in (1..).zip(links) {
        let mut record = of(&cid);
        record["audioUrl"] = link.into();
        record["imageUrl"] = link.replace("audio", "images").into();
        playing.served.put(ONE, at, record).await;
        let answer = playback(&playing, "").await;
        let linked = sources(&answer).iter().any(|(_, verified)| !verified);
        assert_eq!(linked, is_known, "{link}");
        let path = format!("/xrpc/fm.plyr.feed.getTrack?uri={ONE}");
        let (_, view) = playing.served.get(&path).await;
        let cover = &view["track"]["cover"];
        assert_eq!(cover.is_object(), is_known, "{link}: {cover}");
        let is_unverified = cover.get("verified") == Some(&json!(false));
        assert_eq!(is_unverified, is_known, "{link}");
    }
}

#[tokio::test]
async fn what_is_not_to_be_heard_has_no_sources() {
    let playing = Playing::start().await;
    playing
        .lives_at("did:plc:a", "a.test", "https://pds.test")
        .await;
    let cid = cid_of(&sound(1_000));
    let mut record = of(&cid);
    record["audioUrl"] = CDN.into();
    let mut gated = record.clone();
    gated["supportGate"] = json!({ "type": "any" });
    playing.served.put(ONE, 1, gated).await;
    let answer = playback(&playing, "").await;
    assert_eq!(answer["media"]["state"], "gated");
    assert_eq!(sources(&answer), []);
    assert_eq!(playing.row(&cid).await, None, "gated audio is not fetched");
    playing.served.put(ONE, 2, record).await;
    playing
        .refuse(&cid, "unsupportedCodec", "its codec is not known here")
        .await;
    let answer = playback(&playing, "").await;
    assert_eq!(
        answer["media"],
        json!({ "state": "refused", "refusal": "unsupportedCodec", "cid": cid.to_string(),
            "reason": "its codec is not known here" })
    );
    assert_eq!(sources(&answer), []);
    // A picture that a track names as its audio.
    let picture = playing.keep(&sound(500), &image()).await;
    playing.served.put(ONE, 3, of(&picture)).await;
    let answer = playback(&playing, "").await;
    assert_eq!(answer["media"]["refusal"], "notAudio");
    assert_eq!(sources(&answer), []);
}

#[tokio::test]
async fn a_version_without_audio_is_dropped_only_after_one_that_had_some() {
    let playing = Playing::start().await;
    let mut record = track("one");
    record["audioUrl"] = CDN.into();
    playing.served.put(ONE, 1, record).await;
    let never = playback(&playing, "").await;
    assert_eq!(never["media"], json!({ "state": "none" }));
    assert_eq!(sources(&never), [(CDN.to_owned(), false)]);
    let cid = playing.keep(&sound(100), &mp3()).await;
    let seen = SeenAudio {
        uri: ONE.parse().unwrap(),
        cid,
        dropped_at: Some(5),
    };
    playing.served.store.see_audio(seen).await.unwrap();
    assert_eq!(playing.media(ONE).await, json!({ "state": "dropped" }));
    let refused = playing.refused(&format!("{AUDIO}?uri={ONE}")).await;
    assert_eq!(refused, (404, "BlobNotFound".to_owned()));
}

#[tokio::test]
async fn covers_are_ours_where_the_record_has_a_blob() {
    let playing = Playing::start().await;
    let cover = playing.keep_image(&sound(500)).await;
    let mut record = with_cover(track("one"), &cover);
    record["imageUrl"] = "https://images.plyr.fm/a.jpg".into();
    playing.served.put(ONE, 1, record).await;
    let view = async || {
        let (_, answer) = playing
            .served
            .get("/xrpc/fm.plyr.feed.getActorTracks?actor=did:plc:a")
            .await;
        answer["tracks"][0]["cover"].clone()
    };
    let found = view().await;
    assert_eq!(found["verified"], true);
    for name in ["url", "thumb", "full"] {
        let url = found[name]
            .as_str()
            .unwrap()
            .replace("localhost", "127.0.0.1");
        let answer = playing.served.client.get(&url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{url}");
    }
    // Refused, it gives way to the link.
    playing.refuse(&cover, "notImage", "it is a web page").await;
    let found = view().await;
    assert_eq!(found["verified"], false);
    assert_eq!(found["url"], "https://images.plyr.fm/a.jpg");
    assert_eq!(found.get("thumb"), None);
}

#[tokio::test]
async fn i08_pictures_that_were_taken_down_are_linked_nowhere() {
    let playing = Playing::start().await;
    let (cover, avatar) = (sound(500), sound(600));
    let cover = playing.keep_image(&cover).await;
    let avatar = playing.keep_image(&avatar).await;
    let mut record = with_cover(track("one"), &cover);
    record["imageUrl"] = "https://images.plyr.fm/a.jpg".into();
    playing.served.put(ONE, 1, record).await;
    playing.looks_like("did:plc:a", &avatar).await;
    let linked = async || {
        let tracks = "/xrpc/fm.plyr.feed.getActorTracks?actor=did:plc:a";
        let profile = "/xrpc/fm.plyr.actor.getProfile?actor=did:plc:a";
        let (_, tracks) = playing.served.get(tracks).await;
        let (_, profile) = playing.served.get(profile).await;
        let track = &tracks["tracks"][0];
        [
            &track["cover"]["url"],
            &track["author"]["avatar"],
            &profile["profile"]["avatar"],
        ]
        .map(Value::is_string)
    };
    assert_eq!(linked().await, [true; 3]);
    let theirs = |cid| HiddenSubject::Blob {
        did: Some("did:plc:a".parse().unwrap()),
        cid,
    };
    playing.hide(theirs(avatar), true, 2).await;
    assert_eq!(linked().await, [true, false, false]);
    // Not its link either, which leads to the same picture.
    playing.hide(theirs(cover), true, 2).await;
    assert_eq!(linked().await, [false; 3]);
    playing.hide(theirs(avatar), false, 3).await;
    assert_eq!(linked().await, [false, true, true]);
    // Whoever's it is.
    let everybodys = HiddenSubject::Blob {
        did: None,
        cid: avatar,
    };
    playing.hide(everybodys, true, 4).await;
    assert_eq!(linked().await, [false; 3]);
}
