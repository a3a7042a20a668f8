use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn one(line: &str) -> Option<Mapping<'_>> {
    let parsed = parse(line.as_bytes());
    assert_eq!(parsed.entries.len() + parsed.rejected, 1, "{line}");
    parsed.entries.first().copied()
}

#[test]
fn reads_what_the_kernel_writes() {
    let mapping = one(
        "7f3c8a000000-7f3c8a021000 r-xp 00028000 103:02 1835012                   /usr/lib/x86_64-linux-gnu/libc.so.6\n",
    )
    .expect("a line of the kernel");
    assert_eq!(mapping.start, 0x7f3c_8a00_0000);
    assert_eq!(mapping.length(), 0x21000);
    assert_eq!(mapping.offset, 0x28000);
    assert_eq!(mapping.device, (0x103, 2));
    assert_eq!(mapping.inode, 1_835_012);
    assert!(mapping.permissions.execute && !mapping.permissions.write);
    assert_eq!(mapping.backing(), Backing::File);
    assert_eq!(
        mapping.path().as_deref(),
        Some(&b"/usr/lib/x86_64-linux-gnu/libc.so.6"[..])
    );
}

#[test]
fn tells_what_is_committed() {
    let cases = [
        ("rw-p 00000000 00:00 0 ", Backing::Anonymous, true),
        ("rw-p 00000000 00:00 0", Backing::Anonymous, true),
        ("rw-p 00000000 00:00 0     [heap]", Backing::Anonymous, true),
        (
            "rw-p 00000000 00:00 0     [stack]",
            Backing::Anonymous,
            true,
        ),
        (
            "rwxp 00000000 00:00 0     [anon:v8]",
            Backing::Anonymous,
            true,
        ),
        ("---p 00000000 00:00 0 ", Backing::Anonymous, false),
        (
            "r--p 00000000 00:00 0     [vvar]",
            Backing::Anonymous,
            false,
        ),
        (
            "rw-s 00000000 00:01 3     /dev/zero (deleted)",
            Backing::Shared,
            false,
        ),
        (
            "rw-s 00000000 00:01 9     /SYSV00000000 (deleted)",
            Backing::Shared,
            false,
        ),
        (
            "rw-s 00000000 00:01 4     /memfd:wl (deleted)",
            Backing::Shared,
            false,
        ),
        (
            "rw-s 00000000 00:01 5     [anon_shmem:x]",
            Backing::Shared,
            false,
        ),
        (
            "rw-p 00000000 00:01 4     /memfd:wl (deleted)",
            Backing::File,
            false,
        ),
        ("rw-p 00000000 00:05 6     /dev/zero", Backing::File, false),
        (
            "rw-p 00000000 00:0f 8     /anon_hugepage (deleted)",
            Backing::File,
            false,
        ),
        (
            "rw-p 00000000 00:0e 7     anon_inode:[io_uring]",
            Backing::File,
            false,
        ),
        ("rw-p 00000000 00:00 0     /odd", Backing::File, false),
    ];
    for (rest, backing, committed) in cases {
        let line = format!("7f0000000000-7f0000001000 {rest}\n");
        let mapping = one(&line).unwrap_or_else(|| panic!("rejected {line}"));
        assert_eq!(mapping.backing(), backing, "{line}");
        assert_eq!(mapping.is_committed(), committed, "{line}");
    }
}

#[test]
fn a_file_cannot_pass_for_the_heap() {
    let heap = one("55d0f000-55d21000 rw-p 00000000 00:00 0 [heap]\n").expect("a heap");
    assert!(heap.is_heap());
    let file = one("55d0f000-55d21000 rw-p 00000000 08:01 5 [heap]\n").expect("a file");
    assert!(!file.is_heap());
}

#[test]
fn names_are_the_process_s_to_choose() {
    let line = "1000-2000 r--p 00000000 08:01 5    /tmp/a b\\0127f0-7f1 rw-p 0 00:00 0 (deleted)\n";
    let mapping = one(line).expect("one line");
    assert!(mapping.is_deleted());
    assert_eq!(
        mapping.path().as_deref(),
        Some(&b"/tmp/a b\n7f0-7f1 rw-p 0 00:00 0"[..])
    );
    let trailing = one("1000-2000 r--p 00000000 08:01 5    /tmp/x  \n").expect("one line");
    assert_eq!(trailing.path().as_deref(), Some(&b"/tmp/x  "[..]));
    let bytes = parse(b"1000-2000 r--p 00000000 08:01 5 /tmp/\xff\xfe\n");
    assert_eq!(
        bytes.entries[0].path().as_deref(),
        Some(&b"/tmp/\xff\xfe"[..])
    );
}

#[test]
fn counts_what_it_refuses() {
    for line in [
        "\n",
        "2000-1000 r--p 00000000 00:00 0 \n",
        "1000-1000 r--p 00000000 00:00 0 \n",
        "1000-2000 r--x 00000000 00:00 0 \n",
        "1000-2000 r--pp 00000000 00:00 0 \n",
        "+1000-2000 r--p 00000000 00:00 0 \n",
        "11112222333344445-2 r--p 00000000 00:00 0 \n",
        "1000-2000 r--p 00000000 00:00 99999999999999999999999 \n",
        "1000-2000 r--p 00000000 0000 0 \n",
        "1000-2000 r--p 00000000 00:00\n",
        // The text was cut: the inode may have gone on.
        "1000-2000 r--p 00000000 00:00 12",
    ] {
        assert_eq!(one(line), None, "{line}");
    }
}

#[test]
fn reads_smaps() {
    let text = "\
1000-3000 rw-p 00000000 00:00 0                          [heap]
Size:                  8 kB
Rss:                   4 kB
Anonymous:             4 kB
LazyFree:              8 kB
Swap:                 12 kB
THPeligible:           0
VmFlags: rd wr mr mw me ac sd
a000-b000 r--p 00000000 08:01 5    /x Rss: 9 kB
Rss:                   4 kB
";
    let parsed = parse_smaps(text.as_bytes());
    assert_eq!(parsed.rejected, 0);
    let [heap, file] = parsed.entries[..] else {
        panic!("{parsed:?}");
    };
    assert!(heap.mapping.is_committed());
    assert_eq!(
        (heap.resident, heap.anonymous, heap.lazy_free, heap.swap),
        (4096, 4096, 8192, 12_288)
    );
    assert_eq!((file.mapping.start, file.resident), (0xa000, 4096));
    assert_eq!(parse_smaps(b"Rss: 4 kB\n").rejected, 1);
}

#[test]
fn reads_the_maps_of_this_process() {
    let text = std::fs::read("/proc/self/maps").expect("Linux has it");
    let parsed = parse(&text);
    assert_eq!(parsed.rejected, 0);
    assert!(
        parsed
            .entries
            .iter()
            .any(|mapping| mapping.name == b"[stack]")
    );
    assert!(
        parsed
            .entries
            .is_sorted_by(|low, high| low.end <= high.start)
    );
}

/// Pieces of which lines are made, put together at random.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("7f00-7f01".to_owned()),
        Just("rw-p".to_owned()),
        Just("00:00".to_owned()),
        Just(" ".to_owned()),
        Just("\n".to_owned()),
        Just("\\012".to_owned()),
        Just("\\0".to_owned()),
        Just("/".to_owned()),
        Just(" (deleted)".to_owned()),
        Just("Rss:".to_owned()),
        Just("18446744073709551615 kB".to_owned()),
        Just("ffffffffffffffff-".to_owned()),
        "[0-9a-f]{1,20}",
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

/// A name as a process may choose it: any bytes but NUL.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(
        prop_oneof![1..=255_u8, Just(b' '), Just(b'\n'), Just(b'\\'), Just(b'0')],
        0..40,
    )
    .prop_map(|mut name| {
        name.insert(0, b'/');
        name
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1_000)
    })]

    #[test]
    fn survives_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300), soup in soup()) {
        for text in [bytes, soup] {
            for mapping in &parse(&text).entries {
                prop_assert!(mapping.start < mapping.end);
                let _ = (mapping.path(), mapping.backing(), mapping.length());
            }
            let _ = parse_smaps(&text);
        }
    }

    #[test]
    fn reads_back_what_was_written(
        numbers in (any::<u64>(), 1..u64::MAX, any::<u64>(), any::<u64>()),
        device in any::<(u16, u16)>(),
        permissions in any::<[bool; 4]>(),
        path in name(),
        deleted in any::<bool>(),
    ) {
        let (start, length, offset, inode) = numbers;
        let start = start.min(u64::MAX - 1);
        let end = start.saturating_add(length);
        let letters: String = permissions
            .iter()
            .zip(["-r", "-w", "-x", "ps"])
            .map(|(&set, pair)| char::from(pair.as_bytes()[usize::from(set)]))
            .collect();
        let (major, minor) = device;
        let mut head = String::new();
        write!(head, "{start:08x}-{end:08x} {letters} {offset:08x} {major:02x}:{minor:02x} {inode} ")
            .expect("a string takes everything");
        let mut text = format!("{head:73}").into_bytes();
        for &byte in &path {
            match byte {
                b'\n' => text.extend_from_slice(b"\\012"),
                byte => text.push(byte),
            }
        }
        if deleted {
            text.extend_from_slice(b" (deleted)");
        }
        text.push(b'\n');
        let parsed = parse(&text);
        prop_assert_eq!(parsed.rejected, 0);
        prop_assert_eq!(parsed.entries.len(), 1);
        let mapping = parsed.entries[0];
        prop_assert_eq!((mapping.start, mapping.end, mapping.offset), (start, end, offset));
        prop_assert_eq!(mapping.inode, inode);
        prop_assert_eq!(mapping.device, (u32::from(major), u32::from(minor)));
        let Permissions { read, write, execute, shared } = mapping.permissions;
        prop_assert_eq!([read, write, execute, shared], permissions);
        prop_assert_eq!(mapping.is_deleted(), deleted);
        // A name that holds the escape itself reads as a newline: the kernel's text is ambiguous.
        let told = mapping.path().expect("it is a file").into_owned();
        let meant = unescape(&path).into_owned();
        prop_assert_eq!(told, meant);
    }
}
