//! Figures as bars one column wide.

/// From an eighth to the whole of a cell.
pub(super) const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The bar of a value between the least and the largest.
pub fn bar(value: u64, least: u64, largest: u64) -> char {
    let span = u128::from(largest.saturating_sub(least)).max(1);
    let step = u128::from(value.saturating_sub(least)) * 7 / span;
    usize::try_from(step).map_or('█', |step| BARS[step.min(7)])
}

/// Bars of values over time, the highest in each column, from nothing to the largest. `points`:
/// places from 0 to 1 on the axis, ascending, with their values. Columns before the first point and
/// after the last are blank; one between points that has none goes on as the one before.
pub fn over_time(points: &[(f64, u64)], width: usize) -> String {
    let columns = by_column(points, width);
    let largest = points.iter().map(|(_, value)| *value).max().unwrap_or(0);
    let last = columns.iter().rposition(Option::is_some).unwrap_or(0);
    let mut before = None;
    let bars = columns.iter().enumerate().map(|(at, value)| {
        before = value.or(before.filter(|_| at < last));
        before.map_or(' ', |value| bar(value, 0, largest))
    });
    bars.collect()
}

/// The largest value in each column.
pub(super) fn by_column(points: &[(f64, u64)], width: usize) -> Vec<Option<u64>> {
    let mut columns: Vec<Option<u64>> = vec![None; width];
    for (place, value) in points {
        if let Some(column) = columns.get_mut(column(*place, width)) {
            *column = (*column).max(Some(*value));
        }
    }
    columns
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "columns are few, and a place off the axis is put on its edge"
)]
fn column(place: f64, width: usize) -> usize {
    let column = (place.clamp(0.0, 1.0) * width as f64) as usize;
    column.min(width.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_has_its_own_place_on_the_axis() {
        let points = [(0.5, 10), (0.55, 40), (0.8, 80)];
        assert_eq!(over_time(&points, 10), "     ▄▄▄█ ");
    }

    #[test]
    fn odd_points_are_survived() {
        assert_eq!(over_time(&[], 3), "   ");
        assert_eq!(over_time(&[(0.5, 0)], 0), "");
        assert_eq!(over_time(&[(-1.0, 0), (7.0, u64::MAX)], 3), "▁▁█");
        assert_eq!(over_time(&[(f64::NAN, 1)], 2), "█ ");
    }
}
