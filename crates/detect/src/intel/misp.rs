//! MISP events: their attributes of addresses, domains, URLs and JA4 fingerprints.
//!
//! In: the JSON of an event, of a feed's file, of a search's answer (<https://www.misp-standard.org/rfc/misp-standard-core.html>).
//! Out: attributes taken into a [`Reading`]; those that are not `to_ids`, are deleted, or of another type, are counted. Not its
//! job: galaxies, sightings, correlations.

use serde_json::Value;

use super::indicator::{Refusal, ja4};
use super::list::{Beside, Reading};

/// Whether the document holds attributes anywhere they are looked for.
pub(crate) fn is_event(root: &Value) -> bool {
    match root {
        Value::Array(items) => items.iter().any(is_event),
        Value::Object(fields) => ["Event", "Attribute", "response"]
            .iter()
            .any(|key| fields.contains_key(*key)),
        _ => false,
    }
}

/// Reads every attribute.
pub(crate) fn read(root: &Value, list: &mut Reading<'_>) {
    let mut place = 0;
    walk(root, "", &mut place, list);
}

/// The depth is bounded: the parser gives up at 128 levels.
fn walk(value: &Value, info: &str, place: &mut u32, list: &mut Reading<'_>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, info, place, list)),
        Value::Object(fields) => {
            let info = fields.get("info").and_then(Value::as_str).unwrap_or(info);
            if let Some(Value::Array(attributes)) = fields.get("Attribute") {
                for attribute in attributes {
                    *place = place.saturating_add(1);
                    read_attribute(attribute, info, *place, list);
                }
            }
            for key in ["Event", "Object", "response"] {
                if let Some(below) = fields.get(key) {
                    walk(below, info, place, list);
                }
            }
        }
        _ => {}
    }
}

fn read_attribute(attribute: &Value, info: &str, place: u32, list: &mut Reading<'_>) {
    let text = |key: &str| attribute.get(key).and_then(Value::as_str).unwrap_or_default();
    let (kind, value) = (text("type"), text("value"));
    let known = matches!(
        kind,
        "ip-dst"
            | "ip-src"
            | "ip-dst|port"
            | "ip-src|port"
            | "domain"
            | "hostname"
            | "hostname|port"
            | "domain|ip"
            | "url"
    );
    if !known && (!kind.starts_with("ja4") || ja4(value).is_none()) {
        return list.refuse(place, value, Refusal::OtherKind);
    }
    if !is_true(attribute.get("to_ids"), true) || is_true(attribute.get("deleted"), false) {
        return list.refuse(place, value, Refusal::NotForDetection);
    }
    let comment = text("comment").trim();
    let label = if comment.is_empty() { info } else { comment };
    list.take(
        place,
        value,
        Beside {
            label,
            ..Beside::default()
        },
    );
}

/// MISP writes its flags as booleans, and older ones as "0" and "1".
fn is_true(flag: Option<&Value>, absent: bool) -> bool {
    match flag {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(flag)) => flag != "0" && flag != "false",
        Some(Value::Number(flag)) => flag.as_i64() != Some(0),
        _ => absent,
    }
}
