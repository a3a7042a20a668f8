//! How a connection's memory grew with its calls, in few points.

use crate::ids::BootTime;

/// Points of one connection, from which on every other one goes: what is left still spans the
/// whole life.
const POINTS: usize = 48;

/// What a connection had when a thread that served it demanded memory, or right before it gave some
/// back in a later call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CurvePoint {
    /// When.
    pub time: BootTime,
    /// Calls that had received from it by then.
    pub calls: u64,
    /// Bytes that had been received by then.
    pub bytes: u64,
    /// Demanded in all by then.
    pub allocated: u64,
    /// There then.
    pub live: u64,
}

/// A thinned curve: the first point, points at least `step` calls apart, and the last one.
#[derive(Clone, Debug, Default)]
pub(super) struct Curve {
    points: Vec<CurvePoint>,
    last: Option<CurvePoint>,
    /// Fewest calls between two points.
    step: u64,
}

impl Curve {
    /// Adds a point. Those of one call are one. Without room for more points it only moves the last.
    pub(super) fn add(&mut self, point: CurvePoint, room: bool) {
        let due = self
            .points
            .last()
            .is_none_or(|before| point.calls >= before.calls.saturating_add(self.step.max(1)));
        if !due || !room {
            self.last = Some(point);
            return;
        }
        self.last = None;
        self.points.push(point);
        if self.points.len() >= POINTS {
            self.thin();
        }
    }

    /// Every other point goes, but neither the first nor the last.
    fn thin(&mut self) {
        if self.points.len().is_multiple_of(2) {
            self.last = self.points.last().copied();
        }
        let mut place = 0;
        self.points.retain(|_| {
            place += 1;
            place % 2 == 1
        });
        self.step = self.step.max(1).saturating_mul(2);
    }

    /// Oldest first.
    pub(super) fn points(&self) -> impl Iterator<Item = CurvePoint> {
        self.points.iter().copied().chain(self.last)
    }

    /// The last point.
    pub(super) fn last(&self) -> Option<CurvePoint> {
        self.last.or(self.points.last().copied())
    }

    /// How many points it has.
    pub(super) fn len(&self) -> usize {
        self.points.len() + usize::from(self.last.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(calls: u64) -> CurvePoint {
        CurvePoint {
            calls,
            live: calls * 10,
            ..CurvePoint::default()
        }
    }

    #[test]
    fn keeps_the_ends_and_spans_what_lies_between() {
        for length in [1, 5, 47, 48, 49, 1_000, 100_003] {
            let mut curve = Curve::default();
            (1..=length).for_each(|calls| curve.add(point(calls), true));
            let points: Vec<_> = curve.points().collect();
            assert!(points.len() <= POINTS && points.len() == curve.len());
            assert_eq!(points.first().unwrap().calls, 1);
            assert_eq!(points.last().unwrap().calls, length);
            let widest = points.windows(2).map(|two| two[1].calls - two[0].calls);
            assert!(widest.max().unwrap_or(0) <= length / 10 + 1, "{length}");
        }
    }

    #[test]
    fn without_room_it_stays_as_long_as_it_is() {
        let mut curve = Curve::default();
        curve.add(point(1), true);
        (2..=9).for_each(|calls| curve.add(point(calls), false));
        let calls: Vec<_> = curve.points().map(|point| point.calls).collect();
        assert_eq!(calls, [1, 9]);
    }

    #[test]
    fn demands_within_one_call_are_one_point() {
        let mut curve = Curve::default();
        for live in [1, 2, 3] {
            let point = CurvePoint {
                calls: 7,
                live,
                ..CurvePoint::default()
            };
            curve.add(point, true);
        }
        let lives: Vec<_> = curve.points().map(|point| point.live).collect();
        assert_eq!(lives, [1, 3]);
    }
}
