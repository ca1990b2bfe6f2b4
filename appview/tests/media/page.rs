//! The page of a track.

use crate::*;

struct Read {
    status: u16,
    policy: String,
    text: String,
}

async fn read(playing: &Playing, path: &str) -> Read {
    let answer = playing.get(path, &[]).await;
    let policy = answer.headers().get("content-security-policy");
    Read {
        status: answer.status().as_u16(),
        policy: policy.map_or(String::new(), |policy| policy.to_str().unwrap().to_owned()),
        text: answer.text().await.unwrap(),
    }
}

#[tokio::test]
async fn a_track_can_be_played_on_a_page_of_its_own() {
    let playing = Playing::start().await;
    playing
        .lives_at("did:plc:a", "a.test", "https://pds.test")
        .await;
    let cover = playing.keep_image(&sound(500)).await;
    let cid = playing.keep(&sound(1_000), &mp3()).await;
    let mut record = with_cover(of(&cid), &cover);
    record["description"] = "About this one.".into();
    playing.served.put(ONE, 1, record).await;
    for path in [
        "/track/did:plc:a/one",
        "/track/a.test/one",
        &format!("/track/{ONE}"),
        "/track/at:/did:plc:a/fm.plyr.track/one",
        &format!("/{ONE}"),
        "/at:/a.test/fm.plyr.track/one",
        "/at%3A%2F%2Fdid%3Aplc%3Aa%2Ffm.plyr.track%2Fone",
    ] {
        let page = read(&playing, path).await;
        assert_eq!(page.status, 200, "{path}");
        let base = playing.served.url.replace("127.0.0.1", "localhost");
        let query = format!("uri=at%3A%2F%2Fdid%3Aplc%3Aa%2Ffm.plyr.track%2Fone&amp;cid={cid}");
        for part in [
            "<h1>one</h1>".to_owned(),
            "<audio controls preload=\"metadata\" aria-label=\"one by A\">".to_owned(),
            format!("<source src=\"{AUDIO}?{query}&amp;redirect=false\" type=\"audio/mpeg\">"),
            format!("<meta property=\"og:audio\" content=\"{base}{AUDIO}?{query}\">"),
            "<meta property=\"og:type\" content=\"music.song\">".to_owned(),
            "<meta property=\"og:title\" content=\"one by A\">".to_owned(),
            format!("<meta property=\"og:url\" content=\"{base}/track/a.test/one\">"),
            format!("<link rel=\"canonical\" href=\"{base}/track/a.test/one\">"),
            "<meta property=\"music:duration\" content=\"2\">".to_owned(),
            format!("<meta name=\"at:canonical\" content=\"{ONE}\">"),
            "<meta name=\"twitter:card\" content=\"summary\">".to_owned(),
            format!("<img src=\"{IMAGE}?"),
            "alt=\"Cover of one by A\"".to_owned(),
            "About this one.".to_owned(),
            "0:02".to_owned(),
        ] {
            assert!(
                page.text.contains(&part),
                "{path}: {part} is not in {}",
                page.text
            );
        }
        assert!(!page.text.contains("<script"));
        assert!(
            page.policy
                .starts_with("default-src 'none'; style-src 'sha256-")
        );
    }
}

#[tokio::test]
async fn what_a_record_says_is_text_and_nothing_else() {
    let playing = Playing::start().await;
    let evil = "\"><script>alert('x')</script><img src=x onerror=y>";
    let mut record = of(&playing.keep(&sound(100), &mp3()).await);
    for name in ["title", "artist", "description"] {
        record[name] = format!("{name}{evil}").into();
    }
    record["audioUrl"] = "https://audio.plyr.fm/\"><script>alert('x')</script>".into();
    playing.served.put(ONE, 1, record).await;
    let page = read(&playing, "/track/did:plc:a/one").await;
    assert_eq!(page.status, 200);
    for name in ["title", "artist", "description"] {
        assert!(
            page.text
                .contains(&format!("{name}&quot;&gt;&lt;script&gt;")),
            "{}",
            page.text
        );
    }
    for raw in ["<script", "<img src=x", "\">\""] {
        assert!(!page.text.contains(raw), "{raw} is in {}", page.text);
    }
}

#[tokio::test]
async fn a_page_without_a_player_says_why() {
    let playing = Playing::start().await;
    let path = "/track/did:plc:a/one";
    let cid = cid_of(&sound(1_000));
    let mut gated = of(&cid);
    gated["supportGate"] = json!({ "type": "any" });
    playing.served.put(ONE, 1, gated).await;
    let page = read(&playing, path).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("data-state=\"gated\"") && !page.text.contains("<audio"));
    playing.served.put(ONE, 2, of(&cid)).await;
    // Opening the page is a first play: it waits for the bytes, and says so.
    let page = read(&playing, path).await;
    assert!(
        page.text.contains("data-state=\"pending\""),
        "{}",
        page.text
    );
    assert!(
        page.text.contains(&format!("<source src=\"{AUDIO}?")),
        "{}",
        page.text
    );
    assert!(!page.text.contains("og:audio"), "{}", page.text);
    assert!(playing.row(&cid).await.is_some());
    playing
        .refuse(&cid, "notAudio", "the bytes are <b>a web page</b>")
        .await;
    let page = read(&playing, path).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("the bytes are &lt;b&gt;a web page"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("<audio"));
    playing.served.put(ONE, 3, track("one")).await;
    let page = read(&playing, path).await;
    assert!(page.text.contains("data-state=\"none\""), "{}", page.text);
    playing.served.put(ONE, 4, json!({ "title": 7 })).await;
    assert_eq!(read(&playing, path).await.status, 404);
    playing.served.put(ONE, 5, of(&cid)).await;
    playing.account("did:plc:a", AccountState::Deleted, 9).await;
    let page = read(&playing, path).await;
    assert_eq!(page.status, 410);
    assert!(page.text.contains("was deleted"), "{}", page.text);
    assert!(page.text.contains("noindex"));
    for path in [
        "/track/did:plc:a/none",
        "/track/",
        "/track/%ff/%00",
        "/at://did:plc:a/fm.plyr.list/l",
        "/at://nobody.invalid/fm.plyr.track/one",
    ] {
        let page = read(&playing, path).await;
        assert_eq!(page.status, 404, "{path}");
        assert!(
            page.text.starts_with("<!DOCTYPE html>"),
            "{path}: {}",
            page.text
        );
    }
}

#[tokio::test]
async fn what_will_be_checked_is_heard_from_here_alone() {
    let mut record = of(&cid_of(&sound(1_000)));
    record["audioUrl"] = "https://audio.plyr.fm/one.mp3".into();
    for (policy, state) in [
        (MediaPolicy::OnDemand, "pending"),
        (MediaPolicy::Off, "notFetched"),
    ] {
        let playing = Playing::with(policy, |config| config).await;
        let pds = "https://pds.test";
        playing.lives_at("did:plc:a", "a.test", pds).await;
        playing.served.put(ONE, 1, record.clone()).await;
        let page = read(&playing, "/track/did:plc:a/one").await.text;
        let is_unchecked = policy == MediaPolicy::Off;
        assert!(page.contains(&format!("data-state=\"{state}\"")), "{page}");
        assert_eq!(page.contains("has been checked"), !is_unchecked, "{page}");
        assert_eq!(
            page.contains("was not checked here"),
            is_unchecked,
            "{page}"
        );
        assert_eq!(page.contains(AUDIO), !is_unchecked, "{page}");
        for other in [pds, "https://audio.plyr.fm"] {
            assert_eq!(page.contains(other), is_unchecked, "{other}: {page}");
        }
        // Whoever wants it unchecked asks for it.
        let path = format!("{PLAYBACK}?uri={ONE}");
        let (_, told) = playing.served.get(&path).await;
        assert_eq!(told["sources"][0]["verified"], false, "{told}");
    }
}

#[tokio::test]
async fn where_fetching_has_failed_the_page_says_why_and_names_other_places() {
    let playing = Playing::start().await;
    playing
        .lives_at("did:plc:a", "a.test", "https://pds.test")
        .await;
    let cid = cid_of(&sound(1_000));
    let mut record = of(&cid);
    record["audioUrl"] = "https://audio.plyr.fm/one.mp3".into();
    playing.served.put(ONE, 1, record).await;
    let path = "/track/did:plc:a/one";
    read(&playing, path).await;
    let mut row = playing.row(&cid).await.unwrap();
    row.reason = Some("its host answers <404>".to_owned());
    assert!(playing.served.store.replace_blob(row).await.unwrap());
    let page = read(&playing, path).await.text;
    for part in [
        "data-state=\"pending\"",
        "This is not here yet: its host answers &lt;404&gt;. It is tried again.",
        "was not checked here",
        "<source src=\"https://pds.test/",
        "<source src=\"https://audio.plyr.fm/one.mp3\"",
        &format!("<source src=\"{AUDIO}?"),
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("being fetched"), "{page}");
}

#[tokio::test]
async fn what_no_browser_plays_is_named_and_can_be_saved() {
    let playing = Playing::start().await;
    let path = "/track/did:plc:a/one";
    let formats = [
        ("matroska", "flac", Some(16), "FLAC in Matroska"),
        ("mp4", "alac", Some(16), "ALAC in MP4"),
        ("mp4", "pcm", Some(16), "16-bit PCM in MP4"),
        ("aiff", "pcm", Some(24), "24-bit PCM in AIFF"),
        ("wav", "pcm", Some(64), "64-bit PCM in WAV"),
    ];
    for (at, (container, codec, bit_depth, told)) in formats.into_iter().enumerate() {
        let Fact::Audio(facts) = mp3() else {
            unreachable!();
        };
        let fact = Fact::Audio(AudioFacts {
            container: container.to_owned(),
            codec: codec.to_owned(),
            bit_depth,
            ..facts
        });
        let cid = playing.keep(&sound(1_000 + at), &fact).await;
        playing.served.put(ONE, 1 + at as i64, of(&cid)).await;
        let page = read(&playing, path).await.text;
        let said = format!("This is {told}, which browsers don't play.");
        assert!(page.contains(&said), "{said} is not in {page}");
        let (_, rest) = page.split_once("<a href=\"").unwrap();
        let (link, _) = rest.split_once('"').unwrap();
        let file = playing.get(&link.replace("&amp;", "&"), &[]).await;
        assert_eq!(file.status().as_u16(), 200, "{link}");
        let disposition = file.headers()["content-disposition"].to_str().unwrap();
        assert!(disposition.starts_with("attachment"), "{disposition}");
    }
}

#[tokio::test]
async fn a_robot_that_asks_for_headers_plays_nothing() {
    let playing = Playing::start().await;
    let cid = cid_of(&sound(1_000));
    playing.served.put(ONE, 1, of(&cid)).await;
    let head = playing
        .served
        .call(reqwest::Method::HEAD, "/track/did:plc:a/one")
        .await;
    assert_eq!(head.status().as_u16(), 200);
    assert_eq!(playing.row(&cid).await, None);
}
