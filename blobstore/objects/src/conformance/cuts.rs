//! Puts that are cut off.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::same_bytes;
use super::{AN_HOUR, BoxError, Checked, Place, about, bytes, ensure, file, key, read, same};
use crate::{ObjectKey, Put};

/// How long what was begun may take to be taken back.
const PATIENCE: Duration = Duration::from_secs(180);

/// Polls a future so often and then gives it up: it is woken as it gets on, so the number says how
/// far it got.
struct Cut<F> {
    future: Pin<Box<F>>,
    polls: usize,
}

impl<F: Future> Future for Cut<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        match self.future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.polls == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// A put that is cut off, wherever, leaves the whole object or nothing that counts, and what it
/// leaves can be tidied away.
pub async fn i09_a_put_that_is_cut_off_leaves_nothing_half(place: &dyn Place) -> Checked {
    let length = 20 << 20;
    let expected = bytes(1, length);
    let source = file(&expected)?;
    // A link to a file is copied by a disk, and not linked.
    let folder = tempfile::tempdir()?;
    let linked = folder.path().join("linked");
    std::os::unix::fs::symlink(source.path(), &linked)?;
    let (mut cut_off, mut nothing) = (0, 0);
    for (way, path) in [("file", source.path()), ("link", linked.as_path())] {
        for polls in [1, 2, 3, 4, 5, 6, 8, 11, 15, 20, 30, 50, 80, 130] {
            let key = key(&format!("{way} {polls}"))?;
            if put_cut(place, &key, path, polls).await? {
                cut_off += 1;
            }
            match read(place.objects(), &key, None).await? {
                Some((_, seen)) => same_bytes("after a cut", &seen, &expected)?,
                None => nothing += 1,
            }
        }
    }
    ensure(cut_off > 0 && nothing > 0, || {
        format!("{cut_off} puts were cut off, {nothing} left nothing")
    })?;
    let listed = place.objects().list("", None, 1000).await?;
    for object in listed {
        same("listed after a cut", object.found.size, length as u64)?;
    }
    same("tidied too early", place.objects().tidy(AN_HOUR).await?, 0)?;
    let began = Instant::now();
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while place.drafts().await? > 0 {
        place.objects().tidy(Duration::ZERO).await?;
        ensure(began.elapsed() < PATIENCE, || {
            "drafts stay after tidying".to_owned()
        })?;
        look.tick().await;
    }
    let key = key("after the cuts")?;
    let put = place.objects().put(&key, source.path(), &about()).await?;
    same("after tidying", put, Put::Created)
}

/// Answers whether it was cut off.
async fn put_cut(
    place: &dyn Place,
    key: &ObjectKey,
    path: &Path,
    polls: usize,
) -> Result<bool, BoxError> {
    let about = about();
    let future = Box::pin(place.objects().put(key, path, &about));
    match (Cut { future, polls }).await {
        Some(put) => put.map(|_| false).map_err(BoxError::from),
        None => Ok(true),
    }
}
