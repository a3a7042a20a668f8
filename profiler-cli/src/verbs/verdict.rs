//! `verdict`.

use std::time::Duration;

use profiler_formats::json;
use profiler_proto::v1::{ListVerdictsResponse, VerdictState};
use tokio::time::sleep;

use crate::{
    args::{Format, VerdictArgs},
    client::{Client, Endpoint},
    failure::{Failure, exit},
    render::verdict::{self as render, words::leaks},
    screen::Screen,
};

/// Losses that leave verdicts out of an answer.
const BLIND: [&str; 3] = ["nodes_silent", "nodes_unreadable", "verdicts_unknown"];
/// Before an endpoint that went away is tried again.
const AGAIN: Duration = Duration::from_secs(3);

pub(super) async fn run(
    args: &VerdictArgs,
    endpoint: &Endpoint,
    screen: &mut Screen,
) -> Result<u8, Failure> {
    let client = Client::connect(endpoint).await?;
    if args.watch {
        return watch(args, client, endpoint, screen).await;
    }
    if args.oom {
        return kills(args, client, screen).await;
    }
    verdicts(args, client, screen).await
}

async fn verdicts(
    args: &VerdictArgs,
    mut client: Client,
    screen: &mut Screen,
) -> Result<u8, Failure> {
    let mut response = client.verdicts(args.to_wire()).await?;
    let code = match args.check {
        true => checked(&response),
        false => exit::FINE,
    };
    response.verdicts.truncate(args.limit as usize);
    let look = screen.look(args.no_truncate);
    let alone = response.total == 1 && args.select.to_wire().is_some();
    let text = match args.format {
        Format::Json => json::to_text(&response)?,
        Format::Table if args.full || alone => render::in_full(&response, look),
        Format::Table => render::table(&response, look),
    };
    screen.print(&text).or_else(Failure::unless_gone)?;
    Ok(code)
}

/// The worst comes first, so a leak is not among the rows that were cut away; what is not steady may
/// be.
fn checked(response: &ListVerdictsResponse) -> u8 {
    let states = || response.verdicts.iter().map(|one| one.state());
    let whole = response.verdicts.len() as u64 >= u64::from(response.total);
    if states().any(leaks) {
        exit::FAILED
    } else if states().all(|state| state == VerdictState::Steady)
        && !response.verdicts.is_empty()
        && whole
        && !is_blind(response)
    {
        exit::FINE
    } else {
        exit::UNDECIDED
    }
}

/// Whether there are nodes of which nothing, or nothing recent, is known.
fn is_blind(response: &ListVerdictsResponse) -> bool {
    let losses = response.accounting.iter().flat_map(|one| &one.losses);
    let mut causes = losses
        .filter(|loss| loss.count > 0)
        .map(|loss| &*loss.cause);
    causes.any(|cause| BLIND.contains(&cause))
}

async fn kills(args: &VerdictArgs, mut client: Client, screen: &mut Screen) -> Result<u8, Failure> {
    let response = client.oom_kills(args.to_kills()).await?;
    let text = match args.format {
        Format::Json => json::to_text(&response)?,
        Format::Table => render::kills(&response, screen.look(args.no_truncate)),
    };
    screen.print(&text)?;
    Ok(exit::FINE)
}

/// Until the reader goes. An endpoint that goes away is told on standard error and tried again.
async fn watch(
    args: &VerdictArgs,
    client: Client,
    endpoint: &Endpoint,
    screen: &mut Screen,
) -> Result<u8, Failure> {
    // What is refused at first would be refused again.
    let mut lost = follow(args, client, screen).await?;
    let mut told = None;
    loop {
        if told.as_ref() != Some(&lost) {
            eprintln!("{lost}\n  trying again every {AGAIN:?}");
        }
        told = Some(lost);
        sleep(AGAIN).await;
        lost = match Client::connect(endpoint).await {
            Ok(client) => match follow(args, client, screen).await {
                Ok(lost) => {
                    told = None;
                    lost
                }
                Err(Failure::ReaderGone) => return Err(Failure::ReaderGone),
                Err(refused) => refused,
            },
            Err(away) => away,
        };
    }
}

/// Prints changes until the stream ends, and says why it did. Fails where it never began.
async fn follow(
    args: &VerdictArgs,
    mut client: Client,
    screen: &mut Screen,
) -> Result<Failure, Failure> {
    let mut changes = client.verdict_changes(args.to_watch()).await?;
    loop {
        let change = match client.next_change(&mut changes).await {
            Ok(Some(change)) => change,
            Ok(None) => return Ok(Failure::new(format!("{} ended it", client.endpoint()))),
            Err(failure) => return Ok(failure),
        };
        let line = match args.format {
            Format::Json => json::to_line(&change)?,
            Format::Table => render::change(&change, screen.look(args.no_truncate)),
        };
        screen.print(&line)?;
        screen.flush()?;
    }
}
