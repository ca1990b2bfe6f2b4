//! Frames compressed with one of Jetstream's dictionaries.

use crate::IndexerError;

/// What a compressed frame turned out to be.
pub enum Unzipped<'a> {
    /// A frame.
    Frame(&'a [u8]),
    /// It would be larger than a frame may be.
    TooLarge,
    /// None; why.
    Broken(String),
}

/// One decompressor and its buffer, used again for every frame of a connection.
pub struct Unzip {
    decompressor: zstd::bulk::Decompressor<'static>,
    buffer: Vec<u8>,
}

impl Unzip {
    /// `largest`: bytes of an unzipped frame at most.
    pub fn new(dictionary: &[u8], largest: usize) -> Result<Unzip, IndexerError> {
        let decompressor = zstd::bulk::Decompressor::with_dictionary(dictionary)
            .map_err(|problem| IndexerError::Stream(format!("zstd: {problem}")))?;
        Ok(Unzip {
            decompressor,
            buffer: Vec::with_capacity(largest),
        })
    }

    /// Unzips one frame; never into more than the buffer.
    pub fn unzip(&mut self, bytes: &[u8]) -> Unzipped<'_> {
        self.buffer.clear();
        let done = self
            .decompressor
            .decompress_to_buffer(bytes, &mut self.buffer);
        match done {
            Ok(_) => Unzipped::Frame(&self.buffer),
            // What libzstd calls its error 70; the binding only passes its words on.
            Err(problem) if problem.to_string().contains("buffer is too small") => {
                Unzipped::TooLarge
            }
            Err(problem) => Unzipped::Broken(format!("zstd: {problem}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_too_large_and_garbage_is_broken() {
        let dictionary = crate::source::protocol::Protocol::V1.dictionary();
        let mut unzip = Unzip::new(dictionary, 1_000).unwrap();
        let bomb = zstd::bulk::compress(&[b'x'; 100_000], 3).unwrap();
        assert!(bomb.len() < 100);
        assert!(matches!(unzip.unzip(&bomb), Unzipped::TooLarge));
        assert!(matches!(unzip.unzip(b"garbage"), Unzipped::Broken(_)));
        assert!(matches!(
            unzip.unzip(b""),
            Unzipped::Broken(_) | Unzipped::Frame(b"")
        ));
        let mut compressor = zstd::bulk::Compressor::with_dictionary(3, dictionary).unwrap();
        let small = compressor.compress(b"{}").unwrap();
        assert!(matches!(unzip.unzip(&small), Unzipped::Frame(b"{}")));
    }
}
