//! A real server, though an old one: Debian's clickhouse-server 18.16. Its HTTP interface is the one
//! that servers of today still have.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use profiler_collector::store::clickhouse::Settings;
use tempfile::TempDir;

use crate::child::{Server, finish, kept_directory};

const USER: &str = "collector";
const PASSWORD: &str = "secret ' % \u{e9}";

/// Most time for the download, of some 30 MB, and for the server's start.
const INSTALL: Duration = Duration::from_secs(180);
const START: Duration = Duration::from_secs(60);

/// A running server. Ends when dropped.
pub(crate) struct OldServer {
    port: u16,
    _server: Server,
    _directory: TempDir,
}

impl OldServer {
    /// As a collector would be told, less what this version does not know.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            url: format!("http://127.0.0.1:{}", self.port),
            database: "default".into(),
            user: USER.into(),
            password: PASSWORD.into(),
            timeout: Duration::from_secs(20),
            options: Vec::new(),
            insert_options: Vec::new(),
            ..Settings::default()
        }
    }
}

/// The reason why it cannot be had.
pub(crate) fn old_server() -> Result<OldServer, String> {
    let root = unpacked()?;
    let directory = TempDir::new().map_err(|error| error.to_string())?;
    let port = free_port()?;
    configure(directory.path(), port).map_err(|error| error.to_string())?;
    let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"]
        .map(|folder| root.join(folder).display().to_string());
    let mut command = Command::new(root.join("usr/sbin/clickhouse-server"));
    command
        .arg("--config-file")
        .arg(directory.path().join("config.xml"))
        .env("LD_LIBRARY_PATH", libraries.join(":"));
    let server = Server::start_any(&command)?;
    answers(port)?;
    Ok(OldServer {
        port,
        _server: server,
        _directory: directory,
    })
}

fn free_port() -> Result<u16, String> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| error.to_string())
}

fn answers(port: u16) -> Result<(), String> {
    let until = Instant::now() + START;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > until {
            return Err(format!("clickhouse-server does not listen after {START:?}"));
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn configure(directory: &Path, port: u16) -> std::io::Result<()> {
    let folder = directory.display();
    let config = format!(
        "<yandex>
           <logger><level>none</level></logger>
           <listen_host>127.0.0.1</listen_host>
           <http_port>{port}</http_port>
           <path>{folder}/data/</path>
           <tmp_path>{folder}/tmp/</tmp_path>
           <mark_cache_size>67108864</mark_cache_size>
           <users_config>{folder}/users.xml</users_config>
           <default_profile>default</default_profile>
           <default_database>default</default_database>
         </yandex>"
    );
    let users = format!(
        "<yandex>
           <profiles><default></default></profiles>
           <quotas><default></default></quotas>
           <users><{USER}>
             <password>{PASSWORD}</password>
             <networks><ip>127.0.0.1</ip></networks>
             <profile>default</profile><quota>default</quota>
           </{USER}></users>
         </yandex>"
    );
    fs::write(directory.join("config.xml"), config)?;
    fs::write(directory.join("users.xml"), users)
}

/// Debian's packages, unpacked beside what cargo builds: nothing is installed.
fn unpacked() -> Result<PathBuf, String> {
    /// Tests run at one time, and each wants it.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let root = kept_directory("test-clickhouse-server")?;
    let complete = root.join("complete");
    if complete.is_file() {
        return Ok(root);
    }
    fs::create_dir_all(&root).map_err(|error| error.to_string())?;
    let script = "set -e
        packages=$(apt-get install --simulate --no-install-recommends clickhouse-server \
            | sed -n 's/^Inst \\([^ ]*\\) .*/\\1/p')
        apt-get download --quiet clickhouse-server clickhouse-common $packages
        for package in *.deb; do dpkg --extract \"$package\" .; done
        rm -f ./*.deb";
    let mut unpack = Command::new("sh");
    unpack.args(["-c", script]).current_dir(&root);
    finish(&mut unpack, INSTALL).map_err(|why| format!("Debian's clickhouse-server: {why}"))?;
    fs::write(complete, "").map_err(|error| error.to_string())?;
    Ok(root)
}
