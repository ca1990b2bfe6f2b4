//! Looking at bytes, by content: what a record means them to be only says what is tried first; and
//! putting them, with what was made of them.

use plyr_lexicons::Cid;
use plyr_objects::{About, ImageSize, ObjectKey};
use plyr_probe::{Fact, MadeImage, ProbeError};

use super::bytes::Staged;
use super::holders::Role;
use super::work::Work;
use crate::error::BlobstoreError;

impl Work {
    /// What the bytes are. Of those who name a blob some may mean it to be another thing than it
    /// is: it is refused only where it is neither.
    pub(super) async fn look_at(
        &self,
        staged: &Staged,
        role: Role,
    ) -> Result<(Fact, Vec<MadeImage>), ProbeError> {
        let first = self.look_as(staged, role).await?;
        let is_other = matches!(&first.0, Fact::Refused(why) if why.word.starts_with("not"));
        if !is_other || (role == Role::Audio && staged.size > self.blobstore.options.largest_image)
        {
            return Ok(first);
        }
        let other = match role {
            Role::Audio => Role::Image,
            Role::Image => Role::Audio,
        };
        match self.look_as(staged, other).await? {
            (Fact::Refused(_), _) => Ok(first),
            found => Ok(found),
        }
    }

    async fn look_as(
        &self,
        staged: &Staged,
        role: Role,
    ) -> Result<(Fact, Vec<MadeImage>), ProbeError> {
        match role {
            Role::Audio => {
                let fact = self.prober.audio(&staged.path).await?;
                Ok((fact, Vec::new()))
            }
            Role::Image => {
                let sizes = ImageSize::ALL.map(|size| (size.pixels(), size == ImageSize::Thumb));
                self.prober.image(&staged.path, &sizes).await
            }
        }
    }

    /// Puts the bytes, and what was made of them first: whoever finds the bytes finds the rest.
    pub(super) async fn put(
        &self,
        cid: &Cid,
        staged: &Staged,
        fact: &Fact,
        images: &[MadeImage],
    ) -> Result<(), BlobstoreError> {
        let objects = &self.blobstore.objects;
        for (image, size) in images.iter().zip(ImageSize::ALL) {
            let made = Staged {
                path: self.staging.file(cid),
                size: image.bytes.len() as u64,
                replaces: false,
            };
            let written = tokio::fs::write(&made.path, &image.bytes).await;
            written.map_err(|problem| BlobstoreError::Staging {
                path: made.path.display().to_string(),
                problem,
            })?;
            let about = About {
                media_type: image.media_type.to_owned(),
            };
            let key = ObjectKey::image(cid, size);
            objects.put(&key, &made.path, &about).await?;
        }
        let media_type = match fact {
            Fact::Audio(audio) => audio.media_type.clone(),
            Fact::Image(image) => format!("image/{}", image.format),
            Fact::Refused(_) => "application/octet-stream".to_owned(),
        };
        let key = ObjectKey::original(cid);
        if staged.replaces {
            objects.delete(&key).await?;
        }
        objects
            .put(&key, &staged.path, &About { media_type })
            .await?;
        Ok(())
    }
}
