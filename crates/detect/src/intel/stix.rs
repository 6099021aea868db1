//! STIX 2 bundles: indicators whose pattern names addresses, networks, domains and URLs.
//!
//! In: the JSON of a bundle (<https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html>, sections 4.7 and 9). Out: what the
//! patterns name, taken into a [`Reading`]; a pattern that says more than a list can is counted, not guessed at. Not its job:
//! observables and relationships, which claim nothing, and `valid_from`: what was met before it was met all the same.

use serde_json::Value;

use super::indicator::Refusal;
use super::list::{Beside, Reading};

/// Whether the document is a bundle, or one of its objects alone.
pub(crate) fn is_bundle(root: &Value) -> bool {
    match root {
        Value::Array(items) => items.iter().any(is_bundle),
        Value::Object(fields) => {
            let kind = fields.get("type").and_then(Value::as_str);
            kind == Some("bundle") || (kind == Some("indicator") && fields.contains_key("pattern"))
        }
        _ => false,
    }
}

/// Reads every indicator.
pub(crate) fn read(root: &Value, list: &mut Reading<'_>) {
    let objects = match root {
        Value::Array(objects) => objects.as_slice(),
        root => match root.get("objects") {
            Some(Value::Array(objects)) => objects.as_slice(),
            _ => std::slice::from_ref(root),
        },
    };
    for (object, place) in objects.iter().zip(1..) {
        match object.get("type").and_then(Value::as_str) {
            Some("indicator") => read_indicator(object, place, list),
            // An array of bundles.
            Some("bundle") if root.is_array() => read(object, list),
            _ => {}
        }
    }
}

fn read_indicator(object: &Value, place: u32, list: &mut Reading<'_>) {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let pattern = text("pattern");
    let revoked = object.get("revoked").and_then(Value::as_bool).unwrap_or(false);
    let benign = |kinds: &Value| {
        kinds
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|kind| kind == "benign"))
    };
    if revoked || object.get("indicator_types").is_some_and(benign) {
        return list.refuse(place, pattern, Refusal::NotForDetection);
    }
    // STIX 2.0 knows no other kind of pattern, and does not say so.
    if !matches!(text("pattern_type"), "" | "stix") {
        return list.refuse(place, pattern, Refusal::OtherKind);
    }
    let label = if text("name").is_empty() {
        text("description")
    } else {
        text("name")
    };
    let beside = Beside {
        label,
        until: text("valid_until"),
        ..Beside::default()
    };
    let Some(named) = named(pattern) else {
        return list.refuse(place, pattern, Refusal::Pattern);
    };
    for one in named {
        match one {
            Some(value) => list.take(place, &value.replace('|', "%7c"), beside),
            None => list.refuse(place, pattern, Refusal::OtherKind),
        }
    }
}

/// What any one of which fulfils the pattern; `None` in it stands for something no tap sees. `None` where the pattern is more than
/// alternatives.
fn named(pattern: &str) -> Option<Vec<Option<String>>> {
    let tokens = tokens(pattern)?;
    let mut tokens = tokens.iter();
    let mut named = Vec::new();
    loop {
        if tokens.next() != Some(&Token::Mark('[')) {
            return None;
        }
        loop {
            let (Some(Token::Word(path)), Some(Token::Word(operator))) = (tokens.next(), tokens.next()) else {
                return None;
            };
            let mut values = Vec::new();
            match operator.as_str() {
                "=" | "ISSUBSET" => match tokens.next() {
                    Some(Token::Text(value)) => values.push(value),
                    _ => return None,
                },
                "IN" => {
                    if tokens.next() != Some(&Token::Mark('(')) {
                        return None;
                    }
                    loop {
                        match (tokens.next(), tokens.next()) {
                            (Some(Token::Text(value)), Some(Token::Mark(mark @ (',' | ')')))) => {
                                values.push(value);
                                if *mark == ')' {
                                    break;
                                }
                            }
                            _ => return None,
                        }
                    }
                }
                _ => return None,
            }
            let seen = matches!(
                path.as_str(),
                "ipv4-addr:value" | "ipv6-addr:value" | "domain-name:value" | "url:value"
            );
            named.extend(values.into_iter().map(|value| seen.then(|| value.clone())));
            match tokens.next() {
                Some(Token::Mark(']')) => break,
                Some(Token::Word(or)) if or == "OR" => {}
                _ => return None,
            }
        }
        match tokens.next() {
            None => return Some(named),
            Some(Token::Word(or)) if or == "OR" => {}
            _ => return None,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Mark(char),
    Word(String),
    Text(String),
}

/// `None` where a quote is left open.
fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => {}
            '[' | ']' | '(' | ')' | ',' => tokens.push(Token::Mark(letter)),
            '\'' => {
                let mut text = String::new();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        '\\' => text.push(letters.next()?),
                        letter => text.push(letter),
                    }
                }
                tokens.push(Token::Text(text));
            }
            '=' => tokens.push(Token::Word("=".to_owned())),
            letter => {
                let mut word = String::from(letter);
                while let Some(next) = letters.next_if(|next| !next.is_whitespace() && !"[](),'=".contains(*next)) {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Some(tokens)
}
