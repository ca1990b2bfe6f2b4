//! Which bucket, with which keys, and how long is waited for it.

use std::fmt;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation,
    ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use url::Url;

/// The region where none is named; R2 has no other.
pub const DEFAULT_REGION: &str = "auto";

/// Which bucket, and how it is reached.
#[derive(Clone, Debug)]
pub struct S3Options {
    /// The bucket's name.
    pub bucket: String,
    /// What the keys of ours begin with, `/` at its end or not; empty for the whole bucket.
    pub prefix: String,
    /// `https://ACCOUNT.r2.cloudflarestorage.com`; none for Amazon's own.
    pub endpoint: Option<Url>,
    /// Where others reach it.
    pub links: S3Links,
    /// [`DEFAULT_REGION`] for R2; the bucket's own at Amazon.
    pub region: String,
    /// The keys, from the usual `AWS_*` variables.
    pub credentials: S3Credentials,
    /// How long is waited.
    pub patience: S3Patience,
}

/// Where the links lead that are handed out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum S3Links {
    /// To the endpoint that is used here too.
    #[default]
    Endpoint,
    /// To another name of it: the one used here may be of a network that others aren't in.
    At(Url),
    /// Nowhere: none are handed out, and what is asked for is sent through here.
    None,
}

/// The keys to a bucket. What it prints has no secrets.
#[derive(Clone)]
pub struct S3Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_key: String,
    /// `AWS_SESSION_TOKEN`, of keys that were lent.
    pub session_token: Option<String>,
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Credentials(…)")
    }
}

/// How long is waited for a bucket; after that a call fails as one that may be tried again.
#[derive(Clone, Copy, Debug)]
pub struct S3Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the answer to what moves no bytes.
    pub answer: Duration,
    /// For a part on its way up, a window on its way down, and what the bucket works on by itself
    /// (a copy, the joining of parts).
    pub transfer: Duration,
    /// How often a call is tried; 1 is not again.
    pub tries: u32,
}

impl Default for S3Patience {
    fn default() -> S3Patience {
        S3Patience {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(20),
            transfer: Duration::from_secs(120),
            tries: 3,
        }
    }
}

impl S3Patience {
    /// Timeouts of a call that is answered within `one`, each time it is tried. (The library has
    /// none by itself but for the connection.)
    pub(super) fn timeouts(&self, one: Duration) -> TimeoutConfig {
        // What it waits between tries is at most a second at first, then two, ….
        let pauses = Duration::from_secs(1 << self.tries.clamp(1, 6)) - Duration::from_secs(2);
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .read_timeout(one)
            .operation_attempt_timeout(one)
            .operation_timeout(one * self.tries.max(1) + pauses + Duration::from_secs(1))
            .build()
    }
}

impl S3Options {
    /// The client. Checksums only where a call demands them, as R2 wants it: the bytes of a request
    /// are signed by their SHA-256, so that what arrives changed is refused.
    pub(super) fn client(&self) -> Client {
        self.client_of(self.endpoint.as_ref())
    }

    /// What signs the links that are handed out, which name the host they are for; none where none
    /// are.
    pub(super) fn signer(&self) -> Option<Client> {
        match &self.links {
            S3Links::Endpoint => Some(self.client()),
            S3Links::At(url) => Some(self.client_of(Some(url))),
            S3Links::None => None,
        }
    }

    fn client_of(&self, endpoint: Option<&Url>) -> Client {
        let keys = &self.credentials;
        let credentials = Credentials::new(
            &keys.access_key,
            &keys.secret_key,
            keys.session_token.clone(),
            None,
            "plyr",
        );
        let stalled = StalledStreamProtectionConfig::enabled()
            .grace_period(self.patience.answer)
            .build();
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.region.clone()))
            .credentials_provider(credentials)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_config(RetryConfig::standard().with_max_attempts(self.patience.tries.max(1)))
            .timeout_config(self.patience.timeouts(self.patience.answer))
            .stalled_stream_protection(stalled);
        if let Some(endpoint) = endpoint {
            // A bucket is a path there: not everybody has a wildcard certificate.
            config = config
                .endpoint_url(endpoint.as_str())
                .force_path_style(true);
        }
        Client::from_conf(config.build())
    }
}
