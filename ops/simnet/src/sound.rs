//! Sounds: short tunes made of whole numbers alone, so that every machine makes the same bytes.

use crate::dice::Dice;

/// Samples a second, one channel of 16 bits.
pub const RATE: u32 = 22_050;
const NOTES_A_SECOND: u32 = 4;
const SAMPLES_A_NOTE: u32 = RATE / NOTES_A_SECOND;
/// Of a semitone above C, by how much the wave goes on with each sample: 2³² is a whole wave.
/// Equal temperament from 130.81 Hz.
const STEPS: [u32; 12] = [
    25_480_119, 26_995_246, 28_600_467, 30_301_139, 32_102_938, 34_011_878, 36_034_330, 38_177_043,
    40_447_168, 42_852_281, 45_400_411, 48_100_060,
];
const MAJOR: [u32; 5] = [0, 2, 4, 7, 9];
const MINOR: [u32; 5] = [0, 3, 5, 7, 10];
/// Roots of the chords that a tune walks through, in semitones.
const WALKS: [[u32; 4]; 4] = [[0, 5, 7, 0], [0, 9, 5, 7], [0, 3, 10, 5], [0, 7, 9, 5]];

/// What a tune is made of, and what its tags say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tune {
    /// Decides the notes.
    pub seed: u64,
    /// How long it is.
    pub seconds: u32,
    /// Its title.
    pub title: String,
    /// Who plays.
    pub artist: String,
}

impl Tune {
    /// The bytes of a WAV file with tags (`LIST INFO`).
    pub fn wav(&self) -> Vec<u8> {
        let samples = self.samples();
        let tags = self.tags();
        let data = samples.len() * 2;
        let mut out = Vec::with_capacity(data + tags.len() + 64);
        out.extend_from_slice(b"RIFF");
        number(&mut out, 4 + 24 + tags.len() + 8 + data);
        out.extend_from_slice(b"WAVEfmt ");
        number(&mut out, 16);
        // PCM, one channel.
        out.extend_from_slice(&[1, 0, 1, 0]);
        number(&mut out, RATE as usize);
        number(&mut out, RATE as usize * 2);
        out.extend_from_slice(&[2, 0, 16, 0]);
        out.extend_from_slice(&tags);
        out.extend_from_slice(b"data");
        number(&mut out, data);
        for sample in samples {
            out.extend_from_slice(&sample.to_le_bytes());
        }
        out
    }

    fn tags(&self) -> Vec<u8> {
        let mut tags = b"INFO".to_vec();
        for (name, text) in [(b"INAM", &self.title), (b"IART", &self.artist)] {
            let mut text = text.clone().into_bytes();
            text.push(0);
            tags.extend_from_slice(name);
            number(&mut tags, text.len());
            if text.len() % 2 == 1 {
                text.push(0);
            }
            tags.extend_from_slice(&text);
        }
        let mut list = b"LIST".to_vec();
        number(&mut list, tags.len());
        list.extend_from_slice(&tags);
        list
    }

    fn samples(&self) -> Vec<i16> {
        let mut dice = Dice::new(self.seed);
        let scale = if dice.once_in(2) { MAJOR } else { MINOR };
        let walk = dice.one(&WALKS);
        let home = dice.below(12) as u32;
        let mut samples = Vec::with_capacity((self.seconds * RATE) as usize);
        let mut degree = 0_i64;
        for note in 0..self.seconds * NOTES_A_SECOND {
            let chord = walk[(note / 8) as usize % walk.len()];
            degree = (degree + dice.between(0, 4) as i64 - 2).clamp(-2, 7);
            let semitone = scale[degree.rem_euclid(5) as usize];
            let octave = 1 + u32::from(degree >= 5) + u32::from(degree >= 0);
            let rests = dice.once_in(6);
            let lead = (!rests).then(|| step(home + chord + semitone, octave));
            let bass = step(home + chord, 0);
            note_into(&mut samples, lead, bass, note % 4 == 0);
        }
        samples
    }
}

/// How fast the wave of a semitone goes, an octave up for each.
fn step(semitone: u32, octave: u32) -> u32 {
    let octave = octave + semitone / 12;
    STEPS[(semitone % 12) as usize] << octave.min(3)
}

fn note_into(samples: &mut Vec<i16>, lead: Option<u32>, bass: u32, is_beat: bool) {
    let (mut high, mut low) = (0_u32, 0_u32);
    for at in 0..SAMPLES_A_NOTE {
        high = high.wrapping_add(lead.unwrap_or(0));
        low = low.wrapping_add(bass);
        // Up within 200 samples, then slowly away.
        let rise = at.min(200) as i32;
        let fall = (SAMPLES_A_NOTE - at) as i32;
        let loud = rise * fall / SAMPLES_A_NOTE as i32;
        let tone = wave(high) + wave(high.wrapping_mul(2)) / 4;
        let ground = wave(low) / if is_beat { 1 } else { 2 };
        let mixed = tone * loud / 320 + ground * fall / (SAMPLES_A_NOTE as i32 * 3);
        samples.push(mixed.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16);
    }
}

/// A round wave out of two parabolas, from -16,384 to 16,384.
fn wave(phase: u32) -> i32 {
    let x = i64::from(phase >> 16) - 32_768;
    let y = x * (32_768 - x.abs()) / 16_384;
    y as i32
}

fn number(out: &mut Vec<u8>, value: usize) {
    out.extend_from_slice(&(value as u32).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tune(seed: u64) -> Tune {
        Tune {
            seed,
            seconds: 2,
            title: "Low Tide".to_owned(),
            artist: "Velvet Harbor".to_owned(),
        }
    }

    #[test]
    fn a_tune_is_a_wav_that_can_be_heard() {
        let wav = tune(1).wav();
        assert_eq!((&wav[..4], &wav[8..16]), (&b"RIFF"[..], &b"WAVEfmt "[..]));
        let told = u32::from_le_bytes(wav[4..8].try_into().unwrap()) as usize;
        assert_eq!(told, wav.len() - 8);
        assert!(wav.windows(4).any(|part| part == b"INAM"));
        let samples = tune(1).samples();
        assert_eq!(samples.len() as u32, 2 * SAMPLES_A_NOTE * NOTES_A_SECOND);
        let loudest = samples.iter().map(|one| one.unsigned_abs()).max().unwrap();
        assert!((4_000..32_000).contains(&loudest), "{loudest}");
    }

    #[test]
    fn a_seed_is_a_tune() {
        assert_eq!(tune(3).wav(), tune(3).wav());
        assert_ne!(tune(3).wav(), tune(4).wav());
    }
}
