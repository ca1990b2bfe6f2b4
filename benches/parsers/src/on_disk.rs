//! An input as a file, which is how the child process has what it looks at: a disk takes other
//! things ill than memory does.

use std::fs::File;
use std::io::{Seek, Write};

use plyr_probe::ForeignBytes;

thread_local! {
    /// One for all inputs of a thread: a fuzzer gives thousands in a second.
    static INPUT: File = tempfile::tempfile().expect("a temporary file is made");
}

/// The bytes in a file, which holds them until the next are asked for.
pub(crate) fn on_disk(bytes: &[u8]) -> ForeignBytes {
    let written = INPUT.with(|mut file| {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(bytes)?;
        ForeignBytes::of_file(file.try_clone()?)
    });
    written.expect("a temporary file is written")
}
