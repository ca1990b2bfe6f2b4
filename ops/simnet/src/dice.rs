//! Chance from a seed: the same on every machine and in every version of every library.

/// A generator of numbers (SplitMix64). Cheap to fork, so that what is decided about one thing
/// doesn't depend on how much was decided about another.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of a seed.
    pub const fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// Dice of a seed for one named purpose.
    pub fn named(seed: u64, name: &str) -> Dice {
        let mut dice = Dice(seed);
        for byte in name.bytes() {
            dice.0 = dice.0.rotate_left(8) ^ u64::from(byte);
            dice.next();
        }
        dice
    }

    /// Dice of their own, decided by these.
    pub fn fork(&mut self) -> Dice {
        Dice(self.next())
    }

    /// 64 random bits.
    #[allow(clippy::should_implement_trait)] // no iterator: it never ends
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a bound; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        (wide >> 64) as u64
    }

    /// A place in a list of this length.
    pub fn place(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// A number from the first up to and including the last.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last.saturating_sub(first) + 1)
    }

    /// Whether something that happens once in so many times happens now; never for 0.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0 && times > 0
    }

    /// One of a list; none of an empty one.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.place(of.len()))
    }

    /// One of a list that is not empty.
    pub fn one<T: Copy, const N: usize>(&mut self, of: &[T; N]) -> T {
        of[self.place(N)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_same_for_ever() {
        let mut dice = Dice::new(1);
        assert_eq!(dice.next(), 10_451_216_379_200_822_465);
        let mut named = Dice::named(1, "people");
        let mut other = Dice::named(1, "sounds");
        assert_ne!(named.next(), other.next());
    }

    #[test]
    fn bounds_hold_and_are_reached() {
        let mut dice = Dice::new(7);
        let seen: std::collections::BTreeSet<u64> = (0..200).map(|_| dice.between(3, 6)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6]);
        assert_eq!(dice.below(0), 0);
        assert!(!dice.once_in(0));
    }
}
