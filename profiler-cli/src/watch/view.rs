//! Draws the live view.

use profiler_proto::v1::{GetStatusResponse, GrowthRow};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize as _},
    text::{Line, Span},
    widgets::{Block, Clear, Paragraph, Row, Table, TableState, Wrap},
};

use super::{
    detail::Detail,
    model::{Link, Mode, Model},
};
use crate::{
    args::By,
    render::{
        growth, spark, stack,
        status::{is_agent, uptime_seconds},
    },
    screen::Look,
    text::{clean, plural},
    units::{bytes, count, delta, seconds, share},
};

/// Whether colours are welcome.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// With colours, else with bold and reverse only.
    pub colour: bool,
}

impl Palette {
    fn fg(self, colour: Color) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }
}

/// Draws all of it.
pub fn draw(frame: &mut Frame, model: &Model, palette: Palette) {
    let header = header(model, palette);
    let height = u16::try_from(header.len()).unwrap_or(u16::MAX);
    let [top, middle, bottom] = Layout::vertical([
        Constraint::Length(height),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(header), top);
    match &model.mode {
        Mode::Detail(detail) => draw_detail(frame, middle, detail),
        Mode::Table | Mode::Filter | Mode::Help => draw_table(frame, middle, model, palette),
    }
    frame.render_widget(footer(model), bottom);
    if model.mode == Mode::Help {
        draw_help(frame);
    }
}

/// Node, cost and losses, in lines.
fn header(model: &Model, palette: Palette) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    match &model.status {
        Some(status) => lines.extend(state(model, status)),
        None => lines.push(Line::from(format!("profiler  {}", model.endpoint)).bold()),
    }
    let warning = palette.fg(Color::Red).add_modifier(Modifier::BOLD);
    match &model.link {
        Link::Up => lines.push(losses(model, palette, warning)),
        Link::Connecting => lines.push("connecting …".into()),
        Link::Down { since, why } => {
            let gone = seconds(since.elapsed().as_secs_f64());
            let why = why.lines().next().unwrap_or_default();
            let text = format!("no answer for {gone}, trying again: {why}");
            lines.push(Line::styled(text, warning));
        }
    }
    lines
}

fn state(model: &Model, status: &GetStatusResponse) -> [Line<'static>; 2] {
    let up = seconds(uptime_seconds(status));
    let version = clean(&status.version);
    let observed = format!(
        "{} in {}",
        plural(status.processes_observed.into(), "process", "processes"),
        plural(status.containers.into(), "container", "containers"),
    );
    let history = bytes(status.history_bytes);
    let [title, line] = if is_agent(status) {
        [
            format!(
                "{}  kernel {}  agent {version} up {up}",
                clean(&status.node),
                clean(&status.kernel),
            ),
            format!(
                "{observed}   agent {} resident, {} of one CPU, history {history} of {}",
                bytes(status.agent_resident_bytes),
                share(model.cpu_share),
                bytes(status.history_budget_bytes),
            ),
        ]
    } else {
        [
            format!("{}  collector {version} up {up}", clean(&model.endpoint)),
            format!("{observed}   history {history}"),
        ]
    };
    [Line::from(title).bold(), line.into()]
}

fn losses(model: &Model, palette: Palette, warning: Style) -> Line<'static> {
    let accounting = model.top.as_ref().and_then(|top| top.accounting.as_ref());
    let Some(accounting) = accounting else {
        return "…".into();
    };
    let mut parts = vec![format!(
        "no stack owns {} of {}",
        share(accounting.unattributed_share),
        bytes(accounting.ledger_committed_bytes),
    )];
    if accounting.stale_processes > 0 {
        parts.push(format!(
            "{} stale",
            count(accounting.stale_processes.into())
        ));
    }
    let fine = accounting.losses.is_empty() && accounting.stale_processes == 0;
    let lost = accounting.losses.iter();
    parts.extend(lost.map(|loss| format!("lost {} {}", count(loss.count), clean(&loss.cause))));
    if fine {
        parts.insert(0, "nothing lost".into());
    }
    let style = if fine {
        palette.fg(Color::Green)
    } else {
        warning
    };
    Line::styled(parts.join("   "), style)
}

const FIGURE: Constraint = Constraint::Length(10);

fn draw_table(frame: &mut Frame, area: Rect, model: &Model, palette: Palette) {
    let rows = model.rows();
    if rows.is_empty() {
        let text = match (&model.top, model.filter.is_empty()) {
            (None, _) => "",
            (Some(_), true) => "no growth yet",
            (Some(_), false) => "no name contains the filter; Esc clears it",
        };
        frame.render_widget(Paragraph::new(text).dim(), area);
        return;
    }
    let [name, title] = match model.by {
        By::Stack => ["STACK (leaf first)", "by stack, sampled estimates"],
        By::Process => ["PROCESS", "by process, exact"],
        By::Container => ["CONTAINER", "by container, exact"],
        By::Function => ["FUNCTION", "by function, sampled estimates"],
        By::Connection => ["CONNECTION", "by connection, exact"],
        By::Node => ["NODE", "by node, exact"],
    };
    let spark_width = (area.width / 5).clamp(8, 40);
    let widths = [
        FIGURE,
        FIGURE,
        FIGURE,
        FIGURE,
        Constraint::Length(8),
        Constraint::Length(spark_width),
        Constraint::Min(16),
    ];
    let titles = ["LIVE", "CHANGE", "ALLOCATED", "FREED", "EVENTS"].map(right);
    let titles = titles
        .into_iter()
        .chain(["SINCE START".into(), name.into()]);
    let cells = rows
        .iter()
        .map(|row| table_row(row, model, spark_width, palette));
    let title = format!(
        "who demanded memory{}, {title}; largest {} first",
        growth::behalf(model.connection),
        model.order.name()
    );
    let table = Table::new(cells, widths)
        .header(Row::new(titles).style(Modifier::BOLD))
        .row_highlight_style(Modifier::REVERSED)
        .block(Block::new().title(title).title_style(Modifier::DIM));
    let mut state = TableState::new().with_selected(model.selected);
    frame.render_stateful_widget(table, area, &mut state);
}

fn right(text: impl Into<String>) -> Line<'static> {
    Line::from(text.into()).right_aligned()
}

fn table_row<'a>(row: &GrowthRow, model: &Model, width: u16, palette: Palette) -> Row<'a> {
    let series = model.series(row);
    let first = series.first().copied().unwrap_or(row.committed_live_bytes);
    let change = row
        .committed_live_bytes
        .cast_signed()
        .saturating_sub(first.cast_signed());
    let colour = match change {
        1.. => palette.fg(Color::Red),
        0 => Style::new(),
        _ => palette.fg(Color::Green),
    };
    Row::new([
        right(bytes(row.committed_live_bytes)),
        right(delta(change)).style(colour),
        right(bytes(row.committed_allocated_bytes)),
        right(bytes(row.committed_freed_bytes)),
        right(count(row.events)),
        Span::styled(sparkline(&series, width.into()), palette.fg(Color::Cyan)).into(),
        model.name(row).into(),
    ])
}

/// The last `width` figures as bars between their least and their largest: it shows the shape of
/// growth, the column beside it its size.
pub fn sparkline(series: &[u64], width: usize) -> String {
    let shown = &series[series.len().saturating_sub(width)..];
    let least = shown.iter().copied().min().unwrap_or(0);
    let largest = shown.iter().copied().max().unwrap_or(0);
    let bars = shown.iter().map(|value| spark::bar(*value, least, largest));
    bars.collect()
}

fn draw_detail(frame: &mut Frame, area: Rect, detail: &Detail) {
    let block = Block::bordered().title(format!(" {} ", detail.title));
    let look = Look::plain(Some(usize::from(area.width.saturating_sub(2))));
    let text = match &detail.rows {
        None => "fetching stacks …".into(),
        Some(Err(why)) => why.clone(),
        Some(Ok(rows)) if rows.is_empty() => "no stack was captured for it yet".into(),
        Some(Ok(rows)) => rows.iter().map(|row| stack_text(row, look)).collect(),
    };
    let lines = u16::try_from(text.lines().count()).unwrap_or(u16::MAX);
    let scroll = detail.scroll.min(lines.saturating_sub(1));
    frame.render_widget(Paragraph::new(text).block(block).scroll((scroll, 0)), area);
}

/// Deep enough for any stack that a person reads.
const FRAMES: usize = 256;

fn stack_text(row: &GrowthRow, look: Look) -> String {
    format!(
        "live {}  allocated {}  freed {}  {}\n{}\n",
        bytes(row.committed_live_bytes),
        bytes(row.committed_allocated_bytes),
        bytes(row.committed_freed_bytes),
        plural(row.events, "event", "events"),
        stack::lines(row, FRAMES, look)
    )
}

fn footer(model: &Model) -> Line<'static> {
    match &model.mode {
        Mode::Filter => format!("name contains: {}▏", clean(&model.filter)).into(),
        Mode::Detail(_) => Line::from("up/down scroll   Esc back").dim(),
        Mode::Table | Mode::Help => {
            let mut text = format!(
                "q quit   b by {}   o order {}   Enter stacks   / filter",
                model.by.name(),
                model.order.name()
            );
            if !model.filter.is_empty() {
                text.push_str(&format!(" “{}”", clean(&model.filter)));
            }
            text.push_str("   ? help");
            Line::from(text).dim()
        }
    }
}

const HELP: &str = "\
q, Ctrl-C   quit
b           group by process, container, node, connection, stack, function
o           order by live, allocated, freed, events
up, down    select (also k, j, PgUp, PgDn, Home, End)
Enter       stacks of the selected row
/           filter by name; Esc clears
?           this help

LIVE        committed memory still there
CHANGE      of LIVE since this view first saw the row
ALLOCATED   demanded since observation began
FREED       of that, given back

Stacks name who demanded memory (tier C), not who
retains it.";

fn draw_help(frame: &mut Frame) {
    let lines = u16::try_from(HELP.lines().count()).unwrap_or(u16::MAX);
    let area = frame
        .area()
        .centered(Constraint::Length(62), Constraint::Length(lines + 2));
    let block = Block::bordered().title(" keys and columns ");
    frame.render_widget(Clear, area);
    let text = Paragraph::new(HELP).wrap(Wrap { trim: false });
    frame.render_widget(text.block(block), area);
}
