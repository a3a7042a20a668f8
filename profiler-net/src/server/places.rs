//! Room for connections, of which no address may take all.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::address::network;

/// Room for connections. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Places {
    taken: Arc<Mutex<Taken>>,
    all: usize,
    per_address: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// By network. Loopback is not among them: a proxy on the host brings everyone from there.
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's room, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    taken: Arc<Mutex<Taken>>,
    address: Option<IpAddr>,
}

impl Places {
    pub(super) fn new(all: usize, per_address: usize) -> Self {
        Self {
            taken: Arc::default(),
            all,
            per_address,
        }
    }

    /// Room for a connection from `address`, if there is some.
    ///
    /// # Errors
    /// How many connections are open already, for people.
    pub(super) fn take(&self, address: IpAddr) -> Result<Place, String> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.all {
            return Err(format!("{} connections are open", self.all));
        }
        let address = Some(address.to_canonical()).filter(|address| !address.is_loopback());
        let address = address.map(network);
        if let Some(address) = address {
            let own = taken.by_address.entry(address).or_default();
            if *own >= self.per_address {
                return Err(format!("{own} connections of this address are open"));
            }
            *own += 1;
        }
        taken.all += 1;
        Ok(Place {
            taken: Arc::clone(&self.taken),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        let Some(address) = self.address else {
            return;
        };
        if let Some(own) = taken.by_address.get_mut(&address) {
            *own -= 1;
            if *own == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_takes_all_places() {
        let places = Places::new(4, 2);
        let take = |address: &str| places.take(address.parse().unwrap());
        let first = take("10.0.0.1").unwrap();
        let _second = take("::ffff:10.0.0.1").unwrap();
        assert!(take("10.0.0.1").unwrap_err().contains("2 connections of"));
        let _other = take("10.0.0.2").unwrap();
        drop(first);
        let _again = take("10.0.0.1").unwrap();
        assert!(take("10.0.0.1").is_err());
        assert_eq!(places.taken.lock().unwrap().by_address.len(), 2);
    }

    #[test]
    fn loopback_is_bounded_as_all_are() {
        let places = Places::new(3, 1);
        let all = ["::1", "::1", "127.0.0.1", "127.0.0.1"];
        let all = all.map(|address| places.take(address.parse().unwrap()));
        assert_eq!(all.each_ref().map(Result::is_ok), [true, true, true, false]);
        drop(all);
        assert_eq!(places.taken.lock().unwrap().all, 0);
    }
}
