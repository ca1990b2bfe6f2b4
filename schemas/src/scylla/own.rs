//! The journal of own state in the keyspace: a row for each action, in a partition for each month.

use async_trait::async_trait;
use chrono::{DateTime, Datelike};

use super::ScyllaStore;
use super::cells::corrupt;
use super::cql::write;
use super::statements::Statement::{ReadOwnActions, ScanOwnMonths};
use crate::model::Micros;
use crate::own::{Action, Hear, OwnJournal};
use crate::store::StoreError;

/// Actions read at a time.
const PAGE: usize = 1_000;
/// Months that there may be: more than eight centuries.
const MONTHS: usize = 10_000;

/// The month of a time, counted from the year 0.
fn month(at: Micros) -> Result<i32, StoreError> {
    let time = DateTime::from_timestamp_micros(at);
    let time = time.ok_or_else(|| corrupt("OWN_ACTIONS", format!("{at} is no time")))?;
    Ok(time.year() * 12 + time.month0() as i32)
}

#[async_trait]
impl OwnJournal for ScyllaStore {
    async fn append(&self, action: &Action) -> Result<(), StoreError> {
        self.inner.alive()?;
        let said = serde_json::to_string(action).map_err(|p| corrupt("OWN_ACTIONS", p))?;
        let (at, id) = (action.at, action.id.as_str());
        let row = write!(WriteOwnAction; month(at)?, at, id, said, at);
        self.inner.cql.write(vec![row]).await
    }

    async fn each(&self, hear: Hear<'_>) -> Result<(), StoreError> {
        self.inner.alive()?;
        let cql = &self.inner.cql;
        let mut months: Vec<(i32,)> = cql.read(ScanOwnMonths, (), MONTHS).await?;
        months.sort_unstable();
        for (month,) in months {
            let mut after = (0i64, String::new());
            loop {
                let values = (month, after.0, after.1.as_str());
                let rows: Vec<(i64, String, String)> =
                    cql.read(ReadOwnActions, values, PAGE).await?;
                let Some(last) = rows.last() else { break };
                after = (last.0, last.1.clone());
                for (_, _, said) in &rows {
                    let action =
                        serde_json::from_str(said).map_err(|p| corrupt("OWN_ACTIONS", p))?;
                    if !hear(action) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }
}
