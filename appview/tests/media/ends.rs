//! What is served, what isn't, and an end to what no longer may be: also in the middle.

use std::time::Duration;

use futures_util::StreamExt;
use plyr_blobstore::objects::{ObjectKey, Objects};
use plyr_lexicons::{Did, RecordUri};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpSocket;

use crate::*;

/// A file of which no system's buffers hold the half.
const LONG: usize = 32 << 20;
/// What the server has to answer between two pieces of a body: they are the reader's pace.
const QUESTIONS: usize = 20;
/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// Begins to read a body, and goes no further.
async fn begun(playing: &Playing, path: &str) -> reqwest::Response {
    begun_by(&reqwest::Client::new(), playing, path).await
}

async fn begun_by(client: &reqwest::Client, playing: &Playing, path: &str) -> reqwest::Response {
    let mut response = client
        .get(format!("{}{path}", playing.served.url))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert!(response.chunk().await.unwrap().is_some());
    response
}

/// Reads the rest, and whether that broke off. Not in one go: between two pieces the server has to
/// answer something else.
async fn is_cut_off(playing: &Playing, response: reqwest::Response) -> bool {
    let mut rest = response.bytes_stream();
    let read = async {
        while let Some(piece) = rest.next().await {
            if piece.is_err() {
                return true;
            }
            for _ in 0..QUESTIONS {
                assert_eq!(playing.served.get("/xrpc/_health").await.0, 200);
            }
        }
        false
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap()
}

#[tokio::test]
async fn i08_open_bodies_end_when_their_record_names_them_no_more() {
    let playing = Playing::start().await;
    let long = sound(LONG);
    let other = sound(1_000);
    let path = format!("{AUDIO}?uri={ONE}");
    let two = "at://did:plc:b/fm.plyr.track/two";
    // Another author's, of the same bytes: it goes on.
    playing.publish(two, 1, &long).await;
    let mut goes_on = begun(&playing, &format!("{AUDIO}?uri={two}")).await;
    let cid = playing.publish(ONE, 1, &long).await;
    let (did, record): (Did, RecordUri) = ("did:plc:a".parse().unwrap(), ONE.parse().unwrap());
    let blob = HiddenSubject::Blob {
        did: Some(did.clone()),
        cid,
    };
    let taken_down = [
        ("takedown", HiddenSubject::Record(record)),
        ("takedown of the bytes", blob),
        ("takedown of the actor", HiddenSubject::Actor(did)),
    ];
    let ends = ["update", "delete", "gate", "account"].map(|end| (end, None));
    let taken_down = taken_down.map(|(end, subject)| (end, Some(subject)));
    for (round, (end, subject)) in ends.into_iter().chain(taken_down).enumerate() {
        let at = 100 * (round as i64 + 1);
        playing.account("did:plc:a", AccountState::Active, at).await;
        playing.served.put(ONE, at, of(&cid)).await;
        let by_did = format!("{AUDIO}?did=did:plc:a&cid={cid}");
        let open = vec![
            begun(&playing, &path).await,
            begun(&playing, &path).await,
            begun(&playing, &by_did).await,
        ];
        match (end, &subject) {
            (_, Some(subject)) => playing.hide(subject.clone(), true, at).await,
            ("update", _) => drop(playing.publish(ONE, at + 1, &other).await),
            ("delete", _) => playing.delete(ONE, at + 1).await,
            ("gate", _) => {
                let mut gated = of(&cid);
                gated["supportGate"] = json!({ "type": "any" });
                playing.served.put(ONE, at + 1, gated).await;
            }
            _ => {
                let state = AccountState::Deactivated;
                playing.account("did:plc:a", state, at + 1).await;
            }
        }
        let cut = open.into_iter().map(|body| is_cut_off(&playing, body));
        let cut = futures_util::future::join_all(cut).await;
        assert_eq!(cut, [true; 3], "{end}");
        for path in [&path, &by_did] {
            let is_other = end == "update" && path != &by_did;
            let status = playing.get(path, &[]).await.status().as_u16();
            assert_eq!(status == 200, is_other, "{end}: {path}");
        }
        if let Some(subject) = subject {
            playing.hide(subject, false, at + 1).await;
        }
        // Who takes nothing for a minute is cut off too.
        let mut taken = 0;
        while taken < 1 << 20 {
            taken += goes_on.chunk().await.unwrap().unwrap().len();
        }
    }
    let rest = tokio::time::timeout(PATIENCE, goes_on.bytes())
        .await
        .unwrap();
    assert!(rest.unwrap().len() > LONG / 2, "a body ended that goes on");
}

/// A song that a system takes whole where it may.
#[tokio::test]
async fn i08_of_a_short_file_too_no_more_is_handed_on_than_a_reader_takes() {
    let playing = Playing::start().await;
    let short = sound(3 << 20);
    playing.publish(ONE, 1, &short).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let mut reader = socket.connect(playing.served.address).await.unwrap();
    let asking = format!("GET {AUDIO}?uri={ONE} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    reader.write_all(asking.as_bytes()).await.unwrap();
    // It has begun, and goes no further: whatever may be handed on is.
    let mut buffer = vec![0; 64 << 10];
    let mut got = reader.read(&mut buffer[..1]).await.unwrap();
    for _ in 0..20 * QUESTIONS {
        assert_eq!(playing.served.get("/xrpc/_health").await.0, 200);
    }
    let record = HiddenSubject::Record(ONE.parse().unwrap());
    playing.hide(record, true, 9).await;
    let cut = tokio::time::timeout(PATIENCE, reader.ready(Interest::ERROR)).await;
    cut.unwrap().unwrap();
    let ended = loop {
        match reader.read(&mut buffer).await {
            Ok(0) => break Ok(()),
            Ok(length) => got += length,
            Err(problem) => break Err(problem.kind()),
        }
    };
    assert_eq!(ended, Err(std::io::ErrorKind::ConnectionReset));
    assert!(got < short.len() / 2, "{got} of {} bytes came", short.len());
}

#[tokio::test]
async fn i08_what_ends_on_a_connection_of_http_2_leaves_its_others_alone() {
    let playing = Playing::start().await;
    let long = sound(LONG);
    let two = "at://did:plc:b/fm.plyr.track/two";
    playing.publish(ONE, 1, &long).await;
    playing.publish(two, 1, &long).await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let ends = begun_by(&client, &playing, &format!("{AUDIO}?uri={ONE}")).await;
    let goes_on = begun_by(&client, &playing, &format!("{AUDIO}?uri={two}")).await;
    assert_eq!(ends.version(), reqwest::Version::HTTP_2);
    playing.delete(ONE, 2).await;
    assert!(is_cut_off(&playing, ends).await);
    let rest = tokio::time::timeout(PATIENCE, goes_on.bytes()).await;
    let rest = rest.unwrap().unwrap();
    assert!(long.ends_with(&rest) && rest.len() > LONG / 2);
}

#[tokio::test]
async fn i09_only_what_a_record_names_that_shows_is_served() {
    let playing = Playing::start().await;
    let (own, foreign) = (sound(1_000), sound(2_000));
    let cid = playing.publish(ONE, 1, &own).await;
    let theirs = "at://did:plc:b/fm.plyr.track/theirs";
    let foreign = playing.publish(theirs, 1, &foreign).await;
    let kept_by_nobody = playing.keep(&sound(3_000), &mp3()).await;
    let with = |did: &str, cid: &Cid| format!("{AUDIO}?did={did}&cid={cid}");
    let status = async |path: String| playing.get(&path, &[]).await.status().as_u16();
    assert_eq!(status(with("did:plc:a", &cid)).await, 200);
    assert_eq!(status(format!("{AUDIO}?uri={ONE}&cid={cid}")).await, 200);
    // Someone who never wrote it can't give it out, whoever keeps it here.
    for path in [
        with("did:plc:a", &foreign),
        with("did:plc:c", &cid),
        with("did:plc:a", &kept_by_nobody),
        format!("{AUDIO}?uri={ONE}&cid={foreign}"),
    ] {
        let refused = playing.refused(&path).await;
        assert_eq!(refused, (404, "BlobNotFound".to_owned()), "{path}");
    }
    for (query, name) in [
        ("uri=at://did:plc:a/fm.plyr.track/none", "TrackNotFound"),
        ("uri=at://did:plc:a/fm.plyr.like/none", "TrackNotFound"),
        ("uri=at://did:plc:a", "TrackNotFound"),
    ] {
        let refused = playing.refused(&format!("{AUDIO}?{query}")).await;
        assert_eq!(refused, (404, name.to_owned()), "{query}");
    }
    for query in [
        "",
        "did=did:plc:a",
        "uri=x",
        "cid=x",
        &format!("uri={ONE}&did=did:plc:a"),
    ] {
        let refused = playing.refused(&format!("{AUDIO}?{query}")).await;
        assert_eq!(refused, (400, "InvalidRequest".to_owned()), "{query}");
    }
    playing
        .account("did:plc:a", AccountState::TakenDown, 9)
        .await;
    assert_eq!(
        playing.refused(&format!("{AUDIO}?uri={ONE}")).await,
        (404, "TrackHidden".to_owned())
    );
    let refused = playing.refused(&with("did:plc:a", &cid)).await;
    assert_eq!(refused, (404, "BlobNotFound".to_owned()));
}

#[tokio::test]
async fn gated_refused_and_lost_bytes_are_told_apart() {
    let playing = Playing::start().await;
    let cid = playing.publish(ONE, 1, &sound(1_000)).await;
    let path = format!("{AUDIO}?uri={ONE}");
    playing
        .kept
        .delete(&ObjectKey::original(&cid))
        .await
        .unwrap();
    let lost = playing.get(&path, &[]).await;
    assert_eq!(lost.status().as_u16(), 503);
    assert!(lost.headers().contains_key("retry-after"));
    // It is said of it from now on, and it is fetched again.
    let media = playing.media(ONE).await;
    assert_eq!(media["state"], "pending", "{media}");
    let row = playing.row(&cid).await.unwrap();
    assert!(row.state == BlobState::Wanted && row.due_at.is_some());
    playing
        .refuse(&cid, "notAudio", "the bytes are a web page")
        .await;
    let (status, told) = playing.served.get(&path).await;
    assert_eq!((status, &told["error"]), (404, &json!("AudioRefused")));
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("a web page"), "{message}");
    let mut gated = of(&cid);
    gated["supportGate"] = json!({ "type": "any" });
    playing.served.put(ONE, 2, gated).await;
    for path in [path, format!("{AUDIO}?did=did:plc:a&cid={cid}")] {
        let refused = playing.refused(&path).await;
        assert_eq!(refused, (403, "SupportRequired".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_first_play_waits_for_its_bytes() {
    let playing = Playing::start().await;
    let bytes = sound(1_000);
    let cid = cid_of(&bytes);
    playing.served.put(ONE, 1, of(&cid)).await;
    let path = format!("{AUDIO}?uri={ONE}");
    let played = async { playing.get(&path, &[]).await.bytes().await.unwrap() };
    let fetched = async {
        while playing
            .row(&cid)
            .await
            .is_none_or(|row| row.holders.is_empty())
        {
            tokio::task::yield_now().await;
        }
        let holders = playing.row(&cid).await.unwrap().holders;
        assert_eq!(holders[0].as_str(), "did:plc:a");
        // Who asks for headers alone isn't kept waiting.
        let head = playing.served.call(reqwest::Method::HEAD, &path).await;
        assert_eq!(head.status().as_u16(), 503);
        playing.keep(&bytes, &mp3()).await;
    };
    let both = async { tokio::join!(played, fetched) };
    let (played, ()) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    assert_eq!(played, bytes);
}

#[tokio::test]
async fn i08_what_is_deleted_while_it_is_waited_for_is_not_served() {
    let playing = Playing::start().await;
    let bytes = sound(1_000);
    let cid = cid_of(&bytes);
    playing.served.put(ONE, 1, of(&cid)).await;
    let path = format!("{AUDIO}?uri={ONE}");
    let played = playing.refused(&path);
    let deleted = async {
        while playing
            .row(&cid)
            .await
            .is_none_or(|row| row.holders.is_empty())
        {
            tokio::task::yield_now().await;
        }
        playing.delete(ONE, 2).await;
        playing.keep(&bytes, &mp3()).await;
    };
    let both = async { tokio::join!(played, deleted) };
    let (played, ()) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    assert_eq!(played, (404, "BlobNotFound".to_owned()));
}

#[tokio::test]
async fn without_fetching_what_is_not_here_is_not_waited_for() {
    let playing = Playing::with(MediaPolicy::Off, |config| config).await;
    let cid = cid_of(&sound(1_000));
    playing.served.put(ONE, 1, of(&cid)).await;
    let refused = playing.refused(&format!("{AUDIO}?uri={ONE}")).await;
    assert_eq!(refused, (404, "AudioNotHere".to_owned()));
    assert_eq!(playing.row(&cid).await, None);
    assert_eq!(playing.media(ONE).await["state"], "notFetched");
    playing.keep(&sound(1_000), &mp3()).await;
    let answer = playing.get(&format!("{AUDIO}?uri={ONE}"), &[]).await;
    assert_eq!(answer.status().as_u16(), 200);
}

#[tokio::test]
async fn images_are_made_ones_and_avatars_are_their_owners() {
    let playing = Playing::start().await;
    let cover = playing.keep_image(&sound(500)).await;
    let avatar = playing.keep_image(&sound(600)).await;
    playing
        .served
        .put(ONE, 1, with_cover(track("one"), &cover))
        .await;
    playing.looks_like("did:plc:a", &avatar).await;
    for (query, size) in [
        (format!("uri={ONE}"), "card"),
        (format!("uri={ONE}&size=thumb"), "thumb"),
        (format!("did=did:plc:a&cid={cover}&size=full"), "full"),
        (format!("did=did:plc:a&cid={avatar}&size=thumb"), "thumb"),
    ] {
        let answer = playing.get(&format!("{IMAGE}?{query}"), &[]).await;
        assert_eq!(answer.status().as_u16(), 200, "{query}");
        assert_eq!(answer.headers()["content-type"], "image/webp");
        assert_eq!(
            answer.headers()["content-security-policy"],
            "default-src 'none'; sandbox"
        );
        let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
        let body = answer.bytes().await.unwrap();
        assert!(body.ends_with(size.as_bytes()), "{query}");
        let path = format!("{IMAGE}?{query}");
        let again = playing.get(&path, &[("if-none-match", &etag)]).await;
        assert_eq!(again.status().as_u16(), 304, "{query}");
    }
    for query in [
        format!("did=did:plc:b&cid={cover}"),
        format!("did=did:plc:b&cid={avatar}"),
    ] {
        let refused = playing.refused(&format!("{IMAGE}?{query}")).await;
        assert_eq!(refused, (404, "BlobNotFound".to_owned()), "{query}");
    }
    // A cover isn't audio, nor the other way round.
    let refused = playing
        .refused(&format!("{AUDIO}?did=did:plc:a&cid={cover}"))
        .await;
    assert_eq!(refused, (404, "BlobNotFound".to_owned()));
    playing.keep(&sound(500), &mp3()).await;
    let refused = playing.refused(&format!("{IMAGE}?uri={ONE}")).await;
    assert_eq!(refused, (404, "ImageRefused".to_owned()));
}

#[tokio::test]
async fn what_the_store_lost_or_cut_short_is_noticed_however_it_is_asked_for() {
    let playing = Playing::start().await;
    let url = format!("{}{AUDIO}?uri={ONE}", playing.served.url);
    let never = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().redirect(never).build().unwrap();
    let elsewhere: url::Url = "https://s3.test/b/".parse().unwrap();
    let (get, head) = (reqwest::Method::GET, reqwest::Method::HEAD);
    let asked = [
        (false, &get, true),
        (true, &get, true),
        (false, &head, false),
        (true, &head, false),
        (true, &get, false),
    ];
    for (at, (is_cut_short, method, is_elsewhere)) in (1..).zip(asked) {
        let bytes = sound(1_000 + at as usize);
        let cid = playing.publish(ONE, at, &bytes).await;
        let key = ObjectKey::original(&cid);
        playing.kept.delete(&key).await.unwrap();
        if is_cut_short {
            playing.kept.put_bytes(&key, &bytes[..500]).await;
        }
        *playing.kept.elsewhere.lock().unwrap() = is_elsewhere.then(|| elsewhere.clone());
        let answer = client.request(method.clone(), &url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 503, "{at}");
        let row = playing.row(&cid).await.unwrap();
        assert_eq!(row.state, BlobState::Wanted, "{at}");
    }
}
