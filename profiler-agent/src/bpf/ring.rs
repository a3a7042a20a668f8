//! The two rings, read by time: nothing in the kernel wakes us.

use anyhow::Context as _;
use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
};

/// Reader of `EVENTS` and `CAPTURES`.
pub struct Rings {
    events: RingBuf<MapData>,
    captures: RingBuf<MapData>,
}

impl Rings {
    /// Takes the rings out of the object.
    ///
    /// # Errors
    /// An object of another version, or no memory for the mapping.
    pub fn take(object: &mut Ebpf) -> anyhow::Result<Self> {
        Ok(Self {
            events: ring(object, "EVENTS")?,
            captures: ring(object, "CAPTURES")?,
        })
    }

    /// Hands the next event to `read`; `false` when there is none.
    pub fn next_event(&mut self, read: impl FnOnce(&[u8])) -> bool {
        next(&mut self.events, read)
    }

    /// Hands the next capture to `read`; `false` when there is none.
    pub fn next_capture(&mut self, read: impl FnOnce(&[u8])) -> bool {
        next(&mut self.captures, read)
    }
}

fn ring(object: &mut Ebpf, name: &str) -> anyhow::Result<RingBuf<MapData>> {
    let map = object
        .take_map(name)
        .with_context(|| format!("the kernel object has no map {name}"))?;
    RingBuf::try_from(map).with_context(|| format!("map the ring {name}"))
}

fn next(ring: &mut RingBuf<MapData>, read: impl FnOnce(&[u8])) -> bool {
    let Some(record) = ring.next() else {
        return false;
    };
    read(&record);
    true
}
