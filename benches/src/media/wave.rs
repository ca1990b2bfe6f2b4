//! WAVs of silence, as long as is wanted and each another: they are said, not kept, so that one of
//! 1.5 GB takes no memory here.

use std::io;
use std::path::Path;

use ipld_core::cid::multihash::Multihash;
use plyr_lexicons::Cid;
use sha2::{Digest, Sha256};

/// The codec of blobs' CIDs, and their hash.
const RAW: u64 = 0x55;
const SHA2_256: u64 = 0x12;
/// Bytes before the sound.
const HEADER: usize = 44;
/// The first samples, by which one WAV differs from another.
const MARK: usize = 8;
/// Two channels of 16 bits, 44,100 times a second.
const FRAME: u32 = 4;
pub const BYTES_A_SECOND: u32 = 44_100 * FRAME;

/// What a piece of silence is cut from.
pub static SILENCE: [u8; 64 << 10] = [0; 64 << 10];

/// A WAV.
#[derive(Clone, Debug)]
pub struct Wave {
    /// Header and first samples; silence follows.
    pub beginning: Vec<u8>,
    /// Bytes in all.
    pub size: u64,
    pub cid: Cid,
}

impl Wave {
    /// Of about so many bytes; another one for each `mark`. Hashes it all: blocks the thread.
    pub fn new(mark: u64, bytes: u32) -> io::Result<Wave> {
        let sound = bytes / FRAME * FRAME;
        let mut beginning = Vec::with_capacity(HEADER + MARK);
        beginning.extend_from_slice(b"RIFF");
        beginning.extend_from_slice(&(36 + sound).to_le_bytes());
        beginning.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
        beginning.extend_from_slice(&44_100_u32.to_le_bytes());
        beginning.extend_from_slice(&BYTES_A_SECOND.to_le_bytes());
        beginning.extend_from_slice(b"\x04\0\x10\0data");
        beginning.extend_from_slice(&sound.to_le_bytes());
        beginning.extend_from_slice(&mark.to_le_bytes());
        let size = u64::from(sound) + HEADER as u64;
        let mut hash = Sha256::new();
        hash.update(&beginning);
        let mut left = size - beginning.len() as u64;
        while left > 0 {
            let piece = silence(left);
            hash.update(piece);
            left -= piece.len() as u64;
        }
        let hash = Multihash::<64>::wrap(SHA2_256, &hash.finalize()).map_err(io::Error::other)?;
        Ok(Wave {
            beginning,
            size,
            cid: Cid::new_v1(RAW, hash),
        })
    }

    /// Writes it as a file whose silence takes no room on the disk.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, &self.beginning)?;
        std::fs::File::options()
            .write(true)
            .open(path)?
            .set_len(self.size)
    }
}

/// A piece of silence of so many bytes at most.
pub fn silence(left: u64) -> &'static [u8] {
    let most = left.min(SILENCE.len() as u64) as usize;
    &SILENCE[..most]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_wave_is_so_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wave");
        let wave = Wave::new(7, 300_001).unwrap();
        wave.write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len() as u64, wave.size);
        assert_eq!(Sha256::digest(&bytes)[..], *wave.cid.hash().digest());
        let size = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
        assert_eq!(size as usize, bytes.len() - 8);
        assert_ne!(wave.cid, Wave::new(8, 300_001).unwrap().cid);
    }
}
