//! The opening: everybody joins, says who they are and publishes what there is at first.

use std::collections::VecDeque;

use super::{Kind, Plot, Story};
use crate::dice::Dice;
use crate::story::Deed;

/// A step of the opening.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Somebody joins; artists first, so that they are the first people.
    Join { is_artist: bool },
    /// A person says who they are.
    Profile { person: usize },
    /// An artist publishes tracks: one by itself, more as an album.
    Publish { artist: usize, tracks: usize },
    /// The labeler joins.
    Labeler,
    /// It offers labels.
    OfferLabels,
    /// It says which.
    Policies,
}

/// Fewest and most tracks of an album.
const ALBUM: (u64, u64) = (3, 6);

/// All steps, in order.
pub fn script(plot: &Plot, dice: &mut Dice) -> VecDeque<Step> {
    let artists = plot.artists;
    let mut script: VecDeque<Step> = (0..artists)
        .map(|_| Step::Join { is_artist: true })
        .collect();
    script.extend((0..plot.listeners).map(|_| Step::Join { is_artist: false }));
    let people = artists + plot.listeners;
    // Some never say who they are.
    let shy = |dice: &mut Dice| dice.once_in(5);
    script.extend((0..people).filter_map(|person| {
        let speaks = person < artists || !shy(dice);
        speaks.then_some(Step::Profile { person })
    }));
    let mut left = plot.tracks;
    for artist in 0..artists {
        script.push_back(Step::Publish { artist, tracks: 1 });
        left = left.saturating_sub(1);
    }
    while left > 0 {
        // The first artists publish more than the last.
        let artist = dice.place(artists).min(dice.place(artists));
        let album = dice.between(ALBUM.0, ALBUM.1) as usize;
        let tracks = if dice.once_in(2) { album.min(left) } else { 1 };
        script.push_back(Step::Publish { artist, tracks });
        left -= tracks;
    }
    // Last, so that what is before is the same with labels and without.
    if plot.proportions.weight(Kind::Label) > 0 {
        script.extend([Step::Labeler, Step::OfferLabels, Step::Policies]);
    }
    script
}

impl Story {
    pub(super) fn step(&mut self, step: Step) -> (usize, Deed) {
        match step {
            Step::Join { is_artist } => self.join(is_artist),
            Step::Profile { person } => (person, self.profile(person)),
            Step::Publish { artist, tracks } => (artist, self.publish(artist, tracks)),
            Step::Labeler => self.join_labeler(),
            Step::OfferLabels => (self.labeler(), Deed::OfferLabels),
            Step::Policies => (self.labeler(), self.policies()),
        }
    }
}
