//! Columns of text.
//!
//! In: a header and rows of cells, each with its alignment. Out: lines in which every column is as wide as its widest
//! cell. Cells are cleaned here, so nothing from the wire reaches a terminal around it. Not its job: what the cells say.

use balefire_detect::Class;

use crate::Style;
use crate::text::clean;

/// Which edge a column keeps straight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// One cell: its text, and the class it is coloured by (after padding, for colour has no width).
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    class: Option<(Style, Class)>,
}

impl Cell {
    /// A cell of text, made harmless.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self {
            text: clean(text.as_ref()),
            class: None,
        }
    }

    /// A class in its colour.
    pub fn class(style: Style, class: Class) -> Self {
        Self {
            class: Some((style, class)),
            ..Self::new(class.name())
        }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// Columns, then rows.
#[derive(Clone, Debug)]
pub struct Grid {
    columns: Vec<(Cell, Align)>,
    rows: Vec<Vec<Cell>>,
}

impl Grid {
    /// Columns by their headings; a heading is made harmless, too.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        Self {
            columns: columns.iter().map(|(name, align)| (Cell::new(name), *align)).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; it has as many cells as there are columns.
    pub fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// All lines, each indented by one blank, without trailing blanks, two blanks between columns.
    pub fn text(&self) -> String {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|index| {
                let cells = self.rows.iter().filter_map(|row| row.get(index)).map(Cell::width);
                cells.chain([self.columns[index].0.width()]).max().unwrap_or(0)
            })
            .collect();
        let header: Vec<&Cell> = self.columns.iter().map(|(cell, _)| cell).collect();
        let mut text = self.line(&header, &widths);
        for row in &self.rows {
            text.push_str(&self.line(&row.iter().collect::<Vec<_>>(), &widths));
        }
        text
    }

    fn line(&self, cells: &[&Cell], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, (_, align)), width) in cells.iter().zip(&self.columns).zip(widths) {
            let pad = " ".repeat(width - cell.width().min(*width));
            let dressed = cell
                .class
                .map_or_else(|| cell.text.clone(), |(style, class)| style.class(class, &cell.text));
            let gap = if line.is_empty() { " " } else { "  " };
            line.push_str(gap);
            line.push_str(&match align {
                Align::Left => dressed + &pad,
                Align::Right => pad + &dressed,
            });
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_straight_and_clean() {
        let mut grid = Grid::new(&[
            ("#", Align::Right),
            ("name", Align::Left),
            ("class", Align::Left),
            ("n", Align::Right),
        ]);
        let colour = Style { colour: true };
        grid.row(vec![
            Cell::new("1"),
            Cell::new("a\u{1b}c"),
            Cell::class(colour, Class::Probable),
            Cell::new("7"),
        ]);
        grid.row(vec![
            Cell::new("12"),
            Cell::new("é"),
            Cell::new("-"),
            Cell::new("1,000"),
        ]);
        let expected = "  #  name  class         n\n  1  a\u{fffd}c   <probable      7\n 12  é     -         1,000\n";
        assert_eq!(
            grid.text().replace("\u{1b}[31m", "<").replace("\u{1b}[0m", ""),
            expected
        );
    }
}
