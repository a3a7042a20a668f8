//! The body of every hook on sockets: keeps the table of those that are open, and tells of their
//! ends.

use core::arch::asm;

use aya_ebpf::{
    bindings::{BPF_NOEXIST, BPF_RB_AVAIL_DATA},
    helpers::{bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns},
};
use profiler_common::{
    counter,
    event::Header,
    socket::{
        END_EXIT, END_OURS, END_PEER, END_RESET, END_TIMEOUT, END_UNKNOWN, KIND_SOCKET, OP_CLOSED,
        PROTOCOL_UNKNOWN, ROLE_CLIENT, ROLE_SERVER, ROLE_UNKNOWN, SOCKET_FOUND,
        SOCKET_PEER_FINISHED, SOCKET_SHARED, SOCKET_TCP, SOCKET_WE_FINISHED, STATELESS_MAX,
        SocketEntry, SocketRecord, TrafficEntry,
    },
};

use crate::{
    counters::count,
    first_bytes,
    kernel::{Current, Sock, Task, tcp},
    maps::{EVENTS, NO_WAKEUP, SOCKETS, STATELESS, setting},
    thread, traffic,
};

/// First bytes are looked at so often at the most.
const LOOKS: u8 = 4;
const MSG_PEEK: i32 = 2;
const MSG_ERRQUEUE: i32 = 0x2000;

const ECONNRESET: u32 = 104;
const EPIPE: u32 = 32;
const ETIMEDOUT: u32 = 110;
const EHOSTUNREACH: u32 = 113;
const ENETUNREACH: u32 = 101;

/// The running thread received `result` bytes (or a negative errno) from a socket.
#[inline(always)]
pub fn received(sock: Sock, result: i32, flags: i32) {
    // What comes by the queue of errors is the kernel's word, not the peer's.
    if result < 0 || flags & MSG_ERRQUEUE != 0 {
        return;
    }
    let thread = Current::get();
    let tgid = thread.tgid();
    if tgid == setting!(agent_tgid) {
        return;
    }
    match counted(sock) {
        Counted::WithSocket(traffic) => {
            received_on(traffic, tgid, result, flags);
            // SAFETY: a pointer that the map gave.
            let (cookie, calls, bytes) = unsafe {
                (
                    (*traffic).cookie,
                    (*traffic).received_calls,
                    (*traffic).received_bytes,
                )
            };
            serves(thread, cookie, calls, bytes);
        }
        Counted::InTable(cookie, entry) => {
            received_in(entry, tgid, result, flags);
            // SAFETY: as above.
            let (calls, bytes) = unsafe { ((*entry).received_calls, (*entry).received_bytes) };
            serves(thread, cookie, calls, bytes);
        }
        // One that is not kept apart still ends what the thread served before.
        Counted::Nowhere(cookie) => match sock.kind() {
            Some(_) => serves(thread, cookie, 0, 0),
            None if sock.is_mptcp() => serves(thread, 0, 0, 0),
            None => {}
        },
    }
    if result == 0 && sock.kind() == Some(SOCKET_TCP) && sock.state() == tcp::CLOSE {
        read_to_its_end(sock);
    }
}

/// All is read that had come before both sides had finished.
#[inline(always)]
fn read_to_its_end(sock: Sock) {
    let cookie = sock.cookie();
    if let Some(entry) = SOCKETS.get_ptr_mut(cookie) {
        // SAFETY: a pointer that the map gave.
        let end = unsafe { (*entry).end };
        if end != END_UNKNOWN {
            tell(cookie, entry, end);
            // It was there just now.
            let _ = SOCKETS.remove(cookie);
        }
    }
}

#[inline(always)]
fn received_on(traffic: *mut TrafficEntry, tgid: u32, result: i32, flags: i32) {
    // SAFETY: a pointer that the map gave.
    unsafe {
        if flags & MSG_PEEK == 0 {
            add(&raw mut (*traffic).received_calls, 1);
            add(&raw mut (*traffic).received_bytes, result as u64);
        }
        noted(traffic, tgid);
        if (*traffic).settled != 0 {
            return;
        }
        if let Some(entry) = SOCKETS.get_ptr_mut((*traffic).cookie)
            && looked_at(entry, result)
        {
            (*traffic).settled = 1;
        }
    }
}

#[inline(always)]
fn received_in(entry: *mut SocketEntry, tgid: u32, result: i32, flags: i32) {
    if flags & MSG_PEEK == 0 {
        // SAFETY: a pointer that the map gave.
        unsafe {
            add(&raw mut (*entry).received_calls, 1);
            add(&raw mut (*entry).received_bytes, result as u64);
        }
    }
    used(entry, tgid);
    looked_at(entry, result);
}

/// Looks at the first bytes if need be. `true`: they need not be looked at any more.
#[inline(always)]
fn looked_at(entry: *mut SocketEntry, result: i32) -> bool {
    // SAFETY: a pointer that the map gave. Two threads may do this at once; both write the same,
    // or one more look.
    unsafe {
        if (*entry).protocol == PROTOCOL_UNKNOWN && (*entry).looks < LOOKS {
            (*entry).looks += 1;
            (*entry).protocol = first_bytes::protocol(result);
        }
        (*entry).protocol != PROTOCOL_UNKNOWN || (*entry).looks >= LOOKS
    }
}

#[inline(always)]
fn serves(thread: Current, cookie: u64, calls: u64, bytes: u64) {
    if thread.receives_by_ring() {
        count(counter::RECEIVES_BY_RING);
        thread::received_by_ring(thread);
    } else {
        thread::received_from(thread, cookie, calls, bytes);
    }
}

/// The running thread sent `result` bytes (or got a negative errno).
#[inline(always)]
pub fn sent(sock: Sock, result: i32) {
    if result < 0 {
        return;
    }
    let tgid = Current::get().tgid();
    if tgid == setting!(agent_tgid) {
        return;
    }
    match counted(sock) {
        // SAFETY: a pointer that the map gave.
        Counted::WithSocket(traffic) => unsafe {
            add(&raw mut (*traffic).sent_calls, 1);
            add(&raw mut (*traffic).sent_bytes, result as u64);
            noted(traffic, tgid);
        },
        // SAFETY: as above.
        Counted::InTable(_, entry) => unsafe {
            add(&raw mut (*entry).sent_calls, 1);
            add(&raw mut (*entry).sent_bytes, result as u64);
            used(entry, tgid);
        },
        Counted::Nowhere(_) => {}
    }
}

/// Where what passes over a socket is counted.
enum Counted {
    /// In the socket's own storage.
    WithSocket(*mut TrafficEntry),
    /// In its entry; its cookie.
    InTable(u64, *mut SocketEntry),
    /// It is not followed, or the table is full; its cookie.
    Nowhere(u64),
}

/// Its storage comes after its entry, so that one that found the table full is tried again.
#[inline(always)]
fn counted(sock: Sock) -> Counted {
    let tcp = sock.is_tcp();
    if tcp && let Some(traffic) = traffic::of(sock) {
        return Counted::WithSocket(traffic);
    }
    let cookie = sock.cookie();
    let Some(entry) = entry(sock, cookie) else {
        return Counted::Nowhere(cookie);
    };
    if tcp && let Some(traffic) = traffic::begin(sock, cookie, entry) {
        return Counted::WithSocket(traffic);
    }
    Counted::InTable(cookie, entry)
}

/// A TCP socket is about to change its state.
#[inline(always)]
pub fn state_changes(sock: Sock, old: i32, new: i32) {
    match new {
        tcp::ESTABLISHED => {
            let role = match old {
                tcp::SYN_RECV => ROLE_SERVER,
                tcp::SYN_SENT => ROLE_CLIENT,
                _ => ROLE_UNKNOWN,
            };
            if let Some(entry) = introduce(sock, sock.cookie(), SOCKET_TCP, role, 0) {
                established(entry, role);
            }
        }
        tcp::FIN_WAIT1 | tcp::CLOSE_WAIT | tcp::LAST_ACK | tcp::CLOSE => {
            let cookie = sock.cookie();
            if let Some(entry) = SOCKETS.get_ptr_mut(cookie) {
                ends(sock, cookie, entry, new);
            }
        }
        _ => {}
    }
}

/// It may have been used before: while it was being connected, or with data in its first packet.
#[inline(always)]
fn established(entry: *mut SocketEntry, role: u8) {
    // SAFETY: a pointer that the map gave; the kernel holds the socket's lock.
    unsafe {
        if (*entry).role == ROLE_UNKNOWN {
            (*entry).role = role;
            (*entry).flags &= !SOCKET_FOUND;
        }
    }
}

/// Notes who has finished; once both have, or the socket is closed, it is over.
#[inline(always)]
fn ends(sock: Sock, cookie: u64, entry: *mut SocketEntry, new: i32) {
    // SAFETY: a pointer that the map gave; the kernel holds the socket's lock.
    let flags = unsafe {
        if new == tcp::CLOSE_WAIT {
            (*entry).flags |= SOCKET_PEER_FINISHED;
            return;
        }
        if new == tcp::FIN_WAIT1 {
            (*entry).flags |= SOCKET_WE_FINISHED;
        }
        (*entry).flags
    };
    if new != tcp::CLOSE && !sock.is_shut() {
        return;
    }
    let end = match sock.error() {
        ECONNRESET | EPIPE if new == tcp::CLOSE => END_RESET,
        ETIMEDOUT | EHOSTUNREACH | ENETUNREACH if new == tcp::CLOSE => END_TIMEOUT,
        _ if flags & (SOCKET_PEER_FINISHED | SOCKET_WE_FINISHED) == SOCKET_PEER_FINISHED => {
            END_PEER
        }
        _ if Task::current().is_exiting() => END_EXIT,
        _ => END_OURS,
    };
    traffic::end(sock, entry);
    tell(cookie, entry, end);
    // Both sides have finished, and the program has not read all yet: what it goes on receiving is
    // counted in the table, from which the agent takes it soon. A program that closes with data
    // unread throws that away first.
    if new == tcp::CLOSE && sock.receive_queue() > 0 {
        // SAFETY: as above.
        unsafe { (*entry).end = end };
        return;
    }
    // It was there just now.
    let _ = SOCKETS.remove(cookie);
}

/// Tells of the end of a socket.
#[inline(always)]
fn tell(cookie: u64, entry: *mut SocketEntry, end: u8) {
    let pid_tgid = bpf_get_current_pid_tgid();
    // The last part of the ring is for lives of processes; ends are noticed without an event too.
    let room = EVENTS.query(u64::from(BPF_RB_AVAIL_DATA)) <= setting!(events_high_water);
    let slot = room.then(|| EVENTS.reserve::<SocketRecord>(0)).flatten();
    match slot {
        Some(mut slot) => {
            slot.write(SocketRecord {
                header: Header {
                    kind: KIND_SOCKET,
                    operation: OP_CLOSED,
                    tgid: (pid_tgid >> 32) as u32,
                    // SAFETY: no arguments.
                    time: unsafe { bpf_ktime_get_boot_ns() },
                    cgroup: 0,
                    tid: pid_tgid as u32,
                    capture: 0,
                },
                cookie,
                // SAFETY: a pointer that the map gave.
                entry: SocketEntry {
                    end,
                    ..unsafe { *entry }
                },
            });
            slot.submit(NO_WAKEUP);
        }
        None => count(counter::SOCKET_ENDS_LOST),
    }
}

#[inline(always)]
fn entry(sock: Sock, cookie: u64) -> Option<*mut SocketEntry> {
    if let Some(entry) = SOCKETS.get_ptr_mut(cookie) {
        return Some(entry);
    }
    let kind = sock.kind()?;
    let passes = kind != SOCKET_TCP || sock.is_connected();
    // Sockets of the kernel itself have no descriptor by which their end could be noticed.
    if !passes || Current::get().is_of_kernel() {
        return None;
    }
    introduce(sock, cookie, kind, ROLE_UNKNOWN, 0)
}

/// Whether one more socket of this kind has its place in the table.
#[inline(always)]
fn has_place(kind: u8) -> bool {
    if kind == SOCKET_TCP {
        return true;
    }
    let Some(number) = STATELESS.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: a pointer that the map gave.
    unsafe {
        if *number >= STATELESS_MAX {
            count(counter::STATELESS_REFUSED);
            return false;
        }
        add(number, 1);
    }
    true
}

/// What an entry starts with.
static BLANK: SocketEntry = SocketEntry::BLANK;

/// Gives a socket its entry. One that is there keeps it.
#[inline(always)]
pub fn introduce(
    sock: Sock,
    cookie: u64,
    kind: u8,
    role: u8,
    flags: u32,
) -> Option<*mut SocketEntry> {
    if !has_place(kind) {
        return None;
    }
    if SOCKETS
        .insert(cookie, &BLANK, u64::from(BPF_NOEXIST))
        .is_err()
    {
        // Another CPU may have been faster.
        let there = SOCKETS.get_ptr_mut(cookie);
        if there.is_none() {
            count(counter::SOCKETS_FULL);
        }
        return there;
    }
    let place = SOCKETS.get_ptr_mut(cookie)?;
    // SAFETY: a pointer that the map gave. Filled in where it lies, since the stack has no room
    // for it; until its kind is there, nobody takes it for whole.
    let entry = unsafe { &mut *place };
    // SAFETY: no arguments.
    entry.opened = unsafe { bpf_ktime_get_boot_ns() };
    entry.flags = flags;
    entry.network_namespace = sock.network_namespace();
    entry.role = role;
    sock.name(kind, entry);
    entry.kind = kind;
    Some(place)
}

/// Notes in the table whose a socket is, if that has changed.
#[inline(always)]
fn noted(traffic: *mut TrafficEntry, tgid: u32) {
    // SAFETY: a pointer that the map gave. Of two processes that write at once one is the last.
    unsafe {
        if (*traffic).tgid != tgid
            && let Some(entry) = SOCKETS.get_ptr_mut((*traffic).cookie)
        {
            used(entry, tgid);
            (*traffic).tgid = tgid;
        }
    }
}

/// Notes whose a socket is.
#[inline(always)]
fn used(entry: *mut SocketEntry, tgid: u32) {
    // SAFETY: a pointer that the map gave. Of two processes that write at once one is the last.
    unsafe {
        let before = (*entry).tgid;
        if before == tgid {
            return;
        }
        if before != 0 {
            (*entry).flags |= SOCKET_SHARED;
        }
        (*entry).tgid = tgid;
        (*entry).cgroup = bpf_get_current_cgroup_id();
    }
}

/// Adds, also while other CPUs do. The target has no compare-and-swap in rustc's eyes, and so no
/// `fetch_add` in its library.
///
/// # Safety
/// `value` points into a map's entry and is aligned.
#[inline(always)]
unsafe fn add(value: *mut u64, more: u64) {
    // SAFETY: as the caller says.
    unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) value, in(reg) more, options(nostack)) };
}
