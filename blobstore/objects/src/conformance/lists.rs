//! Listing.

use super::{Checked, Place, about, cid_of, file, same};
use crate::{ImageSize, ObjectKey};

/// A listing has every object once, in the order of keys, however it is paged, and nothing else.
pub async fn a_list_has_every_object_once_in_order(place: &dyn Place) -> Checked {
    let objects = place.objects();
    same("at first", objects.list("", None, 10).await?, Vec::new())?;
    let mut keys = Vec::new();
    for number in 0..12 {
        let cid = cid_of(format!("listed {number}").as_bytes())?;
        let original = ObjectKey::original(&cid);
        keys.extend([original.public(), original]);
        keys.extend(ImageSize::ALL.map(|size| ObjectKey::image(&cid, size)));
    }
    let source = file(b"something")?;
    for key in &keys {
        objects.put(key, source.path(), &about()).await?;
    }
    keys.sort();
    let cid = keys[0].cid().ok_or("a key without a CID")?;
    let foreign = [
        "readme".to_owned(),
        "originals/readme".to_owned(),
        format!("originals/aa/bb/{cid}"),
        format!("{}.part", keys[0]),
        format!("other/{}", keys[0]),
        "zzz/deep/deeper/readme".to_owned(),
    ];
    for path in &foreign {
        place.plant(path).await?;
    }
    for limit in [1, 2, 7, keys.len() - 1, keys.len(), keys.len() + 1, 5000] {
        let mut seen: Vec<ObjectKey> = Vec::new();
        loop {
            let page = objects.list("", seen.last(), limit).await?;
            same("too long a page", page.len().max(limit), limit)?;
            if page.is_empty() {
                break;
            }
            for listed in page {
                same(listed.key.as_str(), listed.found.size, 9)?;
                seen.push(listed.key);
            }
        }
        same(&format!("in pages of {limit}"), &seen, &keys)?;
    }
    same("no page", objects.list("", None, 0).await?, Vec::new())?;
    let folder = keys[0]
        .as_str()
        .rsplit_once('/')
        .ok_or("a key without a folder")?
        .0;
    let folder = format!("{folder}/");
    for prefix in [
        "originals/",
        "images/",
        "public/",
        "public/originals/",
        "renditions/",
        &folder,
    ] {
        let expected = keys.iter().filter(|key| key.as_str().starts_with(prefix));
        let expected: Vec<&ObjectKey> = expected.collect();
        let seen = objects.list(prefix, None, 5000).await?;
        let seen: Vec<&ObjectKey> = seen.iter().map(|listed| &listed.key).collect();
        same(prefix, seen, expected)?;
    }
    // A page goes on behind a key that isn't there any more.
    let (gone, left) = (&keys[20], &keys[21..]);
    objects.delete(gone).await?;
    let rest = objects.list("", Some(gone), 5000).await?;
    let rest: Vec<ObjectKey> = rest.into_iter().map(|listed| listed.key).collect();
    same("behind a deleted key", rest.as_slice(), left)
}
