use super::super::fake::{Entry, FakeProc};
use super::*;

#[test]
fn the_name_in_stat_may_look_like_fields() {
    let rest = "R 22217 22217 9388 0 -1 4194304 115 0 0 0 0 0 0 0 20 0 1 0 151860 3133440 413";
    for name in ["cat", ") R 1 1", "a) (b", "x\n1 (y) S 9", "", "(((", ")))"] {
        let stat = parse_stat(format!("22225 ({name}) {rest}\n").as_bytes(), 100).unwrap();
        assert_eq!(stat.name, name);
        assert_eq!((stat.state, stat.parent), (b'R', 22217));
        assert_eq!(stat.flags, 4_194_304);
        assert_eq!(stat.started, BootTime(1_518_600_000_000));
    }
    let latin = [b"1 (\xff) ".as_slice(), rest.as_bytes()].concat();
    assert_eq!(parse_stat(&latin, 100).unwrap().name, "\u{fffd}");
}

#[test]
fn a_broken_stat_is_refused() {
    for broken in [
        "",
        "1",
        "1 (a",
        "1 a)",
        ")(",
        "1 (a)",
        "1 (a) R",
        "1 (a) R x",
        "1 (a) R 1 1 1 0 -1 4194304 115 0 0 0 0 0 0 0 20 0 1 0",
        "1 (a) R 1 1 1 0 -1 4194304 115 0 0 0 0 0 0 0 20 0 1 0 -5",
        "1 (a) R 1 1 1 0 -1 4194304 115 0 0 0 0 0 0 0 20 0 1 0 99999999999999999999999",
    ] {
        assert!(parse_stat(broken.as_bytes(), 100).is_none(), "{broken}");
    }
    assert_eq!(ticks_to_nanoseconds(u64::MAX, 1), u64::MAX);
    assert_eq!(ticks_to_nanoseconds(7, 0), 7_000_000_000);
}

#[test]
fn status_gives_the_user_and_the_innermost_pid() {
    let text = b"Name:\tevil\\nUid:\\t0\nUid:\t1000\t0\t0\t0\nNSpid:\t812\t41\t7\n";
    let status = parse_status(text);
    assert_eq!((status.uid, status.namespace_pid), (Some(1000), Some(7)));
    let status = parse_status(b"Uid:\tx\nNSpid:\nGroups:\xff\n");
    assert_eq!((status.uid, status.namespace_pid), (None, None));
}

#[test]
fn width_by_the_auxiliary_vector() {
    let words = |values: &[u64], size: usize| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes()[..size].to_vec())
            .collect()
    };
    // As read from a running 64-bit and a running 32-bit process.
    let wide = [
        33,
        0x7f42_6989_3000,
        3,
        0x5612_e74b_9040,
        4,
        56,
        5,
        13,
        0,
        0,
    ];
    let narrow = [
        32,
        0xf7f2_05e0,
        33,
        0xf7f2_0000,
        3,
        0x0804_8034,
        4,
        32,
        0,
        0,
    ];
    assert_eq!(width(&words(&wide, 8)), Width::Wide);
    assert_eq!(width(&words(&narrow, 4)), Width::Narrow);
    assert_eq!(width(&[]), Width::Unknown);
    assert_eq!(width(&[4; 15]), Width::Unknown);
    let mut late = vec![9; 2 * AUXV_MAX];
    late.extend([4, 56]);
    assert_eq!(width(&words(&late, 8)), Width::Unknown);
}

#[test]
fn a_deleted_executable_is_told_apart() {
    assert_eq!(executable(b"/bin/a"), ("/bin/a".into(), false));
    assert_eq!(executable(b"/bin/a (deleted)"), ("/bin/a".into(), true));
}

#[test]
fn a_process_that_ends_while_it_is_read_is_an_error() {
    let source = FakeProc::default();
    source.put(9, Entry::new("a", 5));
    let facts = read(&source, 9).unwrap();
    assert_eq!((facts.uid, facts.namespace_pid), (33, 7));
    assert_eq!(facts.started, BootTime(50_000_000));
    assert!(facts.deleted);
    source.ends_while_read.set(9);
    assert!(read(&source, 9).is_err());
}
