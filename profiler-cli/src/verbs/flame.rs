//! `flame`: growth by stack as a picture.

use profiler_formats::{
    flame::{self, Caption, Kind},
    folded::{self, Folded, fold, fold_by_connection},
};

use profiler_proto::v1::Selector;

use crate::{
    args::{FlameArgs, FlameBy, WhenArgs},
    client::Client,
    failure::Failure,
    render::growth::behalf,
    screen::Screen,
    text::plural,
    units::{bytes, share},
    verbs::{all_stacks, apart::by_connection, tell},
};

pub(super) fn check(args: &FlameArgs, screen: &Screen) -> Result<(), Failure> {
    if args.by == FlameBy::Connection && args.behalf.connection.is_some() {
        return Err(Failure::with_hint(
            "--by connection and --connection exclude each other",
            "--connection draws the stacks of one, --by connection those of the largest",
        ));
    }
    if args.by == FlameBy::Connection && compares(args) {
        return Err(Failure::with_hint(
            "--by connection and --against exclude each other",
            "connections of two targets are not the same: leave --by away",
        ));
    }
    if compares(args) && (args.when.at.is_some() || args.when.since.is_some()) {
        return Err(Failure::with_hint(
            "--against compares what is there at a moment",
            "--to names the moment of the selection, --from that of the other target",
        ));
    }
    if args.folded {
        return Ok(());
    }
    screen.refuse_terminal(args.output.as_deref(), "an SVG picture")
}

pub(super) async fn flame(
    args: &FlameArgs,
    mut client: Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut facts = vec!["tier C: demand, not retention".to_owned()];
    let (side, other) = sides(args);
    let now = stacks(args, side, &mut client, &mut facts).await?;
    let before = match other {
        Some(other) => Some(stacks(args, other, &mut client, &mut Vec::new()).await?),
        None => None,
    };
    if compares(args) {
        facts.push("red: more than the other target, blue: less".into());
    }
    let total = now
        .values()
        .fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
    let behalf = behalf(args.behalf.connection);
    let name = format!("{} committed by stack{behalf}", bytes(total));
    let caption = Caption {
        title: format!("{name} ({})", args.value.name()),
        facts: facts.join("; "),
    };
    let output = match (args.folded, &before) {
        (true, None) => folded::lines(&now).into_bytes(),
        (true, Some(before)) => flame::merged(before, &now)?.into_bytes(),
        (false, None) => flame::svg(&folded::lines(&now), &caption, Kind::Interactive)?,
        (false, Some(before)) => {
            flame::svg(&flame::merged(before, &now)?, &caption, Kind::Interactive)?
        }
    };
    if screen.save(args.output.as_deref(), &output)? {
        let stacks = plural(now.len() as u64, "stack", "stacks");
        tell(&format!("{stacks}, {}; {}", caption.title, caption.facts));
    }
    Ok(())
}

fn compares(args: &FlameArgs) -> bool {
    !args.against.conditions.is_empty()
}

/// What is folded: of which targets, and when.
struct Side {
    selector: Option<Selector>,
    when: WhenArgs,
}

/// What is drawn, and what it is compared with.
fn sides(args: &FlameArgs) -> (Side, Option<Side>) {
    let selector = args.select.to_wire();
    let at = |at| WhenArgs { since: None, at };
    let other = match (args.against.to_wire(), args.from) {
        (None, None) => {
            let when = args.when;
            return (Side { selector, when }, None);
        }
        (None, from) => Side {
            selector: selector.clone(),
            when: at(from),
        },
        (against, from) => Side {
            selector: against,
            when: at(from.or(args.to)),
        },
    };
    let when = at(args.to);
    (Side { selector, when }, Some(other))
}

/// Stands in the place of the process where targets are compared: it may be called otherwise in
/// the other one.
const ANY_PROCESS: &str = "[any process]";

/// Folded stacks of one side; what a viewer has to know is added to `facts`.
async fn stacks(
    args: &FlameArgs,
    side: Side,
    client: &mut Client,
    facts: &mut Vec<String>,
) -> Result<Folded, Failure> {
    let request = all_stacks(side.selector, args.behalf, side.when, args.unattributed);
    let (response, folded) = match args.by {
        FlameBy::Stack => {
            let mut response = client.top(request).await?;
            if compares(args) {
                for row in &mut response.rows {
                    ANY_PROCESS.clone_into(&mut row.process_name);
                }
            }
            let folded = fold(&response.rows, args.value.into());
            (response, folded)
        }
        FlameBy::Connection => {
            let (response, told) = by_connection(request, args.value, client).await?;
            facts.push(told);
            let folded = fold_by_connection(&response.rows, args.value.into());
            (response, folded)
        }
    };
    let rows = response.rows.len() as u64;
    if rows < response.total_rows.into() {
        facts.push(format!(
            "the {rows} largest of {} stacks",
            response.total_rows
        ));
    }
    if let Some(accounting) = &response.accounting {
        let unattributed = share(accounting.unattributed_share);
        let shown = if args.unattributed {
            "shown"
        } else {
            "left out"
        };
        facts.push(format!("no stack owns {unattributed}, {shown}"));
        if !accounting.losses.is_empty() {
            facts.push("events were lost, see `profiler status`".into());
        }
    }
    Ok(folded)
}
