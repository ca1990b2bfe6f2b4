#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| plyr_parsers::audio(bytes));
