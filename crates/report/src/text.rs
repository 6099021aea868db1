//! The one door for strings from the wire.
//!
//! In: any string. Out: the same without anything that moves a cursor, turns the reading direction or hides: control,
//! bidirectional and invisible characters become U+FFFD, so that a reader sees something was there. Not its job: length
//! caps (`track` keeps strings short), escaping of JSON (serde).

/// The string as it may be printed, exported and logged.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|letter| {
            if is_unprintable(letter) {
                char::REPLACEMENT_CHARACTER
            } else {
                letter
            }
        })
        .collect()
}

/// A cell of a CSV file (RFC 4180), which a spreadsheet will not take for a formula: a cell that begins with one of
/// `= + - @` gets an apostrophe in front (OWASP, "CSV Injection"). Tabs and line ends cannot be in it, [`clean`] took them.
pub fn csv_cell(text: &str) -> String {
    let mut cell = clean(text);
    if cell.trim_start().starts_with(['=', '+', '-', '@']) {
        cell.insert(0, '\'');
    }
    if cell.contains([',', '"']) {
        cell = format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell
}

/// The text in at most `columns` columns; what is cut is shown as an ellipsis.
pub(crate) fn shortened(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// Control characters, and format characters that reorder or hide text: bidirectional controls (Unicode UAX #9, table
/// "Explicit Directional"), zero-width characters, line separators, interlinear marks, tags.
fn is_unprintable(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_characters_are_shown_as_replaced() {
        assert_eq!(clean("a\u{1b}[2Jb\r\n"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}");
        assert_eq!(clean("evil\u{202e}moc.elpmaxe"), "evil\u{fffd}moc.elpmaxe");
        assert_eq!(clean("Türkiye"), "Türkiye");
    }

    #[test]
    fn formulas_are_text() {
        for hostile in ["=1+1", "+1", "-1", "@SUM(A1)", "  =1"] {
            assert!(csv_cell(hostile).starts_with('\''), "{hostile}");
        }
        assert!(csv_cell("\t=1").starts_with('\u{fffd}'));
        assert_eq!(csv_cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(csv_cell("=HYPERLINK(\"x\",1)"), "\"'=HYPERLINK(\"\"x\"\",1)\"");
        assert_eq!(csv_cell("www.example.org"), "www.example.org");
    }

    #[test]
    fn shortening_marks_itself() {
        assert_eq!(shortened("abcdef", 6), "abcdef");
        assert_eq!(shortened("abcdef", 5), "abcd…");
        assert_eq!(shortened("ab cdef", 4), "ab…");
    }

    proptest! {
        #[test]
        fn nothing_unprintable_passes(text in any::<String>()) {
            prop_assert!(!clean(&text).chars().any(is_unprintable));
            prop_assert_eq!(clean(&text).chars().count(), text.chars().count());
        }

        #[test]
        fn a_cell_stays_one_cell(text in any::<String>()) {
            let cell = csv_cell(&text);
            prop_assert!(!cell.contains(['\n', '\r', '\t']));
            prop_assert!(!cell.starts_with(['=', '+', '-', '@']));
            let quoted = cell.starts_with('"');
            prop_assert_eq!(quoted, cell.contains(',') || cell.contains('"'));
            prop_assert_eq!(cell.matches('"').count() % 2, 0);
        }
    }
}
