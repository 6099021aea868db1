//! One table of an hour as a Parquet file, and back.
//!
//! In: rows, an open file. Out: the file's bytes, zstd; the same rows give the same bytes. Reading is for files of other
//! machines too: the columns must be exactly those of `schema.md`, and every cell is checked. Not its job: where files lie and
//! when they are whole (`closing`).

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Once};

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::record::Field;
use parquet::schema::parser::parse_message_type;

use crate::cell::{Column, Kind, Row, Value};
use crate::count::MOST_ROWS;
use crate::error::{ArchiveError, Fault, io_error};
use crate::record::{FIRST_COLUMNS, NOT_IN_VERSION_1};

/// A file that is larger is not read: the largest hour that is believed has fewer bytes.
const MOST_FILE_BYTES: u64 = 4 << 30;

/// Rows written, and held as columns, at a time.
const GROUP_ROWS: usize = 1 << 18;

/// Writes the rows and syncs the file.
pub(crate) fn write<R: Row>(path: &Path, first: &[Value], rows: &[R]) -> Result<(), ArchiveError> {
    let file = File::create_new(path).map_err(io_error(path))?;
    let file = write_to(file, first, rows).map_err(|error| ArchiveError::Io {
        path: path.to_path_buf(),
        source: io_reason(error),
    })?;
    file.sync_all().map_err(io_error(path))
}

/// The same, without a disk.
pub(crate) fn write_to<W: Write + Send, R: Row>(sink: W, first: &[Value], rows: &[R]) -> Result<W, ParquetError> {
    let schema = Arc::new(parse_message_type(&message_type::<R>())?);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .build();
    let mut writer = SerializedFileWriter::new(sink, schema, Arc::new(properties))?;
    for rows in rows.chunks(GROUP_ROWS) {
        let mut cells: Vec<Vec<Value>> = columns::<R>().map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            let values = first.iter().cloned().chain(row.values());
            cells
                .iter_mut()
                .zip(values)
                .for_each(|(column, value)| column.push(value));
        }
        let mut group = writer.next_row_group()?;
        for (column, values) in columns::<R>().zip(cells) {
            let Some(mut writer) = group.next_column()? else { break };
            write_column(&mut writer, column, values)?;
            writer.close()?;
        }
        group.close()?;
    }
    // Writes the footer, too.
    writer.into_inner()
}

/// Reads every row with its first four values.
///
/// # Errors
/// If it is no Parquet file of this table, in all its cells.
pub(crate) fn read<R: Row>(path: &Path) -> Result<Vec<([Value; 4], R)>, ArchiveError> {
    let file = match File::open(path) {
        // Its hour is at fault, not the disk.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ArchiveError::Record {
                path: path.to_path_buf(),
                fault: Fault::Content("the file is not there, so its hour is not whole".to_owned()),
            });
        }
        opened => opened.map_err(io_error(path))?,
    };
    let too_large = file.metadata().map_err(io_error(path))?.len() > MOST_FILE_BYTES;
    // The reader is made for sound files; nothing of ours is half-done if it fails on a forged one.
    let rows = if too_large {
        Err(Fault::Content(format!("larger than {MOST_FILE_BYTES} bytes")))
    } else {
        caught(|| read_rows(file)).unwrap_or_else(|why| Err(Fault::Parquet(format!("the reader gave up: {why}"))))
    };
    rows.map_err(|fault| ArchiveError::Record {
        path: path.to_path_buf(),
        fault,
    })
}

thread_local! {
    /// A panic of this thread is an answer that is told in other words.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// What the body returns, or why it panicked: in the words of the error, not in those of a bug with a backtrace.
fn caught<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            if !IS_CAUGHT.get() {
                before(panicked);
            }
        }));
    });
    IS_CAUGHT.set(true);
    let done = catch_unwind(AssertUnwindSafe(body));
    IS_CAUGHT.set(false);
    done.map_err(|panicked| {
        let words = panicked.downcast_ref::<&str>().map(|words| (*words).to_owned());
        let words = words.or_else(|| panicked.downcast_ref::<String>().cloned());
        words.unwrap_or_else(|| "it did not say why".to_owned())
    })
}

fn read_rows<R: Row>(file: File) -> Result<Vec<([Value; 4], R)>, Fault> {
    let parquet = |error: ParquetError| Fault::Parquet(error.to_string());
    let reader = SerializedFileReader::new(file).map_err(parquet)?;
    let about = reader.metadata().file_metadata();
    let found: Vec<&str> = about
        .schema_descr()
        .columns()
        .iter()
        .map(|column| column.name())
        .collect();
    if let Some((at, expected)) = columns::<R>().enumerate().find(|(at, column)| match found.get(*at) {
        Some(name) => *name != column.name,
        None => !NOT_IN_VERSION_1.contains(&column.name),
    }) {
        let found = found.get(at).map_or("nothing", |name| *name);
        let (table, expected) = (R::TABLE, expected.name);
        return Err(Fault::Content(format!(
            "table {table}: column {at} is {found:?}, not {expected:?}"
        )));
    }
    if usize::try_from(about.num_rows()).map_or(true, |rows| rows > MOST_ROWS) {
        return Err(Fault::Content(format!("{} rows in one hour", about.num_rows())));
    }
    let mut rows = Vec::new();
    for row in reader.get_row_iter(None).map_err(parquet)? {
        let mut values = row
            .map_err(parquet)?
            .into_columns()
            .into_iter()
            .map(|(_, field)| value(field))
            // What version 1 has not got is not known.
            .chain(std::iter::repeat(Value::Null));
        let mut first = || values.next().unwrap_or(Value::Null);
        let first = [first(), first(), first(), first()];
        rows.push((first, R::from_values(values)?));
    }
    Ok(rows)
}

fn columns<R: Row>() -> impl Iterator<Item = &'static Column> {
    FIRST_COLUMNS.iter().chain(R::COLUMNS)
}

fn message_type<R: Row>() -> String {
    let columns: Vec<String> = columns::<R>()
        .map(|column| {
            let repetition = if column.nullable { "OPTIONAL" } else { "REQUIRED" };
            let (physical, logical) = match column.kind {
                Kind::Integer => ("INT64", ""),
                Kind::Real => ("DOUBLE", ""),
                Kind::Text => ("BYTE_ARRAY", " (UTF8)"),
                Kind::Bytes => ("BYTE_ARRAY", ""),
            };
            format!("{repetition} {physical} {}{logical};", column.name)
        })
        .collect();
    format!("message {} {{ {} }}", R::TABLE, columns.join(" "))
}

fn write_column(
    writer: &mut SerializedColumnWriter<'_>,
    column: &Column,
    values: Vec<Value>,
) -> Result<(), ParquetError> {
    let levels: Option<Vec<i16>> = column
        .nullable
        .then(|| values.iter().map(|value| i16::from(*value != Value::Null)).collect());
    let levels = levels.as_deref();
    match column.kind {
        Kind::Integer => write_batch::<Int64Type>(writer, levels, values, |value| match value {
            Value::Integer(number) => Some(number),
            _ => None,
        }),
        Kind::Real => write_batch::<DoubleType>(writer, levels, values, |value| match value {
            Value::Real(number) => Some(number),
            _ => None,
        }),
        Kind::Text | Kind::Bytes => write_batch::<ByteArrayType>(writer, levels, values, |value| match value {
            Value::Text(text) => Some(ByteArray::from(text.into_bytes())),
            Value::Bytes(bytes) => Some(ByteArray::from(bytes)),
            _ => None,
        }),
    }
}

fn write_batch<T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    levels: Option<&[i16]>,
    values: Vec<Value>,
    plain: impl Fn(Value) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let values: Vec<T::T> = values.into_iter().filter_map(plain).collect();
    writer.typed::<T>().write_batch(&values, levels, None).map(drop)
}

fn value(field: Field) -> Value {
    match field {
        Field::Long(number) => Value::Integer(number),
        Field::Double(number) => Value::Real(number),
        Field::Str(text) => Value::Text(text),
        Field::Bytes(bytes) => Value::Bytes(bytes.data().to_vec()),
        // Types that we do not write; `from_values` refuses a null where there must be something.
        _ => Value::Null,
    }
}

fn io_reason(error: ParquetError) -> std::io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => *source,
            Err(source) => std::io::Error::other(source),
        },
        error => std::io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_panics_has_a_reason() {
        assert_eq!(caught(|| 5), Ok(5));
        let at = 9;
        assert_eq!(
            caught(|| panic!("page {at} is none")),
            Err::<(), _>("page 9 is none".to_owned())
        );
        assert!(!IS_CAUGHT.get(), "other panics are told as ever");
    }
}
