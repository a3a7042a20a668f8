//! Text from other processes, made fit for a terminal.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

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

/// Columns that a text takes.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// Cuts a text to at most `width` columns, marking the cut.
pub fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if columns(text) <= width {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        kept.push(c);
    }
    if width > 0 {
        kept.push('…');
    }
    Cow::Owned(kept)
}

/// Breaks a text at its spaces into lines of at most `width` columns; a longer word stays whole.
pub fn wrapped(text: &str, width: Option<usize>) -> Vec<String> {
    let width = width.unwrap_or(usize::MAX);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
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
    fn cuts_by_columns() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        // Two columns each.
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn wraps_at_spaces() {
        assert_eq!(
            wrapped("ab cd  efghij k", Some(5)),
            ["ab cd", "efghij", "k"]
        );
        assert_eq!(wrapped("ab cd", None), ["ab cd"]);
        assert!(wrapped(" ", Some(5)).is_empty());
    }

    #[test]
    fn shortens_only_hexadecimal_ids() {
        let id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        assert_eq!(short_container(id), "0123456789ab");
        assert_eq!(short_container("nginx.service"), "nginx.service");
        assert_eq!(short_container("host"), "host");
    }
}
