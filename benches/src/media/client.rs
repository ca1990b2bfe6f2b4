//! Who listens: a plain HTTP/1.1 connection that is asked over and over, the same for whoever
//! answers, and reads bodies as fast or as slowly as it is told to.

use std::io;
use std::ops::Range;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Bytes read at once.
const BUFFER: usize = 256 << 10;
/// What the kernel may hold of what a slow listener hasn't read.
const NARROW: u32 = 64 << 10;
/// The longest line of a head, and most lines.
const LONGEST_LINE: u64 = 8 << 10;
const MOST_LINES: usize = 100;
/// How long an answer may take to begin, and each piece of it to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection.
pub struct Client {
    stream: BufReader<TcpStream>,
    /// Bytes of the body that haven't been read.
    left: u64,
}

impl Client {
    /// Connects to a server by its URL.
    pub async fn open(url: &str) -> io::Result<Client> {
        Client::connect(url, None).await
    }

    /// The same, with little room for what isn't read at once.
    pub async fn open_narrow(url: &str) -> io::Result<Client> {
        Client::connect(url, Some(NARROW)).await
    }

    async fn connect(url: &str, room: Option<u32>) -> io::Result<Client> {
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let address = address.replace("localhost", "127.0.0.1");
        let socket = TcpSocket::new_v4()?;
        if let Some(room) = room {
            socket.set_recv_buffer_size(room)?;
        }
        let address = address.parse().map_err(io::Error::other)?;
        let stream = within(socket.connect(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Client {
            stream: BufReader::with_capacity(BUFFER, stream),
            left: 0,
        })
    }

    /// Asks for a path, or a range of it, and reads the head of the answer; answers the length of
    /// the body. Another status than 200, or 206 for a range, is an error.
    pub async fn ask(&mut self, path: &str, range: Option<Range<u64>>) -> io::Result<u64> {
        if self.left > 0 {
            return Err(io::Error::other("the last body hasn't been read"));
        }
        let (expected, range) = match range {
            None => ("200", String::new()),
            Some(range) => {
                let last = range.end - 1;
                ("206", format!("range: bytes={}-{last}\r\n", range.start))
            }
        };
        let asked = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{range}\r\n");
        self.stream.get_mut().write_all(asked.as_bytes()).await?;
        let first = within(line(&mut self.stream)).await?;
        let status = first.split(' ').nth(1).unwrap_or_default();
        let mut length = None;
        for _ in 0..MOST_LINES {
            let line = within(line(&mut self.stream)).await?;
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            }
        }
        if status != expected {
            return Err(io::Error::other(format!("{path} answered {first:?}")));
        }
        let length = length.ok_or_else(|| io::Error::other(format!("{path} tells no length")))?;
        self.left = length;
        Ok(length)
    }

    /// Reads on, so many bytes at most; answers how many. 0 at the end of the body; an error where
    /// it ends before.
    pub async fn piece(&mut self, most: usize) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let held = within(self.stream.fill_buf()).await?.len();
        if held == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let taken = (held.min(most) as u64).min(self.left);
        self.stream.consume(taken as usize);
        self.left -= taken;
        Ok(taken as usize)
    }

    /// Reads so many bytes, or up to the end of the body.
    pub async fn read(&mut self, bytes: usize) -> io::Result<()> {
        let mut wanted = bytes;
        while wanted > 0 {
            match self.piece(wanted).await? {
                0 => break,
                read => wanted -= read,
            }
        }
        Ok(())
    }

    /// Reads the rest of the body.
    pub async fn drain(&mut self) -> io::Result<()> {
        while self.piece(BUFFER).await? > 0 {}
        Ok(())
    }
}

/// A line without its end.
async fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.take(LONGEST_LINE).read_line(&mut line).await?;
    match line.ends_with('\n') {
        true => Ok(line.trim_end().to_owned()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

async fn within<T>(done: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, done).await?
}
