//! Domains of lists in the form in which names are met on the wire: lower case, ASCII, without a final dot.
//!
//! In: a domain as people and feeds write it. Out: the same as TLS, HTTP and DNS carry it, or why it cannot be listed. Not
//! its job: taking URLs apart ([`super::indicator`]).

use super::Refusal;

/// Octets of a name and of a label: RFC 1035, section 2.3.4; a name's length octets and root leave 253 for its text.
const MOST_NAME: usize = 253;
const MOST_LABEL: usize = 63;

/// The name in lower case, every label with other letters as `xn--` (RFC 5891 without its mappings: lists are expected in
/// composed form). A leading `*.` or `.` means what listing the domain means anyway: everything below it too.
pub(crate) fn normal(text: &str) -> Result<String, Refusal> {
    let text = text.strip_prefix("*.").unwrap_or(text);
    let text = text.trim_start_matches('.').trim_end_matches('.');
    let mut name = String::with_capacity(text.len());
    // The other three full stops are those of IDNA: RFC 3490, section 3.1.
    for label in text.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']) {
        if !name.is_empty() {
            name.push('.');
        }
        push_label(&mut name, label)?;
        if name.len() > MOST_NAME {
            return Err(Refusal::NoDomain);
        }
    }
    let top = name.rsplit('.').next().unwrap_or_default();
    if !name.contains('.') || top.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::NoDomain);
    }
    if psl::domain_str(&name).is_none() {
        return Err(Refusal::PublicSuffix);
    }
    Ok(name)
}

fn push_label(name: &mut String, label: &str) -> Result<(), Refusal> {
    let lower = label.to_lowercase();
    let begin = name.len();
    if lower.is_ascii() {
        name.push_str(&lower);
    } else {
        name.push_str("xn--");
        punycode(&lower, name).ok_or(Refusal::NoDomain)?;
    }
    let label = &name[begin..];
    // The underscore is no letter of host names, but service names have it: RFC 2782.
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=MOST_LABEL).contains(&label.len()) && label.bytes().all(fits) {
        Ok(())
    } else {
        Err(Refusal::NoDomain)
    }
}

/// Every name that names this one too: itself, then without its first label, and so on; the top label alone is none.
pub(crate) fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(name);
    std::iter::from_fn(move || {
        let this = rest?;
        rest = this.split_once('.').map(|(_, rest)| rest);
        Some(this).filter(|name| name.contains('.'))
    })
}

/// RFC 3492, sections 5 and 6.3. `None` where the sums leave 32 bits or the label grows beyond what a label may be.
fn punycode(label: &str, out: &mut String) -> Option<()> {
    const BASE: u32 = 36;
    const TMIN: u32 = 1;
    const TMAX: u32 = 26;
    let letters: Vec<u32> = label.chars().map(u32::from).collect();
    if letters.len() > MOST_LABEL {
        return None;
    }
    let basic = label.chars().filter(char::is_ascii).inspect(|c| out.push(*c)).count();
    if basic > 0 {
        out.push('-');
    }
    let (mut n, mut delta, mut bias) = (128_u32, 0_u32, 72_u32);
    let mut done = basic;
    while done < letters.len() {
        let next = letters.iter().copied().filter(|letter| *letter >= n).min()?;
        let step = (next - n).checked_mul(u32::try_from(done + 1).ok()?)?;
        delta = delta.checked_add(step)?;
        n = next;
        for &letter in &letters {
            if letter < n {
                delta = delta.checked_add(1)?;
            }
            if letter == n {
                let mut q = delta;
                let mut k = BASE;
                loop {
                    let t = k.saturating_sub(bias).clamp(TMIN, TMAX);
                    if q < t {
                        break;
                    }
                    out.push(digit(t + (q - t) % (BASE - t)));
                    q = (q - t) / (BASE - t);
                    k += BASE;
                }
                out.push(digit(q));
                bias = adapt(delta, u32::try_from(done + 1).ok()?, done == basic);
                delta = 0;
                done += 1;
            }
        }
        delta = delta.checked_add(1)?;
        n = n.checked_add(1)?;
    }
    Some(())
}

/// The bias after a letter: RFC 3492, section 6.1, with the parameters of section 5.
fn adapt(delta: u32, letters: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / letters;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}

fn digit(value: u32) -> char {
    let value = u8::try_from(value).unwrap_or(0);
    char::from(if value < 26 { b'a' + value } else { b'0' + (value - 26) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_met_as_the_wire_has_them() {
        for (written, met) in [
            ("Evil.Example.", "evil.example"),
            ("*.evil.example", "evil.example"),
            (".evil.example", "evil.example"),
            ("_srv.evil.example", "_srv.evil.example"),
            // The examples of RFC 3492's appendix are long; these three are in daily use.
            ("münchen.example", "xn--mnchen-3ya.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("пример.example", "xn--e1afmkfd.example"),
            ("例え\u{3002}example", "xn--r8jz45g.example"),
            ("他们为什么不说中文.example", "xn--ihqwcrb4cv8a8dqg056pqjye.example"),
            ("evil.co.uk", "evil.co.uk"),
        ] {
            assert_eq!(normal(written).as_deref(), Ok(met), "{written}");
        }
    }

    #[test]
    fn what_would_name_everybody_is_refused() {
        for suffix in ["co.uk", "com.au", "*.co.uk", "github.io"] {
            assert_eq!(normal(suffix), Err(Refusal::PublicSuffix), "{suffix}");
        }
        for none in [
            "com",
            "",
            ".",
            "a..b",
            "evil .example",
            "evil.123",
            "-",
            "a/b.example",
            "localhost",
        ] {
            assert_eq!(normal(none), Err(Refusal::NoDomain), "{none}");
        }
        assert!(normal(&format!("{}.example", "a".repeat(64))).is_err());
        assert!(normal(&format!("{}.example", "ü".repeat(200))).is_err());
        assert!(normal(&format!("{}example", "a.".repeat(200))).is_err());
    }

    #[test]
    fn suffixes_end_before_the_top() {
        assert_eq!(
            suffixes("a.b.example").collect::<Vec<_>>(),
            ["a.b.example", "b.example"]
        );
        assert_eq!(suffixes("example").count(), 0);
    }
}
