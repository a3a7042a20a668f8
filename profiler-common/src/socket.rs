//! Sockets as the kernel side keeps them, and what a thread was serving.

use crate::event::Header;

/// [`Header::kind`] of a [`SocketRecord`].
pub const KIND_SOCKET: u16 = 4;
/// A socket is over: `entry` is what was known of it last.
pub const OP_CLOSED: u16 = 32;

/// [`SocketEntry::kind`]: TCP over IPv4 or IPv6.
pub const SOCKET_TCP: u8 = 1;
/// UDP over IPv4 or IPv6.
pub const SOCKET_UDP: u8 = 2;
/// Unix, of type stream or seqpacket.
pub const SOCKET_UNIX: u8 = 3;

/// [`SocketEntry::role`]: not known, as of a socket that was there before the agent.
pub const ROLE_UNKNOWN: u8 = 0;
/// It connected.
pub const ROLE_CLIENT: u8 = 1;
/// It was accepted.
pub const ROLE_SERVER: u8 = 2;

/// [`SocketEntry::protocol`]: the first bytes did not tell, or were not seen.
pub const PROTOCOL_UNKNOWN: u8 = 0;
/// An HTTP/1 request or status line.
pub const PROTOCOL_HTTP1: u8 = 1;
/// The preface of HTTP/2, or the SETTINGS frame that a server begins with.
pub const PROTOCOL_HTTP2: u8 = 2;
/// A record of TLS.
pub const PROTOCOL_TLS: u8 = 3;

/// [`SocketEntry::end`]: not seen.
pub const END_UNKNOWN: u8 = 0;
/// This side closed first.
pub const END_OURS: u8 = 1;
/// The other side closed first.
pub const END_PEER: u8 = 2;
/// The other side reset it.
pub const END_RESET: u8 = 3;
/// The process ended.
pub const END_EXIT: u8 = 4;
/// The other side did not answer any more.
pub const END_TIMEOUT: u8 = 5;

/// Most sockets without states of their own (UDP, Unix) in the map `SOCKETS`: their ends are noticed
/// late, and must not take the place of TCP connections.
pub const STATELESS_MAX: u64 = 16_384;

/// [`SocketEntry::flags`]: more than one process has used it.
pub const SOCKET_SHARED: u32 = 1;
/// The other side has said that it sends no more.
pub const SOCKET_PEER_FINISHED: u32 = 2;
/// This side has said that it sends no more.
pub const SOCKET_WE_FINISHED: u32 = 4;
/// The agent found it, and did not see it begin.
pub const SOCKET_FOUND: u32 = 8;

/// [`ThreadEntry::flags`] and `VmRecord::thread`: it has received from a socket.
pub const THREAD_RECEIVES: u32 = 1;
/// It has waited for events.
pub const THREAD_WAITS: u32 = 2;
/// What it received last came by io_uring: whom it serves is not known.
pub const THREAD_IO_URING: u32 = 4;

/// Bytes of a Unix socket's path that are kept.
pub const PATH_MAX: usize = 64;
/// `local` and `peer` of an IP socket in [`SocketEntry::address`], each in network order; IPv4 in
/// the first four bytes.
pub const ADDRESS_LENGTH: usize = 16;

/// A socket that is open, in the map `SOCKETS` (key: its cookie).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct SocketEntry {
    /// When it was established, or was first used, in nanoseconds of `CLOCK_BOOTTIME`. With
    /// [`SOCKET_FOUND`]: when it was found.
    pub opened: u64,
    /// Bytes that were received from it.
    pub received_bytes: u64,
    /// Calls that received from it.
    pub received_calls: u64,
    /// Bytes that were sent to it.
    pub sent_bytes: u64,
    /// Calls that sent to it.
    pub sent_calls: u64,
    /// Cgroup of the process that used it last.
    pub cgroup: u64,
    /// Process that used it last; 0: none has yet.
    pub tgid: u32,
    /// `SOCKET_*` flags.
    pub flags: u32,
    /// Inode of its network namespace.
    pub network_namespace: u32,
    /// Kernel memory of its receive queue in bytes, when it was looked at last.
    pub receive_queue: u32,
    /// Kernel memory of its send queue in bytes, when it was looked at last.
    pub send_queue: u32,
    /// Number of the pass over all descriptors that found it last; 0: none.
    pub pass: u32,
    /// `AF_*`.
    pub family: u16,
    /// Host order.
    pub local_port: u16,
    /// Host order.
    pub peer_port: u16,
    /// `SOCKET_TCP`, `SOCKET_UDP` or `SOCKET_UNIX`.
    pub kind: u8,
    /// `ROLE_*`.
    pub role: u8,
    /// `PROTOCOL_*`.
    pub protocol: u8,
    /// First bytes that were looked at without finding a protocol.
    pub looks: u8,
    /// `END_*`. In the map, of a TCP socket that is over and from which was not all read that came.
    pub end: u8,
    /// Always 0.
    pub padding: [u8; 5],
    /// Of an IP socket the local and the peer's address, of a Unix socket the server's path
    /// (an abstract one begins with NUL), cut to its length.
    pub address: [u8; PATH_MAX],
}

/// The end of a socket, in the ring of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct SocketRecord {
    /// `kind` is [`KIND_SOCKET`]. Process and thread are those that ran, which need not be the
    /// socket's.
    pub header: Header,
    /// The kernel's cookie of the socket.
    pub cookie: u64,
    /// What was known of it.
    pub entry: SocketEntry,
}

impl SocketEntry {
    /// An entry of which nothing is known yet.
    pub const BLANK: Self = Self {
        opened: 0,
        received_bytes: 0,
        received_calls: 0,
        sent_bytes: 0,
        sent_calls: 0,
        cgroup: 0,
        tgid: 0,
        flags: 0,
        network_namespace: 0,
        receive_queue: 0,
        send_queue: 0,
        pass: 0,
        family: 0,
        local_port: 0,
        peer_port: 0,
        kind: 0,
        role: ROLE_UNKNOWN,
        protocol: PROTOCOL_UNKNOWN,
        looks: 0,
        end: END_UNKNOWN,
        padding: [0; 5],
        address: [0; PATH_MAX],
    };
}

/// What passed over an open TCP socket, in the socket's own storage. Its [`SocketEntry`] gets the
/// figures when the agent looks, and when the socket is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct TrafficEntry {
    /// Of the socket.
    pub cookie: u64,
    /// As in [`SocketEntry`].
    pub received_bytes: u64,
    /// As in [`SocketEntry`].
    pub received_calls: u64,
    /// As in [`SocketEntry`].
    pub sent_bytes: u64,
    /// As in [`SocketEntry`].
    pub sent_calls: u64,
    /// Process that used it last, and is noted in the socket's entry; 0: none is.
    pub tgid: u32,
    /// 1: its first bytes need not be looked at any more.
    pub settled: u32,
}

/// What a thread does, in its local storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ThreadEntry {
    /// Cookie of the socket that it received from last, until it waits for events; 0: none.
    pub connection: u64,
    /// Calls that had received from that socket when this thread last did.
    pub calls: u64,
    /// Bytes that they had received.
    pub bytes: u64,
    /// `THREAD_*`.
    pub flags: u32,
    /// Always 0.
    pub padding: u32,
}

/// Most sockets that the map `SOCKETS` holds.
pub const SOCKETS_MAX: u32 = 65_536;
/// Most listening ports that the map `LISTENERS` holds.
pub const LISTENERS_MAX: u32 = 8_192;

const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(size_of::<SocketEntry>() == 152);
    assert!(offset_of!(SocketEntry, tgid) == 48);
    assert!(offset_of!(SocketEntry, family) == 72);
    assert!(offset_of!(SocketEntry, kind) == 78);
    assert!(offset_of!(SocketEntry, address) == 88);
    assert!(size_of::<SocketRecord>() == 192);
    assert!(size_of::<TrafficEntry>() == 48);
    assert!(size_of::<ThreadEntry>() == 32);
};
