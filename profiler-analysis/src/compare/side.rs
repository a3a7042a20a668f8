//! The figures of both sides, and of their difference.

use super::{
    Band, Figures, Margin, Question, Side,
    align::{Aligned, Floors},
    bootstrap::Slope,
};

const SECONDS_PER_HOUR: f64 = 3_600.0;

pub(super) fn figures(aligned: &Aligned, question: &Question) -> Figures {
    let slope = |bytes: &[f64], seed| {
        let points = aligned.hours.iter().copied().zip(bytes.iter().copied());
        Slope::of(&points.collect::<Vec<_>>(), question.draws, seed)
    };
    // What both have at the same age, such as a warm-up, is gone from the difference before its
    // slope is taken.
    let difference = |scale: f64| {
        let both = aligned.baseline.bytes.iter().zip(&aligned.canary.bytes);
        let bytes: Vec<f64> = both.map(|(old, new)| scale * new - old).collect();
        slope(&bytes, 3).band()
    };
    let (old, new) = (
        slope(&aligned.baseline.bytes, 1),
        slope(&aligned.canary.bytes, 2),
    );
    let (baseline, canary) = (side(&aligned.baseline, &old), side(&aligned.canary, &new));
    let (often, rarely) = (baseline.calls_per_second, canary.calls_per_second);
    let scale = (often > 0.0 && rarely > 0.0).then(|| often / rarely);
    Figures {
        ages: aligned.ages,
        bins: aligned.hours.len(),
        bin_seconds: aligned.bin_seconds,
        slope_difference: difference(1.0),
        slope_difference_at_equal_load: scale.map(difference),
        bytes_per_request_ratio: scale.and_then(|scale| ratio(&old, &new, scale)),
        margin_bytes_per_hour: match question.margin {
            Margin::Bytes(bytes) => bytes,
            Margin::Share(share) => share * baseline.floor_bytes,
        },
        baseline,
        canary,
    }
}

fn side(floors: &Floors, slope: &Slope) -> Side {
    let band = slope.band();
    let calls_per_hour = floors.calls_per_second * SECONDS_PER_HOUR;
    Side {
        lives: floors.lives,
        floor_bytes: floors.bytes.iter().sum::<f64>() / (floors.bytes.len() as f64).max(1.0),
        slope_bytes_per_hour: band,
        calls_per_second: floors.calls_per_second,
        bytes_per_request: (calls_per_hour > 0.0).then(|| band.scaled(1.0 / calls_per_hour)),
    }
}

/// The new slope, times `scale`, over the old one, with the band that 95% of the draws lie in; none
/// where the old one may be nothing, since then so may be the ratio's denominator.
fn ratio(old: &Slope, new: &Slope, scale: f64) -> Option<Band> {
    if old.band().lower <= 0.0 {
        return None;
    }
    let both = old.off.iter().zip(&new.off);
    let mut ratios: Vec<f64> = both
        .map(|(old_off, new_off)| scale * (new.value + new_off) / (old.value + old_off))
        .collect();
    ratios.sort_by(f64::total_cmp);
    let at = |share: f64| ratios.get((ratios.len() as f64 * share) as usize).copied();
    Some(Band {
        value: scale * new.value / old.value,
        lower: at(0.025)?,
        upper: at(0.975)?,
    })
}

impl Band {
    fn scaled(self, by: f64) -> Self {
        Self {
            value: self.value * by,
            lower: self.lower * by,
            upper: self.upper * by,
        }
    }
}
