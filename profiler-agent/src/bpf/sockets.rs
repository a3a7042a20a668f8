//! The kernel's table of open sockets, as the agent reads it.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
};

use anyhow::bail;
use aya::{
    Ebpf,
    maps::{Array, HashMap, Map, MapData, MapError},
};
use profiler_common::socket::{LISTENERS_MAX, SOCKETS_MAX, SocketEntry};

use super::{
    call,
    control::map,
    iterator::{self, Traffic},
};

/// Entries that one call takes out of the table. A bucket of it is never divided.
const BATCH: usize = 4096;

/// Reader of `SOCKETS` and `LISTENERS`.
pub struct Sockets {
    sockets: HashMap<MapData, u64, SocketEntry>,
    /// The same map, for the call that aya lacks.
    descriptor: OwnedFd,
    /// Keeps the figures of open TCP sockets up to date, where the kernel serves that.
    traffic: Option<Traffic>,
    listeners: HashMap<MapData, u64, u8>,
    /// There were more than the table has room for.
    more_listeners: bool,
    stateless: Array<MapData, u64>,
    pass: Array<MapData, u32>,
    /// The pass that ran last.
    number: u32,
    keys: Vec<u64>,
    values: Vec<SocketEntry>,
}

impl Sockets {
    /// Takes the maps out of the object.
    ///
    /// # Errors
    /// An object of another version.
    pub fn take(object: &mut Ebpf) -> anyhow::Result<Self> {
        let sockets = map(object, "SOCKETS")?;
        let Map::HashMap(data) = &sockets else {
            bail!("SOCKETS is no hash table");
        };
        let descriptor = data.fd().as_fd().try_clone_to_owned()?;
        Ok(Self {
            sockets: HashMap::try_from(sockets)?,
            descriptor,
            traffic: None,
            listeners: HashMap::try_from(map(object, "LISTENERS")?)?,
            more_listeners: false,
            stateless: Array::try_from(map(object, "STATELESS")?)?,
            pass: Array::try_from(map(object, "PASS")?)?,
            number: 0,
            keys: Vec::new(),
            values: Vec::new(),
        })
    }

    /// From now on entries of open TCP sockets have the figures of the moment when they are read,
    /// by [`Self::each`].
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn follow_traffic(&mut self, object: &mut Ebpf) -> anyhow::Result<()> {
        self.traffic = Some(Traffic::take(object)?);
        Ok(())
    }

    /// The entry of an open socket.
    pub fn get(&self, cookie: u64) -> Option<SocketEntry> {
        self.sockets.get(&cookie, 0).ok()
    }

    /// Takes a socket out of the table that is not there any more.
    pub fn forget(&mut self, cookie: u64) {
        // The kernel may have been faster.
        let _ = self.sockets.remove(&cookie);
    }

    /// Whether somebody listened on this port of this network namespace (by its inode) when all
    /// descriptors were gone over last; none if that is not known.
    pub fn is_listened_on(&self, network_namespace: u32, port: u16) -> Option<bool> {
        let key = u64::from(network_namespace) << 16 | u64::from(port);
        match self.listeners.get(&key, 0) {
            Ok(_) => Some(true),
            Err(_) => (!self.more_listeners).then_some(false),
        }
    }

    /// Sets right how many sockets without states of their own there are.
    ///
    /// # Errors
    /// The kernel refuses the write.
    pub fn count_stateless(&mut self, number: u64) -> Result<(), MapError> {
        self.stateless.set(0, number, 0)
    }

    /// Hands every entry to `read`. One that comes or goes meanwhile may be passed over.
    ///
    /// # Errors
    /// The kernel refuses; what was read by then was handed over.
    pub fn each(&mut self, mut read: impl FnMut(u64, &SocketEntry)) -> io::Result<()> {
        if let Some(traffic) = &self.traffic {
            traffic.bring()?;
        }
        self.keys.resize(BATCH, 0);
        self.values.resize(BATCH, SocketEntry::BLANK);
        let mut place = None;
        let mut seen = 0;
        // Twice the table: it changes while it is read.
        while seen < 2 * SOCKETS_MAX as usize {
            let sockets = self.descriptor.as_fd();
            let batch = call::look_up_batch(sockets, place, &mut self.keys, &mut self.values)?;
            for (cookie, entry) in self.keys.iter().zip(&self.values).take(batch.count) {
                read(*cookie, entry);
            }
            seen += batch.count;
            place = batch.next;
            if place.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// See [`Kernel::pass_over_sockets`](super::Kernel::pass_over_sockets).
    pub(super) fn pass(&mut self, object: &mut Ebpf) -> anyhow::Result<u32> {
        self.number = self.number.wrapping_add(1).max(1);
        self.pass.set(0, self.number, 0)?;
        let listeners: Vec<u64> = self.listeners.keys().filter_map(Result::ok).collect();
        for port in listeners {
            // What is gone already is what we want.
            let _ = self.listeners.remove(&port);
        }
        iterator::pass_over_descriptors(object)?;
        self.more_listeners = self.listeners.keys().count() >= LISTENERS_MAX as usize;
        Ok(self.number)
    }
}
