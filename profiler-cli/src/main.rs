//! The client of the host memory profiler. See `--help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(profiler_cli::run(std::env::args_os()))
}
