//! Where the ticks of an axis go.

/// The largest figure of an axis of bytes and the step between its ticks: at most six of them, on
/// powers of two, which are round in KiB and MiB.
pub(super) fn bytes(largest: u64) -> (u64, u64) {
    let mut step = 1024_u64;
    while largest.div_ceil(step) > 5 && step < 1 << 62 {
        step *= 2;
    }
    (largest.div_ceil(step).max(1).saturating_mul(step), step)
}

const SECOND_STEPS: [u32; 16] = [
    1, 5, 15, 30, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400, 172_800, 604_800,
    2_592_000,
];

/// Ticks of an axis of seconds since 1970 with their format: at most eight.
pub(super) fn times(from: f64, to: f64) -> (Vec<f64>, &'static str) {
    let room = (to - from) / 8.0;
    let step = SECOND_STEPS
        .into_iter()
        .map(f64::from)
        .find(|step| *step >= room);
    let step = step.unwrap_or(room.max(1.0));
    let format = if step >= 86_400.0 {
        "%m-%d"
    } else if to - from > 86_400.0 {
        "%m-%d %H:%M"
    } else if step < 60.0 {
        "%H:%M:%S"
    } else {
        "%H:%M"
    };
    let first = (from / step).ceil();
    let ticks = (0..9_u32).map(|index| (first + f64::from(index)) * step);
    (ticks.take_while(|tick| *tick <= to).collect(), format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_round_in_binary_units() {
        assert_eq!(bytes(0), (1024, 1024));
        assert_eq!(bytes(5 << 20), (5 << 20, 1 << 20));
        assert_eq!(bytes((5 << 20) + 1), (6 << 20, 2 << 20));
        let (top, step) = bytes(u64::MAX);
        assert!(top >= step);
    }

    #[test]
    fn times_are_round_and_few() {
        let hour = 3_600.0;
        let (ticks, format) = times(10.0 * hour + 120.0, 16.0 * hour + 120.0);
        assert_eq!(ticks.first(), Some(&(11.0 * hour)));
        assert_eq!((ticks.len(), format), (6, "%H:%M"));
        let (ticks, format) = times(0.0, 30.0 * 24.0 * hour);
        assert_eq!(format, "%m-%d");
        assert!((4..=9).contains(&ticks.len()));
        let (ticks, _) = times(0.0, 9e9);
        assert!(ticks.len() <= 9);
    }
}
