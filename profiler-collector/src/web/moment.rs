//! Moments in addresses and on pages: UTC, ISO 8601.

use std::time::SystemTime;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use pbjson_types::Timestamp;

use super::failure::Failure;

/// Further back nothing is kept.
const LONGEST_SPAN: i64 = 400 * 86_400;

/// The present, to the second: addresses stay short.
pub(super) fn now() -> Timestamp {
    Timestamp {
        nanos: 0,
        ..DateTime::<Utc>::from(SystemTime::now()).into()
    }
}

/// A moment of an address: RFC 3339, or without a zone, which then is UTC.
pub(super) fn parse(key: &str, text: &str) -> Result<Timestamp, Failure> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc());
    let moment = zoned.or_else(|_| {
        let text = text.replacen(' ', "T", 1);
        let naive = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S")
            .or_else(|_| NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M"));
        naive.map(|moment| moment.and_utc())
    });
    match moment {
        // Beyond these years the wire's nanoseconds overflow.
        Ok(moment) if (0..9_000_000_000).contains(&moment.timestamp()) => Ok(moment.into()),
        _ => Err(Failure::bad(format!(
            "\"{key}\" is a time like 2026-01-31T14:05:00Z (UTC), and \"{text}\" is none"
        ))),
    }
}

/// A span of an address, in seconds: `90m`, `6h`, `7d`.
pub(super) fn parse_span(text: &str) -> Result<i64, Failure> {
    let seconds = text.char_indices().last().and_then(|(at, unit)| {
        let scale = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        let number: i64 = text[..at].parse().ok()?;
        number.checked_mul(scale)
    });
    match seconds {
        Some(seconds @ 1..=LONGEST_SPAN) => Ok(seconds),
        _ => Err(Failure::bad(format!(
            "\"span\" is a span of time like 90m, 6h or 7d, and \"{text}\" is none"
        ))),
    }
}

/// A span as it stands in an address: in the largest unit that it is whole in.
pub(super) fn span(seconds: i64) -> String {
    for (unit, scale) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
        if seconds % scale == 0 {
            return format!("{}{unit}", seconds / scale);
        }
    }
    format!("{seconds}s")
}

/// A moment as it stands in an address.
pub(super) fn wire(moment: &Timestamp) -> String {
    match utc(moment) {
        Some(moment) => moment.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => "unknown".into(),
    }
}

/// A moment for people, to the second.
pub(super) fn shown(moment: Option<&Timestamp>) -> String {
    match moment.and_then(utc) {
        Some(moment) => moment.format("%Y-%m-%d %H:%M:%SZ").to_string(),
        None => "unknown".into(),
    }
}

/// By a format of chrono's; empty for what is no moment.
pub(super) fn formatted(seconds: f64, format: &str) -> String {
    let moment = DateTime::from_timestamp(whole(seconds), 0);
    moment.map_or_else(String::new, |moment| moment.format(format).to_string())
}

/// Seconds since 1970.
pub(super) fn seconds(moment: &Timestamp) -> f64 {
    moment.seconds as f64 + f64::from(moment.nanos) / 1e9
}

/// The moment so many seconds after 1970, in whole seconds.
pub(super) fn at(seconds: f64) -> Timestamp {
    Timestamp {
        seconds: whole(seconds),
        nanos: 0,
    }
}

/// The moment so many seconds later.
pub(super) fn later(moment: &Timestamp, seconds: i64) -> Timestamp {
    Timestamp {
        seconds: moment.seconds.saturating_add(seconds),
        nanos: moment.nanos,
    }
}

/// Whether the first is before the second.
pub(super) fn before(first: &Timestamp, second: &Timestamp) -> bool {
    (first.seconds, first.nanos) < (second.seconds, second.nanos)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, and such moments are shown as none"
)]
fn whole(seconds: f64) -> i64 {
    seconds.floor() as i64
}

fn utc(moment: &Timestamp) -> Option<DateTime<Utc>> {
    let nanos = u32::try_from(moment.nanos).ok()?;
    DateTime::from_timestamp(moment.seconds, nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_utc_with_or_without_their_zone() {
        for text in [
            "2026-01-31T14:05:00Z",
            "2026-01-31T15:05:00+01:00",
            "2026-01-31T14:05:00",
            "2026-01-31 14:05",
            "2026-01-31 14:05:00Z",
        ] {
            let moment = parse("at", text).unwrap();
            assert_eq!(wire(&moment), "2026-01-31T14:05:00Z", "{text}");
            assert_eq!(shown(Some(&moment)), "2026-01-31 14:05:00Z");
        }
        for text in ["", "14:05", "9999-01-01T00:00:00Z", "1900-01-01T00:00:00Z"] {
            assert!(parse("at", text).is_err(), "{text}");
        }
    }

    #[test]
    fn fractions_survive_an_address() {
        let moment = parse("at", "2026-01-31T14:05:00.5Z").unwrap();
        assert_eq!(wire(&moment), "2026-01-31T14:05:00.500Z");
        assert!((seconds(&moment).fract() - 0.5).abs() < 1e-6);
    }

    #[test]
    fn spans_have_one_unit() {
        assert_eq!(parse_span("90m").unwrap(), 5_400);
        assert_eq!(span(5_400), "90m");
        assert_eq!(span(21_600), "6h");
        assert_eq!(span(7 * 86_400), "7d");
        assert_eq!(span(59), "59s");
        for text in ["", "h", "0h", "-1h", "1h30m", "9999999999999999d", "é"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_out_of_range_are_not_known() {
        let odd = Timestamp {
            seconds: i64::MAX,
            nanos: -1,
        };
        assert_eq!(shown(Some(&odd)), "unknown");
        assert_eq!(formatted(f64::NAN, "%H"), "00");
        assert_eq!(formatted(f64::INFINITY, "%H"), "");
    }
}
