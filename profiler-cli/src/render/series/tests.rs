use pbjson_types::Timestamp;

use super::*;

const MIB: u64 = 1 << 20;
/// 2026-01-01.
const START: i64 = 1_767_225_600;

fn at(minutes: i64) -> Option<Timestamp> {
    let seconds = START + minutes * 60;
    Some(Timestamp { seconds, nanos: 0 })
}

fn point(minutes: i64, live: u64) -> SeriesPoint {
    SeriesPoint {
        time: at(minutes),
        committed_bytes: (live + 1) * MIB,
        committed_live_bytes: live * MIB,
        processes: 2,
        ..SeriesPoint::default()
    }
}

/// A life of one container, between these minutes.
fn life(first: i64, last: i64, slope: f64) -> Series {
    let middle = i64::midpoint(first, last);
    Series {
        target: Some(Target {
            container_id: "ab".repeat(32),
            node: "n1".into(),
            ..Target::default()
        }),
        first: at(first),
        last: at(last),
        alive: last == 240,
        points: vec![point(first, 10), point(middle, 40), point(last, 80)],
        live_slope_bytes_per_hour: slope,
    }
}

fn restarted() -> ListSeriesResponse {
    ListSeriesResponse {
        series: vec![life(130, 240, 24.0 * 1_048_576.0), life(0, 115, -2048.0)],
        total: 3,
        from: at(0),
        to: at(240),
    }
}

fn wide(response: &ListSeriesResponse, by: SeriesBy) -> String {
    series(response, by, Look::plain(None))
}

#[test]
fn a_container_that_restarts_has_a_row_for_each_life() {
    let text = wide(&restarted(), SeriesBy::Container);
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[0].starts_with("memory over time, by container"),
        "{text}"
    );
    assert!(lines[1].ends_with("; 2 of 3 lives"), "{text}");
    for (line, parts) in [
        (
            lines[4],
            [
                "+24.0 MiB  80.0 MiB",
                "still there",
                "             ▁▁▁▁▁▄▄▄▄▄█",
            ],
        ),
        (
            lines[5],
            [
                "-2.0 KiB  80.0 MiB",
                "2026-01-01",
                "▁▁▁▁▁▄▄▄▄▄▄█            ",
            ],
        ),
    ] {
        for part in parts {
            assert!(line.contains(part), "{part} in {text}");
        }
        assert!(line.ends_with("abababababab"), "{text}");
    }
}

#[test]
fn names_follow_what_has_a_series() {
    let mut response = restarted();
    let target = response.series[0].target.as_mut().unwrap();
    target.node = "n2".into();
    target.pid = 4711;
    target.process_name = "evil\x1b[2J".into();
    target.namespace = "shop".into();
    target.pod = "cart-1".into();
    let text = wide(&response, SeriesBy::Process);
    assert!(
        text.contains("NODE   PID  PROCESS   CONTAINER     POD"),
        "{text}"
    );
    assert!(
        text.contains("n2    4711  evil\u{fffd}[2J  abababababab  shop/cart-1"),
        "{text}"
    );
    let text = wide(&response, SeriesBy::Node);
    assert!(!text.contains("CONTAINER") && text.contains("n2"), "{text}");
}

#[test]
fn too_few_points_have_no_slope() {
    let mut response = restarted();
    response.series[0].points.truncate(2);
    let text = wide(&response, SeriesBy::Container);
    assert!(
        text.lines().nth(4).unwrap().contains("   -  40.0 MiB"),
        "{text}"
    );
}

#[test]
fn narrow_tables_keep_growth_and_its_line() {
    let text = series(&restarted(), SeriesBy::Container, Look::plain(Some(80)));
    assert!(text.contains("no room for PROCESSES, FIRST SEEN"), "{text}");
    assert!(text.contains("LIVE OVER TIME"), "{text}");
    assert!(text.contains("▄▄█"), "{text}");
}

#[test]
fn nothing_is_told() {
    let text = wide(&ListSeriesResponse::default(), SeriesBy::Container);
    assert!(text.contains("nothing matches"), "{text}");
}
