//! What a bucket's failures mean.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::error::ObjectsError;

/// What went wrong with a call, as far as it matters here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    kind: Kind,
    detail: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// No such object.
    Absent,
    /// The object is there already, or isn't the one that was read before.
    Precondition,
    /// Another put of the same key came between.
    Conflict,
    /// The range begins beyond the end.
    Range,
    /// The multipart upload is no more.
    NoUpload,
    /// The bucket takes no more.
    Full,
    /// It won't do it, however often it is asked.
    Refused(Refusal),
    /// Anything else: comes to pass.
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    Keys,
    Denied,
    Bucket,
    Region,
    Clock,
}

impl Failure {
    /// Reads an error of the library.
    pub(super) fn of<E>(problem: SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = problem.raw_response().map(|raw| raw.status().as_u16());
        let code = problem.code().unwrap_or_default().to_owned();
        let kind = kind_of(status, &code);
        let detail = match (&problem, problem.message()) {
            (SdkError::ServiceError(_), Some(message)) => format!("{code}: {message}"),
            (SdkError::ServiceError(_), None) => {
                let status = status.map_or(String::new(), |status| format!("HTTP {status}"));
                format!("{status} {code}").trim().to_owned()
            }
            _ => innermost(&problem),
        };
        Failure { kind, detail }
    }

    /// A failure in our own words, that comes to pass.
    pub(super) fn said(detail: impl Into<String>) -> Failure {
        Failure {
            kind: Kind::Other,
            detail: detail.into(),
        }
    }

    /// What a bucket says of a key doesn't agree; maybe because somebody else deletes it.
    pub(super) fn contradiction() -> Failure {
        let detail = "it answers that the object is there to a put, and that it isn't when asked";
        Failure {
            kind: Kind::Conflict,
            detail: detail.to_owned(),
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        self.kind == Kind::Absent
    }

    pub(super) fn is_precondition(&self) -> bool {
        self.kind == Kind::Precondition
    }

    pub(super) fn is_conflict(&self) -> bool {
        self.kind == Kind::Conflict
    }

    pub(super) fn is_range(&self) -> bool {
        self.kind == Kind::Range
    }

    pub(super) fn is_no_upload(&self) -> bool {
        self.kind == Kind::NoUpload
    }

    /// As this room says it.
    pub(super) fn told(self, store: &str, doing: &'static str) -> ObjectsError {
        let store = store.to_owned();
        let detail = self.detail;
        let refusal = match self.kind {
            Kind::Refused(refusal) => refusal,
            Kind::Full => return ObjectsError::Full { store, detail },
            _ => {
                return ObjectsError::Failed {
                    store,
                    doing,
                    detail,
                };
            }
        };
        let fix = match refusal {
            Refusal::Keys => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to keys that it knows"
            }
            Refusal::Denied => {
                "give the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY the right to read, \
                 write, delete and list in this bucket"
            }
            Refusal::Bucket => "make the bucket, or correct its name in --blobs or --s3-endpoint",
            Refusal::Region => "set --s3-region to the bucket's (auto for R2)",
            Refusal::Clock => "set this machine's clock",
        };
        ObjectsError::Unusable {
            store,
            problem: format!("{detail}; {fix}"),
        }
    }
}

fn kind_of(status: Option<u16>, code: &str) -> Kind {
    match code {
        "NoSuchKey" | "NotFound" => return Kind::Absent,
        "NoSuchUpload" => return Kind::NoUpload,
        "PreconditionFailed" => return Kind::Precondition,
        "ConditionalRequestConflict" | "OperationAborted" => return Kind::Conflict,
        "InvalidRange" => return Kind::Range,
        "QuotaExceeded" | "InsufficientStorage" | "XMinioStorageFull" => return Kind::Full,
        "NoSuchBucket" | "InvalidBucketName" => return Kind::Refused(Refusal::Bucket),
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidToken"
        | "ExpiredToken"
        | "XAdminUserNotFound" => return Kind::Refused(Refusal::Keys),
        "RequestTimeTooSkewed" => return Kind::Refused(Refusal::Clock),
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => {
            return Kind::Refused(Refusal::Region);
        }
        _ => {}
    }
    match status {
        Some(404) => Kind::Absent,
        Some(409) => Kind::Conflict,
        Some(412) => Kind::Precondition,
        Some(416) => Kind::Range,
        Some(507) => Kind::Full,
        Some(401) => Kind::Refused(Refusal::Keys),
        Some(403) => Kind::Refused(Refusal::Denied),
        Some(301) => Kind::Refused(Refusal::Region),
        _ => Kind::Other,
    }
}

/// The library wraps what happened in sentences that say little; the last cause says it.
fn innermost(problem: &(dyn Error + 'static)) -> String {
    let mut cause = problem;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_not_pass_says_what_to_set() {
        let cases = [
            (403, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
            (404, "XAdminUserNotFound", "AWS_ACCESS_KEY_ID"),
            (403, "AccessDenied", "right to read"),
            (404, "NoSuchBucket", "--blobs"),
            (400, "AuthorizationHeaderMalformed", "--s3-region"),
            (403, "RequestTimeTooSkewed", "clock"),
        ];
        for (status, code, word) in cases {
            let failure = Failure {
                kind: kind_of(Some(status), code),
                detail: code.to_owned(),
            };
            let told = failure.told("s3://bucket/", "read an object");
            assert!(!told.is_passing(), "{told}");
            assert!(told.to_string().contains(word), "{told}");
        }
        for (status, code) in [(503, "SlowDown"), (500, "InternalError"), (429, "")] {
            assert_eq!(kind_of(Some(status), code), Kind::Other);
        }
    }
}
