//! Text from other processes, made fit to be shown.

use std::borrow::Cow;

/// Replaces what could steer a terminal (control characters, bidirectional overrides): process
/// and symbol names are chosen by those who are watched.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(steers) {
        let kept = |c| if steers(c) { '\u{fffd}' } else { c };
        Cow::Owned(text.chars().map(kept).collect())
    } else {
        Cow::Borrowed(text)
    }
}

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

/// A container id as people know it: twelve digits of a hexadecimal id, other names whole.
pub fn short_container(id: &str) -> Cow<'_, str> {
    match id.get(..12) {
        Some(short) if id.len() > 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) => short.into(),
        _ => clean(id),
    }
}

/// The last component of a path.
pub fn base_name(path: &str) -> &str {
    match path.rsplit('/').next() {
        Some(name) if !name.is_empty() => name,
        _ => path,
    }
}

/// "1 process", "2 processes".
pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        crate::units::count(count),
        if count == 1 { one } else { many }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(clean("node"), "node");
        assert_eq!(
            clean("a\x1b[31m\nb\u{202e}c"),
            "a\u{fffd}[31m\u{fffd}b\u{fffd}c"
        );
    }

    #[test]
    fn shortens_only_hexadecimal_ids() {
        let id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        assert_eq!(short_container(id), "0123456789ab");
        assert_eq!(short_container("nginx.service"), "nginx.service");
        assert_eq!(short_container("host"), "host");
    }
}
