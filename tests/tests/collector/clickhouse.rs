//! ClickHouse of today as a library, behind the front that the collector's own tests use too.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context as _, Result};
use profiler_tests::{Program, python, surroundings::Scratch};

/// A running server; it ends with this value.
pub(crate) struct Server {
    _program: Program,
    _directory: Scratch,
    /// Of a database that is not there yet.
    pub(crate) database: String,
}

impl Server {
    /// Starts one, or says why there is none.
    pub(crate) fn start() -> Result<std::result::Result<Self, String>> {
        let interpreter = match python::with_chdb()? {
            Ok(interpreter) => interpreter,
            Err(reason) => return Ok(Err(reason)),
        };
        let directory = Scratch::new()?;
        let front = directory.path().join("front.py");
        fs::write(
            &front,
            include_str!("../../../profiler-collector/tests/clickhouse/front.py"),
        )?;
        let mut command = Command::new(interpreter);
        command.arg(&front).arg(directory.path().join("data"));
        let mut program = Program::start(command)?;
        let port = program.line(Duration::from_secs(30))?;
        let port: u16 = port.trim().parse().context("the port of front.py")?;
        Ok(Ok(Self {
            _program: program,
            _directory: directory,
            database: format!("http://127.0.0.1:{port}/profiler"),
        }))
    }
}
