//! Files for tests: those of `tests/fixtures`, and ones that are made.

#![allow(dead_code)] // each test file uses some of them

use std::path::{Path, PathBuf};
use std::time::Duration;

use plyr_probe::{AudioFacts, Fact, ForeignBytes, Prober, ProberOptions, Refusal, look_at_audio};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

pub fn read(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

/// A prober whose children may take so much, with time enough for slow machines.
pub fn prober() -> Prober {
    Prober::new(options())
}

pub fn options() -> ProberOptions {
    ProberOptions {
        program: PathBuf::from(env!("CARGO_BIN_EXE_plyr-probe-child")),
        at_once: 2,
        memory: 512 << 20,
        cpu: Duration::from_secs(600),
        wall: Duration::from_secs(1_200),
    }
}

pub fn audio_facts(bytes: &[u8]) -> AudioFacts {
    match look_at_audio(&ForeignBytes::of_memory(bytes)).unwrap() {
        Fact::Audio(facts) => facts,
        other => panic!("{other:?}"),
    }
}

pub fn audio_refusal(bytes: &[u8]) -> Refusal {
    match look_at_audio(&ForeignBytes::of_memory(bytes)).unwrap() {
        Fact::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

/// A RIFF file of WAVE with one `fmt ` chunk and one of data, which says to have so many bytes.
pub fn wav(format: u16, channels: u16, rate: u32, bits: u16, claimed: u32, data: &[u8]) -> Vec<u8> {
    let block = channels * bits / 8;
    let mut file = b"RIFF".to_vec();
    file.extend((claimed.saturating_add(36)).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0");
    file.extend(format.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(block)).to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend(claimed.to_le_bytes());
    file.extend(data);
    file
}

/// An AIFF file of so many frames of silence; the rate is an 80-bit float of 44,100.
pub fn aiff(channels: u16, bits: u16, frames: u32) -> Vec<u8> {
    let bytes = frames as usize * usize::from(channels) * usize::from(bits.div_ceil(8));
    let mut file = b"FORM".to_vec();
    file.extend((4 + 26 + 16 + bytes as u32).to_be_bytes());
    file.extend(b"AIFFCOMM\0\0\0\x12");
    file.extend(channels.to_be_bytes());
    file.extend(frames.to_be_bytes());
    file.extend(bits.to_be_bytes());
    file.extend([0x40, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0]);
    file.extend(b"SSND");
    file.extend((8 + bytes as u32).to_be_bytes());
    file.extend([0; 8]);
    file.resize(file.len() + bytes, 0);
    file
}

/// Bytes that look like nothing, always the same.
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..bytes).map(|_| next()).collect()
}
