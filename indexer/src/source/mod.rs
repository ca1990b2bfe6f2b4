//! Where events come from: all configured hosts at once, each with a cursor of its own. A source
//! follows its hosts by their own protocol and hands each [`Frame`] to the intake; from there on
//! all sources are alike. What each carried is compared.
//!
//! [`Frame`]: crate::frame::Frame

mod blindness;
mod canary;
mod compare;
mod connection;
mod intake;
pub mod jetstream;
mod negotiate;
mod overlap;
mod protocol;
mod standing;
mod status;
mod unzip;

use std::time::Duration;

pub use canary::Canary;
pub use compare::{Comparison, ComparisonOptions, MOST_HOSTS};
pub use intake::{Room, Ways};
pub use protocol::Protocol;
pub use status::{SourceStatus, Status, name};
pub use unzip::{Unzip, Unzipped};

/// How long a source waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection, and for a ping to be taken.
    pub handshake: Duration,
    /// Between pings.
    pub ping: Duration,
    /// Without a sign of life (a pong is one); then the connection counts as dead.
    pub silence: Duration,
    /// Before the first try after a failure; doubles with each further one …
    pub least_wait: Duration,
    /// … up to this.
    pub most_wait: Duration,
    /// A connection that lasted this long was good: the next failure waits little again.
    pub good: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            handshake: Duration::from_secs(10),
            ping: Duration::from_secs(20),
            silence: Duration::from_secs(60),
            least_wait: Duration::from_secs(1),
            most_wait: Duration::from_secs(30),
            good: Duration::from_secs(30),
        }
    }
}
