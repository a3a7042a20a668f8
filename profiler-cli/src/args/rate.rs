//! Growth per time, as people type it.

use profiler_analysis::compare::Margin;

/// What `--max-growth` and `--margin` understand.
const ALLOWED: &str =
    "allowed: bytes or a share per hour, day or minute, such as 5MiB/h, 200KiB/d or 2%/h";

/// Growth per hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Bytes.
    Bytes(f64),
    /// A share of something.
    Share(f64),
}

impl Rate {
    /// In bytes per hour, where shares are of this many bytes.
    pub fn of(self, whole: f64) -> f64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Share(share) => share * whole,
        }
    }
}

impl From<Rate> for Margin {
    fn from(rate: Rate) -> Self {
        match rate {
            Rate::Bytes(bytes) => Self::Bytes(bytes),
            Rate::Share(share) => Self::Share(share),
        }
    }
}

/// Parses `5MiB/h`, `2%/h` and the like; without a time per hour.
pub(super) fn parse_rate(text: &str) -> Result<Rate, String> {
    let allowed = || ALLOWED.to_owned();
    let (amount, per) = text.trim().split_once('/').unwrap_or((text.trim(), "h"));
    let hourly = match per.trim() {
        "h" | "hour" => 1.0,
        "d" | "day" => 1.0 / 24.0,
        "m" | "min" => 60.0,
        _ => return Err(allowed()),
    };
    let unit_at = amount.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = amount.split_at(unit_at.unwrap_or(amount.len()));
    let number: f64 = number.parse().map_err(|_| allowed())?;
    let number = number * hourly;
    let scale = match unit.trim() {
        "%" => return Ok(Rate::Share(number / 100.0)),
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => f64::from(1 << 20),
        "GiB" => f64::from(1 << 30),
        "" if number == 0.0 => 1.0,
        _ => return Err(allowed()),
    };
    Ok(Rate::Bytes(number * scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_hour() {
        for (text, rate) in [
            ("5MiB/h", Rate::Bytes(5_242_880.0)),
            ("24 KiB/d", Rate::Bytes(1024.0)),
            ("1B/min", Rate::Bytes(60.0)),
            ("1.5GiB", Rate::Bytes(1_610_612_736.0)),
            ("2%/h", Rate::Share(0.02)),
            ("0", Rate::Bytes(0.0)),
        ] {
            assert_eq!(parse_rate(text), Ok(rate), "{text}");
        }
        assert!((Rate::Share(0.5).of(8.0) - 4.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_rate_is_told_what_is_allowed() {
        for text in [
            "",
            "5",
            "MiB/h",
            "-1MiB/h",
            "5MB/h",
            "5MiB/year",
            "1.2.3%",
            "nan%",
        ] {
            assert!(parse_rate(text).unwrap_err().contains("5MiB/h"), "{text}");
        }
    }
}
