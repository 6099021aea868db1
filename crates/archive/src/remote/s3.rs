//! S3 through the object_store crate: the calls of [`crate::remote`], with object storage built in.
//!
//! In: an archive, a URL. Out: objects put and fetched. Not its job: what a place may be called (`transfer`), belief (`closing`).

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path as Key;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig};
use tokio::runtime::Runtime;

use crate::archive::Archive;
use crate::closing::{TABLES, place, read_hour};
use crate::error::{ArchiveError, Fault, io_error};
use crate::store::Store;
use crate::transfer::{Offered, S3, Transfer, offer};

/// An object that is larger is no file of an hour that we would read into memory.
const MOST_OBJECT_BYTES: u64 = 256 << 20;

/// Tries of one request, and how long they may take together: what is not there then waits for the next push.
const RETRIES: RetryConfig = RetryConfig {
    backoff: BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(5),
        base: 2.0,
    },
    max_retries: 4,
    retry_timeout: Duration::from_secs(30),
};

/// What a failure means where hours are put, and where they are read.
const NEXT_PUSH: &str = "what is not there yet stays in the archive and goes with the next push";
const AGAIN: &str = "run it again once the place answers: hours that came are kept";

/// A bucket, and what keys begin with.
struct Place {
    url: String,
    bucket: AmazonS3,
    prefix: Key,
    runtime: Runtime,
}

impl Place {
    fn open(url: &str) -> Result<Self, ArchiveError> {
        let failed = |reason: String| ArchiveError::Remote {
            url: url.to_owned(),
            reason,
        };
        let (bucket, prefix) = url
            .strip_prefix(S3)
            .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
            .unwrap_or_default();
        if bucket.is_empty() {
            return Err(failed(
                "a place in object storage is s3://BUCKET or s3://BUCKET/PREFIX".to_owned(),
            ));
        }
        // Someone else may have chosen one already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = AmazonS3Builder::from_env();
        if let Some(refusal) = refused_endpoint(&settings) {
            return Err(failed(refusal));
        }
        let bucket = settings
            .with_bucket_name(bucket)
            .with_retry(RETRIES)
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            url: url.to_owned(),
            bucket,
            prefix: Key::parse(prefix.trim_end_matches('/')).map_err(|error| failed(error.to_string()))?,
            runtime: runtime.map_err(|error| failed(error.to_string()))?,
        })
    }

    fn key(&self, relative: &str) -> Key {
        relative
            .split('/')
            .fold(self.prefix.clone(), |key, part| key.join(part))
    }

    /// `then` says what becomes of the rest.
    fn failed(&self, key: &Key, error: &object_store::Error, then: &str) -> ArchiveError {
        ArchiveError::Remote {
            url: format!("{}: {key}", self.url),
            reason: format!("{error}; {then}"),
        }
    }

    /// Puts the bytes unless the key is taken; a key that is taken by the same bytes is fine.
    fn put(&self, key: &Key, bytes: Vec<u8>) -> Result<(), ArchiveError> {
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        let put = self.bucket.put_opts(key, bytes.clone().into(), options);
        match self.runtime.block_on(put) {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) if self.get(key)? == bytes => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => Err(ArchiveError::Record {
                path: format!("{}/{key}", self.url).into(),
                fault: Fault::Content(
                    "another file has this name there: two taps bear one name, or one archive was begun anew"
                        .to_owned(),
                ),
            }),
            Err(error) => Err(self.failed(key, &error, NEXT_PUSH)),
        }
    }

    fn get(&self, key: &Key) -> Result<Vec<u8>, ArchiveError> {
        let too_large = |bytes: u64| ArchiveError::Record {
            path: format!("{}/{key}", self.url).into(),
            fault: Fault::Content(format!("{bytes} bytes, at most {MOST_OBJECT_BYTES}")),
        };
        let read = async {
            let got = self.bucket.get(key).await?;
            if got.meta.size > MOST_OBJECT_BYTES {
                return Ok(Err(too_large(got.meta.size)));
            }
            Ok(Ok(got.bytes().await?.to_vec()))
        };
        self.runtime
            .block_on(read)
            .map_err(|error| self.failed(key, &error, AGAIN))?
    }

    /// The hours that are whole there.
    fn offered(&self) -> Result<Offered<Key>, ArchiveError> {
        let mut hours = Offered::new();
        let list = async {
            let mut list = self.bucket.list(Some(&self.prefix));
            while let Some(object) = list.next().await {
                let key = object?.location;
                let Some(parts) = key.prefix_match(&self.prefix) else {
                    continue;
                };
                let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
                let [date, hour, sensor, revision, file] = &parts[..] else {
                    continue;
                };
                let values = [
                    (date, "date="),
                    (hour, "hour="),
                    (sensor, "sensor="),
                    (revision, "rev="),
                ];
                let values = values.map(|(part, name)| part.strip_prefix(name));
                if let ([Some(date), Some(hour), Some(sensor), Some(revision)], "sensor_hour.parquet") =
                    (values, file.as_str())
                {
                    let whole = Key::from_iter(key.parts().take(key.parts_count() - 1));
                    offer(
                        &mut hours,
                        (date.to_owned(), hour.to_owned(), sensor.to_owned()),
                        revision,
                        whole,
                    );
                }
            }
            Ok(())
        };
        let listed: object_store::Result<()> = self.runtime.block_on(list);
        listed.map_err(|error| self.failed(&self.prefix, &error, AGAIN))?;
        Ok(hours)
    }
}

/// Plain HTTP must be meant; the client would only say that it cannot be built.
fn refused_endpoint(settings: &AmazonS3Builder) -> Option<String> {
    let endpoint = settings.get_config_value(&AmazonS3ConfigKey::Endpoint)?;
    let is_plain = endpoint
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("http://"));
    let allowed = settings.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    let is_allowed = allowed.is_some_and(|word| {
        ["1", "true", "on", "yes", "y"]
            .iter()
            .any(|yes| word.trim().eq_ignore_ascii_case(yes))
    });
    (is_plain && !is_allowed).then(|| {
        format!(
            "the endpoint {endpoint} is plain HTTP, by which anybody on the way can read and change what is sent; \
             set AWS_ALLOW_HTTP=true to allow it, or AWS_ENDPOINT_URL to one of https://"
        )
    })
}

/// How many hours are whole there.
pub(crate) fn hours_of(url: &str) -> Result<u64, ArchiveError> {
    Ok(Place::open(url)?.offered()?.len() as u64)
}

/// Takes the hours of a place that this archive does not have, or has an earlier word on.
pub(crate) fn import(archive: &mut Archive, url: &str) -> Result<Transfer, ArchiveError> {
    let place = Place::open(url)?;
    let known = archive.store().hours()?;
    let known: std::collections::BTreeMap<(String, String, String), i64> = known
        .into_iter()
        .map(|(sensor, hour_s, revision)| {
            let day = crate::record::day_of(hour_s);
            (
                (day, format!("{:02}", crate::record::hour_of_day(hour_s)), sensor),
                revision,
            )
        })
        .collect();
    let mut transfer = Transfer::default();
    for (hour, (revision, key)) in place.offered()? {
        if known.get(&hour).is_some_and(|known| *known >= revision) {
            transfer.known += 1;
            continue;
        }
        let folder = archive.incoming()?;
        let fetched = TABLES.iter().try_for_each(|table| {
            let file = format!("{table}.parquet");
            let bytes = place.get(&key.clone().join(file.as_str()))?;
            let path = folder.join(file);
            fs::write(&path, bytes).map_err(io_error(&path))
        });
        let added = fetched
            .and_then(|()| read_hour(&folder))
            .and_then(|hour| archive.import(&hour));
        transfer.count(added)?;
    }
    Ok(transfer)
}

/// Puts every hour of an archive that a place has not got yet; `parquet` is the archive's folder of whole hours.
///
/// # Errors
/// If the place cannot be reached: what is not there goes with the next push.
pub fn push(store: &Store, parquet: &Path, url: &str) -> Result<Transfer, ArchiveError> {
    let target = Place::open(url)?;
    let mut transfer = Transfer::default();
    for (sensor_id, hour_s, revision) in store.hours()? {
        if store.is_pushed(url, &sensor_id, hour_s, revision)? {
            transfer.known += 1;
            continue;
        }
        let relative = place(&sensor_id, hour_s, revision);
        // The table that says the hour is whole goes last.
        let put = TABLES.iter().rev().try_for_each(|table| {
            let file = relative.join(format!("{table}.parquet"));
            let path = parquet.join(&file);
            let bytes = fs::read(&path).map_err(|source| ArchiveError::Record {
                path: path.clone(),
                fault: Fault::Content(source.to_string()),
            })?;
            target.put(&target.key(&file.to_string_lossy()), bytes)
        });
        match put {
            Ok(()) => {
                store.note_pushed(url, &sensor_id, hour_s, revision)?;
                transfer.taken += 1;
            }
            Err(error @ ArchiveError::Record { .. }) => transfer.faults.push(error),
            Err(error) => return Err(error),
        }
    }
    Ok(transfer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_must_be_meant() {
        let settings = |endpoint: &str| AmazonS3Builder::new().with_endpoint(endpoint);
        let refusal = refused_endpoint(&settings("http://minio.example:9000")).unwrap();
        assert!(
            refusal.contains("http://minio.example:9000") && refusal.contains("AWS_ALLOW_HTTP=true"),
            "{refusal}"
        );
        assert_eq!(refused_endpoint(&settings("https://minio.example")), None);
        assert_eq!(
            refused_endpoint(&settings("http://minio.example").with_allow_http(true)),
            None
        );
        assert_eq!(refused_endpoint(&AmazonS3Builder::new()), None);
    }
}
