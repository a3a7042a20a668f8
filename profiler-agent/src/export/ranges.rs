//! The ledger of one process, range by range.

use std::collections::HashMap;

use profiler_proto::v1::{self, OwnerKind};
use profiler_query::answer::{
    Clocks, NameStacks, NamedStack, connections::behalf_to_wire, owner_kind, stack_to_wire, target,
    wire_stack_id,
};

use super::live::RangesAnswer;
use crate::{
    event::Backing,
    ids::StackId,
    ledger::{Owner, RangeView},
    profile::row_of,
};

/// The answer; names frames (and blocks) if there are `names`.
pub(super) fn answer(
    ledger: &RangesAnswer,
    names: Option<&dyn NameStacks>,
    clocks: Clocks,
) -> v1::ListRangesResponse {
    let mut stacks: Vec<StackId> = ledger.ranges.iter().filter_map(stack).collect();
    stacks.sort_unstable();
    stacks.dedup();
    let named = names.map(|names| names.name(&stacks)).unwrap_or_default();
    let named: HashMap<StackId, Option<NamedStack>> = stacks.into_iter().zip(named).collect();
    let ranges = ledger.ranges.iter().map(|range| {
        let named = stack(range).and_then(|stack| named.get(&stack));
        v1::Range {
            frames: named.map_or_else(Vec::new, |named| stack_to_wire(named.as_ref()).0),
            ..range_to_wire(range, clocks)
        }
    });
    v1::ListRangesResponse {
        ranges: ranges.collect(),
        target: Some(target(&ledger.target.info, &ledger.target.totals, clocks)),
    }
}

fn stack(range: &RangeView) -> Option<StackId> {
    match range.live?.0 {
        Owner::Stack { stack, .. } => Some(stack),
        _ => None,
    }
}

fn behalf(owner: Owner) -> v1::Behalf {
    owner
        .behalf()
        .map_or(v1::Behalf::NoEvent, |behalf| behalf_to_wire(behalf.into()))
}

fn range_to_wire(range: &RangeView, clocks: Clocks) -> v1::Range {
    let owner = range.live.map(|(owner, _)| match row_of(owner) {
        Some((owner, _)) => owner_kind(owner),
        None => OwnerKind::Unsampled,
    });
    v1::Range {
        start: range.start,
        end: range.end,
        committed: range.writable && range.backing == Backing::Anonymous,
        released: range.released,
        owner: owner.unwrap_or_default().into(),
        stack_id: stack(range).map_or(0, wire_stack_id),
        since: range.live.map(|(_, since)| clocks.to_wall(since)),
        frames: Vec::new(),
        behalf: range
            .live
            .map_or(v1::Behalf::Unspecified, |(owner, _)| behalf(owner))
            .into(),
        connection: range
            .live
            .and_then(|(owner, _)| owner.behalf()?.connection())
            .map_or(0, |cookie| cookie.0),
    }
}
