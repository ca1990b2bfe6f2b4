//! Ranges, conditions and headers, end to end.

use plyr_blobstore::objects::ObjectKey;
use plyr_schemas::SeenAudio;
use reqwest::{Method, Response};

use crate::*;

const SIZE: usize = 300_000;

fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn i09_bytes_come_as_what_they_are_and_never_as_what_is_declared() {
    let playing = Playing::start().await;
    let bytes = sound(SIZE);
    let cid = playing.publish(ONE, 1, &bytes).await;
    let whole = playing.get(&format!("{AUDIO}?uri={ONE}"), &[]).await;
    assert_eq!(whole.status().as_u16(), 200);
    for (name, value) in [
        ("content-type", "audio/mpeg"),
        ("content-length", "300000"),
        ("accept-ranges", "bytes"),
        ("etag", &format!("\"{cid}\"")),
        ("cache-control", "public, max-age=60"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("x-accel-buffering", "no"),
        ("access-control-allow-origin", "*"),
        ("content-disposition", ""),
    ] {
        assert_eq!(header(&whole, name), value, "{name}");
    }
    let exposed = header(&whole, "access-control-expose-headers");
    for name in ["accept-ranges", "content-range", "content-length", "etag"] {
        assert!(exposed.contains(name), "{name}");
    }
    assert_eq!(whole.bytes().await.unwrap(), bytes);
    let head = playing
        .served
        .call(Method::HEAD, &format!("{AUDIO}?uri={ONE}"))
        .await;
    assert_eq!(head.status().as_u16(), 200);
    assert_eq!(header(&head, "content-length"), "300000");
    assert_eq!(header(&head, "accept-ranges"), "bytes");
    assert!(head.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn one_range_is_a_part_and_several_are_a_multipart() {
    let playing = Playing::start().await;
    let bytes = sound(SIZE);
    playing.publish(ONE, 1, &bytes).await;
    let path = format!("{AUDIO}?uri={ONE}");
    for (range, told, part) in [
        ("bytes=0-0", "bytes 0-0/300000", 0..1),
        ("bytes=100000-", "bytes 100000-299999/300000", 100_000..SIZE),
        ("bytes=-7", "bytes 299993-299999/300000", SIZE - 7..SIZE),
        ("bytes=5-999999999", "bytes 5-299999/300000", 5..SIZE),
    ] {
        let answer = playing.get(&path, &[("range", range)]).await;
        assert_eq!(answer.status().as_u16(), 206, "{range}");
        assert_eq!(header(&answer, "content-range"), told);
        assert_eq!(header(&answer, "content-length"), part.len().to_string());
        assert_eq!(header(&answer, "content-type"), "audio/mpeg");
        assert_eq!(answer.bytes().await.unwrap(), bytes.slice(part), "{range}");
    }
    let parts = [10..20, 150_000..280_000, 0..5];
    let range = "bytes=10-19,150000-279999,0-4";
    let answer = playing.get(&path, &[("range", range)]).await;
    assert_eq!(answer.status().as_u16(), 206);
    assert_eq!(header(&answer, "content-range"), "");
    let kind = header(&answer, "content-type");
    let boundary = kind
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap()
        .to_owned();
    let length = header(&answer, "content-length");
    let body = answer.bytes().await.unwrap();
    let mut expected = Vec::new();
    for (place, part) in parts.into_iter().enumerate() {
        let begin = if place == 0 { "" } else { "\r\n" };
        let (first, last) = (part.start, part.end - 1);
        expected.extend_from_slice(
            format!(
                "{begin}--{boundary}\r\nContent-Type: audio/mpeg\r\n\
                 Content-Range: bytes {first}-{last}/{SIZE}\r\n\r\n"
            )
            .as_bytes(),
        );
        expected.extend_from_slice(&bytes[part]);
    }
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert_eq!(length, expected.len().to_string());
    assert!(body == expected, "the multipart is another one");
    let many: Vec<String> = (0..17).map(|place| format!("{0}-{0}", place * 9)).collect();
    let many = format!("bytes={}", many.join(","));
    assert_eq!(
        playing
            .get(&path, &[("range", &many)])
            .await
            .status()
            .as_u16(),
        200
    );
}

#[tokio::test]
async fn conditions_and_what_is_beyond_have_their_answers() {
    let playing = Playing::start().await;
    let bytes = sound(SIZE);
    let etag = format!("\"{}\"", playing.publish(ONE, 1, &bytes).await);
    let path = format!("{AUDIO}?uri={ONE}");
    let range = ("range", "bytes=1-2");
    for (headers, status) in [
        (vec![("if-none-match", etag.as_str())], 304),
        (vec![("if-none-match", etag.as_str()), range], 304),
        (vec![("if-none-match", "\"other\""), range], 206),
        (vec![("if-range", etag.as_str()), range], 206),
        (vec![("if-range", "\"other\""), range], 200),
        (vec![("if-match", "\"other\"")], 412),
        (vec![("range", "bytes=300000-")], 416),
        (vec![("range", "lines=1-2")], 200),
    ] {
        let answer = playing.get(&path, &headers).await;
        assert_eq!(answer.status().as_u16(), status, "{headers:?}");
        assert_eq!(
            header(&answer, "access-control-allow-origin"),
            "*",
            "{headers:?}"
        );
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        match status {
            304 => {
                assert_eq!(header(&answer, "etag"), etag);
                assert_eq!(header(&answer, "content-type"), "");
                assert!(answer.bytes().await.unwrap().is_empty());
            }
            416 => {
                assert_eq!(header(&answer, "content-range"), "bytes */300000");
                assert_eq!(header(&answer, "cache-control"), "no-store");
                let told: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
                assert_eq!(told["error"], "RangeNotSatisfiable");
            }
            _ => {}
        }
    }
    let asked = playing.served.call(Method::OPTIONS, &path).await;
    let allowed = header(&asked, "access-control-allow-headers");
    for name in ["range", "if-range", "if-none-match"] {
        assert!(allowed.contains(name), "{name}");
    }
    let personal = playing.get(&path, &[("authorization", "Bearer x")]).await;
    assert_eq!(header(&personal, "cache-control"), "private, max-age=60");
}

#[tokio::test]
async fn who_saves_it_gets_a_name() {
    let playing = Playing::start().await;
    let cid = playing.keep(&sound(10), &mp3()).await;
    let mut record = of(&cid);
    record["title"] = "Ночь/\r\n\"night\"".into();
    playing.served.put(ONE, 1, record).await;
    let answer = playing
        .get(&format!("{AUDIO}?uri={ONE}&download=true"), &[])
        .await;
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(
        header(&answer, "content-disposition"),
        "attachment; filename=\"____ night.mp3\"; \
         filename*=UTF-8''%D0%9D%D0%BE%D1%87%D1%8C%20night.mp3"
    );
}

#[tokio::test]
async fn bytes_that_lie_elsewhere_are_had_from_there() {
    let playing = Playing::start().await;
    let cid = playing.publish(ONE, 1, &sound(SIZE)).await;
    *playing.kept.elsewhere.lock().unwrap() = Some("https://s3.test/b/".parse().unwrap());
    let never = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().redirect(never).build().unwrap();
    let url = format!("{}{AUDIO}?uri={ONE}", playing.served.url);
    let answer = client
        .get(format!("{url}&download=true"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 307);
    let key = ObjectKey::original(&cid);
    assert_eq!(
        header(&answer, "location"),
        format!("https://s3.test/b/{key}")
    );
    assert_eq!(header(&answer, "cache-control"), "no-store");
    assert_eq!(header(&answer, "access-control-allow-origin"), "*");
    let told = playing.kept.told.lock().unwrap().pop().unwrap();
    assert_eq!(told.0, "audio/mpeg");
    assert!(told.1.unwrap().contains("one.mp3"));
    // A player that keeps the address for long seeks in it after any pause.
    let page = playing.get("/track/did:plc:a/one", &[]).await;
    let page = page.text().await.unwrap();
    let source = page.split("<source src=\"").nth(1).unwrap();
    let source = source.split('"').next().unwrap().replace("&amp;", "&");
    assert!(source.ends_with("&redirect=false"), "{source}");
    let seeking = client
        .get(format!("{}{source}", playing.served.url))
        .header("range", "bytes=100-299")
        .send()
        .await
        .unwrap();
    assert_eq!(seeking.status().as_u16(), 206);
    assert_eq!(seeking.bytes().await.unwrap(), sound(SIZE).slice(100..300));
    // A link is good for GET alone, and what the caller has is not fetched again.
    let head = client.head(&url).send().await.unwrap();
    assert_eq!(head.status().as_u16(), 200);
    let etag = header(&head, "etag");
    let known = client
        .get(&url)
        .header("if-none-match", etag)
        .send()
        .await
        .unwrap();
    assert_eq!(known.status().as_u16(), 304);

    let cdn = |config| AppViewConfig {
        cdn_url: Some("https://cdn.test/music".parse().unwrap()),
        ..config
    };
    let playing = Playing::with(MediaPolicy::OnDemand, cdn).await;
    let cid = playing.publish(ONE, 1, &sound(SIZE)).await;
    let seen = SeenAudio {
        uri: ONE.parse().unwrap(),
        cid,
        dropped_at: None,
    };
    playing.served.store.see_audio(seen).await.unwrap();
    let url = format!("{}{AUDIO}?uri={ONE}", playing.served.url);
    let answer = client.get(url).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 307);
    // The folder of public copies is the root of what the CDN serves.
    let public = format!("https://cdn.test/music/{key}");
    assert_eq!(header(&answer, "location"), public);
}

#[tokio::test]
async fn what_another_store_would_answer_otherwise_is_answered_here() {
    let playing = Playing::start().await;
    let etag = format!("\"{}\"", playing.publish(ONE, 1, &sound(SIZE)).await);
    *playing.kept.elsewhere.lock().unwrap() = Some("https://s3.test/b/".parse().unwrap());
    let never = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().redirect(never).build().unwrap();
    let url = format!("{}{AUDIO}?uri={ONE}", playing.served.url);
    let range = ("range", "bytes=1-2");
    for (headers, status) in [
        (vec![], 307),
        (vec![range], 307),
        (vec![("range", "bytes=-7")], 307),
        (vec![("if-none-match", "\"other\""), range], 307),
        (vec![("if-range", etag.as_str()), range], 206),
        (vec![("if-range", "\"other\""), range], 200),
        (vec![("if-match", etag.as_str())], 200),
        (vec![("if-match", "*"), range], 206),
        (vec![("if-match", "\"other\"")], 412),
        (vec![("range", "bytes=10-19,150000-279999")], 206),
        (vec![("range", "bytes=1-2,300000-")], 206),
        (vec![("range", "bytes=1-2,2-3")], 200),
        (vec![("range", "bytes=300000-")], 416),
        (vec![("range", "lines=1-2")], 200),
    ] {
        let mut asking = client.get(&url);
        for (name, value) in &headers {
            asking = asking.header(*name, *value);
        }
        let answer = asking.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{headers:?}");
    }
}

/// Ranges are of GET alone (RFC 9110, section 14.2).
#[tokio::test]
async fn a_head_has_no_ranges() {
    let playing = Playing::start().await;
    let etag = format!("\"{}\"", playing.publish(ONE, 1, &sound(SIZE)).await);
    let url = format!("{}{AUDIO}?uri={ONE}", playing.served.url);
    for range in ["bytes=1-2", "bytes=10-19,30-39", "bytes=300000-"] {
        let head = playing.served.client.head(&url).header("range", range);
        let head = head.header("if-range", &etag).send().await.unwrap();
        assert_eq!(head.status().as_u16(), 200, "{range}");
        assert_eq!(header(&head, "content-length"), "300000", "{range}");
        assert_eq!(header(&head, "content-range"), "", "{range}");
        assert_eq!(header(&head, "content-type"), "audio/mpeg", "{range}");
    }
}
