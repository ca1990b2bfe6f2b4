//! Images, as the child process looks at them.

use plyr_probe::{Fact, ForeignBytes, look_at_image};

use crate::audio::{kept, refused};
use crate::caught::caught;
use crate::on_disk::on_disk;

/// Looks at the bytes as an image and makes it small. A panic of a library is what the child is
/// for; whatever is answered is within its bounds, and what is made is as large as it says, not
/// larger than the image, and is an image itself.
pub fn images(bytes: &[u8]) {
    const SIZES: [(u32, bool); 2] = [(40, false), (16, true)];

    let foreign = on_disk(bytes);
    let Some(looked) = caught(|| look_at_image(&foreign, &SIZES)) else {
        return;
    };
    let (fact, made) = looked.expect("a file is read");
    kept(&fact);
    let facts = match fact {
        Fact::Image(facts) => facts,
        Fact::Refused(refusal) => {
            assert!(made.is_empty(), "made of what is refused");
            return refused(&refusal);
        }
        Fact::Audio(_) => panic!("asked for an image"),
    };
    let (width, height) = (u64::from(facts.width), u64::from(facts.height));
    assert!((1..=40_000_000).contains(&(width * height)), "{facts:?}");
    assert_eq!(made.len(), SIZES.len(), "{facts:?}");
    for (image, (pixels, is_square)) in made.iter().zip(SIZES) {
        let longer = image.width.max(image.height);
        assert!(
            longer <= pixels && image.width.min(image.height) > 0,
            "{facts:?}"
        );
        assert!(
            longer <= facts.width.max(facts.height),
            "made larger: {facts:?}"
        );
        assert!(
            !is_square || image.width == image.height,
            "no square: {facts:?}"
        );
        let again = look_at_image(&ForeignBytes::of_memory(&image.bytes), &[]);
        let (again, _) = again.expect("memory is read");
        let Fact::Image(again) = again else {
            panic!("made what is no image: {again:?}");
        };
        let is = (&*again.format, again.width, again.height);
        assert_eq!(is, ("webp", image.width, image.height));
    }
}
