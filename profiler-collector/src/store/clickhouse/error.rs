//! What ClickHouse says, in the words of [`StoreError`].

use clickhouse::error::Error;

use crate::store::StoreError;

/// Codes of limits that a question ran into: too many rows, time, memory, bytes, result rows.
const TOO_MUCH: [u32; 6] = [158, 159, 160, 241, 307, 396];

/// Codes of stored bytes that are not what was written: checksums, decompression, missing files.
const DAMAGED: [u32; 8] = [40, 49, 107, 228, 246, 271, 432, 1001];

/// Codes of states that pass, or that an operator ends: connections, replicas, disk, too many parts
/// or queries, read-only tables, wrong user, password or rights.
const UNAVAILABLE: [u32; 25] = [
    3, 81, 164, 192, 193, 194, 202, 203, 209, 210, 225, 236, 242, 243, 252, 279, 285, 286, 319,
    394, 425, 439, 497, 516, 999,
];

/// An error without what it would take pages to say.
const MESSAGE_CHARACTERS_MAX: usize = 500;

pub(super) fn from_client(error: &Error) -> StoreError {
    match error {
        Error::BadResponse(message) => from_server(message),
        Error::Network(source) => StoreError::Unavailable(format!(
            "ClickHouse cannot be reached: {}",
            chain(&**source)
        )),
        Error::TimedOut => timed_out(),
        Error::NotEnoughData | Error::DataFormat(_) => StoreError::Unavailable(format!(
            "ClickHouse's answer ends early or is not of the expected form: {error}"
        )),
        _ => StoreError::Internal(format!("ClickHouse's client: {error}")),
    }
}

pub(super) fn timed_out() -> StoreError {
    StoreError::Unavailable("ClickHouse did not answer in time".into())
}

fn from_server(message: &str) -> StoreError {
    let said = format!("ClickHouse: {}", shortened(message));
    match code(message) {
        Some(code) if TOO_MUCH.contains(&code) => StoreError::TooMuch(said),
        Some(code) if DAMAGED.contains(&code) => StoreError::Damaged(said),
        Some(code) if UNAVAILABLE.contains(&code) => StoreError::Unavailable(said),
        Some(_) => StoreError::Internal(said),
        // A proxy's or load balancer's own words.
        None => StoreError::Unavailable(said),
    }
}

/// "Code: 60. DB::Exception: …", in old versions "Code: 60, e.displayText() = …".
fn code(message: &str) -> Option<u32> {
    let digits = message.split_once("Code: ")?.1;
    let end = digits.find(|c: char| !c.is_ascii_digit());
    digits[..end.unwrap_or(digits.len())].parse().ok()
}

fn shortened(message: &str) -> String {
    let mut short: String = message.chars().take(MESSAGE_CHARACTERS_MAX).collect();
    if short.len() < message.len() {
        short.push('…');
    }
    short
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_kind_of_error_it_is() {
        let new = "Code: 241. DB::Exception: memory limit exceeded (MEMORY_LIMIT_EXCEEDED)";
        let old = "Code: 192, e.displayText() = DB::Exception: Unknown user x, e.what() = …";
        assert!(matches!(from_server(new), StoreError::TooMuch(_)));
        assert!(matches!(from_server(old), StoreError::Unavailable(_)));
        assert!(matches!(
            from_server("Code: 40. DB::Exception: Checksum doesn't match"),
            StoreError::Damaged(_)
        ));
        assert!(matches!(
            from_server("Code: 62. DB::Exception: Syntax error"),
            StoreError::Internal(_)
        ));
        assert!(matches!(
            from_server("502 Bad Gateway"),
            StoreError::Unavailable(_)
        ));
    }

    #[test]
    fn long_messages_are_cut() {
        let StoreError::Unavailable(text) = from_server(&"é".repeat(10_000)) else {
            panic!("no code, so it is taken for a proxy's words");
        };
        assert!(text.chars().count() < 600);
    }
}
