//! What becomes of the memory that connections demand: four patterns, or `Undetermined` where the
//! evidence does not separate them.
//!
//! Two questions are asked of a class of connections, each with three answers: yes, no, cannot be
//! told.
//!
//! |          | released at close        | not released after close |
//! |----------|--------------------------|--------------------------|
//! | rising   | `RetainedWhileOpen`      | `PerRequest`             |
//! | plateau  | `BoundedPerConnection`   | `RetainedAfterClose`     |
//!
//! *Rise* is asked of the held curve: what stays from one demand to the next, so that scratch
//! memory of one call does not hide what a connection keeps. *Release* is asked of committed bytes
//! first. Where those stay, an allocator may still have been given them back, so the refill test
//! asks whether later connections made the process grow again. Memory that an allocator had free
//! bends the curves of the connections that it went to: where the refill test says that it was
//! free, only connections that had none of it tell about rise.
//!
//! What cannot be told from such evidence: a bound that no connection has reached looks like a
//! rise; memory that connections outside the class left or took is seen only as `pool`; a process
//! that ended gave everything back, so its connections say nothing about release.

mod again;
mod held;
mod jackknife;
mod life;
mod open;
mod refill;
mod release;
mod rise;
#[cfg(test)]
mod tests;

use life::Life;
use release::{Committed, Release};
use rise::{Finding, Rise};

/// What is known of one connection. Times are nanoseconds of one clock, memory is committed bytes
/// that threads demanded while they served it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// When it opened, or was first seen.
    pub opened: u64,
    /// It was there before it was looked at: its curve has no beginning.
    pub found: bool,
    /// When it closed.
    pub closed: Option<u64>,
    /// Calls that received from it.
    pub calls: u64,
    /// Demanded in all.
    pub allocated: u64,
    /// Still there.
    pub live: u64,
    /// The most that was there at any time.
    pub peak: u64,
    /// What was there when it closed.
    pub live_at_close: u64,
    /// What was there 30 s after it closed; none when that is still to come.
    pub live_after_close: Option<u64>,
    /// What was there when its threads demanded memory; by ascending calls, thinned. The first
    /// point is the first demand.
    pub curve: Vec<Point>,
    /// Live bytes of other connections of its process that had closed when it opened: what an
    /// allocator could have had free for it, if they were freed inside.
    pub pool: u64,
}

/// A point of a connection's curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// Calls that had received from it.
    pub calls: u64,
    /// Demanded in all by then.
    pub allocated: u64,
    /// There then.
    pub live: u64,
}

/// What becomes of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// The evidence does not separate the others.
    Undetermined,
    /// Rises with calls without a plateau; at least 80% released within 30 s of close.
    RetainedWhileOpen,
    /// Rises to a high-water mark; released at close.
    BoundedPerConnection,
    /// Rises to a high-water mark; at most 20% released after close: growth follows connections.
    RetainedAfterClose,
    /// Rises with calls; at most 20% released after close: growth follows requests, whatever the
    /// connection.
    PerRequest,
    /// Next to nothing stays.
    NoGrowth,
}

/// What an answer about release rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// Committed bytes that were given back to the kernel, or were not.
    Committed,
    /// Connections that came when an allocator could have had freed memory: whether they made the
    /// process grow again.
    Refill,
}

/// A judgement of one class of connections.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The pattern.
    pub pattern: Pattern,
    /// What the release rests on, where it was told.
    pub basis: Option<Basis>,
    /// In plain words: why, or what is missing to tell.
    pub reason: String,
    /// Connections looked at.
    pub connections: u64,
    /// Of them closed.
    pub closed: u64,
    /// Of those closed long enough ago to say what stayed.
    pub judged: u64,
    /// Growth over the last quarter of the calls, as a share of what steady growth would give. Of
    /// connections with few calls: the elasticity of memory with calls, over connections.
    pub late_growth: Option<Interval>,
    /// Share of the live bytes at close that was given back within 30 s.
    pub released_share: Option<f64>,
    /// See [`Basis::Refill`]: growth of the later connections as a share of that of the earlier.
    pub refill_ratio: Option<f64>,
    /// Median of the peaks.
    pub bytes_per_connection: f64,
    /// Median of peak over calls.
    pub bytes_per_call: f64,
}

/// An estimate with its 95% bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// Connections that have to stand behind a named pattern.
const ENOUGH: usize = 5;
/// Peaks that sum up to less are next to nothing, bytes.
const NEGLIGIBLE: f64 = 65_536.0;
/// Calls without growth before "next to nothing" is said.
const CALLS_WITHOUT_GROWTH: f64 = 100.0;
/// What is given back between demands, as a share of the peaks, when next to nothing stays.
const GIVEN_BACK: f64 = 0.95;

/// Judges one class of connections of one process.
pub fn judge(evidence: &[Evidence]) -> Judgement {
    let lives = life::of(evidence);
    let committed = release::committed(evidence, &lives);
    let all: Vec<&Life> = lives.iter().collect();
    let finding = rise::find(&all);
    let mut judgement = Judgement {
        pattern: Pattern::Undetermined,
        basis: None,
        reason: String::new(),
        connections: evidence.len() as u64,
        closed: count(evidence, |one| one.closed.is_some()),
        judged: committed.judged as u64,
        late_growth: finding.late_growth,
        released_share: committed.share,
        refill_ratio: None,
        bytes_per_connection: median(evidence.iter().map(|one| one.peak as f64)),
        bytes_per_call: median(evidence.iter().filter(|one| one.calls > 0).map(per_call)),
    };
    match no_growth(evidence, &lives) {
        Growth::Seen => name(&mut judgement, &lives, &committed, finding),
        Growth::None(reason) => {
            judgement.pattern = Pattern::NoGrowth;
            judgement.reason = reason;
        }
        Growth::Unclear(reason) => judgement.reason = reason,
    }
    judgement
}

/// Puts the two answers together.
fn name(judgement: &mut Judgement, lives: &[Life], committed: &Committed, all: Finding) {
    match &committed.release {
        Ok(Release::Released) => {
            judgement.basis = Some(Basis::Committed);
            conclude(judgement, all.rise, Release::Released);
        }
        Ok(Release::Stays) => {
            let refill = refill::test(lives, &all);
            judgement.refill_ratio = refill.ratio;
            judgement.late_growth = refill.late_growth.or(judgement.late_growth);
            match refill.answer {
                Ok((rise, release)) => {
                    judgement.basis = Some(Basis::Refill);
                    conclude(judgement, Ok(rise), release);
                }
                Err(reason) => judgement.reason = reason,
            }
        }
        Err(reason) => judgement.reason.clone_from(reason),
    }
}

fn conclude(judgement: &mut Judgement, rise: Result<Rise, String>, release: Release) {
    let rise = match rise {
        Ok(rise) => rise,
        Err(reason) => {
            judgement.reason = reason;
            return;
        }
    };
    let how = match (release, judgement.basis) {
        (Release::Released, Some(Basis::Refill)) => {
            "closing a connection frees it inside the allocator: later ones took it again"
        }
        (Release::Released, _) => "it is given back to the kernel when the connection closes",
        (Release::Stays, _) => {
            "it stays after close, and later connections made the process grow again"
        }
    };
    let (pattern, what) = match (rise, release) {
        (Rise::Rising, Release::Released) => (
            Pattern::RetainedWhileOpen,
            "memory rises with calls as long as a connection is open",
        ),
        (Rise::Rising, Release::Stays) => (
            Pattern::PerRequest,
            "memory rises with calls, and closing connections does not help",
        ),
        (Rise::Plateau, Release::Released) => (
            Pattern::BoundedPerConnection,
            "memory of a connection reaches a high-water mark",
        ),
        (Rise::Plateau, Release::Stays) => (
            Pattern::RetainedAfterClose,
            "each connection leaves a bounded amount behind",
        ),
    };
    judgement.pattern = pattern;
    judgement.reason = format!("{what}; {how}");
}

enum Growth {
    Seen,
    None(String),
    Unclear(String),
}

/// Whether anything stays that could have a pattern.
fn no_growth(evidence: &[Evidence], lives: &[Life]) -> Growth {
    if evidence.len() < ENOUGH {
        let seen = evidence.len();
        return Growth::Unclear(format!("{seen} connections seen, {ENOUGH} are needed"));
    }
    let peaks: f64 = evidence.iter().map(|one| one.peak as f64).sum();
    let calls: f64 = evidence.iter().map(|one| one.calls as f64).sum();
    let reason = if peaks < NEGLIGIBLE {
        format!("{peaks:.0} bytes at most in {calls:.0} calls")
    } else if given_back(evidence, lives, |_| true) {
        "what connections demand is given back while they are open".into()
    } else {
        return Growth::Seen;
    };
    if calls < CALLS_WITHOUT_GROWTH {
        return Growth::Unclear(format!("hardly any growth, but in {calls:.0} calls only"));
    }
    let pool = median(evidence.iter().map(|one| one.pool as f64));
    let held: f64 = lives.iter().map(|life| life.held.most()).sum();
    let clean = lives.iter().filter(|life| life.clean).count();
    let given_back = given_back(evidence, lives, |life| life.clean);
    if held.max(pool) < NEGLIGIBLE || clean >= ENOUGH && given_back {
        return Growth::None(reason);
    }
    if given_back {
        let reason = "hardly any growth, but an allocator may have had memory of earlier \
                      connections for these";
        return Growth::Unclear(reason.into());
    }
    Growth::Seen
}

/// Whether next to nothing of what connections demanded stays. Asked also of those for which an
/// allocator had nothing free: others hold memory for which they did not make the process grow.
fn given_back(evidence: &[Evidence], lives: &[Life], which: impl Fn(&Life) -> bool) -> bool {
    let pairs = || evidence.iter().zip(lives).filter(|pair| which(pair.1));
    let peaks: f64 = pairs().map(|pair| pair.0.peak as f64).sum();
    let held: f64 = pairs().map(|pair| pair.1.held.most()).sum();
    held <= (1.0 - GIVEN_BACK) * peaks
}

fn per_call(one: &Evidence) -> f64 {
    one.peak as f64 / one.calls as f64
}

fn count(evidence: &[Evidence], which: impl Fn(&Evidence) -> bool) -> u64 {
    evidence.iter().filter(|one| which(one)).count() as u64
}

/// The middle of `values`; 0 where there is none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    if values.is_empty() {
        return 0.0;
    }
    values.sort_unstable_by(f64::total_cmp);
    let upper = values[values.len() / 2];
    let lower = values[(values.len() - 1) / 2];
    f64::midpoint(lower, upper)
}
