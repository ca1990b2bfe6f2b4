//! What every store must keep, and what only a bucket has.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use plyr_objects::conformance::{self, Place};
use plyr_objects::{ObjectKey, Objects, S3, S3Links, S3Options, objects_conformance};

use crate::server::{InBucket, client, new_bucket, options, server, uploads};

objects_conformance! { InBucket::new().await;
    i09_what_was_put_is_read_back,
    i09_a_second_put_changes_nothing,
    i09_of_puts_at_once_one_creates,
    i09_a_put_that_is_cut_off_leaves_nothing_half,
    ranges_are_cut_to_what_is_there,
    what_is_deleted_is_gone_and_may_come_back,
    a_copy_is_an_object_of_its_own,
    a_list_has_every_object_once_in_order,
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::original(&conformance::cid_of(name.as_bytes()).unwrap())
}

#[tokio::test]
async fn what_cannot_work_is_told_at_the_start() {
    let Some(server) = server().await else { return };
    let bucket = new_bucket(server);
    let good = options(server, &bucket);
    S3::new(good.clone()).unwrap().check().await.unwrap();

    let mut cases: Vec<(S3Options, &str)> = Vec::new();
    let mut wrong = good.clone();
    wrong.credentials.access_key = "nobody".to_owned();
    cases.push((wrong, "AWS_ACCESS_KEY_ID"));
    let mut wrong = good.clone();
    wrong.credentials.secret_key = "guessed".to_owned();
    cases.push((wrong, "AWS_SECRET_ACCESS_KEY"));
    let mut wrong = good.clone();
    wrong.bucket = "missing-bucket".to_owned();
    cases.push((wrong, "--blobs"));
    for (wrong, word) in cases {
        let problem = S3::new(wrong).unwrap().check().await.unwrap_err();
        assert!(!problem.is_passing(), "{problem}");
        let problem = problem.to_string();
        assert!(problem.contains(word), "{problem}");
        assert!(!problem.contains(&server.secret_key), "{problem}");
    }
}

#[test]
fn options_that_no_bucket_can_have_are_refused() {
    let good = S3Options {
        bucket: "bucket".to_owned(),
        prefix: String::new(),
        endpoint: None,
        links: S3Links::Endpoint,
        region: "auto".to_owned(),
        credentials: plyr_objects::S3Credentials {
            access_key: "access".to_owned(),
            secret_key: "hidden".to_owned(),
            session_token: None,
        },
        patience: plyr_objects::S3Patience::default(),
    };
    assert_eq!(S3::new(good.clone()).unwrap().name(), "s3://bucket/");
    assert!(!format!("{good:?}").contains("hidden"));
    let problem = |change: fn(&mut S3Options)| {
        let mut options = good.clone();
        change(&mut options);
        let problem = S3::new(options).err().unwrap();
        assert!(!problem.is_passing());
        problem.to_string()
    };
    assert!(problem(|it| it.bucket = "no".to_owned()).contains("--blobs"));
    assert!(problem(|it| it.bucket = "a/bucket".to_owned()).contains("--blobs"));
    assert!(problem(|it| it.prefix = "a//b".to_owned()).contains("--blobs"));
    assert!(problem(|it| it.prefix = "é".to_owned()).contains("--blobs"));
    assert!(problem(|it| it.region = String::new()).contains("--s3-region"));
    let no_keys = problem(|it| it.credentials.secret_key = String::new());
    assert!(no_keys.contains("AWS_SECRET_ACCESS_KEY"));
}

#[tokio::test]
async fn a_link_lasts_a_minute_and_says_what_it_is_told_to() {
    let Some(place) = InBucket::new().await else {
        return;
    };
    let (key, bytes) = (key("linked"), conformance::bytes(1, 1000));
    let about = conformance::about();
    let file = conformance::file(&bytes).unwrap();
    place.s3.put(&key, file.path(), &about).await.unwrap();
    let about = plyr_objects::About {
        media_type: "audio/ogg".to_owned(),
    };
    let disposition = Some("attachment; filename=\"a song.ogg\"");
    let life = Duration::from_secs(3600);
    let link = place.s3.direct(&key, life, &about, disposition).await;
    let link = link.unwrap().unwrap();
    assert!(link.as_str().contains("X-Amz-Expires=60"), "{link}");

    let whole = reqwest::get(link.clone()).await.unwrap();
    assert_eq!(whole.status(), 200);
    let header = |name: &str| whole.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "audio/ogg");
    assert_eq!(Some(header("content-disposition").as_str()), disposition);
    assert_eq!(header("cache-control"), "private, max-age=60");
    assert_eq!(whole.bytes().await.unwrap(), bytes);

    let asking = reqwest::Client::new().get(link.clone());
    let part = asking.header("range", "bytes=10-19").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().await.unwrap(), bytes[10..20]);

    let other = link.as_str().replace("audio%2Fogg", "text%2Fhtml");
    assert_ne!(other, link.as_str());
    assert_eq!(reqwest::get(other).await.unwrap().status(), 403);
}

#[tokio::test]
async fn links_lead_where_others_reach_the_bucket_or_there_are_none() {
    let Some(server) = server().await else { return };
    let bucket = new_bucket(server);
    let with = |links: S3Links| {
        let options = S3Options {
            links,
            ..options(server, &bucket)
        };
        S3::new(options).unwrap()
    };
    let file = conformance::file(b"song").unwrap();
    let about = conformance::about();
    // Another name of the same server; what is signed holds for that name alone.
    let public = server.url.replace("127.0.0.1", "localhost");
    let public = with(S3Links::At(public.parse().unwrap()));
    public.put(&key("song"), file.path(), &about).await.unwrap();
    let life = Duration::from_secs(60);
    let link = public.direct(&key("song"), life, &about, None).await;
    let link = link.unwrap().unwrap();
    assert_eq!(link.host_str(), Some("localhost"));
    let whole = reqwest::get(link.clone()).await.unwrap();
    assert_eq!(whole.bytes().await.unwrap(), b"song".as_slice());
    let elsewhere = link.as_str().replace("localhost", "127.0.0.1");
    assert_eq!(reqwest::get(elsewhere).await.unwrap().status(), 403);

    let none = with(S3Links::None);
    let link = none.direct(&key("song"), life, &about, None).await;
    assert_eq!(link.unwrap(), None);
}

#[tokio::test]
async fn what_is_put_says_its_type_and_how_long_it_may_be_cached() {
    let Some(place) = InBucket::new().await else {
        return;
    };
    for length in [10, 9 << 20] {
        let key = key(&length.to_string());
        let file = conformance::file(&conformance::bytes(1, length)).unwrap();
        let about = conformance::about();
        place.s3.put(&key, file.path(), &about).await.unwrap();
        let head = place.client.head_object().bucket(&place.bucket);
        let head = head.key(format!("some/prefix/{key}")).send().await.unwrap();
        assert_eq!(head.content_type(), Some("audio/flac"));
        assert_eq!(head.cache_control(), Some("private, max-age=60"));
    }
}

#[tokio::test]
async fn a_copy_for_the_public_may_be_cached_by_whoever_passes_it_on() {
    let Some(place) = InBucket::new().await else {
        return;
    };
    let key = key("public");
    let bytes = conformance::bytes(1, 1000);
    let file = conformance::file(&bytes).unwrap();
    let about = conformance::about();
    place.s3.put(&key, file.path(), &about).await.unwrap();
    // Twice: what is there says it anew.
    for _ in 0..2 {
        assert!(place.s3.copy(&key, &key.public()).await.unwrap());
        let head = place.client.head_object().bucket(&place.bucket);
        let head = head.key(format!("some/prefix/{}", key.public()));
        let head = head.send().await.unwrap();
        assert_eq!(head.cache_control(), Some("public, max-age=60"));
        assert_eq!(head.content_type(), Some("audio/flac"));
        assert_eq!(head.content_length(), Some(1000));
    }
    let head = place.client.head_object().bucket(&place.bucket);
    let head = head.key(format!("some/prefix/{key}")).send().await.unwrap();
    assert_eq!(head.cache_control(), Some("private, max-age=60"));
}

#[tokio::test]
async fn only_our_own_uploads_are_tidied() {
    let Some(server) = server().await else { return };
    let bucket = new_bucket(server);
    let s3 = S3::new(options(server, &bucket)).unwrap();
    let client = client(server);
    let ours = format!("some/prefix/{}", key("ours"));
    let others = [
        format!("some/prefix/{}.zip", key("ours")),
        format!("some/prefixes/{}", key("ours")),
        "backup.tar".to_owned(),
    ];
    for place in others.iter().chain([&ours]) {
        let begun = client.create_multipart_upload().bucket(&bucket).key(place);
        begun.send().await.unwrap();
    }
    assert_eq!(s3.tidy(Duration::from_secs(3600)).await.unwrap(), 0);
    assert_eq!(uploads(&client, &bucket).await.len(), 4);
    assert_eq!(s3.tidy(Duration::ZERO).await.unwrap(), 1);
    let mut left: Vec<String> = uploads(&client, &bucket)
        .await
        .into_iter()
        .map(|it| it.0)
        .collect();
    left.sort();
    let mut expected = others.to_vec();
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(s3.tidy(Duration::ZERO).await.unwrap(), 0);
}

#[tokio::test]
async fn prefixes_of_one_bucket_are_stores_of_their_own() {
    let Some(place) = InBucket::new().await else {
        return;
    };
    let Some(server) = server().await else { return };
    let mut options = options(server, &place.bucket);
    options.prefix = "/other/".to_owned();
    let other = S3::new(options).unwrap();
    assert_eq!(other.name(), format!("s3://{}/other/", place.bucket));
    let key = key("mine");
    let file = conformance::file(b"bytes").unwrap();
    let about = conformance::about();
    place
        .objects()
        .put(&key, file.path(), &about)
        .await
        .unwrap();
    assert_eq!(other.find(&key).await.unwrap(), None);
    assert_eq!(other.list("", None, 10).await.unwrap(), Vec::new());
    other.delete(&key).await.unwrap();
    assert!(place.s3.find(&key).await.unwrap().is_some());
}

/// Whether a part of an upload has arrived.
async fn has_part(place: &InBucket) -> bool {
    let uploads = uploads(&place.client, &place.bucket).await;
    let Some((key, id)) = uploads.first() else {
        return false;
    };
    let asking = place.client.list_parts().bucket(&place.bucket);
    let parts = asking.key(key).upload_id(id).send().await.unwrap();
    !parts.parts().is_empty()
}

#[tokio::test]
async fn an_upload_whose_put_is_dropped_is_given_up() {
    let Some(place) = InBucket::new().await else {
        return;
    };
    let (key, about) = (key("dropped"), conformance::about());
    let file = conformance::file(&conformance::bytes(1, 40 << 20)).unwrap();
    let mut putting = Box::pin(place.s3.put(&key, file.path(), &about));
    // It gets on a step at a time, so that it can't be done before it is looked at.
    let begun = async {
        while !has_part(&place).await {
            let step = poll_fn(|context| Poll::Ready(putting.as_mut().poll(context))).await;
            assert!(step.is_pending(), "it was done too soon");
        }
    };
    tokio::time::timeout(Duration::from_secs(300), begun)
        .await
        .unwrap();
    drop(putting);
    let ended = plyr_peers::wait_until("it is given up", || async {
        match place
            .drafts()
            .await
            .map_err(|problem| problem.to_string())?
        {
            0 => Ok(()),
            left => Err(left.to_string()),
        }
    });
    ended.await.unwrap();
    assert_eq!(place.s3.find(&key).await.unwrap(), None);
}
