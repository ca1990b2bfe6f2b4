//! Answers made of bytes: their headers, and what of them is sent.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use plyr_blobstore::Blobstore;
use plyr_blobstore::objects::{About, ImageSize, ObjectsError, Reading};
use plyr_lexicons::Cid;
use sha2::{Digest, Sha256};
use url::Url;
use warp::Reply;
use warp::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LOCATION,
};
use warp::http::{HeaderName, HeaderValue, StatusCode};
use warp::reply::Response;

use super::error;
use super::range::{Asked, asked, is_alike_elsewhere};
use super::which::Named;
use crate::App;
use crate::error::XrpcError;
use crate::server::{Asking, respond};

/// How long a link to the bytes' own store lives.
const LINK_LIVES: Duration = Duration::from_secs(60);
/// What was handed out lasts a minute at most (I8).
const CACHE_FOR_ALL: &str = "public, max-age=60";
const CACHE_FOR_ONE: &str = "private, max-age=60";

type Bytestream = BoxStream<'static, std::io::Result<Bytes>>;

/// A kept blob that is to be sent as it is.
pub struct Original {
    pub named: Named,
    pub size: u64,
    /// What the bytes were found to be.
    pub media_type: String,
    /// `Content-Disposition`, if one was asked for.
    pub disposition: Option<String>,
    /// Whether the answer may be where else the bytes are.
    pub redirects: bool,
}

/// Answers with a kept blob or ranges of it, or with where they are. A place among the open bodies
/// is taken by who is sent one.
pub async fn original(
    app: &App,
    blobs: &Blobstore,
    original: Original,
    asking: &Asking,
) -> Result<Response, XrpcError> {
    let cid = original.named.cid;
    let etag = format!("\"{cid}\"");
    let is_head = asking.caller.is_head();
    let what = match asked(&asking.headers, &etag, original.size) {
        // Ranges are of GET alone (RFC 9110, section 14.2).
        Asked::Parts(_) | Asked::Beyond if is_head => Asked::Whole,
        what => what,
    };
    if matches!(what, Asked::Unchanged | Asked::Changed) {
        return Ok(without_bytes(&what, &etag, original.size, asking));
    }
    // A link is for GET alone.
    if original.redirects
        && !is_head
        && is_alike_elsewhere(&asking.headers, &what)
        && let Some(url) = elsewhere(app, blobs, &original).await?
    {
        return Ok(redirection(&url));
    }
    let (status, ranges) = match what {
        Asked::Parts(parts) => (StatusCode::PARTIAL_CONTENT, parts),
        Asked::Whole => (StatusCode::OK, std::iter::once(0..original.size).collect()),
        what => return Ok(without_bytes(&what, &etag, original.size, asking)),
    };
    let envelope = Envelope::of(status, &ranges, &original);
    let mut headers = headers_of(&etag, asking);
    headers.push((ACCEPT_RANGES, "bytes".to_owned()));
    headers.push((CONTENT_TYPE, envelope.media_type.clone()));
    headers.push((CONTENT_LENGTH, envelope.length.to_string()));
    headers.extend(envelope.range.clone().map(|range| (CONTENT_RANGE, range)));
    headers.extend(
        original
            .disposition
            .clone()
            .map(|text| (CONTENT_DISPOSITION, text)),
    );
    if is_head {
        return match blobs.is_whole(&cid, original.size).await? {
            true => Ok(respond_with(Response::default(), status, headers)),
            false => Err(lost(blobs, &original.named).await),
        };
    }
    let place = app.open.place()?;
    // The first range is opened before anything is said, so that an error is still told.
    let whole = (cid, original.size);
    let reading = open(blobs, whole, &ranges[0]).await?;
    let Some(reading) = reading else {
        return Err(lost(blobs, &original.named).await);
    };
    let bytes = envelope.filled(blobs.clone(), whole, ranges, reading);
    let sending = app
        .open
        .send(original.named, asking.line.clone(), place, bytes);
    let response = warp::reply::stream(sending).into_response();
    Ok(respond_with(response, status, headers))
}

/// Answers with an image that was made of a kept blob.
pub async fn image(
    app: &App,
    blobs: &Blobstore,
    named: Named,
    size: ImageSize,
    asking: &Asking,
) -> Result<Response, XrpcError> {
    let etag = format!("\"{}-{}\"", named.cid, size.name());
    // There are no ranges of images: what is asked for is all of it.
    let what = asked(&asking.headers, &etag, 0);
    if matches!(what, Asked::Unchanged | Asked::Changed) {
        return Ok(without_bytes(&what, &etag, 0, asking));
    }
    let place = match asking.caller.is_head() {
        true => None,
        false => Some(app.open.place()?),
    };
    let Some(reading) = blobs.image(&named.cid, size).await? else {
        return Err(lost(blobs, &named).await);
    };
    let length = reading.size;
    let mut bytes = read(named.cid, reading);
    let first = match bytes.next().await {
        Some(Ok(first)) => first,
        // Told where it was read.
        Some(Err(_)) | None => return Err(error::not_here_yet(named.role, None)),
    };
    let mut headers = headers_of(&etag, asking);
    headers.push((CONTENT_TYPE, image_type(&first).to_owned()));
    headers.push((CONTENT_LENGTH, length.to_string()));
    let Some(place) = place else {
        return Ok(respond_with(Response::default(), StatusCode::OK, headers));
    };
    let all = stream::once(std::future::ready(Ok(first))).chain(bytes);
    let sending = app
        .open
        .send(named, asking.line.clone(), place, all.boxed());
    let response = warp::reply::stream(sending).into_response();
    Ok(respond_with(response, StatusCode::OK, headers))
}

/// What one of the images is that are made here.
fn image_type(first: &[u8]) -> &'static str {
    match first {
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => "image/webp",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        _ => "application/octet-stream",
    }
}

/// 503: a row says that it is here, and it isn't. It is fetched again.
async fn lost(blobs: &Blobstore, named: &Named) -> XrpcError {
    match blobs.lost(&named.cid).await {
        Ok(()) => error::not_here_yet(named.role, None),
        Err(problem) => problem.into(),
    }
}

/// Where the bytes can be had from, if not from here.
async fn elsewhere(
    app: &App,
    blobs: &Blobstore,
    original: &Original,
) -> Result<Option<Url>, XrpcError> {
    let cid = &original.named.cid;
    // The public prefix says nothing of a name to save under.
    if let (Some(cdn), None) = (&app.cdn_url, &original.disposition)
        && let Some(path) = blobs.publish(&app.store, cid).await?
    {
        let mut url = cdn.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        return Ok(Some(url));
    }
    let about = About {
        media_type: original.media_type.clone(),
    };
    let disposition = original.disposition.as_deref();
    let whole = (cid, original.size);
    Ok(blobs.direct(whole, LINK_LIVES, &about, disposition).await?)
}

fn redirection(url: &Url) -> Response {
    let headers = vec![
        (LOCATION, url.as_str().to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    respond_with(Response::default(), StatusCode::TEMPORARY_REDIRECT, headers)
}

/// 304, 412 or 416.
fn without_bytes(what: &Asked, etag: &str, size: u64, asking: &Asking) -> Response {
    let problem = match what {
        Asked::Changed => XrpcError::new(
            StatusCode::PRECONDITION_FAILED,
            "PreconditionFailed",
            "these are other bytes than the ones named",
        ),
        Asked::Beyond => XrpcError::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "RangeNotSatisfiable",
            format!("there are {size} bytes; none of them was asked for"),
        ),
        Asked::Unchanged | Asked::Whole | Asked::Parts(_) => {
            let headers = headers_of(etag, asking);
            return respond_with(Response::default(), StatusCode::NOT_MODIFIED, headers);
        }
    };
    let mut response = respond::error(&problem, &asking.caller);
    if *what == Asked::Beyond {
        let value = HeaderValue::from_str(&format!("bytes */{size}"));
        response
            .headers_mut()
            .extend(value.map(|value| (CONTENT_RANGE, value)));
    }
    response
}

/// What every answer says that has, or stands for, bytes.
fn headers_of(etag: &str, asking: &Asking) -> Vec<(HeaderName, String)> {
    let cache = match asking.caller.is_anonymous() {
        true => CACHE_FOR_ALL,
        false => CACHE_FOR_ONE,
    };
    // nginx would take a whole song at once, and go on sending what was taken down meanwhile.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    vec![
        (ETAG, etag.to_owned()),
        (CACHE_CONTROL, cache.to_owned()),
        (unbuffered, "no".to_owned()),
    ]
}

fn respond_with(
    mut response: Response,
    status: StatusCode,
    headers: Vec<(HeaderName, String)>,
) -> Response {
    *response.status_mut() = status;
    let all = response.headers_mut();
    all.remove(CONTENT_TYPE);
    respond::everywhere(all);
    // Whatever the bytes are taken for, they run nothing, and anybody may embed them.
    let policy = HeaderValue::from_static("default-src 'none'; sandbox");
    all.insert(CONTENT_SECURITY_POLICY, policy);
    let anywhere = HeaderValue::from_static("cross-origin");
    all.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        anywhere,
    );
    for (name, value) in headers {
        match HeaderValue::from_str(&value) {
            Ok(value) => drop(all.insert(name, value)),
            Err(_) => tracing::error!(%name, value, "a header can't be written"),
        }
    }
    response
}

/// None where the object isn't there, or isn't whole: bytes that were promised would not come.
async fn open(
    blobs: &Blobstore,
    (cid, size): (Cid, u64),
    range: &Range<u64>,
) -> Result<Option<Bytestream>, XrpcError> {
    let reading = blobs.original(&cid, Some(range.clone())).await?;
    let whole = reading.filter(|reading| reading.size == size);
    Ok(whole.map(|reading| read(cid, reading)))
}

fn read(cid: Cid, reading: Reading) -> Bytestream {
    let told = move |problem: ObjectsError| {
        tracing::warn!(%cid, %problem, "bytes that are being sent break off");
        std::io::Error::other(problem)
    };
    reading.bytes.map_err(told).boxed()
}

/// How ranges are told apart in an answer: one as it is, several as `multipart/byteranges`.
struct Envelope {
    media_type: String,
    /// `Content-Range`, of a single one.
    range: Option<String>,
    /// What stands before each range; nothing for a single one.
    heads: Vec<String>,
    tail: String,
    /// Bytes of all of it.
    length: u64,
}

impl Envelope {
    fn of(status: StatusCode, ranges: &[Range<u64>], original: &Original) -> Envelope {
        let content_range = |range: &Range<u64>| {
            format!("bytes {}-{}/{}", range.start, range.end - 1, original.size)
        };
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        if let [range] = ranges {
            let is_part = status == StatusCode::PARTIAL_CONTENT;
            return Envelope {
                media_type: original.media_type.clone(),
                range: is_part.then(|| content_range(range)),
                heads: vec![String::new()],
                tail: String::new(),
                length: bytes,
            };
        }
        let boundary = boundary(&original.named.cid);
        let head = |(place, range): (usize, &Range<u64>)| {
            let begin = if place == 0 { "" } else { "\r\n" };
            let (kind, range) = (&original.media_type, content_range(range));
            format!("{begin}--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {range}\r\n\r\n")
        };
        let heads: Vec<String> = ranges.iter().enumerate().map(head).collect();
        let tail = format!("\r\n--{boundary}--\r\n");
        let around = heads.iter().map(String::len).sum::<usize>() + tail.len();
        Envelope {
            media_type: format!("multipart/byteranges; boundary={boundary}"),
            range: None,
            length: bytes + around as u64,
            heads,
            tail,
        }
    }

    /// The whole answer; `first` is the first range, opened.
    fn filled(
        self,
        blobs: Blobstore,
        (cid, size): (Cid, u64),
        ranges: Vec<Range<u64>>,
        first: Bytestream,
    ) -> Bytestream {
        let mut first = Some(first);
        let parts: Vec<_> = self
            .heads
            .into_iter()
            .zip(ranges)
            .map(|(head, range)| (head, range, first.take()))
            .collect();
        let part = move |(head, range, opened): (String, Range<u64>, Option<Bytestream>)| {
            let blobs = blobs.clone();
            async move {
                let bytes = match opened {
                    Some(bytes) => bytes,
                    None => match open(&blobs, (cid, size), &range).await {
                        Ok(Some(bytes)) => bytes,
                        Ok(None) => {
                            blobs.lost(&cid).await.map_err(std::io::Error::other)?;
                            return Err(std::io::Error::other("the blob went away"));
                        }
                        Err(problem) => return Err(std::io::Error::other(problem.message)),
                    },
                };
                Ok(text(head).chain(bytes))
            }
        };
        let parts = stream::iter(parts).then(part).try_flatten();
        parts.chain(text(self.tail)).boxed()
    }
}

fn text(text: String) -> stream::Iter<std::option::IntoIter<std::io::Result<Bytes>>> {
    let text = (!text.is_empty()).then(|| Ok(Bytes::from(text)));
    stream::iter(text)
}

/// What ranges are told apart by. Nobody can write bytes that hold it: it is made from their hash.
fn boundary(cid: &Cid) -> String {
    let digest = Sha256::digest(cid.to_bytes());
    let letters = digest.iter().take(20).map(|byte| format!("{byte:02x}"));
    letters.collect()
}
