//! The child: a question in, its file, an answer out.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use crate::audio::look_at_audio;
use crate::facts::{Fact, MadeImage};
use crate::foreign::ForeignBytes;
use crate::image::look_at_image;
use crate::limits::limit_this_process;
use crate::prober::ProbeError;
use crate::question::{About, Answer, ImageLine, Question, exit};

/// The body of the hidden subcommand [`crate::SUBCOMMAND`]: the second argument is the question,
/// the file is the standard input. To be called first of all, before there are threads. It limits
/// its own memory and time, looks, answers on the standard output, and says by its exit code how it
/// went: 0 answered, 70 a parser panicked (caught), 71 nothing could be tried. Logs nothing.
pub fn child() -> ExitCode {
    let question = match read_question() {
        Ok(question) => question,
        Err(problem) => return told(&problem, exit::NOT_TRIED),
    };
    if let Err(problem) = limit_this_process(question.memory, question.cpu_seconds) {
        return told(&format!("limits can't be set: {problem}"), exit::NOT_TRIED);
    }
    let looked = catch_unwind(AssertUnwindSafe(|| look(&question.about)));
    let answered = match looked {
        // The hook of panics has told it on the standard error.
        Err(_) => return ExitCode::from(exit::PANICKED),
        Ok(Err(problem)) => return told(&problem.to_string(), exit::NOT_TRIED),
        Ok(Ok((fact, images))) => answer(fact, &images),
    };
    match answered {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => told(&format!("can't be answered: {problem}"), exit::NOT_TRIED),
    }
}

/// Nobody may hear; the exit code says it too.
fn told(problem: &str, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{problem}");
    ExitCode::from(code)
}

fn read_question() -> Result<Question, String> {
    let Some(question) = std::env::args_os().nth(2) else {
        return Err("the question is missing; this command is for the server's own use".to_owned());
    };
    let question = question.into_encoded_bytes();
    serde_json::from_slice(&question).map_err(|problem| format!("that is no question: {problem}"))
}

fn look(about: &About) -> Result<(Fact, Vec<MadeImage>), ProbeError> {
    match about {
        About::Audio => Ok((look_at_audio(&standard_input()?)?, Vec::new())),
        About::Image { sizes } => look_at_image(&standard_input()?, sizes),
        #[cfg(debug_assertions)]
        About::Misbehaviour(how) => misbehave(*how),
    }
}

fn standard_input() -> Result<ForeignBytes, ProbeError> {
    let file = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let bytes = file.and_then(ForeignBytes::of_file);
    bytes.map_err(|problem| ProbeError::NotTried {
        detail: format!("it can't be opened: {problem}"),
    })
}

fn answer(fact: Fact, images: &[MadeImage]) -> io::Result<()> {
    let lines = images.iter().map(|image| ImageLine {
        pixels: image.pixels,
        width: image.width,
        height: image.height,
        bytes: image.bytes.len(),
    });
    let answer = Answer {
        fact,
        images: lines.collect(),
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &answer)?;
    out.write_all(b"\n")?;
    for image in images {
        out.write_all(&image.bytes)?;
    }
    out.flush()
}

#[cfg(debug_assertions)]
#[allow(clippy::panic)] // one of them is to panic
fn misbehave(how: crate::question::Misbehaviour) -> Result<(Fact, Vec<MadeImage>), ProbeError> {
    use crate::question::Misbehaviour;

    let not_tried = |detail: String| ProbeError::NotTried { detail };
    match how {
        Misbehaviour::EatMemory => {
            let mut eaten = Vec::new();
            loop {
                eaten.push(vec![1u8; 16 << 20]);
            }
        }
        Misbehaviour::EatTime => loop {
            std::hint::spin_loop();
        },
        Misbehaviour::Hang => loop {
            std::thread::park();
        },
        Misbehaviour::Panic => panic!("asked to"),
        Misbehaviour::Babble => loop {
            let written = io::stdout().write_all(&[b'x'; 4096]);
            written.map_err(|problem| not_tried(problem.to_string()))?;
        },
        Misbehaviour::WriteFile => {
            let path = std::env::temp_dir().join(format!("plyr-probe-{}", std::process::id()));
            let written = std::fs::write(&path, b"x");
            drop(std::fs::remove_file(&path));
            written.map_err(|problem| not_tried(problem.to_string()))?;
            Err(not_tried("it could be written".to_owned()))
        }
        Misbehaviour::FailToRead => {
            let folder = File::open("/").and_then(ForeignBytes::of_file);
            let folder = folder.map_err(|problem| not_tried(problem.to_string()))?;
            look_at_audio(&folder).map(|fact| (fact, Vec::new()))
        }
    }
}
