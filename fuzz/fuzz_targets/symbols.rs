//! Answers of the symbolizer's process: raw, and with the length put right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use profiler_agent::fuzzing::reply;

fuzz_target!(|data: &[u8]| {
    let Some((&count, body)) = data.split_first() else {
        return;
    };
    reply(body, usize::from(count));
    let mut message = (body.len() as u32).to_le_bytes().to_vec();
    message.extend_from_slice(body);
    reply(&message, usize::from(count));
});
