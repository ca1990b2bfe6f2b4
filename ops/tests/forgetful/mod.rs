//! Stands before a real Jetstream v2 and passes everything on, but keeps no past for streams: a
//! stream begins with what is new, and a number of the host's own is refused as too old. What the
//! host's archive is asked for passes unchanged.

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// Longest head of a request, in bytes.
const LONGEST_HEAD: usize = 64 << 10;
/// Cursors below it are numbers, the others are times.
const FIRST_TIME: u64 = 1_000_000_000_000_000;

/// Starts before a Jetstream (`ws://…`); answers where it listens.
pub async fn before(jetstream: &str) -> Result<String, std::io::Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}", listener.local_addr()?);
    let host = jetstream.trim_start_matches("ws://").to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_on(client, host.clone()));
        }
    });
    Ok(url)
}

async fn pass_on(mut client: TcpStream, host: String) -> Result<(), std::io::Error> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if client.read_buf(&mut head).await? == 0 || head.len() > LONGEST_HEAD {
            return Ok(());
        }
    }
    let mut head = String::from_utf8_lossy(&head).into_owned();
    if let Some(cursor) = stream_cursor(&head) {
        if cursor.parse().is_ok_and(|cursor: u64| cursor < FIRST_TIME) {
            return refuse(&mut client).await;
        }
        head = head.replacen(&format!("cursor={cursor}"), "", 1);
    }
    let mut host = TcpStream::connect(host).await?;
    host.write_all(head.as_bytes()).await?;
    copy_bidirectional(&mut client, &mut host).await?;
    Ok(())
}

/// The cursor that a request for a stream names.
fn stream_cursor(head: &str) -> Option<String> {
    let line = head.lines().next()?;
    let (_, cursor) = line
        .split_once("subscribeEvents?")?
        .1
        .split_once("cursor=")?;
    Some(cursor.chars().take_while(char::is_ascii_digit).collect())
}

async fn refuse(client: &mut TcpStream) -> Result<(), std::io::Error> {
    let said = r#"{"error":"CursorTooOld","message":"the past is forgotten"}"#;
    let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close";
    let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{said}", said.len());
    client.write_all(answer.as_bytes()).await
}
