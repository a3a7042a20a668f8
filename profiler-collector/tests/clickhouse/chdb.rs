//! ClickHouse of today: chdb, the library, behind `front.py`. One for all tests, with a database for
//! each store.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use profiler_collector::store::clickhouse::{ClickHouse, Client, Settings};
use tempfile::TempDir;

use crate::child::{Server, finish, kept_directory};

/// The library without what it is not needed for here; tables, and SQL of 2026.
const PACKAGE: &str = "chdb-core>=26,<27";

/// Most time for the download, of some 150 MB.
const INSTALL: Duration = Duration::from_secs(400);

static FRONT: OnceLock<Result<Front, String>> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

struct Front {
    url: String,
    /// Ends when this process does.
    _server: Server,
    _directory: TempDir,
}

/// A database that is not there yet.
pub(crate) struct Database {
    settings: Settings,
}

/// The reason why it cannot be had.
pub(crate) fn database() -> Result<Database, String> {
    let front = FRONT.get_or_init(start).as_ref().map_err(Clone::clone)?;
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    Ok(Database {
        settings: Settings {
            url: front.url.clone(),
            database: format!("profiler_{number}"),
            timeout: Duration::from_secs(60),
            linger: Duration::from_millis(5),
            runs_kept: Duration::ZERO,
            definitions_grace: Duration::ZERO,
            ..Settings::default()
        },
    })
}

impl Database {
    /// A collector's store in it.
    pub(crate) async fn open(&self) -> ClickHouse {
        ClickHouse::open(self.settings.clone())
            .await
            .expect("a store")
    }

    /// For what tests do behind the store's back.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.settings).expect("a client")
    }

    /// The same with other settings.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.settings.clone();
        change(&mut settings);
        Self { settings }
    }

    /// As a collector would be told.
    pub(crate) fn settings(&self) -> Settings {
        self.settings.clone()
    }
}

fn start() -> Result<Front, String> {
    let python = python()?;
    let directory = TempDir::new().map_err(|error| error.to_string())?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clickhouse/front.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .arg(directory.path().join("data"))
        .stdout(Stdio::piped());
    let mut server = Server::start(&mut command)?;
    let port: u16 = server
        .first_line()?
        .parse()
        .map_err(|_error| "front.py did not start; see above")?;
    Ok(Front {
        url: format!("http://127.0.0.1:{port}"),
        _server: server,
        _directory: directory,
    })
}

/// An interpreter that has chdb.
fn python() -> Result<PathBuf, String> {
    let environment = kept_directory("test-chdb")?;
    let interpreter = environment.join("bin/python3");
    let complete = environment.join("complete");
    if complete.is_file() {
        return Ok(interpreter);
    }
    let mut create = Command::new("python3");
    create.args(["-m", "venv", "--clear"]).arg(&environment);
    finish(&mut create, Duration::from_secs(60))?;
    let mut install = Command::new(&interpreter);
    install.args(["-m", "pip", "install", "--quiet", "--retries", "1"]);
    install.args(["--disable-pip-version-check", "--only-binary", ":all:"]);
    install.args(["--no-deps", PACKAGE]);
    finish(&mut install, INSTALL)?;
    fs::write(complete, "").map_err(|error| error.to_string())?;
    Ok(interpreter)
}
