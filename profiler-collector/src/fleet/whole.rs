//! What agents count for the whole of their nodes, added up.

use std::sync::Arc;

use profiler_proto::v1;
use profiler_query::answer::Whole;

use super::state::State;

/// Causes of loss in one answer.
const CAUSES: usize = 200;

/// Bytes of a cause and of what it means: both are the agents' own words.
const CAUSE: usize = 64;
const MEANING: usize = 1 << 10;

/// What an agent lost, within bounds.
pub(crate) fn losses(told: &v1::Accounting) -> impl Iterator<Item = v1::Loss> {
    told.losses.iter().take(CAUSES).map(|loss| v1::Loss {
        cause: cut(&loss.cause, CAUSE).to_owned(),
        count: loss.count,
        meaning: cut(&loss.meaning, MEANING).to_owned(),
    })
}

/// As much of a text as fits into so many bytes.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// As the agents said it in their last whole batch.
pub(crate) fn whole(states: &[Arc<State>]) -> Whole {
    let mut whole = Whole::default();
    let (mut intervals, mut agents) = (0, 0);
    let states = states.iter();
    let told = states.filter_map(|state| state.status.as_ref()?.accounting.as_ref());
    for told in told {
        for (sum, part) in [
            (&mut whole.events_seen, told.events_seen),
            (&mut whole.captures_seen, told.captures_seen),
            (&mut whole.stacks_complete, told.stacks_complete),
            (&mut whole.stacks_truncated, told.stacks_truncated),
            (&mut intervals, told.capture_interval_bytes),
            (&mut agents, 1),
        ] {
            *sum = sum.saturating_add(part);
        }
        for loss in losses(told) {
            add(&mut whole.losses, loss);
        }
    }
    whole.capture_interval = intervals.checked_div(agents).unwrap_or(0);
    whole
}

fn add(losses: &mut Vec<v1::Loss>, more: v1::Loss) {
    let known = losses.iter().position(|loss| loss.cause == more.cause);
    match known {
        Some(place) => {
            let sum = &mut losses[place].count;
            *sum = sum.saturating_add(more.count);
        }
        // Causes are the agents' own names: a few dozen.
        None if losses.len() < CAUSES => losses.push(more),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_says_of_losses_is_bounded() {
        let loss = v1::Loss {
            cause: "\u{e4}".repeat(1000),
            count: 1,
            meaning: format!("x{}", "\u{e4}".repeat(1000)),
        };
        let told = v1::Accounting {
            losses: vec![loss; 300],
            ..v1::Accounting::default()
        };
        let kept: Vec<v1::Loss> = losses(&told).collect();
        assert_eq!(kept.len(), 200);
        assert_eq!((kept[0].cause.len(), kept[0].meaning.len()), (64, 1023));
    }
}
