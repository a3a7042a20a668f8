//! The client: asks an agent or a collector over `profiler.v1.Query` and shows the answer.
//!
//! Data flows one way: `args` become a request, `client` brings the response, `render` and the
//! crate `profiler-formats` turn it into text or bytes, `screen` puts them out. Everything in
//! between takes values and returns values.

#![forbid(unsafe_code)]

pub mod args;
pub mod client;
pub mod failure;
pub mod render;
pub mod screen;
mod soak;
pub mod table;
pub mod text;
pub mod time;
pub mod watch;

mod verbs;

use std::ffi::OsString;

use clap::Parser as _;
pub use profiler_formats::units;

use crate::{args::Cli, failure::exit, screen::Screen};

/// Runs one command line and returns its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing is left to be told if even this cannot be printed.
            let _ = error.print();
            return if error.use_stderr() {
                exit::ERROR
            } else {
                exit::FINE
            };
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return exit::ERROR;
        }
    };
    let mut screen = Screen::stdout();
    let result = runtime.block_on(verbs::run(cli, &mut screen));
    // A lookup of a host name may still sit in a blocking thread: don't wait for it.
    runtime.shutdown_background();
    let flushed = |code| {
        let flushed = screen.flush().or_else(failure::Failure::unless_gone);
        flushed.map(|()| code)
    };
    match result.and_then(flushed) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
