//! i10: asking a host that hangs, floods, redirects, lies or sends away. The server is a fake,
//! because a real PDS does none of this; every reply is bytes on a socket.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use plyr_lexicons::{Did, Handle};
use plyr_outbound::{Freshness, Lookup, Outbound, OutboundConfig, OutboundError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longer than any question may take.
const PATIENCE: Duration = Duration::from_secs(60);

type Reply = Vec<u8>;

/// What a server does with a request.
#[derive(Clone)]
enum Behaviour {
    /// Sends these bytes and closes.
    Says(Reply),
    /// Sends these bytes and stays silent.
    Hangs(Reply),
    /// Sends the first bytes, then the second for ever.
    Floods(Reply, Reply),
    /// Answers after a while.
    Slow(Duration, Reply),
}

#[derive(Clone, Default)]
struct Seen {
    requests: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    most_open: Arc<AtomicUsize>,
    paths: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Seen {
    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// A server on loopback; answers its origin and what it saw.
async fn server(behaviour: impl Fn(&str) -> Behaviour + Send + Sync + 'static) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let (behaviour, watched) = (Arc::new(behaviour), seen.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (behaviour, seen) = (behaviour.clone(), watched.clone());
            tokio::spawn(async move {
                let open = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
                seen.most_open.fetch_max(open, Ordering::SeqCst);
                serve(stream, &*behaviour, &seen).await;
                seen.open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (origin, seen)
}

async fn serve(
    mut stream: TcpStream,
    behaviour: &(dyn Fn(&str) -> Behaviour + Send + Sync),
    seen: &Seen,
) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.requests.fetch_add(1, Ordering::SeqCst);
    seen.paths.lock().unwrap().push(path.clone());
    let write = async |stream: &mut TcpStream, bytes: &[u8]| stream.write_all(bytes).await.is_ok();
    match behaviour(&path) {
        Behaviour::Says(reply) => {
            write(&mut stream, &reply).await;
        }
        Behaviour::Slow(wait, reply) => {
            tokio::time::sleep(wait).await;
            write(&mut stream, &reply).await;
        }
        Behaviour::Hangs(reply) => {
            write(&mut stream, &reply).await;
            // Until the client gives up.
            while matches!(stream.read(&mut buffer).await, Ok(read) if read > 0) {}
        }
        Behaviour::Floods(first, again) => {
            let mut going = write(&mut stream, &first).await;
            while going {
                going = write(&mut stream, &again).await;
            }
        }
    }
}

fn reply(status: &str, headers: &str, body: &[u8]) -> Reply {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn json(body: &str) -> Reply {
    reply(
        "200 OK",
        "content-type: application/json\r\n",
        body.as_bytes(),
    )
}

fn outbound(plc: &str, dev: bool) -> Outbound {
    Outbound::new(OutboundConfig {
        plc_url: plc.parse().unwrap(),
        handle_resolvers: Vec::new(),
        dev,
        contact: "test".to_owned(),
    })
    .unwrap()
}

fn did(number: usize) -> Did {
    Did::new(format!("did:plc:{number:a>24}")).unwrap()
}

fn document(did: &Did, pds: &str) -> String {
    serde_json::json!({ "id": did.as_str(), "alsoKnownAs": [], "service": [{
        "id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": pds,
    }] })
    .to_string()
}

/// Asks a PDS that behaves so for a repo's status.
async fn asked(behaviour: Behaviour) -> (Result<(), OutboundError>, Seen) {
    let (pds, seen) = server(move |_| behaviour.clone()).await;
    let outbound = outbound("http://127.0.0.1:1", true);
    let who = did(1);
    let asking = outbound.repo_status(&pds, &who);
    let answer = tokio::time::timeout(PATIENCE, asking).await;
    (answer.expect("the question ends by itself").map(drop), seen)
}

#[tokio::test]
async fn i10_a_host_that_hangs_is_given_up() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n";
    let in_body = [&head[..], br#"{"active": tr"#].concat();
    let drip = Behaviour::Hangs(in_body);
    let (before_headers, in_headers, in_body) = tokio::join!(
        asked(Behaviour::Hangs(Vec::new())),
        asked(Behaviour::Hangs(b"HTTP/1.1 200 OK\r\nx-".to_vec())),
        asked(drip),
    );
    for (answer, _) in [before_headers, in_headers, in_body] {
        assert!(
            matches!(answer, Err(OutboundError::Unreachable { .. })),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn i10_bodies_are_bounded() {
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = [&b"1000\r\n"[..], &[b' '; 0x1000], b"\r\n"].concat();
    let giant = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000000\r\n\r\n".to_vec();
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut zip, &vec![b' '; 256 << 20]).unwrap();
    let bomb = zip.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let bomb = reply("200 OK", "content-encoding: gzip\r\n", &bomb);
    let began = Instant::now();
    for behaviour in [
        Behaviour::Floods(chunked, chunk),
        Behaviour::Floods(giant, vec![b' '; 0x1000]),
        Behaviour::Says(bomb),
    ] {
        let (answer, _) = asked(behaviour).await;
        let told = answer.expect_err("it is too large");
        assert!(
            matches!(
                &told,
                OutboundError::Malformed { detail, .. } if detail == "more than 65536 bytes"
            ),
            "{told}"
        );
    }
    // Endless headers end too.
    let head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let (answer, _) = asked(Behaviour::Floods(head, b"x-a: b\r\n".to_vec())).await;
    assert!(
        matches!(answer, Err(OutboundError::Unreachable { .. })),
        "{answer:?}"
    );
    assert!(began.elapsed() < PATIENCE * 4);
}

/// An archive's host is one of the operator's; it may be broken all the same.
#[tokio::test]
async fn i10_what_an_archive_answers_is_bounded() {
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = [&b"10000\r\n"[..], &[b' '; 0x10000], b"\r\n"].concat();
    let (host, _) = server(move |_| Behaviour::Floods(chunked.clone(), chunk.clone())).await;
    let (host, outbound) = (host.parse().unwrap(), outbound("http://127.0.0.1:1", false));
    let planned = outbound.plan_archive(&host, &[], 0, None).await.err();
    let block = outbound.archive_block(&host, "segment", 0).await.err();
    for told in [planned, block] {
        assert!(
            matches!(
                &told,
                Some(OutboundError::Malformed { detail, .. }) if detail.contains("more than")
            ),
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn i10_no_redirect_is_followed() {
    let (inside, seen) = server(|_| Behaviour::Says(json(r#"{"active":true}"#))).await;
    for target in [
        inside.as_str(),
        "https://elsewhere.example.com/",
        "/xrpc/elsewhere",
    ] {
        for status in [
            "301 Moved Permanently",
            "302 Found",
            "307 Temporary Redirect",
        ] {
            let location = format!("location: {target}\r\n");
            let behaviour = Behaviour::Says(reply(status, &location, b""));
            let (answer, asked) = asked(behaviour).await;
            assert!(
                matches!(answer, Err(OutboundError::Status { .. })),
                "{answer:?}"
            );
            assert_eq!(asked.requests(), 1);
        }
    }
    assert_eq!(seen.requests(), 0);
}

#[tokio::test]
async fn answers_that_are_none_change_nothing() {
    let html = reply(
        "200 OK",
        "content-type: text/html\r\n",
        b"<html>hello</html>",
    );
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"active\":true}".to_vec();
    for unusable in [
        html,
        json(r#"{"active":"#),
        json(""),
        json("[]"),
        json(r#"{"active":1}"#),
    ] {
        let (answer, _) = asked(Behaviour::Says(unusable)).await;
        assert!(
            matches!(answer, Err(OutboundError::Malformed { .. })),
            "{answer:?}"
        );
    }
    for broken in [cut, b"SSH-2.0-OpenSSH\r\n".to_vec(), Vec::new()] {
        let (answer, _) = asked(Behaviour::Says(broken)).await;
        assert!(
            matches!(answer, Err(OutboundError::Unreachable { .. })),
            "{answer:?}"
        );
    }
    for status in [
        "500 Internal Server Error",
        "502 Bad Gateway",
        "404 Not Found",
    ] {
        let (answer, _) = asked(Behaviour::Says(reply(status, "", b"no"))).await;
        assert!(
            matches!(answer, Err(OutboundError::Status { .. })),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_host_that_sends_away_is_left_alone_as_long_as_it_says() {
    let away = |seconds: u64| {
        let wait = format!("retry-after: {seconds}\r\n");
        reply("429 Too Many Requests", &wait, b"")
    };
    let (long, brief) = (away(100), away(1));
    let (pds, seen) = server(move |_| Behaviour::Says(long.clone())).await;
    let outbound = outbound("http://127.0.0.1:1", true);
    let told = outbound.repo_status(&pds, &did(1)).await;
    assert!(
        matches!(told, Err(OutboundError::Status { status: 429, .. })),
        "{told:?}"
    );
    let told = outbound.repo_status(&pds, &did(2)).await;
    assert!(told.unwrap_err().to_string().contains("left alone"));
    assert_eq!(seen.requests(), 1);
    let (pds, seen) = server(move |_| Behaviour::Says(brief.clone())).await;
    drop(outbound.repo_status(&pds, &did(1)).await);
    let again = async {
        while seen.requests() < 2 {
            drop(outbound.repo_status(&pds, &did(1)).await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again)
        .await
        .expect("it is asked again");
}

#[tokio::test]
async fn i10_failures_are_cached_and_of_many_who_ask_one_does() {
    let (plc, seen) = server(|_| Behaviour::Says(reply("502 Bad Gateway", "", b""))).await;
    let failing = outbound(&plc, true);
    for _ in 0..5 {
        let told = failing.did_document(&did(1), Freshness::Cached).await;
        assert!(matches!(
            told,
            Err(OutboundError::Status { status: 502, .. })
        ));
    }
    assert_eq!(seen.requests(), 1);
    let told = failing.did_document(&did(1), Freshness::Fresh).await;
    assert!(told.is_err());
    assert_eq!(seen.requests(), 2);

    let slow = json(&document(&did(2), "http://localhost:1"));
    let wait = Duration::from_millis(300);
    let (plc, seen) = server(move |_| Behaviour::Slow(wait, slow.clone())).await;
    let quiet = outbound(&plc, true);
    let who = did(2);
    let asking = (0..20).map(|_| quiet.did_document(&who, Freshness::Cached));
    for answer in futures_util::future::join_all(asking).await {
        assert!(answer.unwrap().is_some());
    }
    assert_eq!(seen.requests(), 1);
}

#[tokio::test]
async fn i10_few_questions_to_one_host_at_the_same_time() {
    let wait = Duration::from_millis(100);
    let (pds, seen) = server(move |_| Behaviour::Slow(wait, json(r#"{"active":true}"#))).await;
    let outbound = outbound("http://127.0.0.1:1", true);
    let dids: Vec<Did> = (0..24).map(did).collect();
    let asking = dids.iter().map(|did| outbound.repo_status(&pds, did));
    for answer in futures_util::future::join_all(asking).await {
        assert!(answer.unwrap().active);
    }
    assert_eq!(seen.requests(), 24);
    let most = seen.most_open.load(Ordering::SeqCst);
    assert!((1..=4).contains(&most), "{most} at once");
}

#[tokio::test]
async fn i10_a_document_may_not_send_us_inside() {
    let (inside, seen) = server(|_| Behaviour::Says(json(r#"{"active":true}"#))).await;
    let port = inside.rsplit(':').next().unwrap().to_owned();
    let named = [
        inside.clone(),
        format!("http://localhost:{port}"),
        format!("https://localhost:{port}"),
        format!("https://127.0.0.1:{port}"),
        format!("https://[::1]:{port}"),
        format!("https://[::ffff:127.0.0.1]:{port}"),
        format!("https://[::ffff:7f00:1]:{port}"),
        format!("https://0x7f.1:{port}"),
        format!("https://0.0.0.0:{port}"),
        "https://10.0.0.1".to_owned(),
        "https://192.168.1.1".to_owned(),
        "https://169.254.169.254".to_owned(),
        "https://[fd00::1]".to_owned(),
        "https://[fe80::1]".to_owned(),
        "https://[64:ff9b::a00:1]".to_owned(),
    ];
    for pds in named {
        let text = document(&did(1), &pds);
        // The directory is the operator's, who may well run it on loopback.
        let (plc, _) = server(move |_| Behaviour::Says(json(&text))).await;
        let outbound = outbound(&plc, false);
        let document = outbound.did_document(&did(1), Freshness::Fresh).await;
        let found = document.unwrap().unwrap().pds.expect("it names a PDS");
        let told = outbound.repo_status(&found, &did(1)).await;
        assert!(
            matches!(told, Err(OutboundError::Refused { .. })),
            "{pds}: {told:?}"
        );
    }
    assert_eq!(seen.requests(), 0);
    let web = Did::new(format!("did:web:localhost%3A{port}")).unwrap();
    let told = outbound("http://127.0.0.1:1", false)
        .did_document(&web, Freshness::Fresh)
        .await;
    assert!(
        matches!(told, Err(OutboundError::Refused { .. })),
        "{told:?}"
    );
    assert_eq!(seen.requests(), 0);
}

#[tokio::test]
async fn documents_come_from_a_port_and_from_under_a_base_path() {
    let who = did(7);
    let text = document(&who, "https://pds.example.com");
    let (plc, seen) = server(move |_| Behaviour::Says(json(&text))).await;
    for base in [format!("{plc}/some/base"), format!("{plc}/some/base/")] {
        let found = outbound(&base, false)
            .did_document(&who, Freshness::Fresh)
            .await;
        assert_eq!(
            found.unwrap().unwrap().pds.as_deref(),
            Some("https://pds.example.com")
        );
    }
    let expected = format!("/some/base/{}", who.as_str());
    assert_eq!(*seen.paths.lock().unwrap(), [expected.clone(), expected]);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let number = listener.local_addr().unwrap().port();
    let web = Did::new(format!("did:web:localhost%3A{number}")).unwrap();
    let text = document(&web, "https://pds.example.com");
    let asked = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let seen = Seen::default();
        serve(stream, &|_: &str| Behaviour::Says(json(&text)), &seen).await;
        seen.paths.lock().unwrap().first().cloned()
    });
    let dev = outbound("http://127.0.0.1:1", true);
    let found = dev.did_document(&web, Freshness::Fresh).await.unwrap();
    assert_eq!(found.unwrap().did, web);
    assert_eq!(
        asked.await.unwrap().as_deref(),
        Some("/.well-known/did.json")
    );
    for odd in [
        "did:web:example.com:user:alice",
        "did:web:example.com%3A1%3A2",
        "did:key:zQ3sh",
    ] {
        let odd = Did::new(odd.to_owned()).unwrap();
        let told = dev.did_document(&odd, Freshness::Fresh).await;
        assert!(
            matches!(told, Err(OutboundError::Refused { .. })),
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn a_resolver_that_is_busy_says_nothing_about_a_handle() {
    let (busy, _) = server(|_| Behaviour::Says(reply("502 Bad Gateway", "", b""))).await;
    let missing = r#"{"error":"InvalidRequest"}"#;
    let (other, _) =
        server(|_| Behaviour::Says(reply("400 Bad Request", "", missing.as_bytes()))).await;
    let ask = async |resolvers: &[&String]| {
        let outbound = Outbound::new(OutboundConfig {
            plc_url: "http://127.0.0.1:1".parse().unwrap(),
            handle_resolvers: resolvers.iter().map(|url| url.parse().unwrap()).collect(),
            dev: true,
            contact: "test".to_owned(),
        });
        let handle = Handle::new("alice.test".to_owned()).unwrap();
        outbound
            .unwrap()
            .resolve_handle(&handle, Freshness::Fresh)
            .await
    };
    assert!(ask(&[&busy, &other]).await.is_err());
    assert_eq!(ask(&[&other]).await.unwrap(), None);
}

/// What a directory says of a DID is told apart from what says nothing.
#[tokio::test]
async fn a_did_that_is_gone_is_told_apart_from_a_wrong_directory() {
    let who = did(1);
    let available = format!(r#"{{"message":"DID not available: {}"}}"#, who.as_str());
    let registered = format!(r#"{{"message":"DID not registered: {}"}}"#, who.as_str());
    let look_up = async |status: &'static str, body: &str| {
        let body = body.to_owned();
        let says = move |_: &str| Behaviour::Says(reply(status, "", body.as_bytes()));
        let (plc, _) = server(says).await;
        outbound(&plc, true).look_up(&who).await
    };
    for (status, body, expected) in [
        ("410 Gone", available.as_str(), Lookup::Tombstoned),
        ("404 Not Found", available.as_str(), Lookup::Tombstoned),
        ("404 Not Found", registered.as_str(), Lookup::Unregistered),
    ] {
        assert_eq!(look_up(status, body).await.unwrap(), expected, "{body}");
    }
    for body in [
        "<html>",
        r#"{"message":"Not Found"}"#,
        r#"{"error":"no"}"#,
        "",
    ] {
        let told = look_up("404 Not Found", body).await;
        assert!(
            matches!(told, Err(OutboundError::Status { status: 404, .. })),
            "{body}: {told:?}"
        );
    }
    // A did:web's host has no words for it.
    let (host, _) = server(|_| Behaviour::Says(reply("404 Not Found", "", b"<html>"))).await;
    let port = host.rsplit(':').next().unwrap();
    let web = Did::new(format!("did:web:localhost%3A{port}")).unwrap();
    let told = outbound("http://127.0.0.1:1", true).look_up(&web).await;
    assert_eq!(told.unwrap(), Lookup::Unregistered);
}
