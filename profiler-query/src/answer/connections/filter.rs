//! Which connections are asked for.

use std::{collections::HashSet, net::IpAddr};

use profiler_proto::v1;
use tonic::Status;

use super::{Listed, ListedPeer};
use crate::{answer::Selection, model::Address};

/// Alternatives in one field.
const VALUES_MAX: usize = 1_000;

/// The narrowing fields of a question, checked.
#[derive(Debug)]
pub(super) struct Wanted {
    states: Vec<i32>,
    roles: Vec<i32>,
    kinds: Vec<i32>,
    protocols: Vec<i32>,
    peers: Vec<PeerFilter>,
    ports: Vec<u32>,
    cookies: HashSet<u64>,
    with_growth: bool,
}

#[derive(Debug)]
enum PeerFilter {
    Network(IpAddr, u8),
    Path(String),
}

impl Wanted {
    pub(super) fn new(asked: &v1::ListConnectionsRequest) -> Result<Self, Status> {
        let lengths = [
            asked.states.len(),
            asked.roles.len(),
            asked.kinds.len(),
            asked.protocols.len(),
            asked.peers.len(),
            asked.ports.len(),
            asked.cookies.len(),
            asked.fold.len(),
        ];
        if lengths.into_iter().any(|length| length > VALUES_MAX) {
            return Err(Status::invalid_argument(format!(
                "a question takes at most {VALUES_MAX} values in each field"
            )));
        }
        let peers = asked.peers.iter().map(|text| PeerFilter::new(text));
        Ok(Self {
            states: asked.states.clone(),
            roles: asked.roles.clone(),
            kinds: asked.kinds.clone(),
            protocols: asked.protocols.clone(),
            peers: peers.collect::<Result<_, _>>()?,
            ports: asked.ports.clone(),
            cookies: asked.cookies.iter().copied().collect(),
            with_growth: asked.with_growth,
        })
    }

    /// What is not known of a socket fits nothing that is asked for.
    pub(super) fn takes(&self, connection: &impl Listed, selection: &Selection) -> bool {
        let state = match connection.closed() {
            None => v1::ConnectionState::Open,
            Some(_) => v1::ConnectionState::Closed,
        };
        if !is_of(connection, selection)
            || !(self.cookies.is_empty() || self.cookies.contains(&connection.cookie().0))
            || !fits(&self.states, Some(state.into()))
            || (self.with_growth && connection.allocated() == 0)
        {
            return false;
        }
        let socket = connection.socket();
        let socket = socket.as_ref();
        let peer = socket.map_or(&Address::None, |socket| &socket.peer);
        fits(&self.roles, socket.map(|socket| socket.role.into()))
            && fits(&self.kinds, socket.map(|socket| socket.kind.into()))
            && fits(&self.protocols, socket.map(|socket| socket.protocol.into()))
            && self.takes_address(peer)
            && self.takes_port(socket.map_or(0, |socket| socket.port))
    }

    /// Totals of folded connections have no protocol and no cookie of their own.
    pub(super) fn takes_peer(&self, peer: &ListedPeer, selection: &Selection) -> bool {
        selection.has(peer.process)
            && fits(&self.states, Some(v1::ConnectionState::Closed.into()))
            && fits(&self.roles, Some(peer.role.into()))
            && fits(&self.kinds, Some(peer.kind.into()))
            && self.takes_address(&peer.address)
            && self.takes_port(peer.port)
            && self.protocols.is_empty()
            && self.cookies.is_empty()
            && (!self.with_growth || peer.allocated > 0)
    }

    fn takes_address(&self, address: &Address) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|one| one.takes(address))
    }

    fn takes_port(&self, port: u16) -> bool {
        self.ports.is_empty() || self.ports.contains(&u32::from(port))
    }
}

fn fits(wanted: &[i32], value: Option<i32>) -> bool {
    wanted.is_empty() || value.is_some_and(|value| wanted.contains(&value))
}

/// One whose process is not known belongs to everything, and to nothing in particular.
fn is_of(connection: &impl Listed, selection: &Selection) -> bool {
    match connection.process() {
        Some(process) => selection.has(process),
        None => selection.is_all(),
    }
}

impl PeerFilter {
    fn new(text: &str) -> Result<Self, Status> {
        let path = text.strip_prefix("unix:");
        if let Some(path) = path.or_else(|| text.starts_with(['/', '@']).then_some(text)) {
            return Ok(Self::Path(path.to_owned()));
        }
        let (address, bits) = text.split_once('/').unwrap_or((text, ""));
        let refused = || {
            Status::invalid_argument(format!(
                "peers: {text:?} is no address, network such as 10.0.0.0/8, or path of a Unix socket"
            ))
        };
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            "" => most,
            bits => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= most)
                .ok_or_else(refused)?,
        };
        Ok(Self::Network(address, bits))
    }

    fn takes(&self, peer: &Address) -> bool {
        match (self, peer) {
            (Self::Path(wanted), Address::Path(path)) => **wanted == **path,
            (Self::Network(IpAddr::V4(network), bits), Address::Ip(IpAddr::V4(address))) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.checked_shr(32 - u32::from(*bits)).unwrap_or(0) == 0
            }
            (Self::Network(IpAddr::V6(network), bits), Address::Ip(IpAddr::V6(address))) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.checked_shr(128 - u32::from(*bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_take_their_addresses_and_paths_themselves() {
        let takes = |filter: &str, peer: &str| {
            let Ok(peer) = peer.parse::<Address>();
            PeerFilter::new(filter).expect("a filter").takes(&peer)
        };
        assert!(takes("10.0.0.0/8", "10.1.2.3") && !takes("10.0.0.0/8", "11.0.0.1"));
        assert!(takes("0.0.0.0/0", "11.0.0.1") && !takes("0.0.0.0/0", "::1"));
        assert!(takes("fd00::/16", "fd00:1::2") && !takes("fd00::1", "fd00::2"));
        assert!(takes("/run/a", "unix:/run/a") && takes("unix:@x", "unix:@x"));
        for text in ["", "x", "10.0.0.0/33", "::/129", "10.0.0.0/-1"] {
            assert!(PeerFilter::new(text).is_err(), "{text:?}");
        }
    }
}
