//! Moments of the wire as numbers.

use std::time::Duration;

use pbjson_types::Timestamp;

/// Nanoseconds since 1970; 0 where there is no moment.
pub fn nanos(moment: Option<&Timestamp>) -> i64 {
    moment.map_or(0, |moment| {
        let seconds = moment.seconds.saturating_mul(1_000_000_000);
        seconds.saturating_add(moment.nanos.into())
    })
}

/// Seconds from one moment to a later one; 0 where one is missing or they are the wrong way round.
pub fn seconds_between(from: Option<&Timestamp>, to: Option<&Timestamp>) -> f64 {
    let (Some(_), Some(_)) = (from, to) else {
        return 0.0;
    };
    let apart = nanos(to).saturating_sub(nanos(from));
    Duration::from_nanos(u64::try_from(apart).unwrap_or(0)).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_between_moments_is_never_negative() {
        let at = |seconds, nanos| Timestamp { seconds, nanos };
        let (early, late) = (at(10, 500_000_000), at(12, 0));
        assert!((seconds_between(Some(&early), Some(&late)) - 1.5).abs() < 1e-9);
        for (from, to) in [
            (Some(&late), Some(&early)),
            (None, Some(&late)),
            (Some(&late), None),
        ] {
            assert!(seconds_between(from, to).abs() < 1e-9, "{from:?} {to:?}");
        }
    }
}
