//! The kinds of acts, and how often each is done.

use crate::dice::Dice;

/// A kind of act.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Likes a track.
    Like,
    /// Likes it a second time, by another record.
    LikeAgain,
    /// Takes a like back.
    Unlike,
    /// Says something about a moment of a track.
    Comment,
    /// Publishes a track.
    Track,
    /// Publishes a track in haste, and its final version soon after.
    Interim,
    /// Publishes an album: its tracks and the list, in one commit.
    Album,
    /// Makes a playlist.
    Playlist,
    /// Adds to a playlist, or takes something from it.
    Rearrange,
    /// Edits a track, as the app does: with a new `createdAt`, now and then without its blob.
    Edit,
    /// Changes a profile.
    Profile,
    /// Deletes a record.
    Delete,
    /// Creates a deleted record again under its key.
    Again,
    /// Writes what is there already once more.
    Same,
    /// Writes a record of another app or of a sibling namespace.
    Foreign,
    /// Writes what nobody should.
    Hostile,
    /// Somebody new joins.
    Join,
    /// Takes another handle.
    Rename,
    /// Leaves for a while, and comes back.
    Deactivate,
    /// Is taken down, and later restored.
    TakeDown,
    /// Is deleted for good.
    Leave,
    /// Moves to another host.
    Move,
    /// Is labelled, or a track is; now and then for a while. A story that may do this has a
    /// labeler, who joins in the opening.
    Label,
    /// Has such a label taken back.
    Unlabel,
}

/// How often each kind of act is done, as weights.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proportions(Vec<(Kind, u32)>);

impl Default for Proportions {
    /// As a lively network may be: mostly likes, some of everything but labels.
    fn default() -> Proportions {
        use Kind::*;
        Proportions(vec![
            (Like, 300),
            (LikeAgain, 8),
            (Unlike, 40),
            (Comment, 140),
            (Track, 80),
            (Interim, 12),
            (Album, 10),
            (Playlist, 25),
            (Rearrange, 25),
            (Edit, 50),
            (Profile, 20),
            (Delete, 20),
            (Again, 10),
            (Same, 8),
            (Foreign, 15),
            (Hostile, 15),
            (Join, 12),
            (Rename, 4),
            (Deactivate, 4),
            (TakeDown, 2),
            (Leave, 1),
            (Move, 3),
            (Label, 0),
            (Unlabel, 0),
        ])
    }
}

impl Proportions {
    /// These, but for one kind.
    pub fn with(mut self, kind: Kind, weight: u32) -> Proportions {
        self.0.retain(|(one, _)| *one != kind);
        self.0.push((kind, weight));
        self
    }

    /// All kinds with their weights.
    pub fn all(&self) -> &[(Kind, u32)] {
        &self.0
    }

    /// How often a kind is done.
    pub fn weight(&self, kind: Kind) -> u32 {
        let found = self.0.iter().find(|(one, _)| *one == kind);
        found.map_or(0, |(_, weight)| *weight)
    }

    pub(super) fn roll(&self, dice: &mut Dice) -> Kind {
        let sum = self.0.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut rest = dice.below(sum);
        for (kind, weight) in &self.0 {
            match rest.checked_sub(u64::from(*weight)) {
                Some(left) => rest = left,
                None => return *kind,
            }
        }
        Kind::Like
    }
}
