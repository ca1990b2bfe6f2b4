//! The folder of vectors and captures, which lies beside the checkout. Where it is missing the
//! tests say so and pass, unless `PLYR_REQUIRE_PEERS` is 1.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder, where it is there.
pub fn shared() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
    let folder = std::env::var_os("PLYR_SHARED").map_or_else(|| beside.into(), PathBuf::from);
    if folder.join("interop").is_dir() {
        return Some(folder);
    }
    let required = std::env::var("PLYR_REQUIRE_PEERS").as_deref() == Ok("1");
    assert!(
        !required,
        "PLYR_REQUIRE_PEERS is 1, but PLYR_SHARED leads to no vectors"
    );
    println!("skipped: PLYR_SHARED leads to no vectors");
    None
}

/// A file's text.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
}

/// A file of JSON.
pub fn json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).unwrap()
}
