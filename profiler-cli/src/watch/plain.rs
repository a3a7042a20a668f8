//! The live view where there is no terminal: one block of lines an interval.

use profiler_proto::v1::GetStatusResponse;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::fetch::{Question, Refresh, Source};
use crate::{
    args::WatchArgs,
    client::Endpoint,
    failure::Failure,
    render::{accounting, growth, status},
    screen::{Look, Screen},
    text::plural,
    time::shown,
    units::{bytes, count, share},
};

/// Blocks until the count, the duration or the reader ends it. An endpoint that goes away is told
/// on standard error and tried again; one that never came is an error in the end.
pub(super) async fn run(
    args: &WatchArgs,
    endpoint: &Endpoint,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let question = Question {
        selector: args.select.to_wire(),
        by: args.by,
        order: args.order,
        limit: args.limit,
        connection: args.behalf.to_wire(),
    };
    let end = args
        .duration
        .and_then(|span| Instant::now().checked_add(span));
    let mut source = Source::new(endpoint);
    let mut ticks = interval(args.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_failure = None;
    let mut answered = false;
    let mut rounds: u64 = 0;
    while args.count.is_none_or(|most| rounds < most) {
        let round = async {
            ticks.tick().await;
            source.refresh(&question).await
        };
        let refreshed = match end {
            Some(end) => timeout_at(end, round).await,
            None => Ok(round.await),
        };
        let Ok(result) = refreshed else { break };
        rounds += 1;
        match result {
            Ok(refresh) => {
                answered = true;
                last_failure = None;
                screen.print(&block(&refresh, args, screen.look(false)))?;
                screen.flush()?;
            }
            Err(failure) => {
                // Said once, not every interval.
                if last_failure.as_ref() != Some(&failure) {
                    eprintln!("{failure}\n  trying again every {:?}", args.interval);
                }
                last_failure = Some(failure);
            }
        }
    }
    match last_failure {
        Some(failure) if !answered => Err(failure),
        _ => Ok(()),
    }
}

fn block(refresh: &Refresh, args: &WatchArgs, look: Look) -> String {
    let snapshot = refresh.top.snapshot.unwrap_or_default();
    let state = &refresh.status;
    let mut text = format!(
        "{}  {} in {}{}\n",
        shown(snapshot.time.as_ref()),
        plural(state.processes_observed.into(), "process", "processes"),
        plural(state.containers.into(), "container", "containers"),
        cost(state),
    );
    let name = match growth::on_several_nodes(&refresh.top.rows) {
        true => growth::label_on_node,
        false => growth::label,
    };
    for row in &refresh.top.rows {
        text.push_str(&format!(
            "  live {:>10}  allocated {:>10}  freed {:>10}  events {:>7}  {}\n",
            bytes(row.committed_live_bytes),
            bytes(row.committed_allocated_bytes),
            bytes(row.committed_freed_bytes),
            count(row.events),
            name(row, args.by),
        ));
    }
    if refresh.top.rows.is_empty() {
        text.push_str("  no growth matches\n");
    }
    text.push_str(&accounting::footer(refresh.top.accounting.as_ref(), look));
    text
}

/// What an agent costs; collectors don't tell.
fn cost(state: &GetStatusResponse) -> String {
    if !status::is_agent(state) {
        return String::new();
    }
    let resident = bytes(state.agent_resident_bytes);
    let cpu = share(status::cpu_share(state));
    format!("  agent {resident}, {cpu} of one CPU")
}
