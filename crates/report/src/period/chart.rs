//! Charts as SVG, drawn in the page itself: bars of a ranking, lines of periods.
//!
//! In: labels and numbers. Out: an `<svg>` element that prints as it is and scales with the page; every number it draws is also in the
//! table beside it. Not its job: which numbers.

use super::html::escaped;
use super::words::whole;

/// Units of a drawing's own width; the page scales it.
const WIDTH: usize = 720;
/// Of one bar with its gap, and of its label.
const BAR_HEIGHT: usize = 22;
const LABEL_WIDTH: usize = 170;
/// For the number behind a bar.
const NUMBER_WIDTH: usize = 90;
const LINE_HEIGHT: usize = 220;

/// Horizontal bars, longest as wide as there is room.
pub(super) fn bars(title: &str, rows: &[(String, i64)], class: &str) -> String {
    let most = rows.iter().map(|(_, number)| *number).max().unwrap_or(0).max(1);
    let height = rows.len() * BAR_HEIGHT + 4;
    let mut svg = open(title, height, class);
    for (at, (label, number)) in rows.iter().enumerate() {
        let room = (WIDTH - LABEL_WIDTH - NUMBER_WIDTH) as f64;
        let width = room * (*number).max(0) as f64 / most as f64;
        let (top, middle) = (at * BAR_HEIGHT + 4, at * BAR_HEIGHT + 16);
        svg += &format!(
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text><rect x=\"{LABEL_WIDTH}\" y=\"{top}\" width=\"{width:.1}\" \
             height=\"{}\"/><text class=\"number\" x=\"{:.1}\" y=\"{middle}\">{}</text>",
            LABEL_WIDTH - 8,
            escaped(label),
            BAR_HEIGHT - 6,
            LABEL_WIDTH as f64 + width + 6.0,
            whole(*number),
        );
    }
    svg + "</svg>"
}

/// One line; a number that is not known leaves a gap.
pub(super) fn line(title: &str, points: &[(String, Option<i64>)], class: &str) -> String {
    let most = points
        .iter()
        .filter_map(|(_, number)| *number)
        .max()
        .unwrap_or(0)
        .max(1);
    let (left, right, top, bottom) = (80.0, (WIDTH - 20) as f64, 16.0, (LINE_HEIGHT - 30) as f64);
    let step = (right - left) / points.len().saturating_sub(1).max(1) as f64;
    let place = |at: usize, number: i64| {
        (
            left + step * at as f64,
            bottom - (bottom - top) * number as f64 / most as f64,
        )
    };
    let mut svg = open(title, LINE_HEIGHT, class);
    svg += &format!(
        "<path class=\"axis\" d=\"M{left} {top}V{bottom}H{right}\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
         <text x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">0</text>",
        left - 6.0,
        top + 4.0,
        whole(most),
        left - 6.0,
    );
    let mut path = String::new();
    let mut is_open = false;
    for (at, (_, number)) in points.iter().enumerate() {
        let Some(number) = number else {
            is_open = false;
            continue;
        };
        let (x, y) = place(at, *number);
        path += &format!("{}{x:.1} {y:.1}", if is_open { "L" } else { "M" });
        is_open = true;
        // Dots where they can be told apart; a lone point would be no line at all.
        if points.len() <= 62 {
            svg += &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
        }
    }
    svg += &format!("<path class=\"line\" d=\"{path}\"/>");
    let every = points.len().div_ceil(6).max(1);
    for (at, (label, _)) in points.iter().enumerate().step_by(every) {
        let x = left + step * at as f64;
        svg += &format!(
            "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            LINE_HEIGHT - 8,
            escaped(label)
        );
    }
    svg + "</svg>"
}

fn open(title: &str, height: usize, class: &str) -> String {
    let title = escaped(title);
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>"
    )
}
