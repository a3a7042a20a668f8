//! The live view: a terminal interface where there is a terminal, plain lines elsewhere.

pub mod detail;
pub mod model;
pub mod view;

mod fetch;
mod key;
mod plain;
mod terminal;

use crate::{args::WatchArgs, client::Endpoint, failure::Failure, screen::Screen};

/// Shows growth until the user, `--count` or `--duration` ends it.
pub async fn run(
    args: &WatchArgs,
    endpoint: &Endpoint,
    screen: &mut Screen,
) -> Result<(), Failure> {
    if screen.is_terminal() && !args.plain {
        terminal::run(args, endpoint).await
    } else {
        plain::run(args, endpoint, screen).await
    }
}
