//! How many streams one agent may have: nobody takes the places of all others.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use profiler_net::{server::Peer, token::Identity};

/// Who has how many streams. As many entries as there are streams at the most.
#[derive(Debug, Default)]
pub(super) struct Peers(Mutex<HashMap<Key, usize>>);

/// A certificate or token and where it came from: a token may be that of a whole fleet, and many
/// nodes may stand behind one proxy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    holder: Option<String>,
    address: Option<IpAddr>,
}

/// Counts as one stream until it is dropped.
pub(super) struct Place {
    peers: Arc<Peers>,
    key: Key,
}

impl Peers {
    /// A place for one more stream, if there are fewer than `most` of the same peer.
    pub(super) fn enter(
        self: &Arc<Self>,
        identity: Option<&Identity>,
        peer: Option<&Peer>,
        most: usize,
    ) -> Option<Place> {
        let key = Key::of(identity, peer);
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key.clone()).or_default();
        if *count >= most && key != Key::LOCAL {
            return None;
        }
        *count += 1;
        let peers = Arc::clone(self);
        Some(Place { peers, key })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

impl Key {
    /// Without a guard, on this host: not bounded.
    const LOCAL: Self = Self {
        holder: None,
        address: None,
    };

    fn of(identity: Option<&Identity>, peer: Option<&Peer>) -> Self {
        let address = peer.map(|peer| network(peer.address.ip()));
        let holder = match identity {
            Some(Identity::Certificate(certificate)) => Some(certificate.holder().to_owned()),
            Some(Identity::Token(name)) => Some(name.as_deref().unwrap_or_default().to_owned()),
            Some(Identity::Anyone) | None if address.is_none_or(|ip| ip.is_loopback()) => {
                return Self::LOCAL;
            }
            Some(Identity::Anyone) | None => None,
        };
        Self { holder, address }
    }
}

/// An IPv4 address, or the /64 that one host has of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer {
            address: address.parse().expect("an address"),
            tls: false,
            certificate: None,
        }
    }

    #[test]
    fn one_peer_does_not_take_the_places_of_others() {
        let peers = Arc::<Peers>::default();
        let token = |name: &str| Identity::Token(Some(name.into()));
        let enter = |name: &str, from: &str| peers.enter(Some(&token(name)), Some(&peer(from)), 2);
        let first = enter("a", "[2001:db8::1]:1");
        let second = enter("a", "[2001:db8::2]:2");
        assert!(first.is_some() && second.is_some());
        assert!(enter("a", "[2001:db8::3]:3").is_none(), "the same /64");
        assert!(enter("a", "[2001:db8:0:1::3]:3").is_some(), "another host");
        assert!(enter("b", "[2001:db8::3]:3").is_some(), "another token");
        drop(first);
        assert!(enter("a", "[2001:db8::3]:3").is_some());
        drop(second);
        assert!(peers.0.lock().expect("the table").is_empty());
    }

    #[test]
    fn only_loopback_without_a_guard_is_not_bounded() {
        let peers = Arc::<Peers>::default();
        let enter = |from: &str| peers.enter(Some(&Identity::Anyone), Some(&peer(from)), 1);
        let local: Vec<_> = (0..3).map(|_| enter("127.0.0.1:1")).collect();
        assert!(local.iter().all(Option::is_some));
        let remote = enter("192.0.2.1:1");
        assert!(remote.is_some() && enter("192.0.2.1:2").is_none());
    }
}
