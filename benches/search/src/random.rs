//! A small generator (splitmix64), so that one seed gives one catalogue everywhere. No floating
//! point: another machine's might round otherwise.

pub struct Random(u64);

/// Doublings of the heavy tail: nothing is beyond 2^(this + 1).
const LONGEST_TAIL: u32 = 17;

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Whether something happens that happens in so many of a thousand cases.
    pub fn happens(&mut self, of_a_thousand: usize) -> bool {
        self.below(1000) < of_a_thousand
    }

    /// One of a list that isn't empty.
    pub fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// A number with a heavy tail: half of all are 0, and about one in n is beyond n.
    pub fn heavy(&mut self) -> u64 {
        let doublings = self.next().trailing_zeros().min(LONGEST_TAIL);
        let size = 1 << doublings;
        size - 1 + self.next() % size
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.below(end + 1));
        }
    }
}
