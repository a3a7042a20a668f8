//! A server with known truth, and the committed memory that a kernel sees of it.

use super::heap::{Heap, Memory};
use super::random::Random;
use crate::pattern::{Evidence, Pattern, Point};

const SECOND: u64 = 1_000_000_000;
/// Mean bytes of a call.
const MEAN: f64 = 100_000.0;
/// Between two waves, calls.
const GAP: f64 = 10.0;
/// Points of a curve from which on every other one goes.
const POINTS: usize = 48;

/// What a server does with the memory of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Truth {
    pub(super) rising: bool,
    pub(super) released: bool,
}

impl Truth {
    pub(super) fn pattern(self) -> Pattern {
        match (self.rising, self.released) {
            (true, true) => Pattern::RetainedWhileOpen,
            (false, true) => Pattern::BoundedPerConnection,
            (false, false) => Pattern::RetainedAfterClose,
            (true, false) => Pattern::PerRequest,
        }
    }
}

/// When connections open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// All at once; each closes when it has made its calls.
    Together,
    /// So many clients come all together, go, and come again.
    Groups(usize),
    /// Groups that open and close together, each larger by one than the one before.
    Ramp,
    /// One after the other, so many at a time.
    Staggered(u64),
    /// So many clients start one after the other, and as many again when the last has gone.
    Waves(usize),
}

/// Bytes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sizes {
    Fixed,
    /// From none to twice the mean.
    Uniform,
    /// From 16 to 64 of 40 parts of the mean.
    Blocks,
    /// Some much larger than others.
    Exponential,
}

/// How memory comes to a plateau.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// By the largest call, or by up to so many first ones.
    Any(u64),
    /// By so many first calls.
    First(u64),
}

/// A run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) memory: Memory,
    pub(super) opening: Opening,
    pub(super) connections: usize,
    /// Between two openings of a wave, calls.
    pub(super) spacing: f64,
    pub(super) calls: (u64, u64),
    pub(super) sizes: Sizes,
    pub(super) bound: Bound,
    /// Mapped for the time of each call, bytes.
    pub(super) scratch: u64,
    /// Memory is freed right before the connection closes.
    pub(super) frees_first: bool,
    /// Connections close at all.
    pub(super) closes: bool,
    /// What the allocator has free before the first opens, bytes.
    pub(super) warm: u64,
    /// From the last close until the evidence is looked at, seconds.
    pub(super) waited: u64,
}

/// One connection of the server.
struct Served {
    truth: Truth,
    start: f64,
    length: f64,
    seen: Evidence,
    curve: Curve,
    /// Bytes that the server keeps for it.
    kept: u64,
    blocks: Vec<u64>,
    ended: f64,
}

struct Server<'a> {
    run: Run,
    random: &'a mut Random,
    served: Vec<Served>,
    heap: Heap,
    /// Calls until the plateau.
    bound: u64,
    /// A plateau is the largest call, not the first ones.
    largest: bool,
}

/// Serves one connection by element of `truths`, and returns what was seen.
pub(super) fn serve(run: Run, truths: &[Truth], random: &mut Random) -> Vec<Evidence> {
    let clients = match run.opening {
        Opening::Groups(size) => size,
        _ => truths.len(),
    };
    let calls: Vec<u64> = (0..clients)
        .map(|_| random.between(run.calls.0, run.calls.1))
        .collect();
    let plans = truths.iter().zip(calls.iter().cycle());
    let mut served: Vec<Served> = plans.map(|(truth, calls)| plan(*truth, *calls)).collect();
    place(run, &mut served, random);
    let (bound, largest) = match run.bound {
        Bound::Any(most) => (random.between(1, most), random.unit() < 0.5),
        Bound::First(calls) => (calls, false),
    };
    let mut server = Server {
        run,
        random,
        served,
        heap: Heap::new(run.memory, run.warm),
        bound,
        largest,
    };
    for (time, index, event) in events(&server.served) {
        server.step(time, index, event);
    }
    server.finish()
}

fn plan(truth: Truth, calls: u64) -> Served {
    Served {
        truth,
        start: 0.0,
        length: calls as f64,
        seen: Evidence {
            calls,
            ..Evidence::default()
        },
        curve: Curve::default(),
        kept: 0,
        blocks: Vec::new(),
        ended: 0.0,
    }
}

fn place(run: Run, served: &mut [Served], random: &mut Random) {
    let longest = run.calls.1 as f64;
    let mut lanes = vec![0.0; served.len()];
    let (mut start, mut last) = (0.0, 0.0_f64);
    for (index, one) in served.iter_mut().enumerate() {
        let mut group = |number: u64| {
            one.start = longest * (1.5 * number as f64 + 0.02 * random.unit());
            one.length = longest;
        };
        match run.opening {
            Opening::Together => one.start = random.unit(),
            Opening::Groups(size) => group((index / size) as u64),
            Opening::Ramp => group(triangular_root(index as u64)),
            Opening::Waves(size) => {
                if index > 0 && index % size == 0 {
                    start = last + GAP;
                }
                one.start = start + 0.1 * random.unit();
                start += run.spacing;
                last = last.max(one.start + one.length);
            }
            Opening::Staggered(width) => {
                let lane = &mut lanes[index % width as usize];
                one.start = *lane + random.unit();
                *lane = one.start + one.length + 1.0;
            }
        }
    }
}

/// The largest `n` with `n (n + 1) / 2 <= index`.
fn triangular_root(index: u64) -> u64 {
    ((8 * index + 1).isqrt() - 1) / 2
}

#[derive(Clone, Copy, PartialEq)]
enum Event {
    Open,
    Call(u64),
    Close,
}

fn events(served: &[Served]) -> Vec<(f64, usize, Event)> {
    let mut events = Vec::new();
    for (index, one) in served.iter().enumerate() {
        let end = one.start + one.length;
        events.push((one.start, index, Event::Open));
        for call in 1..=one.seen.calls {
            let at = (call as f64 - 0.5) / one.seen.calls as f64;
            events.push((one.start + one.length * at, index, Event::Call(call)));
        }
        events.push((end, index, Event::Close));
    }
    events.sort_by(|one, other| one.0.total_cmp(&other.0));
    events
}

impl Server<'_> {
    fn step(&mut self, time: f64, index: usize, event: Event) {
        match event {
            Event::Open => {
                let closed = self.served.iter().filter(|one| one.seen.closed.is_some());
                let pool = closed.map(|one| one.seen.live).sum();
                let seen = &mut self.served[index].seen;
                (seen.opened, seen.pool) = (nanoseconds(time), pool);
            }
            Event::Call(call) => self.call(index, call),
            Event::Close if self.run.closes => self.close(index, time),
            Event::Close => {}
        }
    }

    fn call(&mut self, index: usize, call: u64) {
        let size = MEAN
            * match self.run.sizes {
                Sizes::Fixed => 1.0,
                Sizes::Uniform => 2.0 * self.random.unit(),
                Sizes::Blocks => 0.4 + 1.2 * self.random.unit(),
                Sizes::Exponential => self.random.exponential(),
            };
        let size = size as u64 + 1;
        let (bound, largest) = (self.bound, self.largest);
        let one = &self.served[index];
        let target = match (one.truth.rising, largest) {
            (true, _) => one.kept + size,
            (false, true) => one.kept.max(size * 4),
            (false, false) => one.kept + if call <= bound { size } else { 0 },
        };
        let wanted = target - one.kept;
        self.served[index].kept = target;
        if self.run.scratch > 0 {
            self.demand(index, call, self.run.scratch);
        }
        if wanted > 0 {
            self.served[index].blocks.push(wanted);
            let grown = self.heap.allocate(wanted);
            self.demand(index, call, grown);
        }
        self.served[index].seen.live -= self.run.scratch;
    }

    fn demand(&mut self, index: usize, call: u64, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let seen = &mut self.served[index].seen;
        seen.allocated += bytes;
        seen.live += bytes;
        seen.peak = seen.peak.max(seen.live);
        let point = Point {
            calls: call,
            allocated: seen.allocated,
            live: seen.live,
        };
        self.served[index].curve.add(point);
    }

    fn close(&mut self, index: usize, time: f64) {
        let one = &mut self.served[index];
        let seen = &mut one.seen;
        seen.closed = Some(nanoseconds(time));
        one.ended = time;
        seen.live_at_close = seen.live;
        if !one.truth.released {
            return;
        }
        if self.heap.free(&one.blocks) {
            seen.live = 0;
        }
        if self.run.frees_first {
            seen.live_at_close = seen.live;
        }
    }

    fn finish(self) -> Vec<Evidence> {
        let last = self.served.iter().map(|one| one.ended).fold(0.0, f64::max);
        let now = nanoseconds(last) + self.run.waited * SECOND;
        let settled = |one: &Evidence| one.closed.is_some_and(|at| at + 30 * SECOND <= now);
        let seen = |one: Served| {
            let mut seen = one.seen;
            seen.live_after_close = settled(&seen).then_some(seen.live);
            seen.curve = one.curve.points();
            seen
        };
        self.served.into_iter().map(seen).collect()
    }
}

/// A curve as the agent keeps it: points `step` calls apart, and the last one.
#[derive(Default)]
struct Curve {
    points: Vec<Point>,
    last: Option<Point>,
    step: u64,
}

impl Curve {
    fn add(&mut self, point: Point) {
        let due = |before: &Point| point.calls >= before.calls + self.step.max(1);
        if !self.points.last().is_none_or(due) {
            self.last = Some(point);
            return;
        }
        self.last = None;
        self.points.push(point);
        if self.points.len() >= POINTS {
            self.last = Some(point);
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.step = self.step.max(1) * 2;
        }
    }

    fn points(&self) -> Vec<Point> {
        self.points.iter().copied().chain(self.last).collect()
    }
}

/// A call takes a second.
fn nanoseconds(time: f64) -> u64 {
    (time * SECOND as f64) as u64
}
