//! What images are, and the images made of them.

#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests

mod files;

use std::io::Cursor;

use files::read;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use plyr_probe::{Fact, ForeignBytes, ImageFacts, MadeImage, Refusal, look_at_image};

fn looked(bytes: &[u8], sizes: &[(u32, bool)]) -> (ImageFacts, Vec<MadeImage>) {
    match look_at_image(&ForeignBytes::of_memory(bytes), sizes).unwrap() {
        (Fact::Image(facts), images) => (facts, images),
        other => panic!("{other:?}"),
    }
}

fn refusal(bytes: &[u8]) -> Refusal {
    match look_at_image(&ForeignBytes::of_memory(bytes), &[(96, true)]).unwrap() {
        (Fact::Refused(refusal), images) => {
            assert!(images.is_empty());
            refusal
        }
        other => panic!("{other:?}"),
    }
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

const RED: Rgb<u8> = Rgb([200, 30, 30]);
const GREEN: Rgb<u8> = Rgb([30, 200, 30]);
const BLUE: Rgb<u8> = Rgb([30, 30, 200]);
const WHITE: Rgb<u8> = Rgb([230, 230, 230]);

/// Red, green / blue, white; upright it is so.
fn quarters(width: u32, height: u32) -> DynamicImage {
    DynamicImage::from(RgbImage::from_fn(width, height, |x, y| {
        match (x < width / 2, y < height / 2) {
            (true, true) => RED,
            (false, true) => GREEN,
            (true, false) => BLUE,
            (false, false) => WHITE,
        }
    }))
}

/// EXIF that says an orientation, and nothing else.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    exif
}

/// A picture with an orientation, and with a comment that is not to be kept.
fn with_orientation(image: &DynamicImage, format: ImageFormat, orientation: u8) -> Vec<u8> {
    let bytes = encoded(image, format);
    let exif = exif(orientation);
    let comment = b"GPS of the bedroom";
    match format {
        ImageFormat::Jpeg => {
            let mut file = bytes[..2].to_vec();
            let exif = [b"Exif\0\0".as_slice(), &exif].concat();
            for (marker, content) in [(0xe1, exif), (0xfe, comment.to_vec())] {
                file.extend([0xff, marker]);
                file.extend((content.len() as u16 + 2).to_be_bytes());
                file.extend(content);
            }
            [&file, &bytes[2..]].concat()
        }
        // Behind the header, which is 8 + 25 bytes (PNG, 11.3.4.5 and 11.3.3.4).
        ImageFormat::Png => {
            let chunk = |kind: &[u8; 4], content: &[u8]| {
                let named = [kind.as_slice(), content].concat();
                let length = (content.len() as u32).to_be_bytes();
                [&length[..], &named, &crc32(&named).to_be_bytes()].concat()
            };
            let comment = [b"Comment\0".as_slice(), comment].concat();
            let more = [chunk(b"eXIf", &exif), chunk(b"tEXt", &comment)].concat();
            [&bytes[..33], &more, &bytes[33..]].concat()
        }
        // The plain form has no place for it: within the extended one (RFC 9649, 2.7).
        ImageFormat::WebP => {
            let chunk = |kind: &[u8; 4], content: &[u8]| {
                let length = (content.len() as u32).to_le_bytes();
                let padding = &[0][..content.len() % 2];
                [kind.as_slice(), &length, content, padding].concat()
            };
            let mut canvas = vec![0x0c, 0, 0, 0];
            for side in [image.width(), image.height()] {
                canvas.extend(&(side - 1).to_le_bytes()[..3]);
            }
            let parts = [
                b"WEBP".to_vec(),
                chunk(b"VP8X", &canvas),
                bytes[12..].to_vec(),
                chunk(b"EXIF", &exif),
                chunk(b"XMP ", comment),
            ];
            chunk(b"RIFF", &parts.concat())
        }
        other => panic!("{other:?} has none"),
    }
}

fn close(pixel: Rgba<u8>, wanted: Rgb<u8>) -> bool {
    pixel
        .0
        .iter()
        .zip(wanted.0)
        .all(|(found, wanted)| found.abs_diff(wanted) < 40)
}

fn decoded(made: &MadeImage) -> DynamicImage {
    let image = image::load_from_memory_with_format(&made.bytes, ImageFormat::WebP).unwrap();
    assert_eq!((image.width(), image.height()), (made.width, made.height));
    image
}

fn is_quarters(image: &DynamicImage) -> bool {
    let image = image.to_rgba8();
    let (right, bottom) = (image.width() * 3 / 4, image.height() * 3 / 4);
    let (left, top) = (image.width() / 4, image.height() / 4);
    close(*image.get_pixel(left, top), RED)
        && close(*image.get_pixel(right, top), GREEN)
        && close(*image.get_pixel(left, bottom), BLUE)
        && close(*image.get_pixel(right, bottom), WHITE)
}

#[test]
fn every_format_is_named_and_made_small() {
    let picture = quarters(320, 200);
    let formats = [
        (ImageFormat::Jpeg, "jpeg"),
        (ImageFormat::Png, "png"),
        (ImageFormat::WebP, "webp"),
        (ImageFormat::Gif, "gif"),
    ];
    for (format, name) in formats {
        let sizes = [(96, true), (160, false), (1000, false), (1000, true)];
        let (facts, images) = looked(&encoded(&picture, format), &sizes);
        assert_eq!(
            (&*facts.format, facts.width, facts.height),
            (name, 320, 200)
        );
        let made = images
            .iter()
            .map(|image| (image.pixels, image.width, image.height));
        let made: Vec<_> = made.collect();
        assert_eq!(
            made,
            [
                (96, 96, 96),
                (160, 160, 100),
                (1000, 320, 200),
                (1000, 200, 200)
            ]
        );
        for image in &images {
            assert_eq!(image.media_type, "image/webp");
            assert!(is_quarters(&decoded(image)), "{name} {}", image.pixels);
        }
    }
    assert_eq!(looked(&read("cover.jpg"), &[]).0.format, "jpeg");
    assert_eq!(looked(&read("cover.png"), &[]).0.format, "png");
}

#[test]
fn every_orientation_is_made_upright_and_metadata_is_dropped() {
    let upright = quarters(120, 80);
    // How the pixels lie for each value of the tag (EXIF 2.3, 4.6.4 A).
    let lying: [DynamicImage; 8] = [
        upright.clone(),
        upright.fliph(),
        upright.rotate180(),
        upright.flipv(),
        upright.rotate270().flipv(),
        upright.rotate270(),
        upright.rotate90().flipv(),
        upright.rotate90(),
    ];
    let formats = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP];
    let cases = formats.into_iter().flat_map(|format| {
        let lying = lying.iter().enumerate();
        lying.map(move |(number, lies)| (format, number, lies))
    });
    for (format, number, lies) in cases {
        let file = with_orientation(lies, format, number as u8 + 1);
        let (facts, images) = looked(&file, &[(60, false), (40, true)]);
        let upright = (facts.width, facts.height);
        assert_eq!(upright, (120, 80), "{format:?} {}", number + 1);
        assert_eq!(
            (images[0].width, images[0].height),
            (60, 40),
            "{format:?} {}",
            number + 1
        );
        for image in &images {
            assert!(is_quarters(&decoded(image)), "{format:?} {}", number + 1);
            let kept = |word: &[u8]| image.bytes.windows(word.len()).any(|part| part == word);
            assert!(!kept(b"GPS") && !kept(b"Exif") && !kept(b"EXIF"));
        }
    }
}

#[test]
fn transparency_is_kept() {
    let picture = RgbaImage::from_fn(64, 64, |x, _| match x < 32 {
        true => Rgba([200, 30, 30, 255]),
        false => Rgba([0, 0, 0, 0]),
    });
    let (_, images) = looked(&encoded(&picture.into(), ImageFormat::Png), &[(32, true)]);
    let made = decoded(&images[0]).to_rgba8();
    assert!(close(*made.get_pixel(4, 16), RED));
    assert_eq!(made.get_pixel(28, 16).0[3], 0);
}

#[test]
fn a_photo_with_others_behind_it_is_the_first() {
    let first = encoded(&quarters(100, 100), ImageFormat::Jpeg);
    let second = encoded(&DynamicImage::new_rgb8(30, 30), ImageFormat::Jpeg);
    let (facts, images) = looked(&[first, second].concat(), &[(50, true)]);
    assert_eq!((facts.width, facts.height), (100, 100));
    assert!(is_quarters(&decoded(&images[0])));
}

#[test]
fn what_is_no_image_is_refused_with_its_name() {
    let cases: &[(&[u8], &str, &str)] = &[
        (b"", "empty", "empty"),
        (b"\xff\xd8", "notImage", "no image format"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            "unsupportedFormat",
            "SVG",
        ),
        (b"<!doctype html>", "notImage", "a web page"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "unsupportedFormat", "HEIC"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "unsupportedFormat", "AVIF"),
        (
            b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0",
            "unsupportedFormat",
            "BMP",
        ),
        (b"II*\0\x08\0\0\0", "unsupportedFormat", "TIFF"),
        (b"%PDF-1.4\n\xff", "notImage", "a PDF"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "damaged", "decoded"),
        (b"\x89PNG\r\n\x1a\n\0\0", "damaged", "decoded"),
        (b"GIF89a\x01\0", "damaged", "decoded"),
        (b"RIFF\x04\0\0\0WEBP\0", "damaged", "decoded"),
    ];
    for (bytes, word, reason) in cases {
        let refusal = refusal(bytes);
        assert_eq!(refusal.word, *word, "{bytes:?}: {refusal:?}");
        assert!(refusal.reason.contains(reason), "{refusal:?}");
    }
    assert_eq!(refusal(&read("tone.mp3")).word, "notImage");
}

/// Each is small and would take up to 12 GiB and half a minute.
#[test]
fn bombs_are_refused_before_they_are_decoded() {
    // A JPEG whose frame header says 65,500 by 65,500.
    let mut jpeg = encoded(&quarters(64, 64), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    // A PNG whose header says 20,000 by 20,000.
    let mut png = encoded(&quarters(64, 64), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    // A GIF of 35 bytes with a screen of 65,535 by 65,535.
    let mut gif = b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0".to_vec();
    gif.extend(b"\xff\xff\xff\xff\0\x02\x02D\x01\0;");
    // Sides within bounds, but too many pixels.
    let mut wide = encoded(&quarters(64, 64), ImageFormat::Png);
    wide[16..24].copy_from_slice(&[0, 0, 0x2e, 0xe0, 0, 0, 0x0d, 0x06]);
    let crc = crc32(&wide[12..29]);
    wide[29..33].copy_from_slice(&crc.to_be_bytes());
    // A lossless WebP that says 8,192 by 8,192, in 14 bits for each side less one.
    let mut webp = encoded(&quarters(64, 64), ImageFormat::WebP);
    let data = webp.windows(4).position(|four| four == b"VP8L").unwrap() + 8;
    assert_eq!(webp[data], 0x2f);
    webp[data + 1..data + 5].copy_from_slice(&(0x1fff_u32 | 0x1fff << 14).to_le_bytes());
    let bombs = [
        ("jpeg", jpeg),
        ("png", png),
        ("gif", gif),
        ("wide", wide),
        ("webp", webp),
    ];
    for (name, bomb) in bombs {
        let refusal = refusal(&bomb);
        assert_eq!(refusal.word, "tooLarge", "{name}: {refusal:?}");
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| match crc & 1 {
            0 => crc >> 1,
            _ => crc >> 1 ^ 0xedb8_8320,
        })
    })
}
