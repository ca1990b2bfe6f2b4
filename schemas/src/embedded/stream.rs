//! The name of the log's one stream: drawn at random once for each store, so that a position in the
//! log of one store is none in that of another.

use fjall::PersistMode;

use super::cells;
use super::layers::{Engine, failed};
use crate::store::StoreError;
use crate::tables::{Key, Kind, META};

/// The name a store keeps; one that has none yet is given one, which is durable when it returns.
/// It is neither dumped nor copied.
pub fn stream(engine: &Engine) -> Result<String, StoreError> {
    let key = Key::of(&META).text("stream").into_bytes();
    let network = engine.keyspace(Kind::Network);
    let held = network.get(&key);
    let held = held.map_err(|problem| failed("read the name of the log", &problem))?;
    if let Some(cell) = held {
        return cells::decode("META", &cell);
    }
    let stream = format!("{:016x}", rand::random::<u64>());
    let sync = Some(PersistMode::SyncAll);
    let mut batch = engine.database.batch().durability(sync);
    batch.insert(network, key, cells::encode("META", &stream)?);
    let written = batch.commit();
    written.map_err(|problem| failed("write the name of the log", &problem))?;
    Ok(stream)
}
