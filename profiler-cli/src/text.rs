//! Text made fit for the columns of a terminal.

use std::borrow::Cow;

pub use profiler_formats::text::{base_name, clean, plural, short_container};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
