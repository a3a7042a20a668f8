//! `flame`: growth by stack as a picture.

use crate::{
    args::{FlameArgs, FlameBy, WhenArgs},
    client::Client,
    failure::Failure,
    flame::{self, Caption},
    folded::{self, Folded, fold, fold_by_connection},
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
    let when = match args.from {
        Some(_) => WhenArgs {
            since: None,
            at: args.to,
        },
        None => args.when,
    };
    let now = stacks(args, when, &mut client, &mut facts).await?;
    let before = match args.from {
        Some(from) => {
            let when = WhenArgs {
                since: None,
                at: Some(from),
            };
            Some(stacks(args, when, &mut client, &mut Vec::new()).await?)
        }
        None => None,
    };
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
        (false, None) => flame::svg(&folded::lines(&now), &caption)?,
        (false, Some(before)) => flame::svg(&flame::merged(before, &now)?, &caption)?,
    };
    if screen.save(args.output.as_deref(), &output)? {
        let stacks = plural(now.len() as u64, "stack", "stacks");
        tell(&format!("{stacks}, {}; {}", caption.title, caption.facts));
    }
    Ok(())
}

/// Folded stacks at one moment; what a viewer has to know is added to `facts`.
async fn stacks(
    args: &FlameArgs,
    when: WhenArgs,
    client: &mut Client,
    facts: &mut Vec<String>,
) -> Result<Folded, Failure> {
    let request = all_stacks(&args.select, args.behalf, when, args.unattributed);
    let (response, folded) = match args.by {
        FlameBy::Stack => {
            let response = client.top(request).await?;
            let folded = fold(&response.rows, args.value);
            (response, folded)
        }
        FlameBy::Connection => {
            let (response, told) = by_connection(request, args.value, client).await?;
            facts.push(told);
            let folded = fold_by_connection(&response.rows, args.value);
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
