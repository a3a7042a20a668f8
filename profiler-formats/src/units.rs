//! Figures as people read them.

const STEPS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// Bytes in binary units, one decimal.
#[expect(
    clippy::cast_precision_loss,
    reason = "one decimal is shown; the exact figure is in the JSON"
)]
pub fn bytes(amount: u64) -> String {
    if amount < 1024 {
        return format!("{amount} B");
    }
    let mut value = amount as f64 / 1024.0;
    let mut step = 0;
    // 1023.95 would be shown as 1024.0.
    while value >= 1023.95 && step + 1 < STEPS.len() {
        value /= 1024.0;
        step += 1;
    }
    format!("{value:.1} {}", STEPS[step])
}

/// Bytes that are a mean or a slope: rounded, with a sign if they shrink.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and NaN becomes no bytes at all"
)]
pub fn mean_bytes(amount: f64) -> String {
    let rounded = amount.round();
    let sign = if rounded < 0.0 { "-" } else { "" };
    format!("{sign}{}", bytes(rounded.abs() as u64))
}

/// A change in bytes, signed unless it is zero.
pub fn delta(amount: i64) -> String {
    match amount {
        0 => bytes(0),
        1.. => format!("+{}", bytes(amount.unsigned_abs())),
        _ => format!("-{}", bytes(amount.unsigned_abs())),
    }
}

/// A count with its thousands apart.
pub fn count(amount: u64) -> String {
    let digits = amount.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An age or a span of time in its two largest units.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what u64 holds; whole seconds are shown"
)]
pub fn seconds(amount: f64) -> String {
    // NaN fails the comparison and is shown as no time at all.
    let total = if amount > 0.0 { amount as u64 } else { 0 };
    let (days, hours) = (total / 86_400, total / 3_600 % 24);
    let (minutes, rest) = (total / 60 % 60, total % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, _) => format!("{minutes}m{rest:02}s"),
        (0, ..) => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

/// A share in percent, one decimal.
pub fn share(amount: f64) -> String {
    format!("{:.1}%", amount * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_step_in_powers_of_1024() {
        let shown: Vec<_> = [
            0,
            1023,
            1024,
            1536,
            1 << 20,
            (1 << 20) - 1,
            5 << 30,
            u64::MAX,
        ]
        .map(bytes)
        .into();
        assert_eq!(
            shown,
            [
                "0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 MiB", "5.0 GiB", "16.0 EiB"
            ]
        );
    }

    #[test]
    fn deltas_carry_their_sign() {
        assert_eq!(delta(0), "0 B");
        assert_eq!(delta(2048), "+2.0 KiB");
        assert_eq!(delta(-2048), "-2.0 KiB");
        assert_eq!(delta(i64::MIN), "-8.0 EiB");
    }

    #[test]
    fn means_are_rounded_and_may_shrink() {
        let shown = [18_841.6, 0.4, -2048.4, -0.2, f64::NAN, f64::INFINITY].map(mean_bytes);
        let expected = ["18.4 KiB", "0 B", "-2.0 KiB", "0 B", "0 B", "16.0 EiB"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn counts_and_times() {
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        let shown = [5.9, 65.0, 7_500.0, 90_000.0, f64::NAN, -3.0].map(seconds);
        assert_eq!(shown, ["5s", "1m05s", "2h05m", "1d01h", "0s", "0s"]);
        assert_eq!(share(0.0765), "7.6%");
    }
}
