//! A map of the world with one tile per country, so that the smallest is as easy to see as the largest.
//!
//! In: countries with their numbers. Out: an `<svg>` element. Where a tile lies (`tiles.txt`) is our own drawing: each country's rough
//! place on a grid, moved until no two share a cell. No border is drawn, so none is claimed. Every number is also in the table beside it.
//! Not its job: which numbers.

use super::html::escaped;
use super::words::{country, whole};

/// Rows of the grid from north to south, cells from west to east; `..` is the sea.
const TILES: &str = include_str!("tiles.txt");

/// Units of a cell; a tile leaves a gap to the next.
const CELL: usize = 24;
const TILE: usize = 22;

/// The map. `home` is outlined; it has no number of its own. Countries without a tile are named below.
pub(super) fn tiles(title: &str, numbers: &[(&str, i64)], home: Option<&str>, class: &str) -> String {
    let most = numbers.iter().map(|(_, number)| *number).max().unwrap_or(0).max(1);
    let (mut width, mut height) = (0, 0);
    let (mut empty, mut tiles, mut codes) = (String::new(), String::new(), String::new());
    let mut drawn: Vec<&str> = Vec::new();
    for (row, line) in TILES.lines().enumerate() {
        for (column, code) in line.split(' ').enumerate().filter(|(_, code)| *code != "..") {
            let (x, y) = (column * CELL, row * CELL);
            (width, height) = (width.max(x + CELL), height.max(y + CELL));
            if home == Some(code) {
                tiles += &format!("<path class=\"home\" d=\"{}\"/>", square(x, y));
            }
            let Some((_, number)) = numbers.iter().find(|(named, _)| *named == code) else {
                empty += &square(x, y);
                codes += &format!("<text x=\"{}\" y=\"{}\">{code}</text>", x + 11, y + 14);
                continue;
            };
            drawn.push(code);
            tiles += &tile((x, y), code, *number, most);
        }
    }
    let title = escaped(title);
    let mut svg = format!(
        "<svg class=\"tiles {class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>\
         <path class=\"empty\" d=\"{empty}\"/><g class=\"empty\">{codes}</g>{tiles}</svg>\n"
    );
    let without: Vec<String> = numbers
        .iter()
        .filter(|(code, _)| !drawn.contains(code))
        .map(|(code, number)| format!("{} {}", escaped(code), whole(*number)))
        .collect();
    if !without.is_empty() {
        svg += &format!("<p class=\"note\">Not on the map: {}.</p>\n", without.join(", "));
    }
    svg
}

/// A tile as dark as the logarithm of its number: counts of countries span four decades.
fn tile((x, y): (usize, usize), code: &str, number: i64, most: i64) -> String {
    let depth = (1.0 + number.max(0) as f64).ln() / (1.0 + most as f64).ln();
    let (name, number_words) = (escaped(&country(code)), whole(number));
    // Light on dark, dark on light.
    let words = if depth > 0.55 { "light" } else { "dark" };
    format!(
        "<g class=\"{words}\"><title>{name}: {number_words}</title><rect x=\"{x}\" y=\"{y}\" width=\"{TILE}\" height=\"{TILE}\" \
         fill-opacity=\"{:.2}\"/><text x=\"{}\" y=\"{}\">{code}</text><text class=\"small\" x=\"{}\" y=\"{}\">{}</text></g>",
        0.15 + 0.85 * depth,
        x + 11,
        y + 10,
        x + 11,
        y + 19,
        short(number),
    )
}

fn square(x: usize, y: usize) -> String {
    format!("M{x} {y}h{TILE}v{TILE}h-{TILE}z")
}

/// At most four letters: `999`, `9.9k`, `812k`, `2.9M`.
fn short(number: i64) -> String {
    let (number, unit) = match number {
        ..1_000 => return number.to_string(),
        1_000..1_000_000 => (number as f64 / 1e3, "k"),
        1_000_000..1_000_000_000 => (number as f64 / 1e6, "M"),
        _ => (number as f64 / 1e9, "G"),
    };
    // Cut, not rounded: 999.9k would be 1000k.
    if number < 10.0 {
        format!("{:.1}{unit}", (number * 10.0).floor() / 10.0)
    } else {
        format!("{:.0}{unit}", number.floor())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_country_has_one_tile() {
        let tiles: Vec<&str> = TILES.split_whitespace().filter(|code| *code != "..").collect();
        let distinct: BTreeSet<&str> = tiles.iter().copied().collect();
        assert_eq!(tiles.len(), distinct.len());
        let known: BTreeSet<&str> = include_str!("../countries.txt")
            .lines()
            .filter_map(|line| line.get(..2))
            .collect();
        assert_eq!(distinct, known);
        assert_eq!(TILES.lines().map(str::len).collect::<BTreeSet<usize>>().len(), 1);
    }

    #[test]
    fn a_map_shows_its_numbers_and_names_what_it_cannot_show() {
        let map = tiles("Servers", &[("US", 4_062), ("NL", 1), ("ZZ", 7)], Some("CN"), "servers");
        assert!(
            map.contains("<title>United States: 4,062</title>") && map.contains(">4.0k</text>"),
            "{map}"
        );
        assert!(
            map.contains("Not on the map: ZZ 7.") && map.matches("class=\"home\"").count() == 1,
            "{map}"
        );
        assert!(map.len() < 20_000, "{}", map.len());
        assert!(tiles("None", &[], None, "hosts").contains("<svg"));
    }

    #[test]
    fn numbers_are_short() {
        for (number, words) in [
            (0, "0"),
            (999, "999"),
            (1_099, "1.0k"),
            (999_999, "999k"),
            (2_910_000, "2.9M"),
        ] {
            assert_eq!(short(number), words);
        }
    }
}
