//! fm.plyr.sync.getCoverage
//! Written by lexicons/generator from the documents; not by hand.

#[allow(unused_imports)]
use crate::typed::{self, Typed};
#[allow(unused_imports)]
use crate::{Cid, Ipld};
/// The output of `fm.plyr.sync.getCoverage`.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// Ask with it for the next page; absent at the end.
    pub cursor: Option<String>,
    /// Repos in an order of this instance's own.
    pub repos: typed::List<Repo>,
    /// Every stream that is or was followed.
    pub sources: typed::List<Source>,
    /// How many repos are in each state, at most a minute ago.
    pub states: typed::List<StateCount>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Output {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            cursor: typed::optional(&mut fields, "cursor")?,
            repos: typed::required(&mut fields, "repos")?,
            sources: typed::required(&mut fields, "sources")?,
            states: typed::required(&mut fields, "states")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "cursor", self.cursor);
        typed::put(&mut fields, "repos", self.repos);
        typed::put(&mut fields, "sources", self.sources);
        typed::put(&mut fields, "states", self.states);
        Ipld::Map(fields)
    }
}
/// How complete what is held of one repo is.
#[derive(Clone, PartialEq, Debug)]
pub struct Repo {
    /// Why: new, gap, steady, by-hand …
    pub cause: Option<String>,
    /// Its CID.
    ///
    /// A `cid`.
    pub commit: Option<String>,
    /// `did`
    ///
    /// A `did`.
    pub did: String,
    /// When it will be asked again.
    ///
    /// A `datetime`.
    pub due_at: Option<String>,
    /// Failures since the last success.
    ///
    /// At least 0.
    pub failures: Option<i64>,
    /// The host asked last.
    pub host: Option<String>,
    /// How long ago that was.
    ///
    /// At least 0.
    pub lag_seconds: Option<i64>,
    /// The greatest rev that a stream told of.
    ///
    /// A `tid`.
    pub last_seen_rev: Option<String>,
    /// Why the last try failed.
    pub problem: Option<String>,
    /// Records of the namespace in the state merged last.
    ///
    /// At least 0.
    pub records: i64,
    /// The signed head that was merged last.
    ///
    /// A `tid`.
    pub rev: Option<String>,
    /// verified: what is held is what the repo's signed head says.
    ///
    /// Known values `unknown`, `backfilling`, `verified`, `desynchronized`, `rolled-back`, `over-quota`, `unreachable`, `gone`.
    pub state: String,
    /// `unreachableSince`
    ///
    /// A `datetime`.
    pub unreachable_since: Option<String>,
    /// When what is held was last known to be what that head says.
    ///
    /// A `datetime`.
    pub verified_at: Option<String>,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Repo {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            cause: typed::optional(&mut fields, "cause")?,
            commit: typed::optional(&mut fields, "commit")?,
            did: typed::required(&mut fields, "did")?,
            due_at: typed::optional(&mut fields, "dueAt")?,
            failures: typed::optional(&mut fields, "failures")?,
            host: typed::optional(&mut fields, "host")?,
            lag_seconds: typed::optional(&mut fields, "lagSeconds")?,
            last_seen_rev: typed::optional(&mut fields, "lastSeenRev")?,
            problem: typed::optional(&mut fields, "problem")?,
            records: typed::required(&mut fields, "records")?,
            rev: typed::optional(&mut fields, "rev")?,
            state: typed::required(&mut fields, "state")?,
            unreachable_since: typed::optional(&mut fields, "unreachableSince")?,
            verified_at: typed::optional(&mut fields, "verifiedAt")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "cause", self.cause);
        typed::put_optional(&mut fields, "commit", self.commit);
        typed::put(&mut fields, "did", self.did);
        typed::put_optional(&mut fields, "dueAt", self.due_at);
        typed::put_optional(&mut fields, "failures", self.failures);
        typed::put_optional(&mut fields, "host", self.host);
        typed::put_optional(&mut fields, "lagSeconds", self.lag_seconds);
        typed::put_optional(&mut fields, "lastSeenRev", self.last_seen_rev);
        typed::put_optional(&mut fields, "problem", self.problem);
        typed::put(&mut fields, "records", self.records);
        typed::put_optional(&mut fields, "rev", self.rev);
        typed::put(&mut fields, "state", self.state);
        typed::put_optional(&mut fields, "unreachableSince", self.unreachable_since);
        typed::put_optional(&mut fields, "verifiedAt", self.verified_at);
        Ipld::Map(fields)
    }
}
/// One stream. What only the process that follows it knows is absent where another one answers.
#[derive(Clone, PartialEq, Debug)]
pub struct Source {
    /// Collections that others carry and it doesn't.
    pub blind: Option<typed::List<String>>,
    /// `connected`
    pub connected: Option<bool>,
    /// Times it did not go on where it had stopped.
    ///
    /// At least 0.
    pub gaps: Option<i64>,
    /// Events it told of that their repos know nothing of.
    ///
    /// At least 0.
    pub invented: Option<i64>,
    /// How long ago that was.
    ///
    /// At least 0.
    pub lag_seconds: Option<i64>,
    /// When it saw the last event that is durable here, by its own clock.
    ///
    /// A `datetime`.
    pub last_event_at: Option<String>,
    /// Why it is not followed, when it last failed.
    pub problem: Option<String>,
    /// What it speaks.
    ///
    /// Known values `jetstream v1`, `jetstream v2`.
    pub protocol: Option<String>,
    /// Its address.
    pub source: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for Source {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            blind: typed::optional(&mut fields, "blind")?,
            connected: typed::optional(&mut fields, "connected")?,
            gaps: typed::optional(&mut fields, "gaps")?,
            invented: typed::optional(&mut fields, "invented")?,
            lag_seconds: typed::optional(&mut fields, "lagSeconds")?,
            last_event_at: typed::optional(&mut fields, "lastEventAt")?,
            problem: typed::optional(&mut fields, "problem")?,
            protocol: typed::optional(&mut fields, "protocol")?,
            source: typed::required(&mut fields, "source")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put_optional(&mut fields, "blind", self.blind);
        typed::put_optional(&mut fields, "connected", self.connected);
        typed::put_optional(&mut fields, "gaps", self.gaps);
        typed::put_optional(&mut fields, "invented", self.invented);
        typed::put_optional(&mut fields, "lagSeconds", self.lag_seconds);
        typed::put_optional(&mut fields, "lastEventAt", self.last_event_at);
        typed::put_optional(&mut fields, "problem", self.problem);
        typed::put_optional(&mut fields, "protocol", self.protocol);
        typed::put(&mut fields, "source", self.source);
        Ipld::Map(fields)
    }
}
/// `StateCount`
#[derive(Clone, PartialEq, Debug)]
pub struct StateCount {
    /// `repos`
    ///
    /// At least 0.
    pub repos: i64,
    /// See the state of a repo.
    pub state: String,
    /// Fields the document doesn't know, kept as they are.
    pub other: typed::Fields,
}
impl Typed for StateCount {
    fn read(value: Ipld) -> Result<Self, typed::Misfit> {
        let mut fields = typed::fields_of(value)?;
        Ok(Self {
            repos: typed::required(&mut fields, "repos")?,
            state: typed::required(&mut fields, "state")?,
            other: fields,
        })
    }
    fn write(self) -> Ipld {
        let mut fields = self.other;
        typed::put(&mut fields, "repos", self.repos);
        typed::put(&mut fields, "state", self.state);
        Ipld::Map(fields)
    }
}
