//! Drawing on a grid of cells: text, bars, sparklines.
//!
//! In: text and numbers, and how the terminal may look. Out: cells of a [`Buffer`]. Every text goes through
//! [`balefire_report::clean`] here, so nothing from the wire reaches a terminal raw, wherever it came from. Not its job: what is
//! drawn where.

use balefire_report::clean;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

use super::view::Grade;

/// What a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) colour: bool,
    /// Block characters; without them bars are `#`.
    pub(crate) blocks: bool,
    /// Letters beyond ASCII; without them each is a question mark.
    pub(crate) letters: bool,
}

/// What a text is, from which its colour follows; colour is never the only sign of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tint {
    #[default]
    Plain,
    /// Headings, the page that is open.
    Strong,
    Class(Grade),
    Loss,
    /// Bars.
    Share,
    /// The selected row.
    Selected,
}

impl Look {
    fn style(self, tint: Tint) -> Style {
        let coloured = |colour| {
            if self.colour {
                Style::new().fg(colour)
            } else {
                Style::new()
            }
        };
        match tint {
            Tint::Plain => Style::new(),
            Tint::Strong => Style::new().add_modifier(Modifier::BOLD),
            Tint::Class(Grade::Suspected) => coloured(Color::Yellow),
            Tint::Class(Grade::Probable) => coloured(Color::Red),
            Tint::Class(Grade::Confirmed) => coloured(Color::Red).add_modifier(Modifier::BOLD),
            Tint::Loss => coloured(Color::Red).add_modifier(Modifier::BOLD),
            Tint::Share => coloured(Color::Cyan),
            Tint::Selected => Style::new().add_modifier(Modifier::REVERSED),
        }
    }
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Canvas<'a> {
    buffer: &'a mut Buffer,
    pub(crate) look: Look,
}

impl<'a> Canvas<'a> {
    pub(crate) fn new(buffer: &'a mut Buffer, look: Look) -> Self {
        Self { buffer, look }
    }

    pub(crate) fn area(&self) -> Rect {
        self.buffer.area
    }

    /// Text from `x` on, at most `width` columns; what is cut ends in an ellipsis. The column after it.
    pub(crate) fn put(&mut self, x: u16, y: u16, width: u16, text: &str, tint: Tint) -> u16 {
        let area = self.area();
        if y >= area.bottom() || x >= area.right() {
            return x;
        }
        let width = width.min(area.right() - x);
        let mut text = self.fitted(&clean(text), width);
        if !self.look.letters {
            text = text.replace(|letter: char| !letter.is_ascii(), "?");
        }
        let style = self.look.style(tint);
        self.buffer.set_stringn(x, y, text, usize::from(width), style).0
    }

    /// The same, ending at the right of the `width` columns.
    pub(crate) fn put_right(&mut self, x: u16, y: u16, width: u16, text: &str, tint: Tint) {
        let taken = columns(&clean(text)).min(width);
        self.put(x + width - taken, y, taken, text, tint);
    }

    /// A whole row's look, over what is drawn there.
    pub(crate) fn tint_row(&mut self, y: u16, tint: Tint) {
        let area = self.area();
        if y < area.bottom() {
            let style = self.look.style(tint);
            self.buffer.set_style(Rect::new(area.x, y, area.width, 1), style);
        }
    }

    pub(crate) fn rule(&mut self, y: u16) {
        let width = self.area().width;
        let line = if self.look.blocks { "─" } else { "-" };
        self.put(0, y, width, &line.repeat(usize::from(width)), Tint::Plain);
    }

    /// A bar of `share` (0 to 1) of the width; more than nothing is seen.
    pub(crate) fn bar(&mut self, x: u16, y: u16, width: u16, share: f64, tint: Tint) {
        const EIGHTHS: [&str; 7] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉"];
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        let eighths = (share * f64::from(width) * 8.0).round() as usize;
        let eighths = if share > 0.0 { eighths.max(1) } else { 0 };
        let text = if self.look.blocks {
            let mut text = "█".repeat(eighths / 8);
            text.extend(
                eighths
                    .checked_rem(8)
                    .filter(|rest| *rest > 0)
                    .map(|rest| EIGHTHS[rest - 1]),
            );
            text
        } else {
            "#".repeat(eighths.div_ceil(8))
        };
        self.put(x, y, width, &text, tint);
    }

    /// The last values, one column each, scaled from 0 to the highest, to the right end of the width.
    pub(crate) fn spark(&mut self, x: u16, y: u16, width: u16, values: &[f64]) {
        let shown = &values[values.len().saturating_sub(usize::from(width))..];
        let text = self.spark_text(shown);
        let room = width - (shown.len() as u16).min(width);
        self.put(x + room, y, width - room, &text, Tint::Share);
    }

    pub(crate) fn spark_text(&self, values: &[f64]) -> String {
        const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        // Denser letters for more, as on plain pages.
        const LETTERS: [char; 8] = ['.', ':', '-', '=', '+', '*', '%', '#'];
        let marks = if self.look.blocks { BLOCKS } else { LETTERS };
        let most = values
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .fold(0.0, f64::max);
        let level = |value: &f64| {
            let share = if most > 0.0 && value.is_finite() {
                value / most
            } else {
                0.0
            };
            marks[((share * 8.0).ceil() as usize).clamp(1, 8) - 1]
        };
        values.iter().map(level).collect()
    }

    fn fitted(&self, text: &str, width: u16) -> String {
        if columns(text) <= width {
            return text.to_owned();
        }
        let mut kept = String::new();
        let mut taken = 0;
        for letter in text.chars() {
            let next = taken + columns(letter.encode_utf8(&mut [0; 4]));
            if next + 1 > width {
                break;
            }
            kept.push(letter);
            taken = next;
        }
        kept.truncate(kept.trim_end().len());
        if width > 0 {
            kept.push(if self.look.blocks { '…' } else { '~' });
        }
        kept
    }
}

/// Columns that the text takes on a terminal.
pub(crate) fn columns(text: &str) -> u16 {
    u16::try_from(Span::raw(text).width()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look {
        colour: false,
        blocks: true,
        letters: true,
    };

    fn drawn(width: u16, look: Look, draw: impl FnOnce(&mut Canvas<'_>)) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 1));
        draw(&mut Canvas::new(&mut buffer, look));
        buffer.content().iter().map(|cell| cell.symbol()).collect()
    }

    #[test]
    fn what_could_move_the_cursor_is_shown_as_replaced() {
        let hostile = "a\u{1b}[2J\u{202e}b\nc";
        let text = drawn(12, PLAIN, |canvas| {
            canvas.put(0, 0, 12, hostile, Tint::Plain);
        });
        assert_eq!(text, "a\u{fffd}[2J\u{fffd}b\u{fffd}c   ");
    }

    #[test]
    fn text_is_cut_by_columns_and_says_so() {
        let put = |text: &str, look| {
            drawn(6, look, |canvas| {
                canvas.put(0, 0, 5, text, Tint::Plain);
            })
        };
        assert_eq!(put("abcdefg", PLAIN), "abcd… ");
        // Each of these takes two columns, and its second cell is empty.
        assert_eq!(put("日本語", PLAIN), "日 本 … ");
        let ascii = Look { blocks: false, ..PLAIN };
        assert_eq!(put("abcdefg", ascii), "abcd~ ");
        // Outside the screen nothing happens.
        drawn(3, PLAIN, |canvas| {
            canvas.put(9, 9, 5, "x", Tint::Plain);
            canvas.bar(2, 0, 40, 1.0, Tint::Share);
        });
    }

    #[test]
    fn bars_and_sparklines_show_more_than_nothing() {
        let bar = |share| drawn(4, PLAIN, |canvas| canvas.bar(0, 0, 4, share, Tint::Share));
        assert_eq!(
            [0.0, 0.001, 0.5, 7.0, f64::NAN].map(bar),
            ["    ", "▏   ", "██  ", "████", "    "]
        );
        let spark = drawn(6, PLAIN, |canvas| canvas.spark(0, 0, 6, &[9.0, 0.0, 1.0, 4.0, 8.0]));
        assert_eq!(spark, " █▁▁▄█");
    }
}
