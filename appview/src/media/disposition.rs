//! The name that a track is saved under: its title, without what a file system or a person could
//! take for something else.

/// Longest name without its ending, in bytes.
const LONGEST: usize = 120;

/// `Content-Disposition` of a track that is to be saved (RFC 6266; the name beyond ASCII as in
/// RFC 8187).
pub fn attachment(title: Option<&str>, container: &str, codec: &str) -> String {
    let name = cleaned(title.unwrap_or_default());
    let ending = ending(container, codec);
    let plain: String = name
        .chars()
        .map(|letter| if letter.is_ascii() { letter } else { '_' })
        .collect();
    format!(
        "attachment; filename=\"{plain}.{ending}\"; filename*=UTF-8''{}.{ending}",
        encoded(&name)
    )
}

fn ending(container: &str, codec: &str) -> &'static str {
    match (container, codec) {
        ("mp3", _) => "mp3",
        ("mp4", _) => "m4a",
        ("ogg", "opus") => "opus",
        ("ogg", _) => "ogg",
        ("flac", _) => "flac",
        ("wav", _) => "wav",
        ("aiff", _) => "aiff",
        ("webm", _) => "webm",
        ("adts", _) => "aac",
        _ => "audio",
    }
}

fn cleaned(title: &str) -> String {
    let mut name = String::new();
    for letter in title.chars() {
        let letter = match letter {
            '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '%' | ';' => ' ',
            letter if letter.is_control() || turns_text(letter) => continue,
            letter => letter,
        };
        if name.len() + letter.len_utf8() > LONGEST {
            break;
        }
        name.push(letter);
    }
    let words: Vec<&str> = name.split_whitespace().collect();
    // Neither a hidden file nor a folder.
    let name = words.join(" ");
    let name = name.trim_matches(['.', ' ', '~']);
    match name.is_empty() {
        true => "track".to_owned(),
        false => name.to_owned(),
    }
}

/// Marks that turn the direction of text round, so that an ending looks like another one.
fn turns_text(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn encoded(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(title: &str) -> String {
        attachment(Some(title), "mp3", "mp3")
    }

    #[test]
    fn a_title_becomes_a_name_and_nothing_else() {
        for (title, plain, full) in [
            ("Night", "Night", "Night"),
            ("Ночь", "____", "%D0%9D%D0%BE%D1%87%D1%8C"),
            (
                "a\"; filename=\"evil.exe",
                "a filename= evil.exe",
                "a%20filename%3D%20evil.exe",
            ),
            ("../../etc/passwd", "etc passwd", "etc%20passwd"),
            (
                "a\r\nSet-Cookie: x=y",
                "aSet-Cookie x=y",
                "aSet-Cookie%20x%3Dy",
            ),
            ("\u{202e}3pm.exe", "3pm.exe", "3pm.exe"),
            ("%41", "41", "41"),
            (" . ", "track", "track"),
            ("", "track", "track"),
            ("\u{0}\u{7f}", "track", "track"),
        ] {
            let expected =
                format!("attachment; filename=\"{plain}.mp3\"; filename*=UTF-8''{full}.mp3");
            assert_eq!(of(title), expected, "{title:?}");
        }
        assert!(of(&"é".repeat(4_000)).len() < 600);
        assert!(attachment(None, "mp4", "alac").contains("\"track.m4a\""));
        assert!(attachment(None, "ogg", "opus").contains("\"track.opus\""));
    }
}
