//! What stands before the S3 server and lets through what the test allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weather {
    /// They reach the server.
    Fair,
    /// They are taken and never answered.
    Silent,
    /// Requests are answered with 503.
    Busy,
    /// They end after so many bytes of answers.
    CutAfter(usize),
    /// The first one ends after so many bytes of answers, the others reach the server.
    CutOnce(usize),
    /// Nothing comes after so many bytes of answers.
    StuckAfter(usize),
    /// A byte of the request changes after so many.
    Flipped(usize),
    /// The request arrives; its answer is lost.
    Deaf,
}

/// A front on a free port.
pub struct Front {
    pub url: String,
    weather: watch::Sender<Weather>,
    connections: Arc<AtomicUsize>,
}

impl Front {
    pub async fn before(url: &str) -> Front {
        let server = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (weather, changes) = watch::channel(Weather::Fair);
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let before = counted.fetch_add(1, Ordering::Relaxed);
                let mut changes = changes.clone();
                let weather = match *changes.borrow_and_update() {
                    Weather::CutOnce(bytes) if before == 0 => Weather::CutAfter(bytes),
                    Weather::CutOnce(_) => Weather::Fair,
                    weather => weather,
                };
                let server = server.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        // What was kept open in other weather may not outlast it.
                        _ = changes.changed() => {}
                        _ = serve(client, &server, weather) => {}
                    }
                });
            }
        });
        Front {
            url,
            weather,
            connections,
        }
    }

    /// Changes the weather, and ends the connections of before. Answers how many there were.
    pub fn turn(&self, weather: Weather) -> usize {
        self.weather.send_replace(weather);
        self.connections.swap(0, Ordering::Relaxed)
    }
}

async fn serve(client: TcpStream, server: &str, weather: Weather) -> std::io::Result<()> {
    let (mut requests, mut answers) = client.into_split();
    match weather {
        Weather::Silent => {
            let mut nowhere = tokio::io::sink();
            copy(&mut requests, &mut nowhere).await?;
            return std::future::pending().await;
        }
        Weather::Busy => {
            requests.read_u8().await?;
            let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\
                          connection: close\r\n\r\n";
            answers.write_all(answer.as_bytes()).await?;
            // Read on: what is closed with something unread is reset.
            let mut nowhere = tokio::io::sink();
            answers.shutdown().await?;
            copy(&mut requests, &mut nowhere).await?;
            return Ok(());
        }
        _ => {}
    }
    let (from_server, to_server) = TcpStream::connect(server).await?.into_split();
    let asking = ask(requests, to_server, weather);
    let answering = answer(from_server, answers, weather);
    tokio::select! {
        asked = asking => asked,
        answered = answering => answered,
    }
}

async fn ask(
    mut requests: OwnedReadHalf,
    mut to_server: OwnedWriteHalf,
    weather: Weather,
) -> std::io::Result<()> {
    let mut seen = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = requests.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        if let Weather::Flipped(at) = weather
            && (seen..seen + length).contains(&at)
        {
            buffer[at - seen] ^= 1;
        }
        seen += length;
        to_server.write_all(&buffer[..length]).await?;
    }
}

async fn answer(
    mut from_server: OwnedReadHalf,
    mut answers: OwnedWriteHalf,
    weather: Weather,
) -> std::io::Result<()> {
    let mut left = match weather {
        Weather::CutAfter(bytes) | Weather::StuckAfter(bytes) => bytes,
        _ => usize::MAX,
    };
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = from_server.read(&mut buffer).await?;
        if length == 0 || weather == Weather::Deaf {
            return Ok(());
        }
        let allowed = length.min(left);
        left -= allowed;
        answers.write_all(&buffer[..allowed]).await?;
        match weather {
            _ if left > 0 => {}
            Weather::StuckAfter(_) => return std::future::pending().await,
            _ => return Ok(()),
        }
    }
}
