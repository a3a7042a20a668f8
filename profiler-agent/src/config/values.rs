//! Values that people write: sizes, durations, addresses. Each says what is allowed.

use std::fmt;
use std::marker::PhantomData;
use std::net::{AddrParseError, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A value that cannot be used, and what could.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(pub String);

/// An address and port; "" for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub Option<SocketAddr>);

/// What an operator says of a node: `zone=eu-1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// In front of the first `=`.
    pub key: String,
    /// Behind it.
    pub value: String,
}

impl FromStr for Label {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (key, value) = text.split_once('=').ok_or_else(|| {
            ValueError(format!(
                "{text:?} is no label: write a key and a value, such as zone=eu-1"
            ))
        })?;
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// A number of bytes: `4096`, `64KiB`, `8 MiB`, `1.5GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("b", 1),
    ("kib", 1 << 10),
    ("k", 1 << 10),
    ("mib", 1 << 20),
    ("m", 1 << 20),
    ("gib", 1 << 30),
    ("g", 1 << 30),
    ("tib", 1 << 40),
];

impl FromStr for Size {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let refuse = || {
            ValueError(format!(
                "{text:?} is no size: write a number of bytes or one with KiB, MiB or GiB, such as \"64KiB\""
            ))
        };
        let (number, unit) = split_number(text).ok_or_else(refuse)?;
        let unit = unit.to_ascii_lowercase();
        let (_, factor) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(refuse)?;
        Ok(Self(scale(number, *factor).ok_or_else(refuse)?))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
            .into_iter()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) => write!(f, "{}{name}", self.0 / factor),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A span of time: `500ms`, `10s`, `15min`, `6h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let refuse = || {
            ValueError(format!(
                "{text:?} is no duration: write a number with ms, s, min, h or d, such as \"10s\""
            ))
        };
        let (number, unit) = split_number(text).ok_or_else(refuse)?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1000,
            "min" | "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(refuse()),
        };
        let total = scale(number, milliseconds).ok_or_else(refuse)?;
        Ok(Self(Duration::from_millis(total)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_millis();
        let unit = [("h", 3_600_000), ("min", 60_000), ("s", 1000)]
            .into_iter()
            .find(|(_, factor)| total >= *factor && total.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) => write!(f, "{}{name}", total / factor),
            None => write!(f, "{total}ms"),
        }
    }
}

/// The number in front and the unit behind it.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (!number.is_empty()).then(|| (number, unit.trim_start()))
}

/// `number * factor`, exact; up to three digits behind the point.
fn scale(number: &str, factor: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().ok()?;
    if part.is_empty() || part.len() > 3 {
        return None;
    }
    let tenths: u64 = part.parse().ok()?;
    let places = u32::try_from(part.len()).ok()?;
    let fraction = tenths.checked_mul(factor)? / 10_u64.pow(places);
    whole.checked_mul(factor)?.checked_add(fraction)
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written::new("a size such as \"64KiB\""))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written::new("a duration such as \"10s\""))
    }
}

impl FromStr for Address {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Ok(Self(None)),
            text => Ok(Self(Some(text.parse()?))),
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Accepts text, and whole numbers as if they were written as text.
struct Written<T> {
    expected: &'static str,
    value: PhantomData<T>,
}

impl<T> Written<T> {
    fn new(expected: &'static str) -> Self {
        Self {
            expected,
            value: PhantomData,
        }
    }
}

impl<T: FromStr<Err = ValueError>> Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("64KiB", 65_536),
            ("64 kib", 65_536),
            ("8M", 8 << 20),
            ("1.5GiB", 3 << 29),
            (" 7B ", 7),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for bad in [
            "",
            "KiB",
            "-1",
            "1.KiB",
            "1.2345KiB",
            "9 parsecs",
            "99999999999999999TiB",
            "1..2",
            "64KB",
        ] {
            assert_eq!(
                bad.parse::<Size>().unwrap_err().to_string(),
                format!(
                    "{bad:?} is no size: write a number of bytes or one with KiB, MiB or GiB, such as \"64KiB\""
                )
            );
        }
        for text in ["64KiB", "8MiB", "1GiB", "1500", "0"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn durations() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("1.5 s", 1500),
            ("15min", 900_000),
            ("15m", 900_000),
            ("6h", 21_600_000),
            ("1d", 86_400_000),
        ] {
            let span = Span(Duration::from_millis(milliseconds));
            assert_eq!(text.parse(), Ok(span), "{text}");
        }
        for bad in ["", "10", "s", "-1s", "10 years", "99999999999999999d"] {
            assert_eq!(
                bad.parse::<Span>().unwrap_err().to_string(),
                format!(
                    "{bad:?} is no duration: write a number with ms, s, min, h or d, such as \"10s\""
                )
            );
        }
        for text in ["500ms", "10s", "15min", "6h"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
    }
}
