//! A page's rows as one table, from which it is sorted, filtered, drawn and exported.
//!
//! In: rows from `pages`. Out: the rows that a filter leaves in the order asked for; CSV of exactly these. Not its job: which
//! columns there are (`pages`), drawing (`draw`).

use std::cmp::Ordering;
use std::net::{IpAddr, SocketAddr};

use balefire_report::csv_cell;

use super::canvas::{Tint, columns};

/// How a column is called, and how much room it takes and may be given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// In CSV, and before the colon of a filter.
    pub(crate) name: &'static str,
    pub(crate) width: u16,
    /// Room it takes where there is more.
    pub(crate) most: u16,
    pub(crate) right: bool,
    /// 0 stays always; of the others the highest goes first where the screen is narrow.
    pub(crate) spare: u8,
}

impl Column {
    /// Of text, or of bars.
    pub(crate) const fn text(title: &'static str, name: &'static str, width: u16, most: u16, spare: u8) -> Self {
        Self {
            title,
            name,
            width,
            most,
            right: false,
            spare,
        }
    }

    pub(crate) const fn number(title: &'static str, name: &'static str, width: u16, spare: u8) -> Self {
        Self {
            title,
            name,
            width,
            most: width,
            right: true,
            spare,
        }
    }
}

/// What a cell is sorted by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Order {
    /// Largest first.
    Number(f64),
    /// IPv4 before IPv6, each as numbers; then by port, then by what stands behind.
    Place(IpAddr, u16, String),
    /// In the alphabet's order.
    Text(String),
    /// Not known: always last.
    Missing,
}

#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) text: String,
    /// In CSV.
    pub(crate) export: String,
    pub(crate) order: Order,
    pub(crate) tint: Tint,
    /// A bar of this part of the column's width, in place of the text.
    pub(crate) bar: Option<f64>,
}

impl Order {
    /// Of `192.0.2.1`, `192.0.2.1:443/tcp`, `[2001:db8::1]:443/udp name`, `192.0.2.1/icmp`; in the alphabet's order what is no address.
    pub(crate) fn place(text: &str) -> Self {
        let end = text.find(['/', ' ']).unwrap_or(text.len());
        let (place, rest) = text.split_at(end);
        if let Ok(address) = place.parse::<IpAddr>() {
            Self::Place(address, 0, rest.to_owned())
        } else if let Ok(socket) = place.parse::<SocketAddr>() {
            Self::Place(socket.ip(), socket.port(), rest.to_owned())
        } else {
            Self::Text(text.to_lowercase())
        }
    }
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            export: text.clone(),
            order: Order::Text(text.to_lowercase()),
            text,
            tint: Tint::Plain,
            bar: None,
        }
    }

    /// A number as people read it and as a machine does.
    pub(crate) fn number(number: f64, text: String, export: String) -> Self {
        Self {
            text,
            export,
            order: Order::Number(number),
            tint: Tint::Plain,
            bar: None,
        }
    }

    pub(crate) fn count(number: u64) -> Self {
        let text = balefire_report::thousands(number);
        Self::number(number as f64, text, number.to_string())
    }

    pub(crate) fn missing() -> Self {
        Self {
            text: "-".to_owned(),
            export: String::new(),
            order: Order::Missing,
            tint: Tint::Plain,
            bar: None,
        }
    }

    pub(crate) fn bar(share: f64) -> Self {
        Self {
            text: String::new(),
            bar: Some(share),
            ..Self::missing()
        }
    }

    pub(crate) fn tinted(self, tint: Tint) -> Self {
        Self { tint, ..self }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The same thing has the same one in every view: a selection stays on it.
    pub(crate) id: String,
    pub(crate) cells: Vec<Cell>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Sheet {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
}

/// How a page's rows are looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sorting {
    /// `None` for the order they come in.
    pub(crate) column: Option<usize>,
    pub(crate) reversed: bool,
    pub(crate) filter: String,
}

impl Sheet {
    /// What the filter leaves, sorted.
    pub(crate) fn arranged(mut self, by: &Sorting) -> Self {
        let wanted = by.filter.trim().to_lowercase();
        if !wanted.is_empty() {
            let of = self.columns.iter().position(|column| {
                let rest = wanted.strip_prefix(column.name);
                rest.is_some_and(|rest| rest.starts_with(':'))
            });
            let (of, wanted) = match (of, wanted.split_once(':')) {
                (Some(column), Some((_, text))) => (Some(column), text.trim()),
                _ => (None, wanted.as_str()),
            };
            self.rows.retain(|row| {
                let mut cells = row.cells.iter().enumerate();
                cells.any(|(index, cell)| {
                    of.is_none_or(|column| column == index) && cell.text.to_lowercase().contains(wanted)
                })
            });
        }
        if let Some(column) = by.column {
            self.rows.sort_by(|one, two| {
                let (one, two) = (one.cells.get(column), two.cells.get(column));
                compare(one.map(|cell| &cell.order), two.map(|cell| &cell.order), by.reversed)
            });
        } else if by.reversed {
            self.rows.reverse();
        }
        self
    }

    /// The next column to sort by, beginning with the first and ending with none.
    pub(crate) fn next_sort(&self, now: Option<usize>, backwards: bool) -> Option<usize> {
        let sortable: Vec<usize> = (0..self.columns.len())
            .filter(|index| !self.columns[*index].title.is_empty())
            .collect();
        let place = now.and_then(|now| sortable.iter().position(|column| *column == now));
        match (place, backwards) {
            (None, false) => sortable.first().copied(),
            (None, true) => sortable.last().copied(),
            (Some(place), false) => sortable.get(place + 1).copied(),
            (Some(place), true) => place.checked_sub(1).and_then(|before| sortable.get(before).copied()),
        }
    }

    /// Rows as they stand, with a heading; bars are left out.
    pub(crate) fn csv(&self) -> String {
        let is_told = |index: &usize| !self.columns[*index].name.is_empty();
        let told: Vec<usize> = (0..self.columns.len()).filter(is_told).collect();
        let line = |cells: Vec<String>| format!("{}\n", cells.join(","));
        let mut text = line(told.iter().map(|index| self.columns[*index].name.to_owned()).collect());
        for row in &self.rows {
            let cells = told.iter().filter_map(|index| row.cells.get(*index));
            text.push_str(&line(cells.map(|cell| csv_cell(&cell.export)).collect()));
        }
        text
    }

    /// The columns that fit, each with its width, which is larger where its cells need more and there is room; the gap between two is `gap`.
    pub(crate) fn fitting(&self, width: u16, gap: u16) -> Vec<(usize, u16)> {
        let mut shown: Vec<(usize, u16)> = self.columns.iter().map(|column| column.width).enumerate().collect();
        let taken = |shown: &[(usize, u16)]| -> u16 {
            let widths: u16 = shown.iter().map(|(_, width)| *width).sum();
            widths + gap * (shown.len() as u16).saturating_sub(1)
        };
        while taken(&shown) > width {
            let spare = |(index, _): &&(usize, u16)| self.columns[*index].spare;
            let Some(&(goes, _)) = shown.iter().filter(|column| spare(column) > 0).max_by_key(spare) else {
                break;
            };
            shown.retain(|(index, _)| *index != goes);
        }
        let mut room = width.saturating_sub(taken(&shown));
        for (index, width) in &mut shown {
            let more = room.min(self.wanted(*index).saturating_sub(*width));
            *width += more;
            room -= more;
        }
        shown
    }
}

impl Sheet {
    /// Room that a column has a use for: that of its widest cell; bars take what they may have.
    fn wanted(&self, index: usize) -> u16 {
        let most = self.columns[index].most;
        let cells = self.rows.iter().filter_map(|row| row.cells.get(index));
        let widths = cells.map(|cell| if cell.bar.is_some() { most } else { columns(&cell.text) });
        widths.max().unwrap_or(0).min(most)
    }
}

/// Numbers largest first, addresses and texts in order; what is missing comes last, reversed or not.
fn compare(one: Option<&Order>, two: Option<&Order>, reversed: bool) -> Ordering {
    let ordering = match (one, two) {
        (Some(Order::Number(one)), Some(Order::Number(two))) => two.total_cmp(one),
        (Some(Order::Text(one)), Some(Order::Text(two))) => one.cmp(two),
        (Some(Order::Place(one, one_port, one_rest)), Some(Order::Place(two, two_port, two_rest))) => {
            (one, one_port, one_rest).cmp(&(two, two_port, two_rest))
        }
        (Some(Order::Missing) | None, Some(Order::Missing) | None) => Ordering::Equal,
        (Some(Order::Missing) | None, _) => return Ordering::Greater,
        (_, Some(Order::Missing) | None) => return Ordering::Less,
        (Some(Order::Number(_)), _) | (Some(Order::Place(..)), Some(Order::Text(_))) => Ordering::Less,
        (Some(Order::Text(_) | Order::Place(..)), _) => Ordering::Greater,
    };
    if reversed { ordering.reverse() } else { ordering }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        let row = |id: &str, hosts: Option<u64>| Row {
            id: id.to_owned(),
            cells: vec![
                Cell::text(id),
                hosts.map_or_else(Cell::missing, Cell::count),
                Cell::bar(0.5),
            ],
        };
        Sheet {
            columns: vec![
                Column::text("name", "name", 10, 30, 0),
                Column::number("hosts", "hosts", 6, 1),
                Column::text("", "", 8, 8, 2),
            ],
            rows: vec![
                row("b.example", Some(1_000)),
                row("=a.example", None),
                row("c.test", Some(20)),
            ],
        }
    }

    fn ids(sheet: &Sheet) -> Vec<&str> {
        sheet.rows.iter().map(|row| row.id.as_str()).collect()
    }

    #[test]
    fn numbers_come_largest_first_and_the_unknown_last() {
        let by = |column, reversed| Sorting {
            column,
            reversed,
            filter: String::new(),
        };
        assert_eq!(
            ids(&sheet().arranged(&by(Some(1), false))),
            ["b.example", "c.test", "=a.example"]
        );
        assert_eq!(
            ids(&sheet().arranged(&by(Some(1), true))),
            ["c.test", "b.example", "=a.example"]
        );
        assert_eq!(
            ids(&sheet().arranged(&by(Some(0), false))),
            ["=a.example", "b.example", "c.test"]
        );
        assert_eq!(
            ids(&sheet().arranged(&by(None, true))),
            ["c.test", "=a.example", "b.example"]
        );
    }

    #[test]
    fn addresses_are_sorted_as_numbers() {
        let by_address = [
            "9.0.0.1/icmp",
            "10.0.0.9:443/tcp",
            "10.0.0.10",
            "10.0.0.10:80/tcp",
            "10.0.0.10:443/tcp",
            "10.0.0.10:443/tcp a.example",
            "10.0.0.10:443/udp",
            "[2001:db8::9]:443/tcp",
            "[2001:db8::10]:443/tcp",
            "no address",
        ];
        let mut sheet = sheet();
        sheet.rows = by_address
            .iter()
            .rev()
            .map(|id| Row {
                id: (*id).to_owned(),
                cells: vec![Cell {
                    order: Order::place(id),
                    ..Cell::text(*id)
                }],
            })
            .collect();
        let sorted = sheet.arranged(&Sorting {
            column: Some(0),
            ..Sorting::default()
        });
        assert_eq!(ids(&sorted), by_address);
    }

    #[test]
    fn a_filter_looks_at_all_cells_or_at_the_named_one() {
        let left = |filter: &str| {
            let by = Sorting {
                filter: filter.to_owned(),
                ..Sorting::default()
            };
            sheet().arranged(&by).rows.len()
        };
        assert_eq!((left("EXAMPLE"), left("1,000"), left("nothing")), (2, 1, 0));
        assert_eq!((left("hosts:20"), left("name:20"), left("  ")), (1, 0, 3));
    }

    #[test]
    fn csv_has_the_rows_shown_and_no_formula() {
        assert_eq!(sheet().csv(), "name,hosts\nb.example,1000\n'=a.example,\nc.test,20\n");
    }

    #[test]
    fn sorting_goes_round_past_bars() {
        let sheet = sheet();
        assert_eq!(sheet.next_sort(None, false), Some(0));
        assert_eq!(sheet.next_sort(Some(0), false), Some(1));
        assert_eq!(sheet.next_sort(Some(1), false), None);
        assert_eq!(
            (sheet.next_sort(None, true), sheet.next_sort(Some(0), true)),
            (Some(1), None)
        );
    }

    #[test]
    fn narrow_screens_lose_the_spare_columns_first() {
        let mut sheet = sheet();
        assert_eq!(sheet.fitting(40, 1), [(0, 10), (1, 6), (2, 8)], "no cell needs more");
        sheet.rows[0].cells[0] = Cell::text("a.long.name.of.thirty.one.chars");
        assert_eq!(sheet.fitting(40, 1), [(0, 24), (1, 6), (2, 8)]);
        assert_eq!(
            sheet.fitting(90, 1),
            [(0, 30), (1, 6), (2, 8)],
            "no more than it may have"
        );
        assert_eq!(sheet.fitting(20, 1), [(0, 13), (1, 6)]);
        assert_eq!(sheet.fitting(10, 1), [(0, 10)]);
        assert_eq!(sheet.fitting(4, 1), [(0, 10)]);
    }
}
