//! What bytes are by how they begin. Neither a name nor a declared type is asked.

use crate::facts::Refusal;
use crate::foreign::ForeignBytes;
use crate::prober::ProbeError;

/// Bytes that are looked at.
const HEAD: usize = 1024;
/// ID3v2 tags in front of the sound that are stepped over; more are nonsense.
const MOST_TAGS: usize = 8;
/// Zeros behind such a tag, or in front of the first frame, that are stepped over.
const MOST_ZEROS: usize = 64 << 10;

/// Containers of audio that are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Container {
    Mp3,
    Adts,
    Mp4,
    Ogg,
    Flac,
    Wav,
    Aiff,
    Matroska,
}

/// Formats of images that are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Picture {
    Jpeg,
    Png,
    WebP,
    Gif,
}

impl Picture {
    /// Its name in [`crate::ImageFacts`].
    pub(crate) fn name(self) -> &'static str {
        match self {
            Picture::Jpeg => "jpeg",
            Picture::Png => "png",
            Picture::WebP => "webp",
            Picture::Gif => "gif",
        }
    }
}

/// What bytes look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Looks {
    /// There are none.
    Empty,
    Audio(Container),
    /// Audio that isn't read: its name.
    OtherAudio(&'static str),
    Image(Picture),
    /// An image that isn't read: its name.
    OtherImage(&'static str),
    /// Known to be neither: what it is, with its article.
    Other(&'static str),
    Unknown,
}

/// Refuses what isn't audio.
pub(crate) fn as_audio(looks: Looks) -> Result<Container, Refusal> {
    let not_audio = |what: &str| Refusal::new("notAudio", format!("it is {what}, not audio"));
    match looks {
        Looks::Audio(container) => Ok(container),
        Looks::Empty => Err(Refusal::new("empty", "the file is empty")),
        Looks::OtherAudio(name) => Err(Refusal::new(
            "unsupportedCodec",
            format!("it is {name}, which isn't supported; MP3, AAC, FLAC, WAV, Ogg and Opus are"),
        )),
        Looks::Image(picture) => Err(not_audio(&format!("an image ({})", picture.name()))),
        Looks::OtherImage(name) => Err(not_audio(&format!("an image ({name})"))),
        Looks::Other(what) => Err(not_audio(what)),
        Looks::Unknown => Err(Refusal::new(
            "notAudio",
            "it begins like no audio format that is known here",
        )),
    }
}

/// Refuses what isn't an image that is read.
pub(crate) fn as_image(looks: Looks) -> Result<Picture, Refusal> {
    let not_image = |what: &str| Refusal::new("notImage", format!("it is {what}, not an image"));
    match looks {
        Looks::Image(picture) => Ok(picture),
        Looks::Empty => Err(Refusal::new("empty", "the file is empty")),
        Looks::OtherImage(name) => Err(Refusal::new(
            "unsupportedFormat",
            format!("it is {name}, which isn't supported; JPEG, PNG, WebP and GIF are"),
        )),
        Looks::Audio(_) | Looks::OtherAudio(_) => Err(not_image("audio")),
        Looks::Other(what) => Err(not_image(what)),
        Looks::Unknown => Err(Refusal::new(
            "notImage",
            "it begins like no image format that is known here",
        )),
    }
}

/// Looks at how the bytes begin.
pub(crate) fn sniff(bytes: &ForeignBytes) -> Result<Looks, ProbeError> {
    let head = bytes.piece(0, HEAD)?;
    if head.is_empty() {
        return Ok(Looks::Empty);
    }
    // Text goes first: some of the magic words are only letters.
    if let Some(what) = by_text(&head) {
        return Ok(what);
    }
    if head.starts_with(b"ID3") {
        return behind_tags(bytes);
    }
    let looks = by_magic(&head);
    if looks == Looks::Unknown && head.iter().take(4).all(|byte| *byte == 0) {
        return frames_at(bytes, 0);
    }
    Ok(looks)
}

/// What lies behind ID3v2 tags: MP3 nearly always; ADTS and FLAC have been seen.
fn behind_tags(bytes: &ForeignBytes) -> Result<Looks, ProbeError> {
    frames_at(bytes, tags_end(bytes)?)
}

/// Where ID3v2 tags at the beginning end; 0 where there are none.
pub(crate) fn tags_end(bytes: &ForeignBytes) -> Result<u64, ProbeError> {
    let mut position = 0;
    for _ in 0..MOST_TAGS {
        let head = bytes.piece(position, 10)?;
        let Some(size) = id3_size(&head) else {
            break;
        };
        position += size;
    }
    Ok(position)
}

/// The length of an ID3v2 tag with its header and footer.
fn id3_size(head: &[u8]) -> Option<u64> {
    let head = head.strip_prefix(b"ID3")?;
    let [_, _, flags, size @ ..] = head else {
        return None;
    };
    let size = size
        .iter()
        .fold(0, |size, byte| size << 7 | u64::from(byte & 0x7f));
    let footer = if flags & 0x10 == 0 { 0 } else { 10 };
    Some(10 + size + footer)
}

/// Frames of MP3 or ADTS, or FLAC, behind zeros at the most.
fn frames_at(bytes: &ForeignBytes, position: u64) -> Result<Looks, ProbeError> {
    let piece = bytes.piece(position, MOST_ZEROS + HEAD)?;
    let zeros = piece.iter().take_while(|byte| **byte == 0).count();
    let looks = by_magic(&piece[zeros.min(MOST_ZEROS)..]);
    match looks {
        Looks::Audio(Container::Mp3 | Container::Adts | Container::Flac) | Looks::OtherAudio(_) => {
            Ok(looks)
        }
        _ => Ok(Looks::Unknown),
    }
}

fn by_magic(head: &[u8]) -> Looks {
    let at =
        |from: usize, magic: &[u8]| head.get(from..).is_some_and(|rest| rest.starts_with(magic));
    if at(0, b"RIFF") || at(0, b"FORM") {
        return match head.get(8..12) {
            Some(b"WAVE") => Looks::Audio(Container::Wav),
            Some(b"AIFF" | b"AIFC") => Looks::Audio(Container::Aiff),
            Some(b"WEBP") => Looks::Image(Picture::WebP),
            Some(b"AVI ") => Looks::Other("a video (AVI)"),
            _ => Looks::Unknown,
        };
    }
    if at(4, b"ftyp") {
        return match head.get(8..12) {
            Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"mif1" | b"msf1") => {
                Looks::OtherImage("HEIC")
            }
            Some(b"avif" | b"avis") => Looks::OtherImage("AVIF"),
            _ => Looks::Audio(Container::Mp4),
        };
    }
    for (magic, looks) in MAGICS {
        if at(0, magic) {
            return *looks;
        }
    }
    frame(head)
}

const MAGICS: &[(&[u8], Looks)] = &[
    (b"OggS", Looks::Audio(Container::Ogg)),
    (b"fLaC", Looks::Audio(Container::Flac)),
    (b"\x1a\x45\xdf\xa3", Looks::Audio(Container::Matroska)),
    (
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
        Looks::OtherAudio("Windows Media"),
    ),
    (b"caff", Looks::OtherAudio("Core Audio (CAF)")),
    (b"wvpk", Looks::OtherAudio("WavPack")),
    (b"MAC ", Looks::OtherAudio("Monkey's Audio")),
    (b"MThd", Looks::OtherAudio("MIDI")),
    (b"DSD ", Looks::OtherAudio("DSD")),
    (b"FRM8", Looks::OtherAudio("DSD")),
    (b"RF64", Looks::OtherAudio("WAV of more than 4 GB (RF64)")),
    (b"BW64", Looks::OtherAudio("WAV of more than 4 GB (BW64)")),
    (b"#!AMR", Looks::OtherAudio("AMR")),
    (b".snd", Looks::OtherAudio("Sun audio (AU)")),
    (b"MP+", Looks::OtherAudio("Musepack")),
    (b"MPCK", Looks::OtherAudio("Musepack")),
    (b"TTA1", Looks::OtherAudio("True Audio")),
    (b"\xff\xd8\xff", Looks::Image(Picture::Jpeg)),
    (b"\x89PNG\r\n\x1a\n", Looks::Image(Picture::Png)),
    (b"GIF87a", Looks::Image(Picture::Gif)),
    (b"GIF89a", Looks::Image(Picture::Gif)),
    (b"BM", Looks::OtherImage("BMP")),
    (b"II*\0", Looks::OtherImage("TIFF")),
    (b"MM\0*", Looks::OtherImage("TIFF")),
    (b"\0\0\x01\0", Looks::OtherImage("an icon")),
    (b"\xff\x0a", Looks::OtherImage("JPEG XL")),
    (b"\0\0\0\x0cJXL ", Looks::OtherImage("JPEG XL")),
    (b"8BPS", Looks::OtherImage("a Photoshop document")),
    (b"PK\x03\x04", Looks::Other("a ZIP archive")),
    (b"PK\x05\x06", Looks::Other("a ZIP archive")),
    (b"Rar!", Looks::Other("a RAR archive")),
    (b"7z\xbc\xaf\x27\x1c", Looks::Other("a 7z archive")),
    (b"\x1f\x8b", Looks::Other("a gzip archive")),
    (b"%PDF", Looks::Other("a PDF document")),
    (b"\x7fELF", Looks::Other("a program")),
    (b"MZ", Looks::Other("a program")),
    (b"\0\0\x01\xba", Looks::Other("a video (MPEG)")),
    (b"FLV\x01", Looks::Other("a video (Flash)")),
];

/// A frame's header of MPEG audio (ISO 11172-3, 2.4.1.3) or of ADTS (ISO 13818-7, 6.2).
fn frame(head: &[u8]) -> Looks {
    let [0xff, second, third, ..] = head else {
        return Looks::Unknown;
    };
    if second & 0xf6 == 0xf0 {
        let is_frequency = third >> 2 & 0xf < 13;
        return if is_frequency {
            Looks::Audio(Container::Adts)
        } else {
            Looks::Unknown
        };
    }
    let is_version = second & 0xe0 == 0xe0 && second & 0x18 != 0x08;
    let is_rate = third & 0xf0 != 0xf0 && third & 0x0c != 0x0c;
    if !is_version || !is_rate {
        return Looks::Unknown;
    }
    match second & 0x06 {
        0x02 => Looks::Audio(Container::Mp3),
        0x04 => Looks::OtherAudio("MPEG audio of layer II"),
        _ => Looks::OtherAudio("MPEG audio of layer I"),
    }
}

/// What a text is, where it is one.
fn by_text(head: &[u8]) -> Option<Looks> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character may be cut at the end.
        Err(problem) if head.len() == HEAD && problem.error_len().is_none() => {
            std::str::from_utf8(&head[..problem.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let is_written = |character: char| !character.is_control() || character.is_whitespace();
    if !text.chars().all(is_written) {
        return None;
    }
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let text = text.to_ascii_lowercase();
    let is_page = ["<!doctype html", "<html", "<head", "<body", "<script"];
    if is_page.iter().any(|begin| text.starts_with(begin)) {
        return Some(Looks::Other("a web page (HTML)"));
    }
    if text.starts_with('<') && text.contains("<svg") {
        return Some(Looks::OtherImage("SVG"));
    }
    Some(match text.chars().next() {
        Some('<') => Looks::Other("a text with tags (XML or HTML)"),
        Some('{' | '[') => Looks::Other("data (JSON)"),
        Some('%') if text.starts_with("%pdf") => Looks::Other("a PDF document"),
        _ => Looks::Other("a text"),
    })
}
