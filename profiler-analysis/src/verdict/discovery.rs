//! False discoveries over all series of a host.

/// Of the leaks that are told, the share that may be chance.
const SHARE: f64 = 0.05;

/// The largest chance that still counts as a discovery, by Benjamini and Hochberg (Journal of the
/// Royal Statistical Society B 57, 1995). Series that were not judged have a chance of 1.
pub(super) fn threshold(chances: impl Iterator<Item = f64>) -> f64 {
    let mut small = Vec::new();
    let mut all = 0_usize;
    for chance in chances {
        all += 1;
        if chance <= SHARE {
            small.push(chance);
        }
    }
    small.sort_unstable_by(f64::total_cmp);
    let allowed = |rank: usize| SHARE * (rank + 1) as f64 / all as f64;
    let last = small
        .iter()
        .enumerate()
        .rev()
        .find(|(rank, chance)| **chance <= allowed(*rank));
    last.map_or(SHARE / all.max(1) as f64, |(rank, _)| allowed(rank))
}
