//! Tells the binary which revision it was built from, where there is a checkout to ask.

#![allow(clippy::print_stdout)] // how a build script speaks

use std::path::Path;
use std::process::Command;

fn main() {
    let head = Path::new("../.git/HEAD");
    if head.exists() {
        println!("cargo:rerun-if-changed=../.git/HEAD");
        println!("cargo:rerun-if-changed=../.git/refs/heads");
    }
    println!("cargo:rerun-if-changed=build.rs");
    let asked = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .output();
    let revision = asked.ok().filter(|done| done.status.success());
    let revision = revision.and_then(|done| String::from_utf8(done.stdout).ok());
    if let Some(revision) = revision {
        println!("cargo:rustc-env=PLYR_GIT_REVISION={}", revision.trim());
    }
}
