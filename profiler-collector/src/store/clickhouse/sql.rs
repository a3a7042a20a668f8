//! Values as they stand in statements. Nothing that came from outside is ever part of one but numbers
//! and bytes in hexadecimal.

use std::fmt::Write as _;

use crate::store::{RunId, WallTime};

/// A run as a literal of SQL.
pub(super) fn run(run: RunId) -> String {
    bytes(&run.0)
}

/// A text as a literal of SQL.
pub(super) fn text(text: &str) -> String {
    bytes(text.as_bytes())
}

fn bytes(bytes: &[u8]) -> String {
    let mut text = String::from("'");
    for byte in bytes {
        // Writing to a string cannot fail.
        let _always = write!(text, "\\x{byte:02x}");
    }
    text.push('\'');
    text
}

/// A moment as an expression of SQL, of the type of the columns named `time`.
pub(super) fn time(time: WallTime) -> String {
    format!("fromUnixTimestamp64Nano(toInt64({}), 'UTC')", time.0)
}

/// `a, b, c`.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(", ")
}

/// Runs as a list.
pub(super) fn runs(runs: &[RunId]) -> String {
    list(runs.iter().copied().map(run))
}

/// Keys of batches as a list of pairs.
pub(super) fn keys(keys: &[(RunId, u64)]) -> String {
    list(
        keys.iter()
            .map(|(of, sequence)| format!("({}, {sequence})", run(*of))),
    )
}

/// Numbers as a list.
pub(super) fn numbers(numbers: impl IntoIterator<Item = u64>) -> String {
    list(numbers.into_iter().map(|number| number.to_string()))
}
