//! Memory over time as a small picture of characters.

use super::spark::{BARS, by_column};
use crate::units::bytes;

const HEIGHT: usize = 8;

/// A picture `width` columns wide, from nothing to the limit or, where there is none or it is more
/// than ten times as far, to the largest value. `points`: places from 0 to 1, ascending, with their
/// values; 0 for `limit` is none.
pub fn plot(points: &[(f64, u64)], limit: u64, width: usize) -> String {
    let columns = columns(points, width);
    let largest = columns.iter().flatten().copied().max().unwrap_or(0);
    let shows_limit = limit > 0 && limit / 10 <= largest;
    let top = match shows_limit {
        true => largest.max(limit),
        false => largest,
    };
    let label = |value: u64, what: &str| format!("{:>11} {what}", bytes(value));
    let mut text = String::new();
    if shows_limit {
        let line = "╌".repeat(width);
        text.push_str(&format!("{} {line}\n", label(limit, "limit")));
    }
    for row in (0..HEIGHT).rev() {
        let bars: String = columns.iter().map(|value| cell(*value, top, row)).collect();
        let label = match (row, shows_limit) {
            (0, _) => label(0, "     "),
            (row, false) if row + 1 == HEIGHT => label(top, "     "),
            _ => " ".repeat(17),
        };
        text.push_str(format!("{label} {bars}").trim_end());
        text.push('\n');
    }
    text
}

/// The largest value in each column; one without a point goes on as the one before.
fn columns(points: &[(f64, u64)], width: usize) -> Vec<Option<u64>> {
    let mut columns = by_column(points, width);
    let mut before = None;
    for column in &mut columns {
        before = column.or(before);
        *column = before;
    }
    columns
}

/// How much of a value lies in a row.
fn cell(value: Option<u64>, top: u64, row: usize) -> char {
    let Some(value) = value else { return ' ' };
    let steps = (HEIGHT * BARS.len()) as u128;
    let filled = u128::from(value) * steps / u128::from(top.max(1));
    let filled = usize::try_from(filled).unwrap_or(usize::MAX);
    match filled.saturating_sub(row * BARS.len()) {
        // Nothing at all is not the same as nothing known.
        0 if row == 0 => BARS[0],
        0 => ' ',
        some => BARS[some.min(BARS.len()) - 1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_from_nothing_to_the_limit() {
        let points = [(0.0, 0), (0.5, 32 << 20), (0.99, 64 << 20)];
        let text = plot(&points, 64 << 20, 4);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), HEIGHT + 1);
        assert_eq!(lines[0], "   64.0 MiB limit ╌╌╌╌");
        assert_eq!(lines[1], "                     █");
        assert_eq!(lines[5], "                    ██");
        assert_eq!(lines[8], "        0 B       ▁▁██");
    }

    #[test]
    fn a_limit_far_away_is_left_out_and_odd_points_are_survived() {
        let text = plot(&[(f64::NAN, 1 << 20)], 1 << 40, 2);
        assert!(
            !text.contains("limit") && text.contains("1.0 MiB"),
            "{text}"
        );
        assert!(plot(&[], 0, 0).contains("0 B"));
        assert!(plot(&[(0.0, u64::MAX)], u64::MAX, 1).contains('█'));
    }
}
