//! Which protocol a connection speaks, from the first bytes that were received from it. They are
//! compared and forgotten.

use aya_ebpf::helpers::bpf_probe_read_user;
use profiler_common::socket::{PROTOCOL_HTTP1, PROTOCOL_HTTP2, PROTOCOL_TLS, PROTOCOL_UNKNOWN};

use crate::kernel::current_registers;

/// Bytes of the header of a record of TLS, which some libraries read by itself.
const RECORD_HEADER: i32 = 5;
/// Bytes of the header of a frame of HTTP/2.
const FRAME_HEADER: i32 = 9;
const READ: u64 = 0;
const READV: u64 = 19;
const RECVFROM: u64 = 45;
const RECVMSG: u64 = 47;

/// `PROTOCOL_*` of what the running system call has just received; unknown too where it is not
/// one of the plain ways to receive, or received too little.
#[inline(always)]
pub fn protocol(received: i32) -> u8 {
    if received < RECORD_HEADER {
        return PROTOCOL_UNKNOWN;
    }
    let Some(buffer) = buffer() else {
        return PROTOCOL_UNKNOWN;
    };
    if received >= FRAME_HEADER
        && let Some(bytes) = read(buffer)
    {
        return classify(bytes);
    }
    read(buffer).map_or(PROTOCOL_UNKNOWN, record)
}

/// Where the system call was told to put what it receives.
#[inline(always)]
fn buffer() -> Option<u64> {
    let registers = current_registers();
    if registers.is_null() {
        return None;
    }
    // SAFETY: the registers that the helper gave.
    let (call, second) = unsafe { ((*registers).orig_ax, (*registers).si) };
    match call {
        READ | RECVFROM => Some(second),
        READV => word(second),
        // msg_iov lies behind the name, its length, and padding.
        RECVMSG => word(word(second.wrapping_add(16))?),
        _ => None,
    }
}

#[inline(always)]
fn word(address: u64) -> Option<u64> {
    read(address)
}

#[inline(always)]
fn read<T>(address: u64) -> Option<T> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(address as *const T) }.ok()
}

const fn four(text: &[u8; 4]) -> u32 {
    u32::from_le_bytes(*text)
}

/// The methods of RFC 9110 and PATCH, the status line, the preface of RFC 9113, a SETTINGS frame
/// on stream 0 shorter than 64 KiB, a handshake record of RFC 8446.
#[inline(always)]
fn classify([low, high]: [u32; 2]) -> u8 {
    const PRI: u32 = four(b"PRI ");
    const STAR: u32 = four(b"* HT");
    if low == PRI && high == STAR {
        return PROTOCOL_HTTP2;
    }
    let methods = [
        four(b"GET "),
        four(b"HEAD"),
        four(b"POST"),
        four(b"PUT "),
        four(b"DELE"),
        four(b"CONN"),
        four(b"OPTI"),
        four(b"TRAC"),
        four(b"PATC"),
        four(b"HTTP"),
    ];
    let mut known = false;
    for method in methods {
        known |= low == method;
    }
    if known {
        return PROTOCOL_HTTP1;
    }
    // Length (3 bytes, big endian), type 4, flags, stream (4 bytes, of which three are here).
    if low & 0xff00_00ff == 0x0400_0000 && high & 0xffff_fffe == 0 {
        return PROTOCOL_HTTP2;
    }
    record(low)
}

/// A handshake of TLS, legacy version 3.0 to 3.4.
#[inline(always)]
fn record(low: u32) -> u8 {
    if low & 0xffff == 0x0316 && low >> 16 & 0xff <= 4 {
        return PROTOCOL_TLS;
    }
    PROTOCOL_UNKNOWN
}
