//! The tests that docs/proof.md names are in the tree.

use std::path::Path;

type Tested = Result<(), Box<dyn std::error::Error>>;

/// Adds the text of every Rust source below a folder.
fn sources(folder: &Path, into: &mut String) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                sources(&path, into)?;
            }
        } else if name.ends_with(".rs") {
            into.push_str(&std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// Whether a text between backticks is a test's name: words in a row, and several of them; no
/// metric's.
fn is_name(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.matches('_').count() >= 2 && !text.starts_with("plyr_") && text.bytes().all(is_word)
}

#[test]
fn every_test_that_the_proof_names_is_there() -> Tested {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let proof = std::fs::read_to_string(root.join("docs/proof.md"))?;
    let mut all = String::new();
    sources(&root, &mut all)?;
    let named: Vec<&str> = proof.split('`').filter(|text| is_name(text)).collect();
    assert!(named.len() > 60, "{} names", named.len());
    let is_there =
        |name: &str| all.contains(&format!("fn {name}(")) || all.contains(&format!("    {name},"));
    let missing: Vec<&str> = named.into_iter().filter(|name| !is_there(name)).collect();
    assert!(missing.is_empty(), "not in the tree: {missing:?}");
    Ok(())
}
