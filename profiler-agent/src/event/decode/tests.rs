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

proptest! {
    #[test]
    fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..260), kind in 0_u8..5, op in 0_u8..40) {
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
        if let Ok(Event::Vm(event)) = decode(&bytes)
            && let Operation::Map { start, length, .. } = event.operation
        {
            prop_assert!(start % PAGE == 0 && length % PAGE == 0);
            prop_assert!(start + length <= USER_END + PAGE);
        }
    }
}
