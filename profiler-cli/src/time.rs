//! Moments and spans as people type them, and as they read them.

use std::time::Duration;

use chrono::{DateTime, Days, Local, NaiveTime, TimeDelta, TimeZone, Utc};
use pbjson_types::Timestamp;
pub use profiler_formats::time::seconds_between;

/// What `--since`, `--at`, `--from` and `--to` understand.
pub const ALLOWED: &str = "allowed: a span ago (10m, 1h30m, -45s), a time of day (14:05, \
                           14:05:30; the last one there was), RFC 3339 (2026-01-31T14:05:00Z), \
                           seconds since 1970 (1767225600), or now";

/// A moment that a user named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub DateTime<Utc>);

impl Moment {
    /// As the wire carries it.
    pub fn to_wire(self) -> Timestamp {
        Timestamp::from(self.0)
    }
}

/// This moment, as the wire carries it.
pub fn now() -> Timestamp {
    Timestamp::from(Utc::now())
}

/// Timers overflow on spans beyond any use.
const LONGEST_SPAN: u64 = 365 * 86_400;

/// Parses a moment relative to now, in the local time zone.
pub fn parse_moment(text: &str) -> Result<Moment, String> {
    moment_at(text, &Local::now())
}

/// Parses a span of time: `30s`, `1h30m`; a bare number is seconds.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let bare: Option<u64> = text.parse().ok();
    let seconds = bare.or_else(|| span_seconds(text));
    match seconds {
        Some(0) => Err("must be longer than nothing".into()),
        Some(LONGEST_SPAN..) => Err("must be shorter than a year".into()),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err("allowed: a span like 2s, 30s, 5m, 1h30m, or a number of seconds".into()),
    }
}

fn moment_at<Tz: TimeZone>(text: &str, now: &DateTime<Tz>) -> Result<Moment, String> {
    let text = text.trim();
    if text == "now" {
        return Ok(Moment(now.to_utc()));
    }
    if let Some(seconds) = span_seconds(text.strip_prefix('-').unwrap_or(text)) {
        let ago = i64::try_from(seconds).ok().and_then(TimeDelta::try_seconds);
        let moment = ago.and_then(|ago| now.to_utc().checked_sub_signed(ago));
        return moment
            .map(Moment)
            .ok_or_else(|| "that is longer ago than time goes back".into());
    }
    if let Some(moment) = unix_seconds(text) {
        return moment.map(Moment);
    }
    if let Some(moment) = time_of_day(text, now) {
        return Ok(Moment(moment));
    }
    match DateTime::parse_from_rfc3339(text) {
        Ok(moment) => Ok(Moment(moment.to_utc())),
        Err(_) => Err(format!("not a time; {ALLOWED}")),
    }
}

/// `1h30m` and the like; at least one number with its unit.
fn span_seconds(text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..unit_at].parse().ok()?;
        let scale = match rest[unit_at..].chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(scale)?)?;
        rest = &rest[unit_at + 1..];
    }
    Some(total)
}

fn unix_seconds(text: &str) -> Option<Result<DateTime<Utc>, String>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}").parse().ok()?;
    // Earlier than 1973 is a slip for "10m", later than the year 5138 one for milliseconds.
    let seconds = whole.parse().unwrap_or(i64::MAX);
    if !(100_000_000..100_000_000_000).contains(&seconds) {
        return Some(Err(format!(
            "a bare number is seconds since 1970, and this one is far off; {ALLOWED}"
        )));
    }
    DateTime::from_timestamp(seconds, nanos).map(Ok)
}

/// The last such time of day that is not in the future.
fn time_of_day<Tz: TimeZone>(text: &str, now: &DateTime<Tz>) -> Option<DateTime<Utc>> {
    let time = NaiveTime::parse_from_str(text, "%H:%M:%S")
        .or_else(|_| NaiveTime::parse_from_str(text, "%H:%M"))
        .ok()?;
    let today = now.naive_local().date();
    // Where clocks go forward a time may not exist on one day: the day before has it.
    (0..=2).find_map(|back| {
        let date = today.checked_sub_days(Days::new(back))?;
        let local = now.timezone().from_local_datetime(&date.and_time(time));
        let moment = local.earliest()?.to_utc();
        (moment <= now.to_utc()).then_some(moment)
    })
}

/// A moment of the wire in the local time zone; the day is left out when it is today.
pub fn shown(moment: Option<&Timestamp>) -> String {
    let parsed = moment.and_then(|moment| DateTime::<Utc>::try_from(*moment).ok());
    let Some(moment) = parsed else {
        return "unknown".into();
    };
    let (local, now) = (moment.with_timezone(&Local), Local::now());
    let format = if local.date_naive() == now.date_naive() {
        "%H:%M:%S"
    } else {
        "%Y-%m-%d %H:%M:%S"
    };
    local.format(format).to_string()
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;

    use super::*;

    fn now() -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339("2026-03-10T14:00:00+02:00").unwrap()
    }

    fn parsed(text: &str) -> String {
        moment_at(text, &now()).unwrap().0.to_rfc3339()
    }

    #[test]
    fn spans_are_ago_with_and_without_sign() {
        assert_eq!(parsed("10m"), "2026-03-10T11:50:00+00:00");
        assert_eq!(parsed("-10m"), parsed("10m"));
        assert_eq!(parsed("1h30m"), "2026-03-10T10:30:00+00:00");
        assert_eq!(parsed("2d"), "2026-03-08T12:00:00+00:00");
        assert_eq!(parsed("now"), "2026-03-10T12:00:00+00:00");
    }

    #[test]
    fn times_of_day_are_the_last_there_was() {
        assert_eq!(parsed("13:05"), "2026-03-10T11:05:00+00:00");
        assert_eq!(parsed("14:00:00"), "2026-03-10T12:00:00+00:00");
        assert_eq!(parsed("14:05"), "2026-03-09T12:05:00+00:00");
    }

    #[test]
    fn absolute_times() {
        assert_eq!(
            parsed("2026-03-10T14:00:00+02:00"),
            "2026-03-10T12:00:00+00:00"
        );
        assert_eq!(parsed("1767225600"), "2026-01-01T00:00:00+00:00");
        assert_eq!(parsed("1767225600.25"), "2026-01-01T00:00:00.250+00:00");
    }

    #[test]
    fn what_is_no_time_is_told_what_is_allowed() {
        let far = "99999999999999999999d";
        for text in [
            "",
            "-",
            "yesterday",
            "25:00",
            "10x",
            "m10",
            "10",
            "1767225600000",
            far,
        ] {
            let error = moment_at(text, &now()).unwrap_err();
            assert!(error.contains("allowed:"), "{text}: {error}");
        }
        assert!(
            moment_at("9999999999999d", &now())
                .unwrap_err()
                .contains("longer ago")
        );
    }

    #[test]
    fn spans() {
        assert_eq!(parse_span("2"), Ok(Duration::from_secs(2)));
        assert_eq!(parse_span("1m30s"), Ok(Duration::from_secs(90)));
        assert!(parse_span("0s").is_err());
        assert!(
            parse_span("18446744073709551615")
                .unwrap_err()
                .contains("year")
        );
        assert!(parse_span("fast").unwrap_err().contains("allowed"));
    }
}
