//! The asking end, in a command.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::Path;
use std::time::Duration;

use super::{LONGEST_BLOCK, LONGEST_REQUEST, Request, SILENCE, TELLS, Verdict, lost, short_path};
use crate::error::OpsError;

/// Hears how far the work has come: a line of JSON.
pub type Hear<'a> = &'a mut (dyn FnMut(&[u8]) + Send);

/// Whether a server listens in a data folder.
pub fn is_served(data_dir: &Path) -> bool {
    let connected = short_path(data_dir).and_then(|(_folder, path)| BlockingStream::connect(path));
    connected.is_ok()
}

/// Asks the server that holds a data folder: copies its answer to `out`, and lets `hear` know how
/// far it has come. None if no server listens there.
pub fn ask(
    data_dir: &Path,
    request: &Request,
    out: &mut dyn Write,
    hear: Hear<'_>,
) -> Result<Option<()>, OpsError> {
    ask_within(data_dir, request, out, hear, SILENCE)
}

/// The same, with another patience.
pub(super) fn ask_within(
    data_dir: &Path,
    request: &Request,
    out: &mut dyn Write,
    hear: Hear<'_>,
    silence: Duration,
) -> Result<Option<()>, OpsError> {
    let connected = short_path(data_dir).and_then(|(_folder, path)| BlockingStream::connect(path));
    let Ok(mut stream) = connected else {
        return Ok(None);
    };
    stream.set_read_timeout(Some(silence)).map_err(lost)?;
    stream.set_write_timeout(Some(silence)).map_err(lost)?;
    let silent = |detail: std::io::Error| match detail.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => lost(format!(
            "it has been silent for {} s: it hangs, or has no place free for another command; \
             look at its log, or stop it and run the command alone",
            silence.as_secs()
        )),
        _ => lost(detail),
    };
    let mut line = serde_json::to_vec(request).map_err(lost)?;
    line.push(b'\n');
    if line.len() as u64 > LONGEST_REQUEST {
        return Err(lost(
            "too much for one command: name at most 30,000 repos or ids at once",
        ));
    }
    stream.write_all(&line).map_err(silent)?;
    let mut block = Vec::new();
    loop {
        let mut length = [0u8; 4];
        stream.read_exact(&mut length).map_err(silent)?;
        let length = u32::from_be_bytes(length);
        if length == 0 {
            break;
        }
        let bytes = (length & !TELLS) as usize;
        if bytes > LONGEST_BLOCK {
            return Err(lost("its answer can't be read: is it of another version?"));
        }
        block.resize(bytes, 0);
        stream.read_exact(&mut block).map_err(silent)?;
        if length & TELLS == 0 {
            let written = out.write_all(&block);
            written.map_err(|detail| OpsError::Output(detail.to_string()))?;
        } else if !block.is_empty() {
            hear(&block);
        }
    }
    let mut verdict = String::new();
    stream
        .take(LONGEST_REQUEST)
        .read_to_string(&mut verdict)
        .map_err(silent)?;
    match serde_json::from_str::<Verdict>(&verdict) {
        Ok(Verdict { ok: true, .. }) => Ok(Some(())),
        Ok(Verdict {
            error: Some(problem),
            ..
        }) => Err(OpsError::Control(problem)),
        _ => Err(lost("the answer was cut off")),
    }
}
