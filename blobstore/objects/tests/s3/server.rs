//! One S3 server for all tests, and a bucket for each.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use plyr_objects::conformance::{BoxError, Checked, Place};
use plyr_objects::{Objects, S3, S3Credentials, S3Links, S3Options, S3Patience};
use plyr_peers::S3Server;
use tokio::sync::OnceCell;

static SERVER: OnceCell<Option<S3Server>> = OnceCell::const_new();
static BUCKETS: AtomicUsize = AtomicUsize::new(0);

/// The server; none where tools are missing and may be.
pub async fn server() -> Option<&'static S3Server> {
    let start = || async { S3Server::start(&[]).await.unwrap() };
    SERVER.get_or_init(start).await.as_ref()
}

/// A new bucket's name.
pub fn new_bucket(server: &S3Server) -> String {
    let name = format!("bucket-{}", BUCKETS.fetch_add(1, Ordering::Relaxed));
    server.add_bucket(&name).unwrap();
    name
}

pub fn options(server: &S3Server, bucket: &str) -> S3Options {
    S3Options {
        bucket: bucket.to_owned(),
        prefix: "some/prefix".to_owned(),
        endpoint: Some(server.url.parse().unwrap()),
        links: S3Links::Endpoint,
        region: "us-east-1".to_owned(),
        credentials: S3Credentials {
            access_key: server.access_key.clone(),
            secret_key: server.secret_key.clone(),
            session_token: None,
        },
        patience: S3Patience::default(),
    }
}

/// A client that goes past ours.
pub fn client(server: &S3Server) -> Client {
    let keys = Credentials::new(&server.access_key, &server.secret_key, None, None, "test");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(keys)
        .endpoint_url(&server.url)
        .force_path_style(true);
    Client::from_conf(config.build())
}

/// Uploads that are open in a bucket: where they lie, and their ids.
pub async fn uploads(client: &Client, bucket: &str) -> Vec<(String, String)> {
    let page = client.list_multipart_uploads().bucket(bucket).send();
    let page = page.await.unwrap();
    let uploads = page.uploads().iter().map(|upload| {
        let (key, id) = (upload.key().unwrap(), upload.upload_id().unwrap());
        (key.to_owned(), id.to_owned())
    });
    uploads.collect()
}

pub struct InBucket {
    pub s3: S3,
    pub bucket: String,
    pub client: Client,
}

impl InBucket {
    pub async fn new() -> Option<InBucket> {
        let server = server().await?;
        let bucket = new_bucket(server);
        let s3 = S3::new(options(server, &bucket)).unwrap();
        s3.check().await.unwrap();
        let client = client(server);
        Some(InBucket { s3, bucket, client })
    }
}

#[async_trait]
impl Place for InBucket {
    fn objects(&self) -> &dyn Objects {
        &self.s3
    }

    async fn plant(&self, path: &str) -> Checked {
        let planting = self.client.put_object().bucket(&self.bucket);
        let planting = planting.key(format!("some/prefix/{path}"));
        let planting = planting.body(ByteStream::from_static(b"foreign")).send();
        planting.await?;
        Ok(())
    }

    async fn drafts(&self) -> Result<usize, BoxError> {
        Ok(uploads(&self.client, &self.bucket).await.len())
    }
}
