//! What is said between a process that asks and the child that looks: a question as its argument,
//! the file as its standard input, and on its standard output a line of JSON, then images' bytes.

use serde::{Deserialize, Serialize};

use crate::facts::Fact;

/// The argument in front of the question, by which a program knows that it is to be a child.
pub const SUBCOMMAND: &str = "look-at";

/// How the child ended, where it answered nothing.
pub(crate) mod exit {
    /// A parser panicked.
    pub(crate) const PANICKED: u8 = 70;
    /// The question wasn't one, the limits couldn't be set, or the file couldn't be read.
    pub(crate) const NOT_TRIED: u8 = 71;
}

/// Most images that may be asked for at once.
pub(crate) const MOST_SIZES: usize = 8;
/// Most pixels that the longer side of one may be asked for with.
pub(crate) const MOST_PIXELS: u32 = 4096;

/// What is to be found out, and within what.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Question {
    pub(crate) about: About,
    /// Address space, in bytes.
    pub(crate) memory: u64,
    /// Processor time, in seconds.
    pub(crate) cpu_seconds: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum About {
    Audio,
    /// Pixels of the longer side, and whether it is to be a square.
    Image {
        sizes: Vec<(u32, bool)>,
    },
    /// Misbehave, so that tests see what comes of it.
    #[cfg(debug_assertions)]
    Misbehaviour(Misbehaviour),
}

/// What a file could make a parser do.
#[cfg(debug_assertions)]
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Misbehaviour {
    /// Takes memory until there is none.
    EatMemory,
    /// Takes processor time for ever.
    EatTime,
    /// Waits for ever.
    Hang,
    /// Panics.
    Panic,
    /// Writes on its standard output for ever.
    Babble,
    /// Writes a file.
    WriteFile,
    /// Looks at a folder.
    FailToRead,
}

/// The line of the answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    pub(crate) fact: Fact,
    /// In the order they were asked for; their bytes follow the line in the same order.
    pub(crate) images: Vec<ImageLine>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageLine {
    pub(crate) pixels: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) bytes: usize,
}
