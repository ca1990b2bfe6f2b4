//! Where bytes are kept: a disk or an S3 bucket (R2 is one), behind one trait. An object appears
//! whole or not at all, is never changed, and is known by a key that only this room can make.
//!
//! * [`Disk`]: a file for each object, in two levels of folders. The folder is ours alone, and says
//!   so by a file in it; several processes may share it.
//! * [`S3`]: an object for each, under a prefix of a bucket that others may use too. It needs the
//!   rights to get, put, delete and list, and to begin, list and abort uploads.
//! * [`copy_all`]: from one to the other, as often as it takes.
//! * [`conformance`]: what every store must keep; what is written anew runs it.
//!
//! Whoever puts a file may delete it afterwards, and may not change it: a disk links it. Failures
//! say whether to come again ([`ObjectsError::is_passing`]); all waiting ends. What is held in
//! memory for a call is bounded: a piece of 64 KiB for a reader of a disk, a window of 1 MiB for
//! one of a bucket, two parts for a put to a bucket (of 8 MiB for files up to 80 GB).

pub mod conformance;
mod copy;
mod disk;
mod error;
mod key;
mod objects;
mod s3;

pub use copy::{CopyFailure, CopyOptions, CopyProgress, CopyReport, Describe, copy_all};
pub use disk::Disk;
pub use error::ObjectsError;
pub use key::{ImageSize, ObjectKey};
pub use objects::{About, Bytestream, Found, Listed, Objects, Put, Reading};
pub use s3::{DEFAULT_REGION, S3, S3Credentials, S3Links, S3Options, S3Patience};
