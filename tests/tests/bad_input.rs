//! Bad input gets a clear error: what is wrong, where, what is allowed.

use std::{fs, net::TcpListener, path::Path, process::Command, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_tests::{
    Agent, Client, Outcome, Program, Verdict,
    agent::Address,
    command::{Finished, profiler},
    fixture, skip,
    surroundings::{self, eventually},
    trial,
};
use rustix::process::Signal;

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(60);
    vec![
        trial("bad_input::options", limit, options),
        trial("bad_input::configuration", limit, configuration),
        trial("bad_input::port_in_use", limit, port_in_use),
        trial("bad_input::two_agents", limit, two_agents),
        trial("bad_input::no_root", limit, no_root),
        trial("bad_input::missing_capability", limit, missing_capability),
        trial("bad_input::no_btf", limit, no_btf),
        trial("bad_input::no_tracefs", limit, no_tracefs),
        trial("bad_input::endpoint_is_down", limit, endpoint_is_down),
        trial("bad_input::client_is_told", limit, client_is_told),
    ]
}

/// Most time to find out that something is wrong.
const REFUSAL: Duration = Duration::from_secs(20);

/// Fails unless the program ended with an error that has each of these words; a word may have
/// alternatives, separated by `|`.
fn refused(what: &str, finished: &Finished, words: &[&str]) -> Result<()> {
    let errors = finished.errors.to_lowercase();
    ensure!(
        finished
            .status
            .code()
            .is_some_and(|code| code != 0 && code != 101),
        "{what}: ended with {}; {}",
        finished.status,
        finished.errors
    );
    ensure!(!errors.contains("panicked"), "{what}: {}", finished.errors);
    for word in words {
        ensure!(
            word.split('|')
                .any(|word| errors.contains(&word.to_lowercase())),
            "{what}: the message does not have {word:?}; {}",
            finished.errors
        );
    }
    Ok(())
}

fn run_agent(address: &Address, arguments: &[&str]) -> Result<Finished> {
    Finished::run(address.command(arguments)?, REFUSAL)
}

fn options() -> Outcome {
    let address = Address::new()?;
    let mut wrong = Command::new(surroundings::agent()?);
    wrong.arg("--no-such-option");
    refused(
        "unknown option",
        &Finished::run(wrong, REFUSAL)?,
        &["--no-such-option"],
    )?;
    let mut plan = Command::new(surroundings::agent()?);
    plan.args(["--plan", "magic"]);
    refused(
        "plan",
        &Finished::run(plan, REFUSAL)?,
        &["magic", "auto", "fexit", "tracepoint"],
    )?;
    let mut listen = Command::new(surroundings::agent()?);
    listen.args(["--listen", "nowhere"]);
    refused(
        "address",
        &Finished::run(listen, REFUSAL)?,
        &["nowhere", "listen"],
    )?;
    let pid = run_agent(&address, &["--include-pid", "many"])?;
    refused("process id", &pid, &["many", "--include-pid"])?;
    Ok(Verdict::Passed)
}

fn configuration() -> Outcome {
    let address = Address::new()?;
    let file = address.directory().join("agent.toml");
    let path = file.to_str().context("path")?;
    let cases = [
        (
            "unknown key",
            "\n\nno_such_key = 1\n",
            &["no_such_key", "line 3|:3"][..],
        ),
        (
            "unknown key in a table",
            "[filter.include]\nno_such_key = 1\n",
            &["no_such_key", "line 2|:2", "processes"],
        ),
        (
            "value of another type",
            "[filter.include]\npids = [\"twelve\"]\n",
            &["twelve", "line 2|:2"],
        ),
        (
            "value out of range",
            "[filter.exclude]\npids = [-5]\n",
            &["-5", "line 2|:2"],
        ),
        (
            "word that is none of them",
            "plan = \"magic\"\n",
            &["magic", "line 1|:1", "tracepoint"],
        ),
        (
            "size",
            "log = \"info\"\nhistory_budget = \"lots\"\n",
            &["history_budget|lots", "line 2|:2", "MiB"],
        ),
        (
            "size out of range",
            "capture_interval = \"1KiB\"\n",
            &["capture_interval", "line 1|:1", "4KiB|4 KiB"],
        ),
        (
            "span",
            "snapshot_interval = \"0s\"\n",
            &["snapshot_interval", "line 1|:1", "1s"],
        ),
        (
            "address for everyone",
            "listen = \"0.0.0.0:7741\"\n",
            &["0.0.0.0", "insecure"],
        ),
        (
            "short container",
            "[filter.include]\ncontainers = [\"ab\"]\n",
            &["ab", "4"],
        ),
        ("not TOML", "[filter\n", &["line 1|:1"]),
        ("not text", "\u{0}\u{1}", &["line 1|:1"]),
    ];
    for (what, text, words) in cases {
        fs::write(&file, text)?;
        let words = [words, &["agent.toml"]].concat();
        // Without flags, which would override the file.
        let mut command = Command::new(surroundings::agent()?);
        command.args(["--config", path]);
        refused(what, &Finished::run(command, REFUSAL)?, &words)?;
    }
    let missing = run_agent(&address, &["--config", "/nonexistent/agent.toml"])?;
    refused("missing file", &missing, &["/nonexistent/agent.toml"])?;
    Ok(Verdict::Passed)
}

fn port_in_use() -> Outcome {
    let address = Address::new()?;
    let _taken = TcpListener::bind(("127.0.0.1", address.port))?;
    let port = address.port.to_string();
    refused("port", &run_agent(&address, &[])?, &[&port, "in use"])?;
    ensure!(!address.socket().exists(), "it left its socket behind");
    Ok(Verdict::Passed)
}

fn two_agents() -> Outcome {
    let mut agent = Agent::start(&[])?;
    // On the same port, with another socket.
    let other = Address::new()?;
    let mut command = Command::new(surroundings::agent()?);
    let listen = format!("127.0.0.1:{}", agent.address().port);
    command
        .args(["--listen", &listen, "--socket"])
        .arg(other.socket());
    command.args(["--plan", &surroundings::plan()]);
    refused(
        "same port",
        &Finished::run(command, REFUSAL)?,
        &[&listen, "in use"],
    )?;
    // On the same socket, with another port: the first keeps it.
    let mut command = Command::new(surroundings::agent()?);
    command.args(["--listen", &format!("127.0.0.1:{}", other.port), "--socket"]);
    command
        .arg(agent.address().socket())
        .args(["--plan", &surroundings::plan()]);
    refused(
        "same socket",
        &Finished::run(command, REFUSAL)?,
        &["agent.sock"],
    )?;
    agent.alive()?;
    ensure!(
        agent.client()?.serving(),
        "the first agent does not serve any more"
    );
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// The agent in a jail; copied first, so that another user can reach it.
fn jailed(address: &Address, options: &[&str], arguments: &[&str]) -> Result<Command> {
    let copy = address.directory().join("profiler-agent");
    let agent = surroundings::agent()?;
    let mut command = Command::new(fixture::path("jail")?);
    command
        .arg("--copy")
        .arg(agent)
        .arg(&copy)
        .args(options)
        .arg("--")
        .arg(&copy);
    address.listen(&mut command);
    command.args(arguments);
    Ok(command)
}

fn no_root() -> Outcome {
    let address = Address::new()?;
    let command = jailed(&address, &["--user", "65534"], &[])?;
    refused("no root", &Finished::run(command, REFUSAL)?, &["root|cap_"])?;
    Ok(Verdict::Passed)
}

fn missing_capability() -> Outcome {
    // CAP_SYS_ADMIN stands for both others, and for all of them before Linux 5.8.
    let sys_admin = ["--drop", "21"];
    for (number, name) in [("39", "cap_bpf"), ("38", "cap_perfmon")] {
        let address = Address::new()?;
        let options = [&sys_admin[..], &["--drop", number]].concat();
        let finished = Finished::run(jailed(&address, &options, &[])?, REFUSAL)?;
        refused(name, &finished, &[name])?;
    }
    Ok(Verdict::Passed)
}

fn no_btf() -> Outcome {
    if !Path::new("/sys/kernel/btf/vmlinux").is_file() {
        return skip("this kernel has no BTF");
    }
    let address = Address::new()?;
    let command = jailed(&address, &["--mount", "--tmpfs", "/sys/kernel/btf"], &[])?;
    let finished = Finished::run(command, REFUSAL)?;
    refused("no BTF", &finished, &["BTF", "/sys/kernel/btf/vmlinux"])?;
    Ok(Verdict::Passed)
}

/// The agent may find another way; if not, it has to say what is missing.
fn no_tracefs() -> Outcome {
    let places: Vec<&str> = ["/sys/kernel/tracing", "/sys/kernel/debug"]
        .into_iter()
        .filter(|place| Path::new(place).is_dir())
        .collect();
    let options: Vec<&str> = ["--mount"]
        .into_iter()
        .chain(places.iter().flat_map(|place| ["--tmpfs", place]))
        .collect();
    let address = Address::new()?;
    let mut program = Program::start(jailed(&address, &options, &[])?)?;
    let serves = eventually(REFUSAL, || {
        if program.poll()?.is_some() {
            return Ok(false);
        }
        ensure!(
            Client::unix(&address.socket()).is_ok_and(|mut client| client.serving()),
            "not yet"
        );
        Ok(true)
    })
    .context("it neither serves nor refuses")?;
    if serves {
        program.signal(Signal::TERM);
    }
    let status = program.wait(Duration::from_secs(5))?;
    let finished = Finished {
        status,
        output: String::new(),
        errors: program.errors(),
    };
    if serves {
        ensure!(
            status.success(),
            "it ended with {status}; {}",
            finished.errors
        );
    } else {
        refused("no tracefs", &finished, &["tracefs"])?;
    }
    Ok(Verdict::Passed)
}

fn run_client(arguments: &[&str]) -> Result<Finished> {
    let mut command = Command::new(surroundings::cli()?);
    command.args(arguments);
    Finished::run(command, REFUSAL)
}

/// The client's exit code for errors.
const ERROR: i32 = 3;

fn client_refused(what: &str, finished: &Finished, words: &[&str]) -> Result<()> {
    refused(what, finished, words)?;
    ensure!(
        finished.status.code() == Some(ERROR),
        "{what}: exit code {}",
        finished.status
    );
    Ok(())
}

fn endpoint_is_down() -> Outcome {
    let address = Address::new()?;
    let tcp = format!("127.0.0.1:{}", address.port);
    client_refused(
        "TCP",
        &run_client(&["--endpoint", &tcp, "status"])?,
        &[&tcp, "agent"],
    )?;
    let socket = format!("unix:{}", address.socket().display());
    client_refused(
        "socket",
        &run_client(&["--endpoint", &socket, "status"])?,
        &["agent.sock"],
    )?;
    let silent = TcpListener::bind(("127.0.0.1", address.port))?;
    // Accepts and says what no gRPC server says.
    let talker = thread::spawn(move || {
        use std::io::Write as _;
        if let Ok((mut stream, _)) = silent.accept() {
            let _gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    client_refused(
        "not gRPC",
        &run_client(&["--endpoint", &tcp, "status"])?,
        &[&tcp],
    )?;
    drop(talker);
    Ok(Verdict::Passed)
}

fn client_is_told() -> Outcome {
    let agent = Agent::start(&[])?;
    let gone = u32::MAX >> 1;
    let cases = [
        (
            "pid",
            vec!["ranges".to_owned(), "--pid".into(), gone.to_string()],
            &["not found|no process|no such"][..],
        ),
        (
            "past",
            ["diff", "--from", "2001-01-01T00:00:00Z"]
                .map(str::to_owned)
                .to_vec(),
            &["range|kept|history"],
        ),
        (
            "time",
            ["diff", "--from", "yesterday-ish"]
                .map(str::to_owned)
                .to_vec(),
            &["yesterday-ish"],
        ),
        (
            "prefix",
            ["top", "--container", "ab"].map(str::to_owned).to_vec(),
            &["ab", "4"],
        ),
        (
            "limit",
            ["top", "--limit", "20000"].map(str::to_owned).to_vec(),
            &["10000|10,000"],
        ),
    ];
    for (what, arguments, words) in cases {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        client_refused(what, &profiler(&agent, &arguments)?, words)?;
    }
    agent.stop()?;
    Ok(Verdict::Passed)
}
