//! The verbs: arguments become a request, the response becomes output.

mod apart;
mod canary;
mod connections;
mod export;
mod flame;
mod fleet;
mod growth;
mod soak;
mod status;
mod verdict;

use clap::CommandFactory as _;
use profiler_proto::v1::{GroupBy, Selector, TopRequest};

use crate::{
    args::{BehalfArgs, Cli, Command, MOST_ROWS, WhenArgs},
    client::Client,
    failure::{Failure, exit},
    screen::Screen,
    time::Moment,
    watch,
};

/// Runs the verb of a command line and returns the exit code of one that gave its answer.
pub(crate) async fn run(cli: Cli, screen: &mut Screen) -> Result<u8, Failure> {
    let endpoint = &cli.endpoint();
    let shown = match cli.command {
        // Verbs that check have a code for each outcome.
        Command::Verdict(args) => return verdict::run(&args, endpoint, screen).await,
        Command::Soak(args) => return soak::soak(&args, endpoint, screen).await,
        Command::Canary(args) => {
            return canary::canary(&args, Client::connect(endpoint).await?, screen).await;
        }
        // A live view outlives its endpoint: it connects by itself.
        Command::Watch(args) => watch::run(&args, endpoint, screen).await,
        Command::Status(args) => {
            status::status(&args, Client::connect(endpoint).await?, screen).await
        }
        Command::Targets(args) => {
            status::targets(&args, Client::connect(endpoint).await?, screen).await
        }
        Command::Ranges(args) => {
            status::ranges(&args, Client::connect(endpoint).await?, screen).await
        }
        Command::Top(args) => {
            growth::check_top(&args)?;
            growth::top(&args, Client::connect(endpoint).await?, screen).await
        }
        Command::Connections(args) => {
            connections::connections(&args, Client::connect(endpoint).await?, screen).await
        }
        Command::Diff(args) => {
            growth::check_diff(&args)?;
            growth::diff(&args, Client::connect(endpoint).await?, screen).await
        }
        Command::Nodes(args) => fleet::nodes(&args, Client::connect(endpoint).await?, screen).await,
        Command::Series(args) => {
            fleet::series(&args, Client::connect(endpoint).await?, screen).await
        }
        Command::Flame(args) => {
            flame::check(&args, screen)?;
            flame::flame(&args, Client::connect(endpoint).await?, screen).await
        }
        Command::Export(args) => {
            export::check(&args, screen)?;
            export::export(&args, Client::connect(endpoint).await?, screen).await
        }
        Command::Completions(args) => {
            let mut script = Vec::new();
            let mut command = Cli::command();
            clap_complete::generate(args.shell, &mut command, "profiler", &mut script);
            screen.write(&script)
        }
    };
    shown.map(|()| exit::FINE)
}

/// A request for all rows by stack that one answer can carry.
fn all_stacks(
    selector: Option<Selector>,
    behalf: BehalfArgs,
    when: WhenArgs,
    unattributed: bool,
) -> TopRequest {
    TopRequest {
        selector,
        by: GroupBy::Stack.into(),
        limit: MOST_ROWS,
        at: when.at.map(Moment::to_wire),
        since: when.since.map(Moment::to_wire),
        include_unattributed: unattributed,
        connection: behalf.to_wire(),
        ..TopRequest::default()
    }
}

/// Says on standard error what standard output or a file now holds.
fn tell(text: &str) {
    eprintln!("{text}");
}
