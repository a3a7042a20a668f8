//! A receiver made from the published proto, by others, in another language.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::{
    child::{Server, finish, kept_directory},
    fixture::{BEGIN, MIB, SECOND},
    receiver::{Fleet, PROFILES, settings, until},
    trial::trial,
};

/// Messages as published, and gRPC.
const PACKAGES: [&str; 2] = ["opentelemetry-proto>=1.45,<1.46", "grpcio>=1.80,<2"];
const INSTALL: Duration = Duration::from_secs(180);

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(
        "a_receiver_of_the_published_proto_takes_every_byte",
        start,
        async |receiver| takes(receiver).await,
    )]
}

struct Receiver {
    address: SocketAddr,
    /// One line of JSON for each request that was as it has to be.
    took: PathBuf,
    _server: Server,
    _directory: tempfile::TempDir,
}

async fn takes(receiver: Receiver) {
    let fleet = Fleet::exporting(settings(receiver.address)).await;
    fleet.export(0).await;
    fleet.export(2).await;
    let counters = &fleet.counters;
    until(|| counters.profiles_sent.get() + counters.profiles_rejected.get() == 2 * PROFILES).await;
    let took = fs::read_to_string(&receiver.took).unwrap_or_default();
    assert_eq!(
        counters.profiles_rejected.get(),
        0,
        "refused; the reason is above"
    );
    let took: Vec<Value> = took
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(took, [expected(0), expected(2)]);
}

/// What the fleet of the tests has grown by in a minute, as the receiver writes it.
fn expected(minute: u64) -> Value {
    let from = BEGIN + (15 + minute * 60) * SECOND;
    let to = from + 60 * SECOND;
    let stack = |number: u64| {
        let mut names = vec![
            format!("leaf_{number}"),
            format!("middle_{number}"),
            "main".to_owned(),
        ];
        if number.is_multiple_of(5) {
            names.push("[stack truncated]".to_owned());
        }
        names
    };
    let process = |number: u64| {
        json!({
            "resource": {
                "service.name": "app",
                "host.name": format!("node-{number}"),
                "k8s.namespace.name": "shop",
                "process.executable.name": "app",
                "process.executable.path": "/usr/bin/app",
                "process.pid": 100 + number,
            },
            "profiles": [
                {
                    "type": ["committed_live", "bytes"],
                    "time": to,
                    "duration": 0,
                    "samples": [
                        [stack(5), (4 + minute) * MIB],
                        [stack(6), 10 * MIB],
                    ],
                },
                {
                    "type": ["committed_allocated", "bytes"],
                    "time": from,
                    "duration": to - from,
                    "samples": [[stack(5), MIB]],
                },
            ],
            "build_ids": ["abcd"],
        })
    };
    json!([process(1), process(2)])
}

fn start() -> Result<Receiver, String> {
    let python = python()?;
    let directory = tempfile::TempDir::new().map_err(|error| error.to_string())?;
    let took = directory.path().join("took");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/otlp/receiver.py");
    let mut command = Command::new(python);
    command.arg(script).arg(&took).stdout(Stdio::piped());
    let mut server = Server::start(&mut command)?;
    let port: u16 = server
        .first_line()?
        .parse()
        .map_err(|_error| "receiver.py did not start; see above")?;
    Ok(Receiver {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        took,
        _server: server,
        _directory: directory,
    })
}

/// An interpreter that has the packages.
fn python() -> Result<PathBuf, String> {
    let environment = kept_directory("test-otlp")?;
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
    install.args(PACKAGES);
    finish(&mut install, INSTALL)?;
    fs::write(complete, "").map_err(|error| error.to_string())?;
    Ok(interpreter)
}
