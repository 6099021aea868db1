//! Cells, columns and rows: what SQLite, Parquet and the digest of an hour have in common.
//!
//! In: the plain types of a record's fields. Out: [`Value`]s in the order of [`Row::COLUMNS`], and back, checked. Not its
//! job: which columns there are (`record`).

use crate::error::Fault;

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not known.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// UTF-8.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 64 bit, signed.
    Integer,
    /// 64 bit, IEEE 754.
    Real,
    /// UTF-8.
    Text,
    /// Bytes.
    Bytes,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// As in `schema.md`.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it may be `NULL`.
    pub nullable: bool,
}

/// A type that one column can hold.
pub(crate) trait Cell: Sized {
    const KIND: Kind;
    const NULLABLE: bool = false;

    fn value(&self) -> Value;

    /// `None` if the value is of another type.
    fn from_value(value: Value) -> Option<Self>;
}

impl Cell for i64 {
    const KIND: Kind = Kind::Integer;

    fn value(&self) -> Value {
        Value::Integer(*self)
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }
}

impl Cell for bool {
    const KIND: Kind = Kind::Integer;

    fn value(&self) -> Value {
        Value::Integer(i64::from(*self))
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Integer(number @ 0..=1) => Some(number == 1),
            _ => None,
        }
    }
}

impl Cell for f64 {
    const KIND: Kind = Kind::Real;

    fn value(&self) -> Value {
        Value::Real(*self)
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Real(number) if number.is_finite() => Some(number),
            _ => None,
        }
    }
}

/// Bytes of a text; the longest are 16 names of 253 bytes.
pub(crate) const MOST_TEXT_BYTES: usize = 8192;

impl Cell for String {
    const KIND: Kind = Kind::Text;

    fn value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) if text.len() <= MOST_TEXT_BYTES && !text.chars().any(char::is_control) => Some(text),
            _ => None,
        }
    }
}

/// Bytes of a sketch; one of 2^11 registers has some forty more than these.
const MOST_BYTES: usize = 1 << 16;

impl Cell for Vec<u8> {
    const KIND: Kind = Kind::Bytes;

    fn value(&self) -> Value {
        Value::Bytes(self.clone())
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Bytes(bytes) if bytes.len() <= MOST_BYTES => Some(bytes),
            _ => None,
        }
    }
}

impl<T: Cell> Cell for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;

    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Cell::value)
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// A record of one table.
pub trait Row: Sized {
    /// The table, as in `schema.md`.
    const TABLE: &'static str;
    /// Its columns, after the four that every table begins with.
    const COLUMNS: &'static [Column];

    /// One value per column.
    fn values(&self) -> Vec<Value>;

    /// Back from values.
    ///
    /// # Errors
    /// If there are too few, or one is not what its column holds: the fault names it.
    fn from_values(values: impl Iterator<Item = Value>) -> Result<Self, Fault>;
}

/// Declares the record of a table; the fields are the columns, in order.
macro_rules! row {
    ($(#[$head:meta])* $row:ident is $table:literal { $($(#[$doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$head])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $row {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl $crate::cell::Row for $row {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [$crate::cell::Column] = &[$($crate::cell::Column {
                name: stringify!($field),
                kind: <$type as $crate::cell::Cell>::KIND,
                nullable: <$type as $crate::cell::Cell>::NULLABLE,
            },)*];

            fn values(&self) -> Vec<$crate::cell::Value> {
                vec![$($crate::cell::Cell::value(&self.$field),)*]
            }

            fn from_values(mut values: impl Iterator<Item = $crate::cell::Value>) -> Result<Self, $crate::error::Fault> {
                Ok(Self {
                    $($field: values
                        .next()
                        .and_then($crate::cell::Cell::from_value)
                        .ok_or($crate::error::Fault::Cell { table: $table, column: stringify!($field) })?,)*
                })
            }
        }
    };
}
pub(crate) use row;
