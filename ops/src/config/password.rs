//! The operator's password: read from a file that nobody else can read, and never shown.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use super::values::{Refusal, refuse};

/// Shortest password, in bytes: what can't be guessed at ten tries a minute, nor from a list.
const SHORTEST: usize = 16;
/// Longest, in bytes: more is no password.
const LONGEST: u64 = 1_024;
/// Who else may do something with the file, as bits of its mode.
const OTHERS: u32 = 0o007;

/// A password.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// What it is.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("********")
    }
}

/// Reads the password of a file: all that is in it, without the newline that editors put at the
/// end.
pub fn read(path: &str) -> Result<Password, Refusal> {
    let readable = "name a file that this user can read";
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (about, file) = match opened {
        Ok(opened) => opened,
        Err(problem) => return refuse(problem.to_string(), readable),
    };
    if !about.is_file() {
        return refuse("is no file", readable);
    }
    if about.permissions().mode() & OTHERS != 0 {
        return refuse(
            "can be read or written by everybody",
            format!("run chmod 600 {path}"),
        );
    }
    let mut text = String::new();
    match file.take(LONGEST + 1).read_to_string(&mut text) {
        Ok(_) => {}
        Err(problem) => return refuse(problem.to_string(), "write one line of text into it"),
    }
    let make = format!("make one with: openssl rand -hex 24 > {path}");
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return refuse("is empty", make);
    }
    if line.len() < SHORTEST || line.len() as u64 > LONGEST {
        let problem = format!(
            "has {} bytes; {SHORTEST} to {LONGEST} are a password",
            line.len()
        );
        return refuse(problem, make);
    }
    if line.chars().any(char::is_control) {
        return refuse("has more than one line, or control characters", make);
    }
    Ok(Password(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const GOOD: &str = "correct horse battery staple";

    fn read_of(folder: &Path, text: &str, mode: u32) -> Result<Password, String> {
        let path = folder.join("password");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        read(path.to_str().unwrap()).map_err(|(problem, fix)| format!("{problem}; {fix}"))
    }

    #[test]
    fn i12_a_password_is_long_and_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let read_of = |text: &str, mode| read_of(folder.path(), text, mode);
        for text in [GOOD.to_owned(), format!("{GOOD}\n"), format!("{GOOD}\r\n")] {
            let password = read_of(&text, 0o600).unwrap();
            assert_eq!(password.text(), GOOD);
            assert!(!format!("{password:?}").contains(GOOD));
        }
        assert!(
            read_of(GOOD, 0o640).is_ok(),
            "a service's group may read it"
        );
        for (text, mode, said) in [
            ("", 0o600, "is empty"),
            ("\n", 0o600, "is empty"),
            ("fifteen letters\n", 0o600, "has 15 bytes"),
            (&"x".repeat(1_025), 0o600, "are a password"),
            (
                "correct horse\nbattery staple\n",
                0o600,
                "more than one line",
            ),
            (
                "correct horse battery staple\n\n",
                0o600,
                "more than one line",
            ),
            (GOOD, 0o644, "chmod 600"),
            (GOOD, 0o602, "chmod 600"),
        ] {
            let problem = read_of(text, mode).unwrap_err();
            assert!(problem.contains(said), "{text:?}: {problem}");
        }
        let (_, fix) = read("/nowhere/at/all").unwrap_err();
        assert!(fix.contains("this user can read"), "{fix}");
    }
}
