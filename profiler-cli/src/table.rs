//! Tables that fit the terminal.

use crate::{
    screen::Look,
    text::{columns, cut},
};

/// On which side the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Names.
    Left,
    /// Figures.
    Right,
}

/// Columns, rows of cells, and which columns give way when it gets narrow.
#[derive(Clone, Debug, Default)]
pub struct Table {
    titles: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

const GAP: usize = 2;
const NARROWEST: usize = 8;
/// A name longer than this is narrowed before a column is left out.
const ENOUGH: usize = 22;

impl Table {
    /// A table with these columns.
    pub fn new(titles: impl Into<Vec<(&'static str, Align)>>) -> Self {
        Self {
            titles: titles.into(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells beyond the columns are left out.
    pub fn push(&mut self, mut cells: Vec<String>) {
        cells.resize(self.titles.len(), String::new());
        self.rows.push(cells);
    }

    /// Puts a column of names before the one with this title; without such a one at the end.
    pub fn insert(&mut self, before: &str, title: &'static str, cells: Vec<String>) {
        let at = self.titles.iter().position(|(one, _)| *one == before);
        let at = at.unwrap_or(self.titles.len());
        self.titles.insert(at, (title, Align::Left));
        let cells = cells.into_iter().chain(std::iter::repeat_with(String::new));
        for (row, cell) in self.rows.iter_mut().zip(cells) {
            row.insert(at, cell);
        }
    }

    /// Leaves out columns with these titles, in this order, until the rest fit. Returns what was
    /// left out.
    pub fn leave_out(&mut self, titles: &[&'static str], look: Look) -> Vec<&'static str> {
        let Some(limit) = look.width else {
            return Vec::new();
        };
        let mut left_out = Vec::new();
        for title in titles {
            let needed: usize = (0..self.titles.len()).map(|at| self.needed(at) + GAP).sum();
            if needed <= limit + GAP {
                break;
            }
            if let Some(at) = self.titles.iter().position(|(one, _)| one == title) {
                self.titles.remove(at);
                for row in &mut self.rows {
                    row.remove(at);
                }
                left_out.push(*title);
            }
        }
        left_out
    }

    /// Columns that a column needs to be read.
    fn needed(&self, at: usize) -> usize {
        let (title, align) = self.titles[at];
        let natural = self.natural(at);
        match align {
            Align::Right => natural,
            Align::Left => natural.min(ENOUGH.max(columns(title))),
        }
    }

    /// Columns of the longest cell.
    fn natural(&self, at: usize) -> usize {
        let cells = self.rows.iter().map(|row| columns(&row[at]));
        cells.max().unwrap_or(0).max(columns(self.titles[at].0))
    }

    /// The table as lines, without the columns of these titles that there is no room for; what was
    /// left out is told below.
    pub fn render_fitting(mut self, titles: &[&'static str], look: Look) -> String {
        let left_out = self.leave_out(titles, look);
        let mut text = self.render(look);
        if !left_out.is_empty() {
            let titles = left_out.join(", ");
            let told = format!("no room for {titles}: --no-truncate shows them");
            text.push_str(&format!("{}\n", look.dim(&told)));
        }
        text
    }

    /// The table as lines.
    pub fn render(&self, look: Look) -> String {
        let widths = self.widths(look.width);
        let mut text = look.bold(&self.line(self.titles.iter().map(|(title, _)| *title), &widths));
        text.push('\n');
        for row in &self.rows {
            text.push_str(&self.line(row.iter().map(String::as_str), &widths));
            text.push('\n');
        }
        text
    }

    /// Natural widths, then names are narrowed, the last column first, until the line fits.
    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.titles.len()).map(|at| self.natural(at)).collect();
        let Some(limit) = limit else { return widths };
        let total: usize = widths.iter().map(|width| width + GAP).sum();
        let mut excess = total.saturating_sub(GAP).saturating_sub(limit);
        for (width, (title, align)) in widths.iter_mut().zip(&self.titles).rev() {
            if *align == Align::Left {
                let least = NARROWEST.max(columns(title));
                let given = width.saturating_sub(least).min(excess);
                *width -= given;
                excess -= given;
            }
        }
        widths
    }

    fn line<'a>(&self, cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, align)) in cells.zip(widths).zip(&self.titles) {
            let cell = cut(cell, *width);
            let padding = " ".repeat(width.saturating_sub(columns(&cell)));
            if *align == Align::Right {
                line.push_str(&padding);
            }
            line.push_str(&cell);
            if *align == Align::Left {
                line.push_str(&padding);
            }
            line.push_str("  ");
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([("PID", Align::Right), ("NAME", Align::Left)]);
        table.push(vec!["7".into(), "a-rather-long-name".into()]);
        table.push(vec!["12345".into(), "b".into()]);
        table
    }

    #[test]
    fn aligns_figures_right_and_names_left() {
        assert_eq!(
            table().render(Look::plain(None)),
            "  PID  NAME\n    7  a-rather-long-name\n12345  b\n"
        );
    }

    #[test]
    fn names_give_way_figures_never() {
        assert_eq!(
            table().render(Look::plain(Some(17))),
            "  PID  NAME\n    7  a-rather-…\n12345  b\n"
        );
        let narrow = table().render(Look::plain(Some(1)));
        assert!(narrow.contains("12345  b"), "{narrow}");
    }

    #[test]
    fn a_column_can_be_put_between_others() {
        let mut table = table();
        table.insert("NAME", "NODE", vec!["n1".into()]);
        table.insert("none", "END", vec!["x".into(), "y".into(), "z".into()]);
        let expected = "  PID  NODE  NAME                END
    7  n1    a-rather-long-name  x
12345        b                   y
";
        assert_eq!(table.render(Look::plain(None)), expected);
    }

    #[test]
    fn columns_give_way_in_the_order_asked_for() {
        let titles = ["A", "B", "C"].map(|title| (title, Align::Right));
        let mut table = Table::new(titles);
        table.push(vec!["1".into(), "2".into(), "3".into()]);
        assert!(
            table
                .clone()
                .leave_out(&["B", "A"], Look::plain(None))
                .is_empty()
        );
        assert!(
            table
                .clone()
                .leave_out(&["B", "A"], Look::plain(Some(7)))
                .is_empty()
        );
        let left_out = table.leave_out(&["none", "B", "A"], Look::plain(Some(6)));
        assert_eq!(left_out, ["B"]);
        assert_eq!(table.render(Look::plain(None)), "A  C\n1  3\n");
    }
}
