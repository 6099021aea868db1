//! JSON lines: one object per line, its values as they are written.
//!
//! Values are taken as raw text (a time keeps all its digits), keys that mean nothing here are skipped unread.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::columns::{PerRole, ROLES, Role};
use super::row::Row;

/// The known fields of one object, raw.
pub(super) type RawFields<'a> = PerRole<Option<&'a RawValue>>;

/// The decoded text of fields that were written with escapes.
pub(super) type Unescaped = PerRole<Option<String>>;

/// Reads one object. `None` if the line is not one.
pub(super) fn fields(line: &[u8]) -> Option<RawFields<'_>> {
    let mut json = serde_json::Deserializer::from_slice(line);
    let fields = json.deserialize_map(ObjectVisitor).ok()?;
    json.end().ok().map(|()| fields)
}

/// Decodes what was written with escapes, which is rare. Comes before [`row`], which borrows from the result.
pub(super) fn unescape(fields: &RawFields<'_>) -> Unescaped {
    fields.map(|raw| {
        let raw = raw?.get();
        // A lone surrogate is no text: the field is then as if it were not there.
        (raw.starts_with('"') && raw.contains('\\'))
            .then(|| serde_json::from_str(raw).ok())
            .flatten()
    })
}

/// The fields by meaning. Nulls, and values that are no plain text, number or list, count as absent.
pub(super) fn row<'a>(fields: &RawFields<'a>, unescaped: &'a Unescaped) -> Row<'a> {
    let mut texts: PerRole<&[u8]> = [&[]; ROLES];
    for ((text, raw), unescaped) in texts.iter_mut().zip(fields).zip(unescaped) {
        let Some(raw) = raw else { continue };
        *text = match (raw.get().as_bytes(), unescaped) {
            (_, Some(unescaped)) => unescaped.as_bytes(),
            ([b'"', plain @ .., b'"'], None) if !plain.contains(&b'\\') => plain,
            (number @ [b'0'..=b'9' | b'-', ..], None) => number,
            // A list of plain members; nested ones and escapes are no members of these logs.
            (list @ [b'[', ..], None) if !list.contains(&b'\\') => list,
            _ => &[],
        };
    }
    Row::from_fields(texts)
}

/// The keys of an object, for error messages.
pub(super) fn keys(line: &[u8]) -> Vec<String> {
    serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(line)
        .map_or_else(|_| Vec::new(), |map| map.into_keys().collect())
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = RawFields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Self::Value = [None; ROLES];
        while let Some(role) = map.next_key_seed(RoleSeed)? {
            match role {
                Some(role) => fields[role as usize] = Some(map.next_value::<&RawValue>()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

struct RoleSeed;

impl<'de> DeserializeSeed<'de> for RoleSeed {
    type Value = Option<Role>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for RoleSeed {
    type Value = Option<Role>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Role::of(key.as_bytes()))
    }
}
