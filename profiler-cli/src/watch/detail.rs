//! The stacks of one row, on a screen of their own.

use profiler_proto::v1::GrowthRow;
use ratatui::crossterm::event::KeyCode;

use super::fetch::Question;

/// Lines that PgUp and PgDn move by.
pub(super) const PAGE_LINES: u16 = 10;

/// The stacks of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    /// The row's name.
    pub title: String,
    /// What was asked for it.
    pub(super) asked: Option<Question>,
    /// Its stacks; none while they are being fetched.
    pub rows: Option<Result<Vec<GrowthRow>, String>>,
    /// Lines scrolled past.
    pub scroll: u16,
}

impl Detail {
    /// Scrolls, or says that it is to be closed.
    pub(super) fn pressed(&mut self, code: KeyCode) -> bool {
        let scroll = self.scroll;
        self.scroll = match code {
            KeyCode::Up | KeyCode::Char('k') => scroll.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => scroll.saturating_add(1),
            KeyCode::PageUp => scroll.saturating_sub(PAGE_LINES),
            KeyCode::PageDown => scroll.saturating_add(PAGE_LINES),
            _ => scroll,
        };
        matches!(code, KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q'))
    }
}
