//! Places of those who are sent bytes: no others take one.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;

use crate::*;

/// As many bodies as there are places, over as few connections as may carry them.
const CONNECTIONS: usize = 8;
const STREAMS: usize = 64;
/// What a reader takes that goes no further.
const WINDOW: u32 = 65_535;

#[tokio::test]
async fn i11_who_is_sent_no_bytes_takes_no_place_of_a_body() {
    let playing = Playing::start().await;
    let cid = playing.publish(ONE, 1, &sound(1 << 20)).await;
    let path = format!("{AUDIO}?uri={ONE}");
    let url = format!("{}{path}", playing.served.url);
    let (mut open, began) = (Vec::new(), Instant::now());
    for _ in 0..CONNECTIONS {
        let client = reqwest::Client::builder()
            .http2_prior_knowledge()
            .http2_initial_stream_window_size(WINDOW)
            .http2_initial_connection_window_size(WINDOW)
            .build()
            .unwrap();
        let begun = join_all((0..STREAMS).map(|_| client.get(&url).send())).await;
        for answer in begun {
            let answer = answer.unwrap();
            assert_eq!(answer.status().as_u16(), 200);
            open.push(answer);
        }
    }
    // One that takes nothing for ten seconds gives up its place.
    let status = playing.get(&path, &[]).await.status().as_u16();
    let is_given_up = began.elapsed() >= Duration::from_secs(10) && status == 200;
    assert!(status == 503 || is_given_up, "a place is left: {status}");
    // Whoever asks for what is not there, or for no bytes, needs none.
    let none = "uri=at://did:plc:a/fm.plyr.track/none";
    let refused = playing.refused(&format!("{AUDIO}?{none}")).await;
    assert_eq!(refused, (404, "TrackNotFound".to_owned()));
    let refused = playing.refused(&format!("{IMAGE}?{none}")).await;
    assert_eq!(refused, (404, "RecordNotFound".to_owned()));
    let head = playing.served.call(Method::HEAD, &path).await;
    assert_eq!(head.status().as_u16(), 200);
    let etag = format!("\"{cid}\"");
    let known = playing.get(&path, &[("if-none-match", &etag)]).await;
    assert_eq!(known.status().as_u16(), 304);
    *playing.kept.elsewhere.lock().unwrap() = Some("https://s3.test/b/".parse().unwrap());
    let never = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().redirect(never).build().unwrap();
    let sent_on = client.get(&url).send().await.unwrap();
    assert_eq!(sent_on.status().as_u16(), 307);
    drop(open);
}
