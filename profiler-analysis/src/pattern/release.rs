//! Whether committed bytes are given back to the kernel at close.

use super::life::Life;
use super::{ENOUGH, Evidence};

/// Released from this share on.
const RELEASED: f64 = 0.8;
/// Not released up to this share.
const STAYS: f64 = 0.2;
/// The share of connections, and of bytes, that has to lie on the side of the whole.
const AGREE: f64 = 0.8;

/// What close does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    /// Gives it back.
    Released,
    /// Leaves it.
    Stays,
}

/// The answer of committed bytes.
#[derive(Debug)]
pub(super) struct Committed {
    pub(super) release: Result<Release, String>,
    /// Share of the bytes at close that was given back.
    pub(super) share: Option<f64>,
    /// Connections behind it.
    pub(super) judged: usize,
}

/// One closed connection: bytes at close, and of them given back.
#[derive(Clone, Copy)]
struct Closed {
    base: f64,
    released: f64,
}

impl Closed {
    fn share(self) -> f64 {
        self.released / self.base
    }
}

/// Judges those that closed 30 s ago. Those that closed since count when all of the class taken
/// together have given enough back already: taking only those of them that have would be a choice
/// of the answer.
pub(super) fn committed(evidence: &[Evidence], lives: &[Life]) -> Committed {
    let pairs = || evidence.iter().zip(lives);
    let by_now: Vec<Closed> = pairs()
        .filter_map(|(one, life)| closed(one, life, one.live))
        .collect();
    if share(&by_now).is_some_and(|share| share >= RELEASED) {
        return judge(&by_now, evidence);
    }
    let settled = pairs().filter_map(|(one, life)| closed(one, life, one.live_after_close?));
    judge(&settled.collect::<Vec<_>>(), evidence)
}

/// None for one that is open or had nothing to leave. Where nearly all was given back before it
/// closed, as programs do that free first and close then, what it had held counts.
fn closed(one: &Evidence, life: &Life, left: u64) -> Option<Closed> {
    one.closed?;
    let (at_close, held) = (one.live_at_close as f64, life.held.most());
    let base = if at_close >= STAYS * held {
        at_close
    } else {
        held
    };
    (base > 0.0).then(|| Closed {
        base,
        released: (base - left as f64).max(0.0),
    })
}

fn share(closed: &[Closed]) -> Option<f64> {
    let base: f64 = closed.iter().map(|one| one.base).sum();
    let released: f64 = closed.iter().map(|one| one.released).sum();
    (base > 0.0).then(|| released / base)
}

fn judge(closed: &[Closed], evidence: &[Evidence]) -> Committed {
    let share = share(closed);
    Committed {
        release: answer(closed, share, evidence),
        share,
        judged: closed.len(),
    }
}

fn answer(closed: &[Closed], share: Option<f64>, evidence: &[Evidence]) -> Result<Release, String> {
    let Some(share) = share.filter(|_| closed.len() >= ENOUGH) else {
        return Err(missing(closed.len(), evidence));
    };
    let (release, side): (_, fn(Closed) -> bool) = if share >= RELEASED {
        (Release::Released, |one| one.share() > 0.5)
    } else if share <= STAYS {
        (Release::Stays, |one| one.share() < 0.5)
    } else {
        let percent = 100.0 * share;
        return Err(format!(
            "mixed: {percent:.0}% of the memory at close was given back"
        ));
    };
    let agreeing: Vec<Closed> = closed.iter().copied().filter(|one| side(*one)).collect();
    let bytes = |some: &[Closed]| some.iter().map(|one| one.base).sum::<f64>();
    let enough = |part: f64, whole: f64| part >= AGREE * whole;
    if enough(agreeing.len() as f64, closed.len() as f64) && enough(bytes(&agreeing), bytes(closed))
    {
        return Ok(release);
    }
    Err("mixed: some connections gave their memory back at close, others did not".into())
}

fn missing(judged: usize, evidence: &[Evidence]) -> String {
    let closed = evidence.iter().filter(|one| one.closed.is_some()).count();
    if closed == 0 {
        let reason = "no connection of this class has closed yet: whether close releases memory \
                      cannot be told";
        return reason.into();
    }
    format!(
        "{closed} connections have closed, {judged} of them with memory to release and 30 s ago: \
         {ENOUGH} are needed to tell whether close releases it"
    )
}
