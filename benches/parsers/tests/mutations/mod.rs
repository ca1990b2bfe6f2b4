//! Small changes to inputs, out of a seed: bits flipped, bytes put in and taken out, and pieces of
//! other inputs spliced in.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Changes to one input at most.
const MOST_CHANGES: usize = 4;
/// Bytes that a change puts in, repeats or takes out at most.
const LONGEST_PIECE: usize = 32;
/// Bytes that parsers look for, and numbers at the borders of their ranges.
const TELLING: &[u8] = b"\0\x01\x18\x7f\x80\xff\"{}[]:,/%&=#.\\ \n-+0z";

/// A row of mutations.
pub struct Mutations {
    random: StdRng,
}

impl Mutations {
    pub fn new(seed: u64) -> Mutations {
        Mutations {
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// One of the inputs, changed.
    pub fn of(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.one(inputs).clone();
        for _ in 0..self.random.random_range(1..=MOST_CHANGES) {
            let at = self.random.random_range(0..=input.len());
            match self.random.random_range(0..5) {
                0 => self.flip(&mut input, at),
                1 => self.delete(&mut input, at),
                2 => self.insert(&mut input, at),
                3 => self.repeat(&mut input, at),
                _ => self.splice(&mut input, at, inputs),
            }
        }
        input
    }

    fn one<'a>(&mut self, inputs: &'a [Vec<u8>]) -> &'a Vec<u8> {
        &inputs[self.random.random_range(0..inputs.len())]
    }

    fn piece(&mut self, longest: usize) -> usize {
        self.random.random_range(0..=longest.min(LONGEST_PIECE))
    }

    fn flip(&mut self, input: &mut [u8], at: usize) {
        let bit = self.random.random_range(0..8);
        if let Some(byte) = input.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }

    fn delete(&mut self, input: &mut Vec<u8>, at: usize) {
        let length = self.piece(input.len() - at);
        input.drain(at..at + length);
    }

    fn insert(&mut self, input: &mut Vec<u8>, at: usize) {
        let byte = match self.random.random_bool(0.5) {
            true => TELLING[self.random.random_range(0..TELLING.len())],
            false => self.random.random(),
        };
        input.insert(at, byte);
    }

    fn repeat(&mut self, input: &mut Vec<u8>, at: usize) {
        let length = self.piece(input.len() - at);
        let piece = input[at..at + length].to_vec();
        input.splice(at..at, piece);
    }

    fn splice(&mut self, input: &mut Vec<u8>, at: usize, inputs: &[Vec<u8>]) {
        let other = self.one(inputs);
        let from = self.random.random_range(0..=other.len());
        let length = self.piece(other.len() - from);
        let replaced = self.piece(input.len() - at);
        input.splice(at..at + replaced, other[from..from + length].to_vec());
    }
}
