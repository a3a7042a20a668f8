//! The state of the live view. It takes keys and answers and says what to do next; it neither
//! draws nor asks.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use profiler_proto::v1::{GetStatusResponse, GrowthRow, Selector, TopResponse};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    detail::{Detail, PAGE_LINES},
    fetch::{Question, Refresh},
    key::Key,
};
use crate::{
    args::{By, Order, WatchArgs},
    failure::Failure,
    render::{
        growth::{cookie, label, label_on_node, on_several_nodes},
        status,
    },
};

/// Rows that are asked for: more than fit on a screen, since the filter works on them.
const ROWS: u32 = 2_000;
/// The same for rows with stacks, whose frames the agent has to name each time.
const ROWS_WITH_FRAMES: u32 = 200;
/// Stacks shown of one row.
const STACKS: u32 = 20;
/// Refreshes that a sparkline reaches back.
const SERIES: usize = 120;
/// In the order in which a key goes through them.
const GROUPINGS: [By; 6] = [
    By::Process,
    By::Container,
    By::Node,
    By::Connection,
    By::Stack,
    By::Function,
];
const LONGEST_FILTER: usize = 64;

const NOT_APART: &str = "only the stacks of single connections can be asked for";

/// What the screen shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Mode {
    /// The table.
    #[default]
    Table,
    /// The table, with the filter being typed.
    Filter,
    /// What the keys do.
    Help,
    /// The stacks of one row.
    Detail(Box<Detail>),
}

/// Whether the endpoint answers.
#[derive(Clone, Debug, Default)]
pub enum Link {
    /// Nothing has come yet.
    #[default]
    Connecting,
    /// The last refresh came.
    Up,
    /// The last refresh failed.
    Down {
        /// Since when.
        since: Instant,
        /// Why.
        why: String,
    },
}

/// What follows from a key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    None,
    Quit,
    /// Ask again now: the question has changed.
    Refresh,
    /// Fetch stacks for the detail.
    Stacks(Box<Question>),
}

/// The live view.
#[derive(Debug)]
pub struct Model {
    /// Where it asks.
    pub endpoint: String,
    /// Whether it answers.
    pub link: Link,
    /// What a row stands for.
    pub by: By,
    /// What comes first.
    pub order: Order,
    /// Shown are rows whose name contains this.
    pub filter: String,
    /// What the screen shows.
    pub mode: Mode,
    /// The selected row of those that pass the filter.
    pub selected: usize,
    /// The agent, as of the last refresh.
    pub status: Option<GetStatusResponse>,
    /// Growth, as of the last refresh.
    pub top: Option<TopResponse>,
    /// The agent's share of one CPU between the last two refreshes.
    pub cpu_share: f64,
    /// The connection whose growth alone it shows.
    pub connection: Option<u64>,
    interval: Duration,
    selector: Option<Selector>,
    several_nodes: bool,
    series: HashMap<Key, VecDeque<u64>>,
}

impl Model {
    /// A view that has seen nothing yet.
    pub fn new(args: &WatchArgs, endpoint: String) -> Self {
        Self {
            endpoint,
            link: Link::default(),
            by: args.by,
            order: args.order,
            filter: String::new(),
            mode: Mode::default(),
            selected: 0,
            status: None,
            top: None,
            cpu_share: 0.0,
            connection: args.behalf.connection,
            interval: args.interval,
            selector: args.select.to_wire(),
            several_nodes: false,
            series: HashMap::new(),
        }
    }

    /// Time between two refreshes.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Rows that pass the filter.
    pub fn rows(&self) -> Vec<&GrowthRow> {
        let rows = self.top.iter().flat_map(|top| &top.rows);
        let wanted = self.filter.to_lowercase();
        rows.filter(|row| self.name(row).to_lowercase().contains(&wanted))
            .collect()
    }

    /// What a row is called; its node is named where there are several.
    pub fn name(&self, row: &GrowthRow) -> String {
        match self.several_nodes {
            true => label_on_node(row, self.by),
            false => label(row, self.by),
        }
    }

    /// Live bytes of a row at each refresh since it was first seen, oldest first.
    pub fn series(&self, row: &GrowthRow) -> Vec<u64> {
        let series = self.series.get(&Key::of(row));
        series.map_or_else(Vec::new, |series| series.iter().copied().collect())
    }

    pub(super) fn question(&self) -> Question {
        Question {
            selector: self.selector.clone(),
            by: self.by,
            order: self.order,
            limit: match self.by {
                By::Process | By::Container | By::Connection | By::Node => ROWS,
                By::Stack | By::Function => ROWS_WITH_FRAMES,
            },
            connection: self.connection.unwrap_or(0),
        }
    }

    /// Takes the answer to a question. Answers to a question that has changed since are late.
    pub(super) fn answered(&mut self, asked: &Question, result: Result<Refresh, Failure>) {
        if *asked != self.question() {
            return;
        }
        match result {
            Ok(refresh) => self.refreshed(refresh),
            Err(failure) => {
                let since = match self.link {
                    Link::Down { since, .. } => since,
                    _ => Instant::now(),
                };
                let why = failure.to_string();
                self.link = Link::Down { since, why };
            }
        }
    }

    fn refreshed(&mut self, refresh: Refresh) {
        self.link = Link::Up;
        self.cpu_share = self.cpu_share_until(&refresh.status);
        let mut series = HashMap::with_capacity(refresh.top.rows.len());
        for row in &refresh.top.rows {
            // What is not listed any more is forgotten, so that the table stays small.
            let mut seen = self.series.remove(&Key::of(row)).unwrap_or_default();
            if seen.len() == SERIES {
                seen.pop_front();
            }
            seen.push_back(row.committed_live_bytes);
            series.insert(Key::of(row), seen);
        }
        self.series = series;
        self.several_nodes = on_several_nodes(&refresh.top.rows);
        self.status = Some(refresh.status);
        self.top = Some(refresh.top);
        self.clamp();
    }

    fn cpu_share_until(&self, now: &GetStatusResponse) -> f64 {
        let uptime = status::uptime_seconds(now);
        // An agent that was started again has been up for less than before. When it was started cannot
        // tell: it makes that from two clocks anew each time.
        let before = self
            .status
            .as_ref()
            .filter(|before| status::uptime_seconds(before) <= uptime);
        let Some(before) = before else {
            return status::cpu_share(now);
        };
        let wall = uptime - status::uptime_seconds(before);
        if wall > 0.0 {
            (now.agent_cpu_seconds - before.agent_cpu_seconds).max(0.0) / wall
        } else {
            self.cpu_share
        }
    }

    /// Takes the stacks of the row whose detail is shown; those of another row are late.
    pub(super) fn stacks(&mut self, asked: &Question, result: Result<TopResponse, Failure>) {
        if let Mode::Detail(detail) = &mut self.mode
            && detail.asked.as_ref() == Some(asked)
        {
            let result = result.map(|top| top.rows);
            detail.rows = Some(result.map_err(|failure| failure.to_string()));
        }
    }

    pub(super) fn pressed(&mut self, key: KeyEvent) -> Action {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Action::Quit;
        }
        match &mut self.mode {
            Mode::Table => self.pressed_in_table(key.code),
            Mode::Filter => self.pressed_in_filter(key.code),
            Mode::Help => {
                self.mode = Mode::Table;
                Action::None
            }
            Mode::Detail(detail) => {
                if detail.pressed(key.code) {
                    self.mode = Mode::Table;
                }
                Action::None
            }
        }
    }

    fn pressed_in_table(&mut self, code: KeyCode) -> Action {
        match code {
            KeyCode::Char('q') => return Action::Quit,
            KeyCode::Char('b') => {
                self.by = next(&GROUPINGS, self.by);
                return self.asked_anew();
            }
            KeyCode::Char('o') => {
                let orders = [Order::Live, Order::Allocated, Order::Freed, Order::Events];
                self.order = next(&orders, self.order);
                return self.asked_anew();
            }
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.selected += 1,
            KeyCode::PageUp => {
                self.selected = self.selected.saturating_sub(usize::from(PAGE_LINES));
            }
            KeyCode::PageDown => self.selected += usize::from(PAGE_LINES),
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = usize::MAX,
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Char('?') => self.mode = Mode::Help,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Enter => return self.opened(),
            _ => {}
        }
        self.clamp();
        Action::None
    }

    fn pressed_in_filter(&mut self, code: KeyCode) -> Action {
        match code {
            KeyCode::Enter => self.mode = Mode::Table,
            KeyCode::Esc => {
                self.filter.clear();
                self.mode = Mode::Table;
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(c) if self.filter.len() < LONGEST_FILTER => self.filter.push(c),
            _ => {}
        }
        self.clamp();
        Action::None
    }

    /// Rows of another grouping or order are other rows.
    fn asked_anew(&mut self) -> Action {
        self.top = None;
        self.selected = 0;
        Action::Refresh
    }

    fn opened(&mut self) -> Action {
        let Some(row) = self.rows().get(self.selected).map(|row| (*row).clone()) else {
            return Action::None;
        };
        let title = self.name(&row);
        let asked = self.stacks_of(&row);
        let rows = match (&asked, self.by) {
            (Some(_), _) => None,
            (None, By::Connection) => Some(Err(NOT_APART.into())),
            // The row has all that there is.
            (None, _) => Some(Ok(vec![row])),
        };
        self.mode = Mode::Detail(Box::new(Detail {
            title,
            asked: asked.clone(),
            rows,
            scroll: 0,
        }));
        asked.map_or(Action::None, |asked| Action::Stacks(Box::new(asked)))
    }

    /// How to ask for the stacks of a row, where that can be asked.
    fn stacks_of(&self, row: &GrowthRow) -> Option<Question> {
        let mut question = Question {
            by: By::Stack,
            limit: STACKS,
            ..self.question()
        };
        // Pids, units and cookies are a node's own.
        let mut selector = on_node_of(row);
        match self.by {
            By::Stack | By::Function => return None,
            By::Node => {}
            By::Process => selector.pids = vec![row.pid],
            By::Container => selector.containers = vec![row.container_id.clone()],
            By::Connection if cookie(row) == 0 => return None,
            By::Connection => question.connection = cookie(row),
        }
        question.selector = Some(selector);
        Some(question)
    }

    fn clamp(&mut self) {
        let last = self.rows().len().saturating_sub(1);
        self.selected = self.selected.min(last);
    }
}

/// The node of a row; everything where that is not told.
fn on_node_of(row: &GrowthRow) -> Selector {
    let nodes = match row.node.as_str() {
        "" => Vec::new(),
        node => vec![node.to_owned()],
    };
    Selector {
        nodes,
        ..Selector::default()
    }
}

fn next<T: Copy + PartialEq>(all: &[T], current: T) -> T {
    let at = all.iter().position(|one| *one == current).unwrap_or(0);
    all[(at + 1) % all.len()]
}

#[cfg(test)]
mod tests;
