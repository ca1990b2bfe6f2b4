//! What is compared: each engine holds the same catalogue and answers the same words, asked as a
//! sensible user of it would.

pub mod fts5;
pub mod plyr;
pub mod postgres;
pub mod trgm;

use crate::Failure;
use crate::catalogue::Entity;

/// An engine that holds a catalogue.
pub trait Engine {
    /// As tables call it.
    fn name(&self) -> &'static str;

    /// The first answers, the best first.
    fn first(&mut self, query: &str, most: usize) -> Result<Vec<Entity>, Failure>;
}

/// An entity as a row's number.
pub fn number_of(entity: Entity) -> i64 {
    let (kind, number) = match entity {
        Entity::Track(number) => (0, number),
        Entity::Artist(number) => (1, number),
        Entity::Album(number) => (2, number),
        Entity::Playlist(number) => (3, number),
        Entity::Tag(number) => (4, number),
    };
    number as i64 * 8 + kind
}

/// The entity of a row's number.
pub fn entity_of(row: i64) -> Result<Entity, Failure> {
    let number = usize::try_from(row / 8)?;
    match row % 8 {
        0 => Ok(Entity::Track(number)),
        1 => Ok(Entity::Artist(number)),
        2 => Ok(Entity::Album(number)),
        3 => Ok(Entity::Playlist(number)),
        4 => Ok(Entity::Tag(number)),
        _ => Err(format!("{row} is no row of ours").into()),
    }
}
