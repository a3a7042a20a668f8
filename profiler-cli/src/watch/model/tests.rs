use clap::Parser as _;
use profiler_proto::v1::{Accounting, Behalf, Connection, Loss};
use ratatui::{Terminal, backend::TestBackend};

use super::*;
use crate::{
    args::{Cli, Command},
    watch::view::{Palette, draw, sparkline},
};

fn model() -> Model {
    let cli = Cli::try_parse_from(["profiler", "watch"]).unwrap();
    let Command::Watch(args) = cli.command else {
        panic!("not watch")
    };
    Model::new(&args, "http://127.0.0.1:7741".into())
}

fn row(pid: u32, name: &str, live: u64) -> GrowthRow {
    GrowthRow {
        pid,
        process_name: name.into(),
        container_id: "host".into(),
        committed_live_bytes: live,
        ..GrowthRow::default()
    }
}

fn refresh(rows: Vec<GrowthRow>) -> Refresh {
    Refresh {
        status: GetStatusResponse {
            node: "n1".into(),
            kernel: "6.18".into(),
            processes_observed: 2,
            ..GetStatusResponse::default()
        },
        top: TopResponse {
            rows,
            accounting: Some(Accounting::default()),
            ..TopResponse::default()
        },
    }
}

fn answer(model: &mut Model, rows: Vec<GrowthRow>) {
    model.answered(&model.question(), Ok(refresh(rows)));
}

fn press(model: &mut Model, code: KeyCode) -> Action {
    model.pressed(KeyEvent::new(code, KeyModifiers::NONE))
}

fn screen(model: &Model) -> String {
    let mut terminal = Terminal::new(TestBackend::new(110, 20)).unwrap();
    let palette = Palette { colour: false };
    terminal.draw(|frame| draw(frame, model, palette)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn shows_rows_with_their_change_since_the_start() {
    let mut model = model();
    assert!(screen(&model).contains("connecting"));
    answer(
        &mut model,
        vec![row(7, "node", 1 << 20), row(8, "evil\x1b[2J", 5)],
    );
    answer(
        &mut model,
        vec![row(7, "node", 3 << 20), row(8, "evil\x1b[2J", 5)],
    );
    let text = screen(&model);
    for part in [
        "n1  kernel 6.18",
        "nothing lost",
        "by process, exact",
        "node (pid 7)",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.contains("3.0 MiB   +2.0 MiB"), "{text}");
    assert!(text.contains("▁█"), "{text}");
    assert!(!text.contains('\x1b'), "{text:?}");
}

#[test]
fn an_endpoint_that_goes_away_is_told_and_rows_are_kept() {
    let mut model = model();
    answer(&mut model, vec![row(7, "node", 1)]);
    model.answered(
        &model.question(),
        Err(Failure::with_hint("it went away", "start it")),
    );
    let text = screen(&model);
    assert!(
        text.contains("no answer for 0s, trying again: it went away"),
        "{text}"
    );
    assert!(text.contains("node (pid 7)"), "{text}");
    answer(&mut model, vec![row(7, "node", 1)]);
    assert!(!screen(&model).contains("no answer"));
}

#[test]
fn losses_are_on_the_screen() {
    let mut model = model();
    let mut lossy = refresh(vec![]);
    lossy.top.accounting = Some(Accounting {
        losses: vec![Loss {
            cause: "ring_full".into(),
            count: 12,
            meaning: String::new(),
        }],
        ..Accounting::default()
    });
    model.answered(&model.question(), Ok(lossy));
    let text = screen(&model);
    assert!(
        text.contains("lost 12 ring_full") && !text.contains("nothing lost"),
        "{text}"
    );
}

#[test]
fn keys_cycle_and_late_answers_are_dropped() {
    let mut model = model();
    answer(&mut model, vec![row(7, "node", 1)]);
    let before = model.question();
    assert_eq!(press(&mut model, KeyCode::Char('b')), Action::Refresh);
    assert_eq!(model.by, By::Container);
    model.answered(&before, Ok(refresh(vec![row(7, "node", 1)])));
    assert!(model.top.is_none());
    assert_eq!(press(&mut model, KeyCode::Char('o')), Action::Refresh);
    assert_eq!(model.order, Order::Allocated);
    assert_eq!(press(&mut model, KeyCode::Char('q')), Action::Quit);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(model.pressed(interrupt), Action::Quit);
}

#[test]
fn the_selection_stays_within_the_rows() {
    let mut model = model();
    press(&mut model, KeyCode::Down);
    assert_eq!(model.selected, 0);
    answer(&mut model, vec![row(7, "a", 1), row(8, "b", 1)]);
    press(&mut model, KeyCode::End);
    press(&mut model, KeyCode::Down);
    assert_eq!(model.selected, 1);
    answer(&mut model, vec![row(7, "a", 1)]);
    assert_eq!(model.selected, 0);
}

#[test]
fn enter_asks_for_the_stacks_of_the_row() {
    let mut model = model();
    answer(&mut model, vec![row(7, "node", 1)]);
    let Action::Stacks(question) = press(&mut model, KeyCode::Enter) else {
        panic!("no stacks")
    };
    assert_eq!(question.selector.as_ref().unwrap().pids, [7]);
    assert!(screen(&model).contains("fetching stacks"));
    let mut other = question.clone();
    other.selector = None;
    model.stacks(&other, Ok(TopResponse::default()));
    assert!(
        screen(&model).contains("fetching stacks"),
        "stacks of another row"
    );
    let top = TopResponse {
        rows: vec![GrowthRow {
            truncated: true,
            ..row(7, "node", 4096)
        }],
        ..TopResponse::default()
    };
    model.stacks(&question, Ok(top));
    let text = screen(&model);
    assert!(
        text.contains("live 4.0 KiB") && text.contains("[stack truncated]"),
        "{text}"
    );
    press(&mut model, KeyCode::Esc);
    assert_eq!(model.mode, Mode::Table);
}

#[test]
fn units_and_the_host_are_rows_of_their_own_by_container() {
    let mut model = model();
    press(&mut model, KeyCode::Char('b'));
    let unit = |name: &str, live| GrowthRow {
        container_id: name.into(),
        cgroup: format!("/system.slice/{name}"),
        ..row(0, "", live)
    };
    for live in [1 << 20, 3 << 20] {
        answer(
            &mut model,
            vec![unit("a.service", live), unit("b.service", 1 << 20)],
        );
    }
    let text = screen(&model);
    for part in ["3.0 MiB   +2.0 MiB", "a.service", "b.service"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    press(&mut model, KeyCode::Down);
    let Action::Stacks(question) = press(&mut model, KeyCode::Enter) else {
        panic!("no stacks")
    };
    assert_eq!(question.selector.unwrap().containers, ["b.service"]);
}

#[test]
fn a_row_by_stack_has_its_frames_already() {
    let mut model = model();
    model.by = By::Stack;
    answer(&mut model, vec![row(7, "node", 1)]);
    assert_eq!(press(&mut model, KeyCode::Enter), Action::None);
    assert!(
        matches!(&model.mode, Mode::Detail(one) if matches!(&one.rows, Some(Ok(rows)) if rows.len() == 1))
    );
}

#[test]
fn connections_are_rows_of_their_own_and_have_stacks() {
    let mut model = model();
    model.by = By::Connection;
    let of = |cookie, live| GrowthRow {
        behalf: Behalf::Connection.into(),
        connection: Some(Connection {
            cookie,
            peer: "10.0.0.7:1".into(),
            ..Connection::default()
        }),
        ..row(7, "node", live)
    };
    let none = GrowthRow {
        behalf: Behalf::NoConnection.into(),
        ..row(7, "node", 4096)
    };
    for live in [1 << 20, 3 << 20] {
        answer(&mut model, vec![of(1, live), of(2, 1 << 20), none.clone()]);
    }
    let text = screen(&model);
    for part in [
        "by connection, exact",
        "3.0 MiB   +2.0 MiB",
        "#2 with 10.0.0.7:1  node (7)",
        "(no connection)  node (7)",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    press(&mut model, KeyCode::Down);
    let Action::Stacks(question) = press(&mut model, KeyCode::Enter) else {
        panic!("no stacks")
    };
    assert_eq!((question.by, question.connection), (By::Stack, 2));
    press(&mut model, KeyCode::Esc);
    press(&mut model, KeyCode::End);
    assert_eq!(press(&mut model, KeyCode::Enter), Action::None);
    assert!(screen(&model).contains("only the stacks of single connections"));
}

#[test]
fn the_view_of_one_connection_stays_with_it() {
    let line = ["profiler", "watch", "--connection", "8193"];
    let Command::Watch(args) = Cli::try_parse_from(line).unwrap().command else {
        panic!("not watch")
    };
    let mut model = Model::new(&args, String::new());
    answer(&mut model, vec![row(7, "node", 1)]);
    assert!(screen(&model).contains("on behalf of connection 8193"));
    let Action::Stacks(question) = press(&mut model, KeyCode::Enter) else {
        panic!("no stacks")
    };
    assert_eq!(question.connection, 8193);
}

#[test]
fn the_filter_narrows_and_is_cleared() {
    let mut model = model();
    answer(&mut model, vec![row(7, "node", 1), row(8, "redis", 1)]);
    for code in ['/', 'R', 'e', 'q'].map(KeyCode::Char) {
        assert_eq!(press(&mut model, code), Action::None);
    }
    assert!(screen(&model).contains("name contains: Req▏"));
    assert!(screen(&model).contains("no name contains the filter"));
    press(&mut model, KeyCode::Backspace);
    press(&mut model, KeyCode::Enter);
    assert_eq!(model.rows().len(), 1);
    press(&mut model, KeyCode::Esc);
    assert_eq!(model.rows().len(), 2);
}

#[test]
fn help_lies_over_the_table() {
    let mut model = model();
    press(&mut model, KeyCode::Char('?'));
    assert!(screen(&model).contains("group by process, container"));
    press(&mut model, KeyCode::Char('x'));
    assert_eq!(model.mode, Mode::Table);
}

#[test]
fn series_are_bounded_and_forget_what_is_gone() {
    let mut model = model();
    for live in 0..300 {
        answer(&mut model, vec![row(7, "node", live)]);
    }
    assert_eq!(model.series(&row(7, "node", 0)).len(), SERIES);
    answer(&mut model, vec![row(8, "redis", 1)]);
    assert!(model.series(&row(7, "node", 0)).is_empty());
    assert_eq!(sparkline(&[0, u64::MAX], 8), "▁█");
    assert_eq!(sparkline(&[5, 5, 5], 2), "▁▁");
    assert_eq!(sparkline(&[], 8), "");
}

#[test]
fn tiny_screens_are_survived() {
    let mut model = model();
    answer(&mut model, vec![row(7, "node", 1)]);
    press(&mut model, KeyCode::Char('?'));
    for (width, height) in [(1, 1), (10, 3), (300, 2)] {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let palette = Palette { colour: true };
        terminal.draw(|frame| draw(frame, &model, palette)).unwrap();
    }
}

fn on(node: &str, row: GrowthRow) -> GrowthRow {
    GrowthRow {
        node: node.into(),
        ..row
    }
}

#[test]
fn rows_of_several_nodes_name_theirs_and_are_asked_for_there() {
    let mut model = model();
    let rows = vec![on("n1", row(7, "node", 2)), on("n2", row(7, "node", 1))];
    answer(&mut model, rows.clone());
    answer(&mut model, rows);
    let text = screen(&model);
    assert!(text.contains("n2  node (pid 7)"), "{text}");
    press(&mut model, KeyCode::Char('/'));
    for c in "n2".chars() {
        press(&mut model, KeyCode::Char(c));
    }
    press(&mut model, KeyCode::Enter);
    // The same pid on another node is another process.
    assert_eq!(model.series(model.rows()[0]), [1, 1]);
    let Action::Stacks(question) = press(&mut model, KeyCode::Enter) else {
        panic!("no stacks")
    };
    let selector = question.selector.unwrap();
    assert_eq!(
        (selector.nodes, selector.pids),
        (vec!["n2".into()], vec![7])
    );
}

#[test]
fn nodes_are_rows_of_their_own_and_have_stacks() {
    let mut model = model();
    model.by = By::Node;
    answer(&mut model, vec![on("n1", row(0, "", 1))]);
    let text = screen(&model);
    assert!(text.contains("by node, exact"), "{text}");
    let Action::Stacks(question) = press(&mut model, KeyCode::Enter) else {
        panic!("no stacks")
    };
    assert_eq!(question.selector.unwrap().nodes, ["n1"]);
}

#[test]
fn a_collector_is_headed_without_a_kernel_side() {
    let mut model = model();
    let mut refresh = refresh(vec![]);
    refresh.status = GetStatusResponse {
        version: "0.1.0".into(),
        processes_observed: 2,
        ..GetStatusResponse::default()
    };
    model.answered(&model.question(), Ok(refresh));
    let text = screen(&model);
    assert!(text.contains("collector 0.1.0 up"), "{text}");
    assert!(
        !text.contains("kernel") && !text.contains("resident"),
        "{text}"
    );
}
