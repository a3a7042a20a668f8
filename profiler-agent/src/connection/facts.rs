//! A checked entry of the kernel's table of sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use profiler_common::socket as abi;
pub use profiler_query::model::{Address, Endpoint, Traffic};

use crate::ids::BootTime;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// What kind of socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// TCP over IPv4 or IPv6.
    Tcp,
    /// UDP over IPv4 or IPv6.
    Udp,
    /// Unix, stream or seqpacket.
    Unix,
}

/// Which side it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Not known.
    #[default]
    Unknown,
    /// It connected.
    Client,
    /// It was accepted.
    Server,
}

/// What its first bytes told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Nothing.
    #[default]
    Unknown,
    /// HTTP/1.
    Http1,
    /// HTTP/2.
    Http2,
    /// TLS.
    Tls,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum End {
    /// It has not, or that was not seen.
    #[default]
    Unknown,
    /// This side closed first.
    Ours,
    /// The other side closed first.
    Peer,
    /// The other side reset it.
    Reset,
    /// The process ended.
    Exit,
    /// The other side did not answer any more.
    Timeout,
}

/// A socket as the kernel side knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketFacts {
    /// Its kind.
    pub kind: Kind,
    /// Its side.
    pub role: Role,
    /// What it speaks.
    pub protocol: Protocol,
    /// This end.
    pub local: Endpoint,
    /// The other end.
    pub peer: Endpoint,
    /// Inode of its network namespace.
    pub network_namespace: u32,
    /// When it was established, first used, or (`found`) first seen.
    pub opened: BootTime,
    /// It was there before it was looked at.
    pub found: bool,
    /// Process that used it last; 0: none has yet.
    pub pid: u32,
    /// More than one process has used it.
    pub shared: bool,
    /// The other side sends no more.
    pub peer_finished: bool,
    /// How it ended. One that is over can be in the kernel's table still: not all was read yet.
    pub end: End,
    /// Traffic since the agent saw it first.
    pub traffic: Traffic,
    /// Kernel memory of its receive queue, bytes.
    pub receive_queue: u32,
    /// Kernel memory of its send queue, bytes.
    pub send_queue: u32,
    /// The pass over all descriptors that found it last; 0: none.
    pub pass: u32,
}

impl SocketFacts {
    /// Checks an entry; none for one that the kernel side is just filling in, or of another
    /// version.
    pub fn new(entry: &abi::SocketEntry) -> Option<Self> {
        let kind = match entry.kind {
            abi::SOCKET_TCP => Kind::Tcp,
            abi::SOCKET_UDP => Kind::Udp,
            abi::SOCKET_UNIX => Kind::Unix,
            _ => return None,
        };
        let role = match entry.role {
            abi::ROLE_CLIENT => Role::Client,
            abi::ROLE_SERVER => Role::Server,
            _ => Role::Unknown,
        };
        let (local, peer) = match kind {
            Kind::Unix => unix_ends(entry, role),
            _ => ip_ends(entry)?,
        };
        Some(Self {
            kind,
            role,
            protocol: match entry.protocol {
                abi::PROTOCOL_HTTP1 => Protocol::Http1,
                abi::PROTOCOL_HTTP2 => Protocol::Http2,
                abi::PROTOCOL_TLS => Protocol::Tls,
                _ => Protocol::Unknown,
            },
            local,
            peer,
            network_namespace: entry.network_namespace,
            opened: BootTime(entry.opened),
            // A TCP socket whose start was seen has a side.
            found: entry.flags & abi::SOCKET_FOUND != 0
                || (kind == Kind::Tcp && role == Role::Unknown),
            pid: entry.tgid,
            shared: entry.flags & abi::SOCKET_SHARED != 0,
            peer_finished: entry.flags & abi::SOCKET_PEER_FINISHED != 0,
            end: match entry.end {
                abi::END_OURS => End::Ours,
                abi::END_PEER => End::Peer,
                abi::END_RESET => End::Reset,
                abi::END_EXIT => End::Exit,
                abi::END_TIMEOUT => End::Timeout,
                _ => End::Unknown,
            },
            traffic: Traffic {
                received_bytes: entry.received_bytes,
                received_calls: entry.received_calls,
                sent_bytes: entry.sent_bytes,
                sent_calls: entry.sent_calls,
            },
            receive_queue: entry.receive_queue,
            send_queue: entry.send_queue,
            pass: entry.pass,
        })
    }

    /// The port that a service is known by: a server's own, a client's peer's; 0 where there is
    /// none or the side is not known.
    pub fn service_port(&self) -> u16 {
        match self.role {
            Role::Server => self.local.port(),
            Role::Client => self.peer.port(),
            Role::Unknown => 0,
        }
    }
}

fn ip_ends(entry: &abi::SocketEntry) -> Option<(Endpoint, Endpoint)> {
    let (local, peer) = entry.address[..2 * abi::ADDRESS_LENGTH].split_at(abi::ADDRESS_LENGTH);
    let end = |bytes: &[u8], port| {
        let address = address(entry.family, bytes)?;
        let is_one = !address.is_unspecified() || port != 0;
        Some(match is_one {
            true => Endpoint::Ip(SocketAddr::new(address, port)),
            false => Endpoint::None,
        })
    };
    Some((end(local, entry.local_port)?, end(peer, entry.peer_port)?))
}

fn address(family: u16, bytes: &[u8]) -> Option<IpAddr> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    match family {
        AF_INET => Some(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into()),
        // IPv4 on a socket of IPv6 is shown as what it is.
        AF_INET6 => Some(IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()),
        _ => None,
    }
}

/// The path stands at the side that is bound to it.
fn unix_ends(entry: &abi::SocketEntry, role: Role) -> (Endpoint, Endpoint) {
    let path = path(&entry.address);
    match role {
        Role::Server => (path, Endpoint::None),
        _ => (Endpoint::None, path),
    }
}

/// Chosen by the watched: control characters are for those who print it to deal with.
fn path(bytes: &[u8]) -> Endpoint {
    let is_abstract = bytes[0] == 0;
    let name = if is_abstract { &bytes[1..] } else { bytes };
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    if name.is_empty() {
        return Endpoint::None;
    }
    let mark = if is_abstract { "@" } else { "" };
    Endpoint::Path(format!("{mark}{}", String::from_utf8_lossy(name)).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: u8, role: u8, family: u16, address: &[u8]) -> abi::SocketEntry {
        let mut entry = abi::SocketEntry {
            kind,
            role,
            family,
            local_port: 80,
            peer_port: 4711,
            ..abi::SocketEntry::BLANK
        };
        entry.address[..address.len()].copy_from_slice(address);
        entry
    }

    #[test]
    fn an_entry_that_is_being_filled_in_is_none_yet() {
        assert_eq!(SocketFacts::new(&abi::SocketEntry::BLANK), None);
        assert_eq!(SocketFacts::new(&entry(abi::SOCKET_TCP, 0, 77, &[])), None);
    }

    #[test]
    fn addresses_are_shown_as_people_write_them() {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&[10, 0, 0, 1]);
        bytes[16..20].copy_from_slice(&[10, 0, 0, 2]);
        let facts = SocketFacts::new(&entry(abi::SOCKET_TCP, 2, 2, &bytes)).unwrap();
        assert_eq!(facts.local.to_string(), "10.0.0.1:80");
        assert_eq!(facts.peer.to_string(), "10.0.0.2:4711");
        assert_eq!(facts.service_port(), 80);

        let mut mapped = [0; 32];
        mapped[10..16].copy_from_slice(&[255, 255, 127, 0, 0, 1]);
        mapped[31] = 1;
        let facts = SocketFacts::new(&entry(abi::SOCKET_TCP, 1, 10, &mapped)).unwrap();
        assert_eq!(facts.local.to_string(), "127.0.0.1:80");
        assert_eq!(facts.peer.to_string(), "[::1]:4711");
        assert_eq!(facts.service_port(), 4711);
    }

    #[test]
    fn a_path_stands_at_the_side_that_is_bound() {
        let named = |role, path: &[u8]| {
            let facts = SocketFacts::new(&entry(abi::SOCKET_UNIX, role, 1, path)).unwrap();
            (facts.local.to_string(), facts.peer.to_string())
        };
        let (none, path) = (String::new(), "unix:/run/x.sock".to_owned());
        assert_eq!(named(2, b"/run/x.sock"), (path.clone(), none.clone()));
        assert_eq!(named(1, b"/run/x.sock"), (none.clone(), path));
        assert_eq!(named(1, b"\0bus"), (none.clone(), "unix:@bus".to_owned()));
        assert_eq!(named(0, b""), (none.clone(), none));
        let full = [b'x'; 64];
        assert_eq!(named(2, &full).0.len(), 69);
    }
}
