use proptest::prelude::*;

use super::*;

/// A record as the kernel writes it.
fn record(operation: u16, words: [u64; 4], protection: u32, flags: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(abi::KIND_VM.to_le_bytes());
    bytes.extend(operation.to_le_bytes());
    bytes.extend(7_u32.to_le_bytes());
    bytes.extend(1_000_u64.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(8_u32.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    words
        .iter()
        .for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes.extend(protection.to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend([0; 24]);
    bytes
}

fn operation(operation: u16, words: [u64; 4], protection: u32, flags: u32) -> Operation {
    match decode(&record(operation, words, protection, flags)).unwrap() {
        Event::Vm(event) => event.operation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn lengths_become_whole_pages() {
    assert_eq!(
        operation(abi::OP_MMAP, [0x7000_0000, 0x7000_0000, 1, 0], 3, 0x22),
        Operation::Map {
            start: 0x7000_0000,
            length: 4096,
            backing: Backing::Anonymous,
            writable: true
        }
    );
    assert_eq!(
        operation(abi::OP_MUNMAP, [0, 0x7000_0000, 4097, 0], 0, 0),
        Operation::Unmap {
            start: 0x7000_0000,
            length: 8192
        }
    );
}

#[test]
fn backing_follows_the_flags() {
    let backing = |flags| match operation(abi::OP_MMAP, [4096, 4096, 4096, 0], 1, flags) {
        Operation::Map { backing, .. } => backing,
        other => panic!("{other:?}"),
    };
    assert_eq!(backing(MAP_PRIVATE | MAP_ANONYMOUS), Backing::Anonymous);
    assert_eq!(backing(MAP_PRIVATE), Backing::File);
    assert_eq!(
        backing(MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB),
        Backing::File
    );
    assert_eq!(backing(1 | MAP_ANONYMOUS), Backing::Shared);
    assert_eq!(backing(3), Backing::Shared);
}

#[test]
fn failures_half_way_are_suspect() {
    let enomem = (-12_i64).cast_unsigned();
    assert_eq!(
        operation(abi::OP_MPROTECT, [enomem, 4096, 8192, 0], 3, 0),
        Operation::Suspect {
            start: 4096,
            length: 8192
        }
    );
}

#[test]
fn the_break_is_rounded_and_checked() {
    assert_eq!(
        operation(
            abi::OP_BRK,
            [0x5555_0000_2001, 0x5555_0000_0123, 0, 0],
            0,
            0
        ),
        Operation::Break {
            start: 0x5555_0000_1000,
            end: 0x5555_0000_3000
        }
    );
    assert!(decode(&record(abi::OP_BRK, [1, 4096, 0, 0], 0, 0)).is_err());
}

#[test]
fn ranges_beyond_user_space_are_refused() {
    for (start, length) in [(u64::MAX, 2), (USER_END, 1), (4096, u64::MAX - 4095)] {
        let refused = decode(&record(abi::OP_MUNMAP, [0, start, length, 0], 0, 0));
        assert_eq!(refused, Err(DecodeError::Range { start, length }));
    }
}

#[test]
fn a_capture_cannot_point_outside_itself() {
    let mut bytes = vec![0; size_of::<abi::CaptureHead>() + 4096];
    bytes[0] = 3;
    bytes[208..212].copy_from_slice(&8192_u32.to_le_bytes());
    assert_eq!(
        decode_capture(&bytes).unwrap_err(),
        DecodeError::Length(8192)
    );
    bytes[208..212].copy_from_slice(&4096_u32.to_le_bytes());
    bytes[212..216].copy_from_slice(&2000_u32.to_le_bytes());
    assert_eq!(
        decode_capture(&bytes).unwrap_err(),
        DecodeError::Length(2000)
    );
    bytes[212..216].copy_from_slice(&16_u32.to_le_bytes());
    let capture = decode_capture(&bytes).unwrap();
    assert_eq!((capture.slice.len(), capture.chain.len()), (4096, 16));
}

/// A record of a victim as the kernel writes it.
fn victim(pid: u32, constraint: u32, anon_bytes: u64) -> Vec<u8> {
    let mut bytes = record(abi::OP_VICTIM, [0; 4], 0, 0);
    bytes[..2].copy_from_slice(&abi::KIND_VICTIM.to_le_bytes());
    bytes.truncate(32);
    bytes.extend(pid.to_le_bytes());
    bytes.extend(constraint.to_le_bytes());
    bytes.extend(anon_bytes.to_le_bytes());
    bytes.extend(*b"grow\0\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(bytes.len(), size_of::<abi::VictimRecord>());
    bytes
}

#[test]
fn a_victim_is_told_with_what_is_known_of_it() {
    let Ok(Event::Victim(known)) = decode(&victim(9, abi::CONSTRAINT_LIMIT, 4096)) else {
        panic!("refused");
    };
    assert_eq!((known.pid, known.anon_bytes), (9, Some(4096)));
    assert_eq!(known.constraint, Some(Constraint::Cgroup));
    assert_eq!(known.name.to_text(), "grow");
    let unknown = decode(&victim(9, abi::CONSTRAINT_UNKNOWN, abi::ANON_UNKNOWN));
    let Ok(Event::Victim(unknown)) = unknown else {
        panic!("refused");
    };
    assert_eq!((unknown.constraint, unknown.anon_bytes), (None, None));
}

#[test]
fn a_victim_that_makes_no_sense_is_refused() {
    assert_eq!(decode(&victim(9, 3, 0)), Err(DecodeError::Value(3)));
    let bytes = victim(9, 0, USER_END);
    assert_eq!(decode(&bytes), Err(DecodeError::Value(USER_END)));
    let mut bytes = victim(9, 0, 0);
    bytes[2] = 1;
    assert!(matches!(decode(&bytes), Err(DecodeError::Unknown { .. })));
    assert!(decode(&victim(9, 0, 0)[..63]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..260), kind in 0_u8..6, op in 0_u8..50) {
        let mut bytes = bytes;
        if bytes.len() > 4 {
            bytes[..4].copy_from_slice(&[kind, 0, op, 0]);
        }
        let _ = decode_capture(&bytes);
        if let Ok(Event::Closed(end)) = decode(&bytes) {
            let facts = crate::connection::SocketFacts::new(&end.entry);
            let ends = facts.map(|facts| (facts.local.to_string(), facts.peer.to_string()));
            prop_assert!(ends.is_none_or(|(local, _)| local.len() <= 3 * 64 + 5));
        }
        if let Ok(Event::Victim(victim)) = decode(&bytes) {
            prop_assert!(victim.anon_bytes.is_none_or(|bytes| bytes < USER_END));
        }
        if let Ok(Event::Vm(event)) = decode(&bytes)
            && let Operation::Map { start, length, .. } = event.operation
        {
            prop_assert!(start % PAGE == 0 && length % PAGE == 0);
            prop_assert!(start + length <= USER_END + PAGE);
        }
    }
}

fn touch(address: u64, pages: u32) -> Result<Event, DecodeError> {
    let mut bytes = record(abi::OP_TOUCH, [0; 4], 0, 0);
    bytes[..2].copy_from_slice(&abi::KIND_TOUCH.to_le_bytes());
    bytes.truncate(size_of::<abi::Header>());
    bytes.extend(address.to_le_bytes());
    bytes.extend(pages.to_le_bytes());
    bytes.extend(77_u32.to_le_bytes());
    decode(&bytes)
}

#[test]
fn a_touch_is_of_whole_pages_of_the_user() {
    let Ok(Event::Touch(one)) = touch(0x7000_0123, 0) else {
        panic!("{:?}", touch(0x7000_0123, 0));
    };
    assert_eq!((one.address, one.bytes), (0x7000_0000, None));
    assert_eq!((one.inclusion, one.capture), (77, Captured::No));
    let Ok(Event::Touch(huge)) = touch(0x7000_0000, 512) else {
        panic!("{:?}", touch(0x7000_0000, 512));
    };
    assert_eq!(huge.bytes, Some(2 << 20));
    assert!(touch(USER_END, 1).is_err());
    assert!(touch(u64::MAX, 1).is_err());
    assert!(touch(0, u32::MAX).is_err());
}
