//! One subscription to the labeler's stream: what it is told, and what goes wrong on the way.
//! Specs: <https://atproto.com/specs/event-stream>, <https://atproto.com/specs/label>.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use plyr_lexicons::{Ipld, data};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::http::Socket;
use super::labeler::Labeler;
use crate::dice::Dice;
use crate::stream::wire;
use crate::world::Signed;

/// Labels looked up at a time.
const BATCH: usize = 200;
/// How far a stream goes back when it does, in numbers.
const BACK: (u64, u64) = (2, 60);
/// Frames that are none: nothing, no CBOR, a header alone, half of one, a list.
const GARBAGE: [&[u8]; 5] = [
    b"",
    b"\xff\xfe",
    b"\xa2\x61t\x67#labels\x62op\x01",
    b"\xa2\x61t\x67#lab",
    b"\x80\x80",
];

/// A subscription.
pub struct Subscription {
    labeler: Arc<Labeler>,
    grown: watch::Receiver<u64>,
    /// The greatest number when it began, and the last that isn't kept any more.
    last: u64,
    before_kept: u64,
    dice: Dice,
    /// It goes back once, else it would never come to an end.
    may_rewind: bool,
}

/// A number, and the labels told under it.
type Row = (u64, Vec<Signed>);

impl Subscription {
    /// The labeler's nth, from now on: whoever asked knows nothing of it yet.
    pub fn new(labeler: Arc<Labeler>, number: u64) -> Subscription {
        let dice = Dice::named(labeler.seed ^ number.rotate_left(48), "labels");
        let grown = labeler.grown.subscribe();
        let (last, before_kept) = {
            let world = labeler.shared.world();
            let said = world.labeler();
            said.map_or((0, 0), |said| {
                (said.last(), said.before_newest(labeler.keep))
            })
        };
        Subscription {
            labeler,
            grown,
            last,
            before_kept,
            dice,
            may_rewind: true,
        }
    }

    /// Tells what there is after a cursor, and what comes; without one only that.
    pub async fn run(mut self, mut socket: Socket, cursor: Option<String>) -> Result<(), String> {
        let mut after = match cursor.as_deref().map(str::parse::<u64>) {
            None => self.last,
            Some(Err(_)) => {
                return refuse(socket, "InvalidRequest", "cursor must be an integer").await;
            }
            Some(Ok(cursor)) if cursor > self.last => {
                return refuse(socket, "FutureCursor", "Cursor in the future.").await;
            }
            Some(Ok(cursor)) if cursor < self.before_kept => {
                let message = "Requested cursor exceeded limit. Possibly missing events";
                let frame = frame(
                    &[("op", number(1)), ("t", text("#info"))],
                    &[("name", text("OutdatedCursor")), ("message", text(message))],
                )?;
                wire::feed(&mut socket, Message::binary(frame)).await?;
                self.before_kept
            }
            Some(Ok(cursor)) => cursor,
        };
        loop {
            self.grown.borrow_and_update();
            let rows = self.rows(after)?;
            let is_end = rows.is_empty();
            for (seq, labels) in rows {
                after = seq;
                if labels.is_empty() {
                    continue;
                }
                let Some(kept) = self.tell(socket, seq, labels).await? else {
                    return Ok(());
                };
                socket = kept;
                let rewinds = self.labeler.faults.borrow().rewinds;
                if self.may_rewind && self.dice.once_in(rewinds) {
                    self.may_rewind = false;
                    after = after.saturating_sub(self.dice.between(BACK.0, BACK.1));
                    break;
                }
            }
            let flushed = socket.flush().await;
            flushed.map_err(|problem| problem.to_string())?;
            if !is_end {
                continue;
            }
            tokio::select! {
                // Pings are answered by reading.
                heard = socket.next() => match heard {
                    Some(Ok(Message::Close(_))) | None => return Ok(()),
                    Some(Ok(_)) => {}
                    Some(Err(problem)) => return Err(problem.to_string()),
                },
                grew = self.grown.changed() => grew.map_err(|problem| problem.to_string())?,
            }
        }
    }

    /// What there is after a number, with what goes wrong for everybody alike.
    fn rows(&self, after: u64) -> Result<Vec<Row>, String> {
        let faults = *self.labeler.faults.borrow();
        let world = self.labeler.shared.world();
        let Some(labeler) = world.labeler() else {
            return Ok(Vec::new());
        };
        let mut rows = Vec::new();
        for (seq, label, signed) in labeler.after(after).take(BATCH) {
            let mut dice = Dice::named(self.labeler.seed ^ seq.rotate_left(40), "label");
            let mut labels = Vec::new();
            if !dice.once_in(faults.drops) {
                labels.push(signed.clone());
            }
            if dice.once_in(faults.forges) {
                labels.push(labeler.forged(label)?);
            }
            rows.push((seq, labels));
        }
        Ok(rows)
    }

    /// Tells one frame; none where the connection has broken on the way.
    async fn tell(
        &mut self,
        mut socket: Socket,
        seq: u64,
        labels: Vec<Signed>,
    ) -> Result<Option<Socket>, String> {
        let faults = *self.labeler.faults.borrow();
        let labels = labels.iter().map(|label| Ipld::clone(label)).collect();
        let frame = frame(
            &[("op", number(1)), ("t", text("#labels"))],
            &[("seq", number(seq.into())), ("labels", Ipld::List(labels))],
        )?;
        if self.dice.once_in(faults.cuts) {
            wire::cut(socket, wire::BINARY, &frame).await?;
            return Ok(None);
        }
        if self.dice.once_in(faults.garbage) {
            let garbage = self.dice.one(&GARBAGE);
            wire::feed(&mut socket, Message::binary(garbage.to_vec())).await?;
        }
        if self.dice.once_in(faults.giants) {
            wire::giant(socket, wire::BINARY).await?;
            return Ok(None);
        }
        if self.dice.once_in(faults.duplicates) {
            wire::feed(&mut socket, Message::binary(frame.clone())).await?;
        }
        wire::feed(&mut socket, Message::binary(frame)).await?;
        Ok(Some(socket))
    }
}

/// The error frame, and the end.
async fn refuse(mut socket: Socket, name: &'static str, message: &str) -> Result<(), String> {
    let frame = frame(
        &[("op", number(-1))],
        &[("error", text(name)), ("message", text(message))],
    )?;
    wire::feed(&mut socket, Message::binary(frame)).await?;
    let reason = CloseFrame {
        code: CloseCode::Policy,
        reason: name.into(),
    };
    let closed = socket.close(Some(reason)).await;
    closed.map_err(|problem| problem.to_string())?;
    // Until the other side has read it.
    while let Some(Ok(_)) = socket.next().await {}
    Ok(())
}

fn text(text: &str) -> Ipld {
    Ipld::String(text.to_owned())
}

fn number(number: i128) -> Ipld {
    Ipld::Integer(number)
}

/// A header and a body, one behind the other.
fn frame(header: &[(&str, Ipld)], body: &[(&str, Ipld)]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for part in [header, body] {
        let fields = part.iter();
        let fields = fields.map(|(name, value)| ((*name).to_owned(), value.clone()));
        let written = data::to_cbor(&Ipld::Map(fields.collect()));
        bytes.extend(written.map_err(|problem| problem.to_string())?);
    }
    Ok(bytes)
}
