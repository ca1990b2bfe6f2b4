//! Connections: slow and silent clients are let go, no more are served than may be, and a stop is
//! graceful. Over real sockets.

#![allow(clippy::unwrap_used)] // in helpers of tests

mod served;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use served::Served;

#[tokio::test]
async fn a_client_that_sends_no_byte_is_let_go() {
    let served = Served::start(100).await;
    let address = served.address;
    let silent = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(120)))
            .unwrap();
        let silent = stream.read(&mut [0; 16]);
        // What may still become HTTP/2, and never does.
        for beginning in [&b"P"[..], b"PRI * HTTP/2.0\r\n\r\nSM"] {
            let mut halting = TcpStream::connect(address).unwrap();
            halting
                .set_read_timeout(Some(Duration::from_secs(120)))
                .unwrap();
            halting.write_all(beginning).unwrap();
            let read = halting.read(&mut [0; 64]);
            assert!(
                !matches!(&read, Err(late) if late.kind() == std::io::ErrorKind::WouldBlock),
                "{beginning:?} kept its place"
            );
        }
        let mut slow = TcpStream::connect(address).unwrap();
        slow.set_read_timeout(Some(Duration::from_secs(120)))
            .unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").unwrap();
        let mut answer = Vec::new();
        (silent, slow.read_to_end(&mut answer).map(|_| answer))
    });
    let (silent, slow) = silent.await.unwrap();
    assert!(matches!(silent, Ok(0)), "{silent:?}");
    let slow = String::from_utf8_lossy(&slow.unwrap()).into_owned();
    assert!(slow.is_empty() || slow.contains(" 408 "), "{slow}");
}

#[tokio::test]
async fn the_cap_on_connections_holds_and_a_stop_is_graceful() {
    let served = Served::start(2).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(served.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(120)))
            .unwrap();
        stream
            .write_all(b"GET /xrpc/_health HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut stream = tokio::task::spawn_blocking(move || {
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            stream
        })
        .await
        .unwrap();
        stream
            .write_all(b"GET /xrpc/_health HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        open.push(stream);
    }
    let mut third = TcpStream::connect(served.address).unwrap();
    third
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    third
        .write_all(b"GET /xrpc/_health HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let waits = tokio::task::spawn_blocking(move || (third.read(&mut [0; 64]), third));
    let (waits, mut third) = waits.await.unwrap();
    assert!(waits.is_err(), "a third connection was served beside two");
    open.pop();
    third
        .set_read_timeout(Some(Duration::from_secs(120)))
        .unwrap();
    let served_now = tokio::task::spawn_blocking(move || third.read(&mut [0; 64]));
    assert!(served_now.await.unwrap().unwrap() > 0);
    served.cancel.cancel();
    served.done.await.unwrap();
    assert!(TcpStream::connect(served.address).is_err());
}
