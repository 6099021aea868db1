//! Object storage: hours to and from `s3://BUCKET/PREFIX`.
//!
//! In: an archive, a URL; access, endpoint and region from the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
//! `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ALLOW_HTTP`). Out: objects under the same names as the Parquet folders have. A key is
//! never overwritten: every put says If-None-Match. An hour is there when its `sensor_hour.parquet` is, which is put last. The spool is the
//! archive itself: what a place has not got yet is known to SQLite, and goes with the next push. Not its job: which word counts.

#[cfg(not(feature = "object-storage"))]
#[path = "remote/refusal.rs"]
mod s3;
#[cfg(feature = "object-storage")]
mod s3;

pub use s3::push;
pub(crate) use s3::{hours_of, import};
