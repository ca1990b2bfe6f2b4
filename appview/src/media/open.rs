//! Bodies that are being sent: how many at most, and an end to those whose bytes no record that
//! shows names any more, or that nobody reads.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::BoxStream;
use futures_util::task::AtomicWaker;
use plyr_lexicons::Did;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::named::Role;
use super::which::Named;
use crate::error::XrpcError;
use crate::server::Line;

/// Bodies that are being sent.
const MOST: usize = 512;
/// Of these, those that wait for audio to be fetched, and as many for images: neither keeps the
/// other out.
const MOST_WAITING: usize = 64;
/// A body that took nothing for so long has no reader. (A player that has enough ahead stops
/// reading for a while, and asks for the rest again if it was cut off.)
const STALLED: Duration = Duration::from_secs(60);
/// Where no place is left, the slowest body gives up its own, if it took fewer bytes than that in
/// its last whole minute (32 KiB a second), or at that pace since it began: else who takes a piece
/// a minute, or nothing and asks anew, keeps everybody out. A player that is cut off asks for the
/// rest again.
const SLOW: u64 = 60 * (32 << 10);
/// How long nobody says of a body that just began how fast it is, in milliseconds.
const BEGINNING: u64 = 10_000;
/// Of those that wait, the ones that wait for what one author's host has: who sends nothing keeps
/// those out who wait for others.
const MOST_WAITING_FOR_ONE: usize = 16;
/// A minute, in milliseconds.
const MINUTE: u64 = 60_000;

/// The open bodies of a server.
pub struct OpenBodies {
    places: Arc<Semaphore>,
    waiting_for_audio: Arc<Semaphore>,
    waiting_for_images: Arc<Semaphore>,
    waiting: Waiting,
    bodies: Mutex<HashMap<u64, Arc<OpenBody>>>,
    next: AtomicU64,
    pub(super) opened: Notify,
    began: Instant,
}

/// One of them.
pub struct OpenBody {
    pub(super) named: Named,
    line: Line,
    /// What is sent; gone once it was cut, also where its reader never looks again.
    held: Mutex<Option<Held>>,
    waker: AtomicWaker,
    /// When it last took something, in milliseconds since the server began.
    moved_at: AtomicU64,
    /// Since when `taken` is counted, likewise.
    counted_since: AtomicU64,
    /// Bytes.
    taken: AtomicU64,
    /// The same of the last whole minute; before there was one, as much as can be.
    last_minute: AtomicU64,
}

/// A place of somebody: among those who ask, who wait, or who are sent bytes.
pub struct Place {
    _permit: OwnedSemaphorePermit,
    _waits: Option<Waits>,
}

/// How many wait for an author's bytes.
type Waiting = Arc<Mutex<HashMap<Did, usize>>>;

/// One who waits for an author's bytes.
struct Waits {
    author: Did,
    waiting: Waiting,
}

impl Waits {
    /// None where so many wait for this author already.
    fn new(waiting: &Waiting, author: &Did) -> Option<Waits> {
        let mut counted = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let many = counted.entry(author.clone()).or_default();
        (*many < MOST_WAITING_FOR_ONE).then(|| {
            *many += 1;
            Waits {
                author: author.clone(),
                waiting: waiting.clone(),
            }
        })
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        let mut counted = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(many) = counted.get_mut(&self.author) {
            *many -= 1;
            if *many == 0 {
                counted.remove(&self.author);
            }
        }
    }
}

/// The bytes of an open body, and what it takes up.
struct Held {
    bytes: BoxStream<'static, std::io::Result<Bytes>>,
    line: Line,
    _place: Place,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.line.body_ends();
    }
}

impl OpenBodies {
    pub fn new() -> OpenBodies {
        OpenBodies {
            places: Arc::new(Semaphore::new(MOST)),
            waiting_for_audio: Arc::new(Semaphore::new(MOST_WAITING)),
            waiting_for_images: Arc::new(Semaphore::new(MOST_WAITING)),
            waiting: Waiting::default(),
            bodies: Mutex::default(),
            next: AtomicU64::new(0),
            opened: Notify::new(),
            began: Instant::now(),
        }
    }

    /// A place for a body, if there is one, or the slowest one's. For who is sent bytes now alone:
    /// a listener may be cut off for it.
    pub fn place(&self) -> Result<Place, XrpcError> {
        if let Ok(place) = place_of(&self.places) {
            return Ok(place);
        }
        let now = self.now();
        let pace = |body: &Arc<OpenBody>| body.a_minute(now);
        let slowest = self.all().into_iter().min_by_key(pace);
        if let Some(body) = slowest.filter(|body| pace(body) < SLOW) {
            body.cut("slow");
        }
        place_of(&self.places)
    }

    /// A place to wait for a fetch of an author's bytes, if there is one.
    pub fn waiting_place(&self, role: Role, author: &Did) -> Result<Place, XrpcError> {
        let waits = Waits::new(&self.waiting, author).ok_or_else(XrpcError::overloaded)?;
        let place = match role {
            Role::Audio => place_of(&self.waiting_for_audio),
            Role::Image => place_of(&self.waiting_for_images),
        }?;
        Ok(Place {
            _waits: Some(waits),
            ..place
        })
    }

    /// Milliseconds since the server began.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn bodies(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<OpenBody>>> {
        // Nothing that holds the lock can leave it half-changed.
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that aren't cut.
    pub(super) fn all(&self) -> Vec<Arc<OpenBody>> {
        let bodies = self.bodies();
        let open = bodies.values().filter(|body| !body.line.is_cut());
        open.cloned().collect()
    }

    /// Sends bytes as a body that is watched from now on.
    pub fn send(
        self: &Arc<OpenBodies>,
        named: Named,
        line: Line,
        place: Place,
        bytes: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Sending {
        line.body_begins();
        let held = Held {
            bytes,
            line: line.clone(),
            _place: place,
        };
        let now = self.now();
        let body = Arc::new(OpenBody {
            named,
            line,
            held: Mutex::new(Some(held)),
            waker: AtomicWaker::new(),
            moved_at: AtomicU64::new(now),
            counted_since: AtomicU64::new(now),
            taken: AtomicU64::new(0),
            last_minute: AtomicU64::new(u64::MAX),
        });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.bodies().insert(id, body.clone());
        self.opened.notify_one();
        Sending {
            body,
            id,
            all: self.clone(),
        }
    }

    /// Cuts those that took nothing for too long, and counts what the others take.
    pub(super) fn cut_stalled(bodies: &[Arc<OpenBody>], now: u64) {
        for body in bodies {
            let since = now.saturating_sub(body.moved_at.load(Ordering::Relaxed));
            if u128::from(since) >= STALLED.as_millis() {
                body.cut("stalled");
                continue;
            }
            let counted = now.saturating_sub(body.counted_since.load(Ordering::Relaxed));
            if counted >= MINUTE {
                body.counted_since.store(now, Ordering::Relaxed);
                let taken = body.taken.swap(0, Ordering::Relaxed);
                body.last_minute.store(taken, Ordering::Relaxed);
            }
        }
    }
}

/// One of some places, if one is free.
pub fn place_of(places: &Arc<Semaphore>) -> Result<Place, XrpcError> {
    let place = places.clone().try_acquire_owned();
    let place = place.map(|permit| Place {
        _permit: permit,
        _waits: None,
    });
    place.map_err(|_| XrpcError::overloaded())
}

impl OpenBody {
    fn held(&self) -> std::sync::MutexGuard<'_, Option<Held>> {
        // A stream that panicked is dropped with its request.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that it takes in a minute: in its last whole one, or as it began. As much as can be of
    /// one that has just begun.
    fn a_minute(&self, now: u64) -> u64 {
        let last = self.last_minute.load(Ordering::Relaxed);
        let age = now.saturating_sub(self.counted_since.load(Ordering::Relaxed));
        if last != u64::MAX || age < BEGINNING {
            return last;
        }
        let taken = self.taken.load(Ordering::Relaxed);
        taken.saturating_mul(MINUTE) / age
    }

    pub(super) fn cut(&self, reason: &'static str) {
        if self.line.is_cut() {
            return;
        }
        tracing::debug!(cid = %self.named.cid, did = self.named.did().as_str(), reason, "body cut");
        metrics::counter!("plyr_media_bodies_cut_total", "reason" => reason).increment(1);
        self.line.cut();
        // HTTP/2 may never ask for more, where a reader makes no room.
        let held = self.held().take();
        drop(held);
        self.waker.wake();
    }
}

/// A body being sent. Ends with an error when it is cut: its connection ends with it, or its
/// stream alone in HTTP/2.
pub struct Sending {
    body: Arc<OpenBody>,
    id: u64,
    all: Arc<OpenBodies>,
}

impl Stream for Sending {
    type Item = std::io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = &self.body;
        body.waker.register(context.waker());
        let mut held = body.held();
        let (false, Some(held)) = (body.line.is_cut(), held.as_mut()) else {
            let ended = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
            return Poll::Ready(Some(Err(ended)));
        };
        body.moved_at.store(self.all.now(), Ordering::Relaxed);
        let polled = held.bytes.as_mut().poll_next(context);
        if let Poll::Ready(Some(Ok(piece))) = &polled {
            body.taken.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        polled
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.all.bodies().remove(&self.id);
        let held = self.body.held().take();
        drop(held);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::super::which::NamedBy;
    use super::*;

    /// The author's whom others ask for as well.
    fn author() -> Did {
        "did:plc:a".parse().unwrap()
    }

    fn named() -> Named {
        let cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
        Named {
            by: NamedBy::Record("at://did:plc:a/fm.plyr.track/t".parse().unwrap()),
            cid: cid.parse().unwrap(),
            role: Role::Audio,
        }
    }

    fn open(all: &Arc<OpenBodies>, line: &Line) -> Sending {
        let bytes = futures_util::stream::repeat_with(|| Ok(Bytes::from_static(b"x")));
        let place = all.place().unwrap();
        all.send(named(), line.clone(), place, bytes.boxed())
    }

    #[tokio::test]
    async fn i11_a_body_that_nobody_reads_is_cut_and_one_that_is_read_is_not() {
        let all = Arc::new(OpenBodies::new());
        let (read, unread) = (Line::default(), Line::default());
        let (mut one, mut other) = (open(&all, &read), open(&all, &unread));
        assert!(one.next().await.unwrap().is_ok());
        assert!(other.next().await.unwrap().is_ok());
        let stalled = u64::try_from(STALLED.as_millis()).unwrap();
        other.body.moved_at.store(1_000, Ordering::Relaxed);
        one.body.moved_at.store(1_001, Ordering::Relaxed);
        OpenBodies::cut_stalled(&all.all(), 999 + stalled);
        assert!(!read.is_cut() && !unread.is_cut());
        OpenBodies::cut_stalled(&all.all(), 1_000 + stalled);
        assert!(!read.is_cut() && unread.is_cut());
        assert!(one.next().await.unwrap().is_ok());
        assert!(other.next().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn i11_there_are_only_so_many_places_and_a_body_gives_its_own_back() {
        let all = Arc::new(OpenBodies::new());
        let line = Line::default();
        let mut bodies: Vec<Sending> = (0..MOST).map(|_| open(&all, &line)).collect();
        assert_eq!(
            all.place().err().map(|problem| problem.status.as_u16()),
            Some(503)
        );
        assert!(line.has_bodies());
        bodies.pop();
        assert!(all.place().is_ok());
        bodies.clear();
        assert!(all.all().is_empty() && !line.has_bodies());
    }

    #[tokio::test]
    async fn i11_where_no_place_is_left_the_slowest_body_gives_up_its_own() {
        let all = Arc::new(OpenBodies::new());
        let lines: Vec<Line> = (0..MOST).map(|_| Line::default()).collect();
        let mut bodies: Vec<Sending> = lines.iter().map(|line| open(&all, line)).collect();
        // As they begin all may be slow.
        assert!(all.place().is_err());
        let minute = |slowest: u64, slow: u64| {
            for (number, body) in bodies.iter().enumerate() {
                let taken = match number {
                    7 => slowest,
                    8 => slow,
                    _ => SLOW,
                };
                body.body.taken.store(taken, Ordering::Relaxed);
                body.body.counted_since.store(0, Ordering::Relaxed);
                body.body.moved_at.store(MINUTE, Ordering::Relaxed);
            }
            OpenBodies::cut_stalled(&all.all(), MINUTE);
        };
        minute(SLOW, SLOW);
        assert!(all.place().is_err());
        minute(SLOW - 2, SLOW - 1);
        let place = all.place().unwrap();
        let cut: Vec<usize> = (0..MOST).filter(|one| lines[*one].is_cut()).collect();
        // Nobody has read it since; its place is free all the same.
        assert_eq!(cut, [7]);
        assert!(!lines[7].has_bodies() && lines[8].has_bodies());
        assert_eq!(all.all().len(), MOST - 1);
        assert!(bodies[7].next().await.unwrap().is_err());
        drop(place);
    }

    #[tokio::test]
    async fn i11_who_waits_for_images_keeps_nobody_from_waiting_for_audio() {
        let all = OpenBodies::new();
        let of = |number: usize| format!("did:plc:{number}").parse::<Did>().unwrap();
        let waiting: Vec<Place> = (0..MOST_WAITING)
            .map(|number| all.waiting_place(Role::Image, &of(number)).unwrap())
            .collect();
        assert!(all.waiting_place(Role::Image, &author()).is_err());
        assert!(all.waiting_place(Role::Audio, &author()).is_ok());
        drop(waiting);
        assert!(all.waiting_place(Role::Image, &author()).is_ok());
    }

    #[tokio::test]
    async fn i11_who_waits_for_one_author_keeps_nobody_from_waiting_for_another() {
        let all = OpenBodies::new();
        let wait = |author: &str| all.waiting_place(Role::Audio, &author.parse().unwrap());
        let mut waiting: Vec<Place> = (0..MOST_WAITING_FOR_ONE)
            .map(|_| wait("did:plc:silent").unwrap())
            .collect();
        assert!(wait("did:plc:silent").is_err());
        assert!(wait("did:plc:other").is_ok());
        waiting.pop();
        assert!(wait("did:plc:silent").is_ok());
        drop(waiting);
        assert!(all.waiting.lock().unwrap().is_empty(), "nobody waits");
    }

    #[tokio::test]
    async fn i11_who_takes_nothing_from_the_beginning_gives_up_its_place_within_its_first_minute() {
        let earlier = Duration::from_millis(BEGINNING * 2);
        let all = Arc::new(OpenBodies {
            began: Instant::now().checked_sub(earlier).unwrap(),
            ..OpenBodies::new()
        });
        let lines: Vec<Line> = (0..MOST).map(|_| Line::default()).collect();
        let bodies: Vec<Sending> = lines.iter().map(|line| open(&all, line)).collect();
        assert!(all.place().is_err());
        let (idle, steady) = (&bodies[7].body, &bodies[8].body);
        for body in [idle, steady] {
            body.counted_since.store(BEGINNING / 2, Ordering::Relaxed);
        }
        steady.taken.store(SLOW, Ordering::Relaxed);
        assert!(all.place().is_ok());
        let cut: Vec<usize> = (0..MOST).filter(|one| lines[*one].is_cut()).collect();
        assert_eq!(cut, [7]);
    }
}
