use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use super::client::ask_within;
use super::commands::{dump, rebuild};
use super::*;

type Tested = Result<(), Box<dyn std::error::Error>>;

/// A server that answers the next request with these bytes, then hangs until it is let go.
fn server(
    folder: &Path,
    bytes: Vec<u8>,
) -> std::io::Result<(std::sync::mpsc::Sender<()>, std::thread::JoinHandle<String>)> {
    let listener = UnixListener::bind(folder.join(NAME))?;
    let (let_go, held) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let Ok((stream, _)) = listener.accept() else {
            return String::new();
        };
        let mut line = String::new();
        let mut stream = BufReader::new(stream);
        let _ = stream.read_line(&mut line);
        let _ = stream.get_mut().write_all(&bytes);
        let _ = held.recv();
        line
    });
    Ok((let_go, thread))
}

fn block(length: u32, bytes: &[u8]) -> Vec<u8> {
    [length.to_be_bytes().to_vec(), bytes.to_vec()].concat()
}

/// More than a thread of a busy machine stands still.
const LONG: Duration = Duration::from_secs(60);

fn asked(folder: &Path, silence: Duration) -> (Result<Option<()>, OpsError>, Vec<u8>, Vec<String>) {
    let request = Request::Rebuild(rebuild::Ask {
        what: "all".to_owned(),
    });
    let (mut out, mut heard) = (Vec::new(), Vec::new());
    let mut hear = |line: &[u8]| heard.push(String::from_utf8_lossy(line).into_owned());
    let answer = ask_within(folder, &request, &mut out, &mut hear, silence);
    (answer, out, heard)
}

#[test]
fn progress_goes_between_the_bytes_of_an_answer() -> Tested {
    let folder = tempfile::tempdir()?;
    let (none, ..) = asked(folder.path(), LONG);
    assert!(matches!(none, Ok(None)));
    let bytes = [
        block(3, b"one"),
        block(TELLS, b""),
        block(TELLS | 7, br#"{"a":1}"#),
        block(3, b"two"),
        block(0, b"{\"ok\":true}\n"),
    ];
    let (let_go, thread) = server(folder.path(), bytes.concat())?;
    drop(let_go);
    let (answer, out, heard) = asked(folder.path(), LONG);
    assert!(matches!(answer, Ok(Some(()))), "{answer:?}");
    assert_eq!(
        (out.as_slice(), heard),
        (&b"onetwo"[..], vec![r#"{"a":1}"#.to_owned()])
    );
    let line = thread.join().map_err(|_| "the server panicked")?;
    assert_eq!(line, "{\"command\":\"rebuild\",\"what\":\"all\"}\n");
    Ok(())
}

#[test]
fn a_server_that_hangs_or_speaks_otherwise_is_left() -> Tested {
    for (bytes, said) in [
        (block(TELLS, b""), "silent"),
        (block(u32::MAX, b""), "another version"),
        (block(0, b"{\"error\":\"no room\"}\n"), "no room"),
    ] {
        let folder = tempfile::tempdir()?;
        let hangs = said == "silent";
        let (let_go, thread) = server(folder.path(), bytes)?;
        let held = hangs.then_some(let_go);
        let silence = match hangs {
            true => Duration::from_millis(300),
            false => LONG,
        };
        let (answer, ..) = asked(folder.path(), silence);
        let problem = answer.err().map(|problem| problem.to_string());
        assert!(
            problem.as_ref().is_some_and(|it| it.contains(said)),
            "{problem:?}"
        );
        drop(held);
        thread.join().map_err(|_| "the server panicked")?;
    }
    Ok(())
}

#[test]
fn a_request_is_written_as_ever() -> Tested {
    let full = dump::Ask {
        wait_idle: true,
        full: false,
    };
    let line = serde_json::to_string(&Request::Dump(full))?;
    assert_eq!(line, r#"{"command":"dump","waitIdle":true,"full":false}"#);
    let bare: Request = serde_json::from_str(r#"{"command":"dump"}"#)?;
    let nothing = dump::Ask {
        wait_idle: false,
        full: false,
    };
    assert_eq!(bare, Request::Dump(nothing));
    Ok(())
}
