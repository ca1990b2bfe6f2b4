//! Covers: small PNG pictures of rings and stripes in two colours.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use crate::dice::Dice;

/// Width and height of a cover, in pixels.
pub const SIDE: u32 = 192;
/// Shades between the two colours.
const SHADES: u32 = 32;

/// The bytes of a cover.
pub fn cover(seed: u64) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut head = [SIDE.to_be_bytes(), SIDE.to_be_bytes()].concat();
    // Eight bits a pixel, colours from a palette.
    head.extend_from_slice(&[8, 3, 0, 0, 0]);
    chunk(&mut out, b"IHDR", &head);
    chunk(&mut out, b"PLTE", &palette(&mut dice));
    chunk(&mut out, b"IDAT", &zipped(&pixels(&mut dice)));
    chunk(&mut out, b"IEND", &[]);
    out
}

fn palette(dice: &mut Dice) -> Vec<u8> {
    let mut colour = || [0; 3].map(|_| dice.below(256) as u32);
    let (one, two) = (colour(), colour());
    let shade =
        |at: u32| [0, 1, 2].map(|c| ((one[c] * (SHADES - at) + two[c] * at) / SHADES) as u8);
    (0..SHADES).flat_map(shade).collect()
}

fn pixels(dice: &mut Dice) -> Vec<u8> {
    let side = u64::from(SIDE);
    let (x0, y0) = (dice.below(side) as i64, dice.below(side) as i64);
    let (ring, stripe) = (dice.between(40, 400) as i64, dice.between(3, 24) as i64);
    let mut pixels = Vec::with_capacity(((SIDE + 1) * SIDE) as usize);
    for y in 0..i64::from(SIDE) {
        // Each row begins with how it is filtered: not at all.
        pixels.push(0);
        for x in 0..i64::from(SIDE) {
            let far = (x - x0) * (x - x0) + (y - y0) * (y - y0);
            let shade = far / ring + (x + y) / stripe;
            pixels.push((shade.unsigned_abs() % u64::from(SHADES)) as u8);
        }
    }
    pixels
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut zip = ZlibEncoder::new(Vec::new(), Compression::fast());
    // Into memory neither can fail.
    zip.write_all(bytes)
        .and_then(|()| zip.finish())
        .unwrap_or_default()
}

fn chunk(out: &mut Vec<u8>, name: &[u8; 4], body: &[u8]) {
    let mut sum = Crc::new();
    sum.update(name);
    sum.update(body);
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(body);
    out.extend_from_slice(&sum.sum().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cover_is_a_small_png() {
        let cover_of = cover(5);
        assert_eq!(&cover_of[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(&cover_of[12..16], b"IHDR");
        assert!(cover_of.ends_with(b"IEND\xaeB`\x82"), "the end's checksum");
        assert!(cover_of.len() < 60_000, "{} bytes", cover_of.len());
        assert_eq!(cover(5), cover_of);
        assert_ne!(cover(6), cover_of);
    }
}
