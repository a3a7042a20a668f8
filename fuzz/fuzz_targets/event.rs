//! Records of both rings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use profiler_agent::connection::SocketFacts;
use profiler_agent::event::{Event, Operation, decode, decode_capture};

const USER_END: u64 = 1 << 56;

fn is_user_range(start: u64, length: u64) -> bool {
    start % 4096 == 0
        && length % 4096 == 0
        && start.checked_add(length).is_some_and(|end| end <= USER_END)
}

/// What `Operation` promises of its addresses.
fn keeps_promise(operation: &Operation) -> bool {
    match *operation {
        Operation::Map { start, length, .. }
        | Operation::Unmap { start, length }
        | Operation::Protect { start, length, .. }
        | Operation::Release { start, length }
        | Operation::Suspect { start, length } => is_user_range(start, length),
        Operation::Detach { start } => is_user_range(start, 0),
        Operation::Break { start, end } => start <= end && is_user_range(start, end - start),
        Operation::Remap {
            old_start,
            old_length,
            new_start,
            new_length,
            ..
        } => is_user_range(old_start, old_length) && is_user_range(new_start, new_length),
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(event) = decode(data) {
        if let Event::Vm(vm) = event {
            assert!(keeps_promise(&vm.operation), "{vm:?}");
        }
        if let Event::Closed(end) = event
            && let Some(facts) = SocketFacts::new(&end.entry)
        {
            let _ = (facts.local.to_string(), facts.peer.to_string());
        }
        if let Event::Victim(victim) = event {
            assert!(victim.anon_bytes.is_none_or(|bytes| bytes < USER_END));
            let _ = victim.name.to_text();
        }
        if let Event::Fork { name, .. } | Event::Exec { name, .. } = event {
            let _ = name.to_text();
        }
    }
    if let Ok(capture) = decode_capture(data) {
        assert!(capture.slice.len() <= data.len() && capture.chain.len() <= 127 * 8);
    }
});
