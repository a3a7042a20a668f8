//! The page of an answer that comes after this one.

use crate::{screen::Look, text::clean};

/// A line below the rows that names it; empty on the last page.
pub fn next(token: &str, look: Look) -> String {
    if token.is_empty() {
        return String::new();
    }
    format!("{}\n\n", look.dim(&told(token)))
}

/// How to ask for the page that a token stands for.
pub fn told(token: &str) -> String {
    format!("the next page: --page {}", clean(token))
}
