//! What a row of growth says.

/// Growth of committed memory, since the start of observation or between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes demanded in the time that the figures stand for.
    pub allocated: u64,
    /// Bytes given back in that time.
    pub freed: u64,
    /// Bytes that are there at its end.
    pub live: u64,
    /// By how much `live` grew in that time.
    pub live_delta: i64,
    /// Captured events in that time.
    pub events: u64,
    /// Bytes that were touched first by whom the row stands for and are resident at its end; none
    /// where that is not known.
    pub resident: Option<u64>,
    /// By how much `resident` grew in that time.
    pub resident_delta: i64,
    /// When the oldest memory that is live at the end was committed, on any clock.
    pub oldest: Option<u64>,
    /// When the newest was.
    pub newest: Option<u64>,
}

impl Figures {
    /// What happened from `before` to `after`, both counted since the same start.
    pub fn between(before: &Self, after: &Self) -> Self {
        Self {
            allocated: after.allocated.saturating_sub(before.allocated),
            freed: after.freed.saturating_sub(before.freed),
            live: after.live,
            live_delta: signed_difference(after.live, before.live),
            events: after.events.saturating_sub(before.events),
            resident: after.resident,
            resident_delta: signed_difference(
                after.resident.unwrap_or(0),
                before.resident.unwrap_or(0),
            ),
            oldest: after.oldest,
            newest: after.newest,
        }
    }

    /// What happened when all that `before` had went away with its owner.
    pub fn gone(before: &Self) -> Self {
        Self {
            freed: before.live,
            live_delta: signed_difference(0, before.live),
            resident: before.resident.map(|_| 0),
            resident_delta: signed_difference(0, before.resident.unwrap_or(0)),
            ..Self::default()
        }
    }

    /// Adds another row's figures.
    pub fn add(&mut self, other: &Self) {
        self.allocated = self.allocated.saturating_add(other.allocated);
        self.freed = self.freed.saturating_add(other.freed);
        self.live = self.live.saturating_add(other.live);
        self.live_delta = self.live_delta.saturating_add(other.live_delta);
        self.events = self.events.saturating_add(other.events);
        self.resident = match (self.resident, other.resident) {
            (Some(own), Some(others)) => Some(own.saturating_add(others)),
            (own, others) => own.or(others),
        };
        self.resident_delta = self.resident_delta.saturating_add(other.resident_delta);
        self.oldest = [self.oldest, other.oldest].into_iter().flatten().min();
        self.newest = self.newest.max(other.newest);
    }

    /// Nothing happened in the time that they stand for.
    pub fn is_still(&self) -> bool {
        self.allocated == 0
            && self.freed == 0
            && self.events == 0
            && self.live_delta == 0
            && self.resident_delta == 0
    }
}

fn signed_difference(after: u64, before: u64) -> i64 {
    let difference = i128::from(after) - i128::from(before);
    difference.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_keeps_live_equal_to_demanded_less_given_back() {
        let before = Figures {
            allocated: 100,
            freed: 40,
            live: 60,
            live_delta: 60,
            events: 3,
            resident: Some(40),
            resident_delta: 40,
            oldest: Some(1),
            newest: Some(9),
        };
        let after = Figures {
            allocated: 130,
            freed: 120,
            live: 10,
            live_delta: 10,
            events: 5,
            resident: Some(25),
            resident_delta: 25,
            oldest: Some(8),
            newest: Some(12),
        };
        let between = Figures::between(&before, &after);
        assert_eq!((between.allocated, between.freed), (30, 80));
        assert_eq!((between.live, between.live_delta), (10, -50));
        assert_eq!((between.events, between.oldest), (2, Some(8)));
        assert_eq!((between.resident, between.resident_delta), (Some(25), -15));

        let gone = Figures::gone(&before);
        assert_eq!((gone.freed, gone.live, gone.live_delta), (60, 0, -60));
        assert!(!gone.is_still() && Figures::default().is_still());
    }

    #[test]
    fn sums_span_the_ages_of_their_parts() {
        let mut sum = Figures::default();
        for (oldest, newest) in [(None, None), (Some(5), Some(6)), (Some(3), Some(4))] {
            sum.add(&Figures {
                live: 1,
                oldest,
                newest,
                ..Figures::default()
            });
        }
        assert_eq!((sum.live, sum.oldest, sum.newest), (3, Some(3), Some(6)));
    }

    #[test]
    fn absurd_numbers_saturate() {
        let huge = Figures {
            allocated: u64::MAX,
            live: u64::MAX,
            live_delta: i64::MAX,
            ..Figures::default()
        };
        let mut sum = huge;
        sum.add(&huge);
        assert_eq!((sum.live, sum.live_delta), (u64::MAX, i64::MAX));
        assert_eq!(Figures::gone(&huge).live_delta, i64::MIN);
    }
}
