//! What an image is, and the image made small: bounded before it is decoded.

use std::io::BufReader;

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::facts::{Fact, ImageFacts, MadeImage, Refusal};
use crate::foreign::ForeignBytes;
use crate::prober::ProbeError;
use crate::sniff::{Picture, as_image, sniff};

/// Bytes of a file: its decoder reads it whole.
const MOST_BYTES: u64 = 32 << 20;
/// Pixels of a side.
const LONGEST_SIDE: u32 = 12_000;
/// Pixels in all.
const MOST_PIXELS: u64 = 40_000_000;
/// Bytes that the pixels take, decoded: as many as those pixels have with 8 bits a channel.
const MOST_DECODED: u64 = 160 << 20;
/// Quality of what is made.
const QUALITY: f32 = 80.0;

/// Says what image the bytes are, or why they are refused, and makes it anew in the sizes that are
/// asked for (pixels of the longer side, and whether it is to be cut to a square): upright, without
/// metadata, as WebP, never larger than it is. Of moving images the first is taken. It decodes in
/// C, too: it is for a process that may die ([`crate::child`]).
pub fn look_at_image(
    bytes: &ForeignBytes,
    sizes: &[(u32, bool)],
) -> Result<(Fact, Vec<MadeImage>), ProbeError> {
    let picture = match as_image(sniff(bytes)?) {
        Ok(picture) => picture,
        Err(refusal) => return Ok((Fact::Refused(refusal), Vec::new())),
    };
    let looked = examine(bytes, picture, sizes);
    bytes.were_readable()?;
    Ok(match looked {
        Ok((facts, images)) => (Fact::Image(facts), images),
        Err(refusal) => (Fact::Refused(refusal), Vec::new()),
    })
}

fn too_large(reason: impl Into<String>) -> Refusal {
    Refusal::new("tooLarge", reason)
}

fn damaged() -> Refusal {
    Refusal::new("damaged", "it can't be decoded")
}

fn examine(
    bytes: &ForeignBytes,
    picture: Picture,
    sizes: &[(u32, bool)],
) -> Result<(ImageFacts, Vec<MadeImage>), Refusal> {
    let (pixels, orientation) = decode(bytes, picture)?;
    let (width, height) = (pixels.width(), pixels.height());
    let is_turned = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let facts = ImageFacts {
        format: picture.name().to_owned(),
        width: if is_turned { height } else { width },
        height: if is_turned { width } else { height },
    };
    let mut images = Vec::new();
    for (longer_side, is_square) in sizes {
        images.push(made(&pixels, orientation, *longer_side, *is_square)?);
    }
    Ok((facts, images))
}

/// The pixels, and how they are to be turned. Dimensions are looked at before any is decoded: the
/// way to the orientation goes past the library's own limit of memory.
fn decode(bytes: &ForeignBytes, picture: Picture) -> Result<(DynamicImage, Orientation), Refusal> {
    if bytes.length() > MOST_BYTES {
        return Err(too_large(format!("it has more than {MOST_BYTES} bytes")));
    }
    let format = match picture {
        Picture::Jpeg => ImageFormat::Jpeg,
        Picture::Png => ImageFormat::Png,
        Picture::WebP => ImageFormat::WebP,
        Picture::Gif => ImageFormat::Gif,
    };
    let mut reader = ImageReader::with_format(BufReader::new(bytes.reader()), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_DECODED);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(damaged());
    }
    if width > LONGEST_SIDE || height > LONGEST_SIDE {
        return Err(too_many_pixels());
    }
    if u64::from(width) * u64::from(height) > MOST_PIXELS || decoder.total_bytes() > MOST_DECODED {
        return Err(too_many_pixels());
    }
    // What can't be understood of it is as good as none.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let pixels = DynamicImage::from_decoder(decoder).map_err(refused)?;
    Ok((pixels, orientation))
}

fn refused(problem: ImageError) -> Refusal {
    match problem {
        ImageError::Limits(_) => too_many_pixels(),
        ImageError::Unsupported(_) => Refusal::new(
            "unsupportedFormat",
            "it is of a rare kind that isn't supported; save it anew as JPEG or PNG",
        ),
        _ => damaged(),
    }
}

fn too_many_pixels() -> Refusal {
    too_large(format!(
        "it has too many pixels: at most {LONGEST_SIDE} a side, and {} million",
        MOST_PIXELS / 1_000_000
    ))
}

/// Made small first and turned then: the large one is held once.
fn made(
    pixels: &DynamicImage,
    orientation: Orientation,
    longer_side: u32,
    is_square: bool,
) -> Result<MadeImage, Refusal> {
    let (width, height) = (pixels.width(), pixels.height());
    let shorter = width.min(height);
    let (to_width, to_height) = match is_square {
        true => (longer_side.min(shorter), longer_side.min(shorter)),
        false => fit(width, height, longer_side),
    };
    let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    if is_square {
        let left = f64::from(width - shorter) / 2.0;
        let top = f64::from(height - shorter) / 2.0;
        options = options.crop(left, top, shorter.into(), shorter.into());
    }
    let mut small = DynamicImage::new(to_width.max(1), to_height.max(1), pixels.color());
    let resized = Resizer::new().resize(pixels, &mut small, &options);
    resized.map_err(|_| damaged())?;
    small.apply_orientation(orientation);
    let bytes = encode(&small)?;
    Ok(MadeImage {
        pixels: longer_side,
        width: small.width(),
        height: small.height(),
        media_type: "image/webp",
        bytes,
    })
}

/// Dimensions with the longer side of at most so many pixels.
fn fit(width: u32, height: u32, longer_side: u32) -> (u32, u32) {
    let longer = width.max(height);
    if longer <= longer_side {
        return (width, height);
    }
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(longer_side);
        let side = (side + u64::from(longer) / 2) / u64::from(longer);
        u32::try_from(side).unwrap_or(longer_side).max(1)
    };
    (scaled(width), scaled(height))
}

fn encode(small: &DynamicImage) -> Result<Vec<u8>, Refusal> {
    let (width, height) = (small.width(), small.height());
    let encoded = if small.color().has_alpha() {
        let pixels = small.to_rgba8();
        webp::Encoder::from_rgba(&pixels, width, height).encode_simple(false, QUALITY)
    } else {
        let pixels = small.to_rgb8();
        webp::Encoder::from_rgb(&pixels, width, height).encode_simple(false, QUALITY)
    };
    encoded.map(|bytes| bytes.to_vec()).map_err(|_| damaged())
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn nothing_is_made_larger_and_no_side_vanishes() {
        assert_eq!(fit(3000, 2000, 600), (600, 400));
        assert_eq!(fit(2000, 3000, 600), (400, 600));
        assert_eq!(fit(100, 50, 600), (100, 50));
        assert_eq!(fit(12_000, 1, 96), (96, 1));
    }
}
