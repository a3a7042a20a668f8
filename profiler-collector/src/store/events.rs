//! Events as engines keep them: what they are known by, and the message packed.

use profiler_proto::v1::{self, event::Kind};
use prost::Message as _;

use super::{EventKind, EventPlace, EventsPage, PageMost, StoreError, StoredEvent};

/// Of one run.
pub const OF_RUN_MAX: u32 = 20_000;
/// Further ones of a run that has so many are not taken in: retention, which leaves the latest, makes
/// room for them.
pub const OF_RUN_AHEAD: u64 = OF_RUN_MAX as u64 + 2_000;
/// Of all runs. Beyond it, and beyond the bytes that events may take, they are taken from the nodes
/// that have most: see [`fair_share`].
pub const IN_ALL_MAX: u32 = 200_000;
/// The part of a store that events may take. Batches make room for no more.
pub const SHARE: u64 = 8;
/// A larger message is not kept.
pub const BYTES_MAX: usize = 1 << 20;

/// What an event takes besides its message, with its place in the indexes.
pub const ROW_BYTES: u64 = 200;

/// Higher ones save little and cost much.
const LEVEL: i32 = 3;

/// One event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Known by it within its run.
    pub number: u64,
    /// As [`EventKind::code`].
    pub kind: u8,
    /// In nanoseconds since 1970.
    pub time: i64,
    /// Of the message.
    pub size: u32,
    /// The message, compressed.
    pub data: Vec<u8>,
}

impl EventKind {
    /// As it stands in tables.
    pub fn code(self) -> u8 {
        match self {
            Self::OomKill => 1,
            Self::VerdictChange => 2,
        }
    }

    /// What an event tells, if this version knows it.
    pub fn of(event: &v1::Event) -> Option<Self> {
        Some(match event.kind.as_ref()? {
            Kind::OomKill(_) => Self::OomKill,
            Kind::VerdictChange(_) => Self::VerdictChange,
        })
    }
}

/// # Errors
/// `Refused`: it has no kind, no time or one out of range, no number that fits, or is too large.
pub fn pack(event: &v1::Event) -> Result<Packed, StoreError> {
    let refused = |why: &str| StoreError::Refused(format!("an event {why}"));
    let kind = EventKind::of(event).ok_or_else(|| refused("tells nothing that is known"))?;
    let time = event.time.as_ref().and_then(|time| {
        let seconds = time.seconds.checked_mul(1_000_000_000)?;
        seconds.checked_add(time.nanos.into())
    });
    let time = time.ok_or_else(|| refused("has no time, or one out of range"))?;
    if i64::try_from(event.number).is_err() {
        return Err(refused("has a number that is out of range"));
    }
    let message = event.encode_to_vec();
    let size = u32::try_from(message.len()).unwrap_or(u32::MAX);
    if message.len() > BYTES_MAX {
        return Err(refused(&format!("takes {size} bytes, more than is kept")));
    }
    let data = zstd::bulk::compress(&message, LEVEL)
        .map_err(|error| StoreError::Internal(format!("compress an event: {error}")))?;
    Ok(Packed {
        number: event.number,
        kind: kind.code(),
        time,
        size,
        data,
    })
}

/// The message.
///
/// # Errors
/// What is wrong with it, in plain words.
pub fn unpack(size: u32, data: &[u8]) -> Result<v1::Event, String> {
    let size = size as usize;
    if size > BYTES_MAX {
        return Err(format!("it claims {size} bytes"));
    }
    let message = zstd::bulk::decompress(data, size)
        .map_err(|error| format!("it cannot be unpacked: {error}"))?;
    if message.len() != size {
        return Err(format!("it is not of {size} bytes"));
    }
    v1::Event::decode(&message[..]).map_err(|error| format!("it is no message: {error}"))
}

/// What each may have at the most so that all of `amounts` together have no more than `all`: who has
/// less keeps what it has.
pub fn fair_share(mut amounts: Vec<u64>, all: u64) -> u64 {
    amounts.sort_unstable();
    let mut left = all;
    for (place, amount) in amounts.iter().enumerate() {
        let share = left / (amounts.len() - place) as u64;
        if *amount > share {
            return share;
        }
        left -= amount;
    }
    u64::MAX
}

/// A page that is being filled with rows, the latest first.
pub struct Filling {
    most: PageMost,
    looked_at: u32,
    bytes: u64,
    last: Option<EventPlace>,
    is_full: bool,
    events: Vec<StoredEvent>,
}

impl Filling {
    /// Nothing yet.
    pub fn new(most: PageMost) -> Self {
        Self {
            most,
            looked_at: 0,
            bytes: 0,
            last: None,
            is_full: most.events == 0,
            events: Vec::new(),
        }
    }

    /// Unpacks one more, if there is room for it: whether there was.
    pub fn add(&mut self, place: EventPlace, size: u32, data: &[u8]) -> bool {
        let bytes = self.bytes.saturating_add(size.into());
        self.is_full |= self.last.is_some() && bytes > self.most.bytes;
        if self.is_full {
            return false;
        }
        (self.bytes, self.last) = (bytes, Some(place));
        self.looked_at += 1;
        self.is_full = self.looked_at >= self.most.events;
        match unpack(size, data) {
            Ok(event) => self.events.push(StoredEvent {
                run: place.run,
                event,
            }),
            Err(problem) => tracing::warn!(problem, "an event is left out of an answer"),
        }
        true
    }

    /// What there is.
    pub fn filled(self) -> EventsPage {
        EventsPage {
            events: self.events,
            next: self.last.filter(|_| self.is_full),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fair_share;

    #[test]
    fn who_has_most_gives_and_who_has_little_keeps_it() {
        assert_eq!(fair_share(vec![10, 1, 2], 20), u64::MAX);
        assert_eq!(fair_share(vec![100, 1, 2], 20), 17);
        assert_eq!(fair_share(vec![100, 1, 100], 21), 10);
        assert_eq!(fair_share(Vec::new(), 0), u64::MAX);
        assert_eq!(fair_share(vec![1], 0), 0);
    }
}
