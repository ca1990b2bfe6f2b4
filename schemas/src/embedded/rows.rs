//! Rows that are kept as JSON, and how they turn into the model's.

use plyr_lexicons::{Did, RecordUri, Rev};
use serde::{Deserialize, Serialize};

use super::cells::corrupt;
use crate::model::{
    AccountState, DueCheck, LogEntry, LogSubject, Micros, QuarantineEntry, StreamCursor,
};
use crate::store::StoreError;

/// One row an actor: three observations, each with its own time of asking.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ActorRow {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub state: String,
    /// When the first question was asked whose answer was this state; 0 in older rows.
    #[serde(default)]
    pub state_since: Micros,
    #[serde(default)]
    pub state_asked_at: Micros,
    pub pds: Option<String>,
    pub signing_key: Option<String>,
    pub handle: Option<String>,
    #[serde(default)]
    pub identity_asked_at: Micros,
    pub display_name: Option<String>,
    pub avatar: Option<String>,
    #[serde(default)]
    pub bluesky_asked_at: Micros,
}

impl ActorRow {
    pub fn account_state(&self) -> AccountState {
        match self.state.as_str() {
            "active" => AccountState::Active,
            "deactivated" => AccountState::Deactivated,
            "deleted" => AccountState::Deleted,
            "takendown" => AccountState::TakenDown,
            "suspended" => AccountState::Suspended,
            _ => AccountState::Unknown,
        }
    }

    pub fn set_account_state(&mut self, state: AccountState) {
        let word = match state {
            AccountState::Unknown => "",
            AccountState::Active => "active",
            AccountState::Deactivated => "deactivated",
            AccountState::Deleted => "deleted",
            AccountState::TakenDown => "takendown",
            AccountState::Suspended => "suspended",
        };
        word.clone_into(&mut self.state);
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HandleRow {
    pub did: String,
    pub proven_at: Micros,
    /// Whether it was given up since: then nobody holds the handle, and no older proof takes it.
    #[serde(default)]
    pub given_up: bool,
}

#[derive(Serialize, Deserialize)]
pub struct DueRow {
    pub triggered_at: Micros,
    #[serde(alias = "answered")]
    pub asked: u8,
    #[serde(default)]
    pub failures: u8,
    #[serde(default)]
    pub missing_since: Micros,
    pub due_at: Micros,
}

impl DueRow {
    pub fn of(check: &DueCheck) -> DueRow {
        DueRow {
            triggered_at: check.triggered_at,
            asked: check.asked,
            failures: check.failures,
            missing_since: check.missing_since,
            due_at: check.due_at,
        }
    }

    pub fn check(self, did: Did) -> DueCheck {
        let DueRow {
            triggered_at,
            asked,
            failures,
            missing_since,
            due_at,
        } = self;
        DueCheck {
            did,
            triggered_at,
            asked,
            failures,
            missing_since,
            due_at,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub struct CursorRow {
    position: u64,
    recent: Vec<u64>,
}

impl CursorRow {
    pub fn of(cursor: &StreamCursor) -> CursorRow {
        CursorRow {
            position: cursor.position,
            recent: cursor.recent.clone(),
        }
    }

    pub fn cursor(self, source: &str) -> StreamCursor {
        let CursorRow { position, recent } = self;
        StreamCursor {
            source: source.to_owned(),
            position,
            recent,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub struct QuarantineRow {
    source: String,
    reason: String,
    detail: String,
    did: Option<String>,
    uri: Option<String>,
    rev: Option<String>,
    cid: Option<String>,
    seen_at: Micros,
}

impl QuarantineRow {
    pub fn of(entry: &QuarantineEntry) -> QuarantineRow {
        QuarantineRow {
            source: entry.source.clone(),
            reason: entry.reason.clone(),
            detail: entry.detail.clone(),
            did: entry.did.as_ref().map(|did| did.as_str().to_owned()),
            uri: entry.uri.as_ref().map(RecordUri::to_string),
            rev: entry.rev.as_ref().map(Rev::to_string),
            cid: entry.cid.clone(),
            seen_at: entry.seen_at,
        }
    }

    pub fn is_of(&self, did: &Did) -> bool {
        self.did.as_deref() == Some(did.as_str())
    }

    pub fn entry(self, id: &str) -> QuarantineEntry {
        QuarantineEntry {
            id: id.to_owned(),
            source: self.source,
            reason: self.reason,
            detail: self.detail,
            did: self.did.and_then(|did| Did::new(did).ok()),
            uri: self.uri.and_then(|uri| uri.parse().ok()),
            rev: self.rev.and_then(|rev| rev.parse().ok()),
            cid: self.cid,
            seen_at: self.seen_at,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub struct LogRow {
    subject: String,
    pub written_at: Micros,
}

impl LogRow {
    pub fn of(subject: &LogSubject, written_at: Micros) -> LogRow {
        let subject = match subject {
            LogSubject::Record(uri) => uri.to_string(),
            LogSubject::Actor(did) => did.as_str().to_owned(),
        };
        LogRow {
            subject,
            written_at,
        }
    }

    pub fn entry(self, stream: &str, number: u64) -> Result<LogEntry, StoreError> {
        let subject = match self.subject.parse::<RecordUri>() {
            Ok(uri) => LogSubject::Record(uri),
            Err(_) => LogSubject::Actor(
                Did::new(self.subject).map_err(|problem| corrupt("LOG", problem))?,
            ),
        };
        Ok(LogEntry {
            stream: stream.to_owned(),
            number,
            subject,
            written_at: self.written_at,
        })
    }
}
