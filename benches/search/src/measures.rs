//! How good an order of answers is.

use crate::catalogue::Entity;
use crate::judged::Judgement;

/// Places that are looked at.
pub const DEPTH: usize = 10;

/// Of one query, or the mean of many; each between 0 and 1.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Scores {
    /// One by the place of the first answer of grade 2; 0 if the first ten have none. Its mean is
    /// the MRR.
    pub reciprocal: f64,
    /// nDCG of the first ten: gains of 3 and 1, less by the logarithm of the place, by those of
    /// the best order there is.
    pub gain: f64,
    /// Right answers among the first ten, by as many as there could be.
    pub recall: f64,
}

impl Scores {
    pub fn of(answers: &[Entity], right: &Judgement) -> Scores {
        let grade = |entity: &Entity| right.get(entity).copied().unwrap_or(0);
        let grades: Vec<u8> = answers.iter().take(DEPTH).map(grade).collect();
        let mut best: Vec<u8> = right.values().copied().collect();
        best.sort_unstable_by(|one, other| other.cmp(one));
        best.truncate(DEPTH);
        let first = grades.iter().position(|grade| *grade == 2);
        let found = grades.iter().filter(|grade| **grade > 0).count();
        Scores {
            reciprocal: first.map_or(0.0, |place| 1.0 / (place + 1) as f64),
            gain: gain(&grades) / gain(&best),
            recall: found as f64 / best.len() as f64,
        }
    }

    pub fn mean(scores: &[Scores]) -> Scores {
        let count = scores.len().max(1) as f64;
        let mean = |of: fn(&Scores) -> f64| scores.iter().map(of).sum::<f64>() / count;
        Scores {
            reciprocal: mean(|scores| scores.reciprocal),
            gain: mean(|scores| scores.gain),
            recall: mean(|scores| scores.recall),
        }
    }
}

fn gain(grades: &[u8]) -> f64 {
    let gain = |(place, grade): (usize, &u8)| {
        let worth = f64::from((1_u32 << grade) - 1);
        worth / ((place + 2) as f64).log2()
    };
    // A sum of nothing would be a negative zero.
    grades
        .iter()
        .enumerate()
        .map(gain)
        .fold(0.0, |sum, gain| sum + gain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(answers: &[usize]) -> Scores {
        let right = [(Entity::Track(1), 2), (Entity::Track(2), 1)];
        let answers: Vec<Entity> = answers.iter().copied().map(Entity::Track).collect();
        Scores::of(&answers, &right.into_iter().collect())
    }

    #[test]
    fn the_best_order_scores_one_and_none_scores_nothing() {
        let best = scores(&[1, 2, 9]);
        assert_eq!((best.reciprocal, best.gain, best.recall), (1.0, 1.0, 1.0));
        assert_eq!(scores(&[]), Scores::default());
    }

    #[test]
    fn the_related_above_the_meant_scores_less() {
        let worse = scores(&[2, 1]);
        assert_eq!((worse.reciprocal, worse.recall), (0.5, 1.0));
        // (1 + 3 / log2(3)) / (3 + 1 / log2(3))
        assert!((worse.gain - 0.796_707).abs() < 1e-6, "{worse:?}");
        assert_eq!(scores(&[9, 8, 2]).reciprocal, 0.0);
    }

    #[test]
    fn what_comes_after_the_tenth_place_counts_nothing() {
        let late: Vec<usize> = (10..20).chain([1, 2]).collect();
        assert_eq!(scores(&late), Scores::default());
    }
}
